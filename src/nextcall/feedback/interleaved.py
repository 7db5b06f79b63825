"""Which of two models users prefer, from what they chose of interleaved lists."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite, isnan
from typing import TYPE_CHECKING, Literal

import numpy as np
from sqlalchemy import select

from nextcall.abtest.preference import Preference, compare_credit
from nextcall.feedback.answers import given_within
from nextcall.feedback.draft import Draft
from nextcall.feedback.tables import ANSWER
from nextcall.storage.database import LONG, Database

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class InterleavedPreference:
    """How far users prefer a challenger to the model beside which it was interleaved.

    Parameters
    ----------
    model_version : str, optional
        Of the current model; None without a trained ranker.
    challenger : str
        Version of the other.
    answers, users : int
        How many lists were answered for, and by whom.
    taken : int
        Answers whose operation was shown; no other one credits anybody.
    credit, challenger_credit : float
        What either got; together `taken`.
    alpha : float
        One less the level of the interval.
    preference : Preference
        The current model is ``a``, the challenger ``b``; its effect is credit an answer, in
        [-1, 1], with its error over users. Above 0 the challenger is preferred.
    """

    model_version: str | None
    challenger: str
    answers: int
    users: int
    taken: int
    credit: float
    challenger_credit: float
    alpha: float
    preference: Preference

    @property
    def pvalue(self) -> float:
        """Of no preference; by the sign test over users where the effect has no error."""
        found = self.preference.effect.pvalue
        return self.preference.sign_pvalue if isnan(found) else found

    @property
    def preferred(self) -> Literal["current", "challenger"] | None:
        """Who is preferred; None where that is not shown."""
        if not (self.pvalue < self.alpha and self.users > 1):
            return None
        return "challenger" if self.preference.effect.value > 0 else "current"

    @property
    def verdict(self) -> str:
        """What is found, in a sentence."""
        effect = self.preference.effect
        said = {
            "challenger": f"{self.challenger} is preferred to {self.model_version}",
            "current": f"{self.model_version} is preferred to {self.challenger}",
            None: f"Neither of {self.model_version} and {self.challenger} is shown to be preferred",
        }[self.preferred]
        interval = "no interval, for there is one user"
        if isfinite(effect.ci_lower):
            level = f"{100 * (1 - self.alpha):g} % interval"
            interval = f"{level} {effect.ci_lower:+.3f} to {effect.ci_upper:+.3f}"
        return (
            f"{said}: {effect.value:+.3f} of an answer goes to the challenger beyond the other "
            f"({interval}, p {self.pvalue:.2g}; {_counted(self.answers, 'answer')}, "
            f"{_counted(self.users, 'user')})."
        )

    def to_frame(self) -> "pd.DataFrame":
        """Give one row; ``difference`` is credit an answer, challenger less current."""
        import pandas as pd  # noqa: PLC0415  # 30 MB, and only for frames

        names = ("model_version", "challenger", "answers", "users", "taken", "credit")
        row: dict[str, object] = {name: getattr(self, name) for name in names}
        effect = self.preference.effect
        row |= {
            "credit.challenger": self.challenger_credit,
            "difference": effect.value,
            "difference.low": effect.ci_lower,
            "difference.high": effect.ci_upper,
            "pvalue": self.pvalue,
            "sign_pvalue": self.preference.sign_pvalue,
            "preferred": self.preferred,
            "verdict": self.verdict,
        }
        return pd.DataFrame([row])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Credited:
    user: str
    credit: tuple[float, float]


def interleaved_preferences(
    database: Database,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    alpha: float = 0.05,
) -> list[InterleavedPreference]:
    """Compare models by what was chosen of their interleaved lists.

    The last answer for a list counts. Who looks again and again stops at a chance difference
    sooner or later: say beforehand how many answers, or until when.

    Parameters
    ----------
    since, until : datetime, optional
        From, and before; with a zone. By the time of the first answer for a list.
    alpha : float
        One less the level of the interval; a preference is told where the p-value lies below.

    Returns
    -------
    list of InterleavedPreference
        One a pair of versions, by name; none without answers.

    Raises
    ------
    ValueError
        Where alpha is not between 0 and 1.

    References
    ----------
    Radlinski, Kurup & Joachims (2008), CIKM; see `nextcall.abtest.preference.compare_credit`.
    """
    pairs: dict[tuple[str | None, str], list[_Credited]] = {}
    columns = ("model_version", "challenger", "draft", "user", "operations", "chosen")
    asked = (
        select(*(ANSWER.c[name] for name in columns), ANSWER.c.prediction_id)
        .where(ANSWER.c.challenger.is_not(None), *given_within(since, until))
        .order_by(ANSWER.c.given_at, ANSWER.c.prediction_id)
    )
    with database.reading(seconds=LONG) as connection:
        for row in connection.execute(asked):
            draft = Draft.read(row.challenger, row.draft)
            current, other = draft.credit(row.operations, row.chosen).tolist()
            user = f"\0{row.prediction_id}" if row.user is None else row.user
            found = _Credited(user=user, credit=(current, other))
            pairs.setdefault((row.model_version, row.challenger), []).append(found)
    ordered = sorted(pairs.items(), key=lambda item: (item[0][0] or "", item[0][1]))
    return [_compared(pair, found, alpha) for pair, found in ordered]


def preference_frame(found: Iterable[InterleavedPreference]) -> "pd.DataFrame":
    """Put pairs below one another."""
    import pandas as pd  # noqa: PLC0415  # as above

    frames = [each.to_frame() for each in found]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _compared(
    pair: tuple[str | None, str], found: Sequence[_Credited], alpha: float
) -> InterleavedPreference:
    credit = np.array([each.credit for each in found])
    (preference,) = compare_credit(credit, users=[each.user for each in found], alpha=alpha)
    total, challenger_total = credit.sum(axis=0).tolist()
    return InterleavedPreference(
        model_version=pair[0],
        challenger=pair[1],
        answers=len(found),
        users=preference.n_units,
        taken=int((credit.sum(axis=1) > 0).sum()),
        credit=total,
        challenger_credit=challenger_total,
        alpha=alpha,
        preference=preference,
    )


def _counted(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"
