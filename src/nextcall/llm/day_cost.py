"""What a day of language models cost in all, beside what it may."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import nan
from typing import Final

from sqlalchemy import BigInteger, Connection, cast, func, select

from nextcall.llm.budget import Budget
from nextcall.llm.model import BILLION
from nextcall.llm.tables import DAY

PREDICTION: Final = "run"
"""Purpose of a call that answers a user: one that ends well is counted as a prediction."""

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCost:
    """What the calls of a day of UTC cost together.

    Parameters
    ----------
    day : date
    at : datetime
        When it was read; the day ends there where it is not over.
    budget : Budget
    committed : int
        Billionths of a US dollar: what calls cost, and what is set aside for those that are not
        settled.
    predictions : int
        Runs that a model answered: calls for the purpose ``run`` whose outcome is ``ok``, so one a
        run, however many models were tried before.
    total_predictions : int
        The same of all days until this one.
    prediction_cost : int
        Billionths of a US dollar that settled calls for that purpose cost, answered or not.
    """

    day: date
    at: datetime
    budget: Budget
    committed: int = 0
    predictions: int = 0
    total_predictions: int = 0
    prediction_cost: int = 0

    @property
    def spent_usd(self) -> float:
        """What is committed, in US dollars."""
        return self.committed / BILLION

    @property
    def utilization(self) -> float:
        """Share of the day's budget that is committed; nan where that is 0."""
        return self.budget.utilization(self.committed)

    @property
    def is_warning(self) -> bool:
        """Whether the day's budget runs out."""
        return self.budget.is_warning(self.committed)

    @property
    def is_emergency(self) -> bool:
        """Whether only the cheapest models should be asked."""
        return self.budget.is_emergency(self.committed)

    @property
    def mean_prediction_usd(self) -> float:
        """US dollars that a prediction cost, with the calls that failed; nan without any."""
        return self.prediction_cost / BILLION / self.predictions if self.predictions else nan

    @property
    def is_prediction_met(self) -> bool | None:
        """Whether a prediction cost no more than it should; None without any."""
        return self.mean_prediction_usd <= self.budget.prediction_usd if self.predictions else None

    @property
    def is_on_track(self) -> bool:
        """Whether a day that goes on as it began stays within its budget.

        No more is committed then than the budget's share of the day so far, an hour's at least.
        """
        passed = max(_HOUR, self.passed)
        return self.committed <= self.budget.daily * (passed / _DAY)

    @property
    def passed(self) -> timedelta:
        """How much of the day had passed: none before it, all of it after.

        Examples
        --------
        >>> at = datetime(2026, 5, 1, 6, tzinfo=UTC)
        >>> DayCost(day=at.date(), at=at, budget=Budget()).passed
        datetime.timedelta(seconds=21600)
        """
        return min(max(self.at - datetime.combine(self.day, time(), tzinfo=UTC), timedelta()), _DAY)


def day_of(at: datetime) -> date:
    """Give the day of UTC of a moment.

    Examples
    --------
    >>> day_of(datetime.fromisoformat("2026-05-02T01:30:00+02:00"))
    datetime.date(2026, 5, 1)
    """
    return at.astimezone(UTC).date()


def read_day_cost(
    connection: Connection, *, budget: Budget, now: datetime, day: date | None = None
) -> DayCost:
    """Read what a day cost: one row, and a number of each day before.

    Parameters
    ----------
    connection : Connection
    budget : Budget
        Beside which it is told.
    now : datetime
        With a zone.
    day : date, optional
        Of UTC; that of `now` where none is given.
    """
    asked = day_of(now) if day is None else day
    row = connection.execute(
        select(DAY.c.committed, DAY.c.predictions, DAY.c.prediction_cost).where(DAY.c.day == asked)
    ).one_or_none()
    # PostgreSQL's sum of whole numbers is none.
    total = select(cast(func.sum(DAY.c.predictions), BigInteger)).where(DAY.c.day <= asked)
    read = {} if row is None else row._asdict()
    return DayCost(
        day=asked,
        at=now,
        budget=budget,
        total_predictions=connection.scalar(total) or 0,
        **read,
    )
