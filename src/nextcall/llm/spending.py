"""What a day of language models cost, beside what it may."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from math import nan
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import BigInteger, ColumnElement, Connection, Row, cast, func, select

from nextcall.llm.budget import Budget
from nextcall.llm.model import BILLION, TIERS, Tier
from nextcall.llm.model_spending import ANSWERED, ModelSpending, model_spending
from nextcall.llm.tables import CALL, DAY
from nextcall.storage.database import Database

if TYPE_CHECKING:
    import pandas as pd

PREDICTION: Final = "run"
"""Purpose of a call that answers a user: one that ends well is counted as a prediction."""

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)
_TOKENS: Final = ("input_tokens", "output_tokens", "cached_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What the calls of a day of UTC cost.

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
    tiers : mapping of tier to int
        Calls by how hard their question was; every tier is there.
    models : tuple of ModelSpending
        The dearest first.
    """

    day: date
    at: datetime
    budget: Budget
    committed: int
    predictions: int
    total_predictions: int
    prediction_cost: int
    tiers: Mapping[Tier, int]
    models: tuple[ModelSpending, ...]

    @property
    def spent_usd(self) -> float:
        """What is committed, in US dollars."""
        return self.committed / BILLION

    @property
    def utilization(self) -> float:
        """Share of the day's budget that is committed; nan where that is 0."""
        return self.budget.utilization(self.committed)

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
        passed = max(_HOUR, passed_of(self.day, self.at))
        return self.committed <= self.budget.daily * (passed / _DAY)

    def to_frame(self) -> "pd.DataFrame":
        """Give one row a model; its cost in US dollars."""
        import pandas as pd  # noqa: PLC0415  # 30 MB, and only for frames

        rows = [{**asdict(each), "cost": each.cost_usd} for each in self.models]
        frame = pd.DataFrame(rows, columns=list(ModelSpending.__slots__))
        return frame.rename(columns={"cost": "cost_usd"})


def read_spending(
    database: Database, *, budget: Budget, now: datetime, day: date | None = None
) -> Spending:
    """Read what a day cost.

    Parameters
    ----------
    database : Database
        With the calls of a `nextcall.llm.ledger.Ledger`.
    budget : Budget
        Beside which it is told.
    now : datetime
        With a zone.
    day : date, optional
        Of UTC; that of `now` where none is given.

    Raises
    ------
    sqlalchemy.exc.OperationalError
        Where the database is out of reach.
    """
    asked = now.astimezone(UTC).date() if day is None else day
    with database.reading() as connection:
        of_day = connection.execute(
            select(DAY.c.committed, DAY.c.predictions).where(DAY.c.day == asked)
        ).one_or_none()
        until = select(func.sum(DAY.c.predictions)).where(DAY.c.day <= asked)
        total = connection.scalar(until) or 0
        sums = _sums(connection, asked)
        seconds = _seconds(connection, asked)
    tiers = dict.fromkeys(TIERS, 0)
    for row in sums:
        tiers[row.tier] = tiers.get(row.tier, 0) + row.calls
    minutes = max(_MINUTE, passed_of(asked, now)) / _MINUTE
    models = [
        model_spending(name, list(rows), seconds.get(name, ()), minutes=minutes)
        for name, rows in groupby(sums, lambda row: (row.provider, row.model))
    ]
    return Spending(
        day=asked,
        at=now,
        budget=budget,
        committed=0 if of_day is None else of_day.committed,
        predictions=0 if of_day is None else of_day.predictions,
        total_predictions=total,
        prediction_cost=sum(
            row.cost for row in sums if row.purpose == PREDICTION and row.outcome is not None
        ),
        tiers=tiers,
        models=tuple(sorted(models, key=lambda each: -each.cost)),
    )


def nothing_spent(budget: Budget, *, now: datetime) -> Spending:
    """Give a day without calls, as it is told where none are kept.

    Examples
    --------
    >>> told = nothing_spent(Budget(), now=datetime(2026, 5, 1, tzinfo=UTC))
    >>> told.spent_usd, told.models, told.is_on_track
    (0.0, (), True)
    """
    return Spending(
        day=now.astimezone(UTC).date(),
        at=now,
        budget=budget,
        committed=0,
        predictions=0,
        total_predictions=0,
        prediction_cost=0,
        tiers=dict.fromkeys(TIERS, 0),
        models=(),
    )


def passed_of(day: date, at: datetime) -> timedelta:
    """Give how much of a day of UTC had passed: none before it, all of it after.

    Examples
    --------
    >>> passed_of(date(2026, 5, 1), datetime(2026, 5, 1, 6, tzinfo=UTC))
    datetime.timedelta(seconds=21600)
    """
    return min(max(at - datetime.combine(day, time(), tzinfo=UTC), timedelta()), _DAY)


def _sums(connection: Connection, day: date) -> list[Row[Any]]:
    """Sum up calls that are alike, ordered by their model."""
    alike = (CALL.c.provider, CALL.c.model, CALL.c.tier, CALL.c.purpose, CALL.c.outcome)

    def total(name: str, value: ColumnElement[Any], without: Any = 0) -> ColumnElement[Any]:
        # PostgreSQL's sum of whole numbers is none.
        return cast(func.sum(func.coalesce(value, without)), BigInteger).label(name)

    asked = (
        select(
            *alike,
            func.count().label("calls"),
            total("cost", CALL.c.cost, CALL.c.reserved),
            *(total(name, CALL.c[name]) for name in _TOKENS),
        )
        .where(CALL.c.day == day)
        .group_by(*alike)
        .order_by(CALL.c.provider, CALL.c.model)
    )
    return list(connection.execute(asked).all())


def _seconds(connection: Connection, day: date) -> dict[tuple[str, str], "np.ndarray[Any, Any]"]:
    """Read how long each answer took, by its model."""
    asked = select(CALL.c.provider, CALL.c.model, CALL.c.seconds).where(
        CALL.c.day == day, CALL.c.outcome.in_(ANSWERED)
    )
    found: dict[tuple[str, str], list[float]] = {}
    for provider, model, seconds in connection.execute(asked):
        found.setdefault((provider, model), []).append(seconds)
    return {name: np.asarray(each) for name, each in found.items()}
