"""What a day of language models cost, by its models."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import BigInteger, ColumnElement, Connection, Row, cast, func, select

from nextcall.llm.budget import Budget
from nextcall.llm.day_cost import DayCost, day_of, read_day_cost
from nextcall.llm.model import TIERS, Tier
from nextcall.llm.model_spending import ANSWERED, ModelSpending, model_spending
from nextcall.llm.tables import CALL
from nextcall.storage.database import Database

if TYPE_CHECKING:
    import pandas as pd

_MINUTE: Final = timedelta(minutes=1)
_TOKENS: Final = ("input_tokens", "output_tokens", "cached_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What the calls of a day of UTC cost, by their models.

    Parameters
    ----------
    total : DayCost
        All of them together.
    tiers : mapping of tier to int
        Calls by how hard their question was; every tier is there.
    models : tuple of ModelSpending
        The dearest first.
    """

    total: DayCost
    tiers: Mapping[Tier, int]
    models: tuple[ModelSpending, ...]

    def to_frame(self) -> "pd.DataFrame":
        """Give one row a model; its cost in US dollars."""
        import pandas as pd  # noqa: PLC0415  # 30 MB, and only for frames

        rows = [{**asdict(each), "cost": each.cost_usd} for each in self.models]
        frame = pd.DataFrame(rows, columns=list(ModelSpending.__slots__))
        return frame.rename(columns={"cost": "cost_usd"})


def nothing_spent(budget: Budget, *, now: datetime) -> Spending:
    """Give a day without calls, as it is told where none are kept.

    Examples
    --------
    >>> from datetime import UTC
    >>> told = nothing_spent(Budget(), now=datetime(2026, 5, 1, tzinfo=UTC))
    >>> told.total.spent_usd, told.models, told.total.is_on_track
    (0.0, (), True)
    """
    total = DayCost(day=day_of(now), at=now, budget=budget)
    return Spending(total=total, tiers=dict.fromkeys(TIERS, 0), models=())


def read_spending(
    database: Database, *, budget: Budget, now: datetime, day: date | None = None
) -> Spending:
    """Read what a day cost; where its calls are forgotten, no model is told.

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
    with database.reading() as connection:
        total = read_day_cost(connection, budget=budget, now=now, day=day)
        sums = _sums(connection, total.day)
        seconds = _seconds(connection, total.day)
    tiers = dict.fromkeys(TIERS, 0)
    for row in sums:
        tiers[row.tier] = tiers.get(row.tier, 0) + row.calls
    minutes = max(_MINUTE, total.passed) / _MINUTE
    models = [
        model_spending(name, list(rows), seconds.get(name, ()), minutes=minutes)
        for name, rows in groupby(sums, lambda row: (row.provider, row.model))
    ]
    dearest = sorted(models, key=lambda each: -each.cost)
    return Spending(total=total, tiers=tiers, models=tuple(dearest))


def _sums(connection: Connection, day: date) -> list[Row[Any]]:
    """Sum up calls that are alike, ordered by their model."""
    alike = (CALL.c.provider, CALL.c.model, CALL.c.tier, CALL.c.outcome)

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
