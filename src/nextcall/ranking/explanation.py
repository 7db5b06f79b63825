"""Why an operation has its score: what every feature added to it, alone and beside another."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.catalog.actions import ACTIONS
from nextcall.ranking.feature_table import FEATURES

if TYPE_CHECKING:
    from nextcall.ranking.answers import Ranked

BASE: Final = "(base)"
"""Row of the constant that every operation's score begins with."""

_UNIT_OF: Final = {feature.name: feature.unit for feature in FEATURES}
_LAST: Final = {feature.name: feature.high for feature in FEATURES if feature.unit == "rank"}
# Rank of what is not listed.


class Scorer(Protocol):
    """What splits its scores into what each feature added: trees, or a ranker."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give what each feature added, and a constant at the end."""


def score_parts(answers: Sequence["Ranked"], trees: Scorer) -> pd.DataFrame:
    """Split the scores of some answers into what each feature added (TreeSHAP).

    Returns
    -------
    DataFrame
        One row an answer and feature: ``rank, operation_id, feature, value, contribution``, the
        largest contributions of an answer first; a row ``(base)`` holds the constant, so that an
        answer's contributions sum to its score.
    """
    contributions = trees.contributions(np.stack([answer.features for answer in answers]))
    names = [*trees.feature_names, BASE]
    frames = []
    for answer, added in zip(answers, contributions, strict=True):
        order = np.argsort(-np.abs(added), kind="stable")
        frames.append(
            pd.DataFrame(
                {
                    "rank": answer.rank,
                    "operation_id": answer.operation.operation_id,
                    "feature": [names[i] for i in order],
                    "value": np.append(answer.features, np.nan)[order],
                    "contribution": added[order],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def score_difference(first: "Ranked", second: "Ranked", trees: Scorer) -> pd.DataFrame:
    """Split the difference of two scores of one query by feature.

    Returns
    -------
    DataFrame
        One row a feature: ``feature, first_value, second_value, first_contribution,
        second_contribution, difference``, the largest differences first; ``difference`` sums to
        the first score minus the second.
    """
    features = np.stack([first.features, second.features])
    one, other = trees.contributions(features)[:, :-1]  # the constant is the same for both
    order = np.argsort(-np.abs(one - other), kind="stable")
    return pd.DataFrame(
        {
            "feature": [trees.feature_names[i] for i in order],
            "first_value": first.features[order],
            "second_value": second.features[order],
            "first_contribution": one[order],
            "second_contribution": other[order],
            "difference": (one - other)[order],
        }
    )


def candidate(answers: Sequence["Ranked"], operation_id: str, *, argument: str) -> "Ranked":
    """Find an operation among all candidates of a query.

    Raises
    ------
    ValueError
        Where it is none of them; the message names the argument and the rule.
    """
    for answer in answers:
        if answer.operation.operation_id == operation_id:
            return answer
    raise ValueError(
        f"{argument} must be one of the {len(answers)} candidates that the search proposes for the "
        f"prompt, got {operation_id!r}: only these are scored."
    )


def readable_feature(name: str) -> str:
    """Write a feature's name as words.

    Examples
    --------
    >>> readable_feature("prompt_covers_name")
    'prompt covers name'
    """
    return name.replace("_", " ")


def readable_value(name: str, value: float) -> str:
    """Write a feature's value as a reader understands it.

    Examples
    --------
    >>> [readable_value("endpoint_type", 0), readable_value("last_service", 1),
    ...  readable_value("rank_dense", 2), readable_value("rank_text", 200),
    ...  readable_value("bigram_prob", 0.25), readable_value("bigram_prob", float("nan"))]
    ['create', 'yes', '3rd', 'not listed', '0.25', 'not known']
    """
    if np.isnan(value):
        return "not known"
    if value >= _LAST.get(name, np.inf):
        return "not listed"
    write = _WRITERS.get(_UNIT_OF.get(name, ""))
    if write is not None:
        return write(value)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.2f}"


def _ordinal(place: float) -> str:
    number = int(place) + 1
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{ending or 'th'}"


def _decimals(value: float) -> str:
    return f"{value:.2f}"


_WRITERS: Final[Mapping[str, Callable[[float], str]]] = {
    "code": lambda code: "none" if code < 0 else ACTIONS[int(code)],
    "0 or 1": lambda flag: "yes" if flag else "no",
    "rank": _ordinal,
    "log seconds": lambda value: f"{np.expm1(value):,.0f} s",
    "share": _decimals,
    "cosine": _decimals,
    "probability": _decimals,
}
