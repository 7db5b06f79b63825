"""One operation that may come next, and how it is written in an answer."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from nextcall.catalog import Operation
from nextcall.ranking.answers import Ranked
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.serve.answers import FullPrediction, Prediction

DESCRIPTION_CHARACTERS: Final = 300
"""Characters that an answer shows of a description."""

_OF_A_PLACE: Final = {"confidence", "rank"}
"""Fields of a prediction that its operation does not decide; the last ones."""


class Found(NamedTuple):
    """One answer of retrieval alone; what only a ranker says is None."""

    operation: Operation
    rank: int
    """From 1."""
    similarity: float
    """Cosine of prompt and operation text."""
    score: float | None = None
    """The trees' score; None without a ranker, as the next two."""
    confidence: float | None = None
    features: NDArray[np.float32] | None = None


AnyFound: TypeAlias = Found | Ranked
"""An operation that may come next, whoever says so."""


def short_prediction(found: AnyFound) -> Prediction:
    """Write an answer in short."""
    operation = found.operation
    return Prediction(
        api_call=operation.api_call,
        operation_id=operation.operation_id,
        method=operation.method,
        description=shortened(operation.summary or operation.description),
        parameters=parameter_hints(operation),
        confidence=found.confidence,
        rank=found.rank,
    )


def usual_prediction(operation: Operation) -> Prediction:
    """Write an operation as it is shown where nothing of it is withheld."""
    return short_prediction(Found(operation=operation, rank=1, similarity=0))


def head_of(prediction: Prediction) -> bytes:
    """Write what a prediction says of its operation: JSON up to its last two fields.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> head_of(usual_prediction(describe_operation(operation_id="f", summary="Adds.")))
    b'{"api_call":"f","operation_id":"f","method":null,"description":"Adds.","parameters":{}'
    """
    return prediction.model_dump_json(exclude=_OF_A_PLACE)[:-1].encode()


def usual_head(operation: Operation) -> bytes:
    """Write `head_of` an operation's `usual_prediction`, in a third of the time.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> add = describe_operation(operation_id="f", summary="Adds.")
    >>> usual_head(add) == head_of(usual_prediction(add))
    True
    """
    told = {
        "api_call": operation.api_call,
        "operation_id": operation.operation_id,
        "method": operation.method,
        "description": shortened(operation.summary or operation.description),
        "parameters": parameter_hints(operation),
    }
    return to_json(told)[:-1]


def full_prediction(
    found: AnyFound, reason: str, *, is_cold: bool, names: Sequence[str] = FEATURE_NAMES
) -> FullPrediction:
    """Write an answer with all that is known of it; `names` are those of its features."""
    features = None
    if found.features is not None:
        values = zip(names, found.features, strict=True)
        features = {name: number(value) for name, value in values}
    return FullPrediction(
        **dict(short_prediction(found)),
        ml_ranking_score=found.score,
        semantic_similarity=found.similarity,
        ml_features=features,
        reasoning=reason,
        ai_provider=None,
        cold_start_prediction=is_cold,
        safety_validated=None,
        safety_flags=None,
    )


def parameter_hints(operation: Operation) -> dict[str, str]:
    """Say of each parameter where it goes, its type and whether it must be given.

    Examples
    --------
    >>> from nextcall.catalog import Parameter, describe_operation
    >>> user = Parameter(name="id", location="path", type="string", required=True)
    >>> parameter_hints(describe_operation(operation_id="getUser", parameters=[user]))
    {'id': 'path, string, required'}
    """
    hints: dict[str, str] = {}
    for parameter in operation.parameters:
        hint = _hint(parameter.location, parameter.type, parameter.required)
        earlier = hints.get(parameter.name)  # the same name may go to two places
        hints[parameter.name] = hint if earlier is None else f"{earlier}; {hint}"
    return hints


@lru_cache(maxsize=1_024)
def _hint(location: str | None, kind: str | None, required: bool) -> str:  # noqa: FBT001  # a key
    need = "required" if required else "optional"
    return ", ".join(part for part in (location, kind, need) if part)


def shortened(text: str) -> str:
    """Cut a description, with dots where something is left out."""
    if len(text) <= DESCRIPTION_CHARACTERS:
        return text
    return f"{text[: DESCRIPTION_CHARACTERS - 3]}..."


def number(value: np.float32 | float) -> float | None:
    """Give a value, None where it is not known."""
    return None if np.isnan(value) else float(value)
