"""How good predictions were to those who saw them: hit@1, hit@3, MRR, by time and model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import select

from nextcall.abtest.effect import effect_of
from nextcall.abtest.means import ratio_arm
from nextcall.abtest.moments import Moments
from nextcall.abtest.shares import Share, share_interval
from nextcall.feedback.answers import given_within
from nextcall.feedback.tables import ANSWER
from nextcall.storage.database import LONG, Database

if TYPE_CHECKING:
    import pandas as pd

_START: Final = datetime(1970, 1, 1, tzinfo=UTC)  # of windows: those of a day begin at midnight
_MEASURES: Final = ("hit_at_1", "hit_at_3", "mrr", "none_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over answers, in [0, 1], with its 95 % interval."""

    value: float
    ci_lower: float
    ci_upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineAccuracy:
    """How good some answers say that predictions were; what was not shown counts as a miss.

    Parameters
    ----------
    model_version : str, optional
        Of all of them; None where there was no ranker, or they were not told apart. Of lists of two
        models that were interleaved, both versions.
    since : datetime, optional
        Start of their window, UTC; None where there is one for all.
    answers, users : int
        How many; who has no name is a user of one answer.
    outside : int
        Answers with an operation that was not shown.
    hit_at_1, hit_at_3 : Estimate
        Shares of answers whose operation stood first, or among the first three; by Wilson. Higher
        is better.
    mrr : Estimate
        Mean of 1 / rank; its interval is over users, for answers of one are alike, and (0, 1) where
        there is one user. Higher is better.
    none_rate : Estimate
        Share of answers that say that none was called; by Wilson. Lower is better.
    """

    model_version: str | None
    since: datetime | None
    answers: int
    users: int
    outside: int
    hit_at_1: Estimate
    hit_at_3: Estimate
    mrr: Estimate
    none_rate: Estimate

    def to_frame(self) -> "pd.DataFrame":
        """Give one row, with a column a field; ends of intervals are ``NAME.low``, ``.high``."""
        import pandas as pd  # noqa: PLC0415  # 30 MB, and only for frames

        names = ("since", "model_version", "answers", "users", "outside")
        row: dict[str, object] = {name: getattr(self, name) for name in names}
        for name in _MEASURES:
            found: Estimate = getattr(self, name)
            row |= {
                name: found.value,
                f"{name}.low": found.ci_lower,
                f"{name}.high": found.ci_upper,
            }
        return pd.DataFrame([row])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    given_at: datetime
    model_version: str | None
    user: str
    rank: int | None
    none: bool


def online_accuracy(
    database: Database,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    window: timedelta | None = None,
    by_version: bool = True,
) -> list[OnlineAccuracy]:
    """Compute how good predictions were that were answered for in a span of time.

    Intervals of shares take each answer for itself. Where few users gave most of them, they are too
    narrow; an A/B test has users as clusters.

    Parameters
    ----------
    since, until : datetime, optional
        From, and before; with a zone. By the time of the first answer.
    window : timedelta, optional
        Length of the windows to tell apart, counted from midnight of 1 January 1970; one for all
        where none is given.
    by_version : bool
        Whether versions of the model are told apart.

    Returns
    -------
    list of OnlineAccuracy
        By window, then by version; none without answers.

    Raises
    ------
    ValueError
        Where `window` is not above 0.

    References
    ----------
    Wilson (1927), JASA 22(158). Deng, Knoblich & Lu (2018), KDD: means over users' answers.
    """
    if window is not None and window <= timedelta(0):
        raise ValueError(f"window must be above 0, got {window}.")
    groups: dict[tuple[datetime | None, str | None], list[_Outcome]] = {}
    for each in _read(database, since, until):
        start = None if window is None else _START + (each.given_at - _START) // window * window
        version = each.model_version if by_version else None
        groups.setdefault((start, version), []).append(each)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0] or _START, item[0][1] or ""))
    return [_accuracy(start, version, found) for (start, version), found in ordered]


def accuracy_frame(found: Iterable[OnlineAccuracy]) -> "pd.DataFrame":
    """Put accuracies below one another."""
    import pandas as pd  # noqa: PLC0415  # as above

    frames = [each.to_frame() for each in found]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _read(database: Database, since: datetime | None, until: datetime | None) -> list[_Outcome]:
    names = ("given_at", "model_version", "challenger", "user", "rank", "chosen", "prediction_id")
    asked = select(*(ANSWER.c[name] for name in names)).where(*given_within(since, until))
    with database.reading(seconds=LONG) as connection:
        return [
            _Outcome(
                given_at=at,
                model_version=version if other is None else f"{version} and {other}",
                user=f"\0{name}" if user is None else user,
                rank=rank,
                none=chosen is None,
            )
            for at, version, other, user, rank, chosen, name in connection.execute(asked)
        ]


def _accuracy(
    since: datetime | None, version: str | None, found: Sequence[_Outcome]
) -> OnlineAccuracy:
    ranks = [each.rank for each in found if each.rank is not None]
    none = sum(each.none for each in found)
    return OnlineAccuracy(
        model_version=version,
        since=since,
        answers=len(found),
        users=len({each.user for each in found}),
        outside=len(found) - len(ranks) - none,
        hit_at_1=_share(sum(rank == 1 for rank in ranks), len(found)),
        hit_at_3=_share(sum(rank <= 3 for rank in ranks), len(found)),
        mrr=_mean_reciprocal_rank(found),
        none_rate=_share(none, len(found)),
    )


def _share(successes: int, n: int) -> Estimate:
    share = Share(successes=successes, n=n)
    low, high = share_interval(share)
    return Estimate(value=share.value, ci_lower=low, ci_upper=high)


def _mean_reciprocal_rank(found: Sequence[_Outcome]) -> Estimate:
    places = {user: place for place, user in enumerate({each.user: None for each in found})}
    sums = np.zeros((len(places), 2))
    for each in found:
        sums[places[each.user]] += (0.0 if each.rank is None else 1.0 / each.rank, 1.0)
    mean = float(sums[:, 0].sum() / len(found))
    if len(sums) < 2:
        return Estimate(value=mean, ci_lower=0.0, ci_upper=1.0)
    arm = ratio_arm(Moments.of(sums))
    effect = effect_of(mean, arm.se, dof=arm.n - 1)
    ends = (effect.ci_lower, effect.ci_upper) if isfinite(arm.se) else (0.0, 1.0)
    return Estimate(value=mean, ci_lower=max(ends[0], 0.0), ci_upper=min(ends[1], 1.0))
