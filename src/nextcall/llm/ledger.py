"""What the calls of language models cost, kept in a database that many processes share."""

from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import inf
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from sqlalchemy import Connection, Date, bindparam, insert, select, text, update

from nextcall.llm.budget import Budget, dollars
from nextcall.llm.call_ledger import Outcome, OverBudgetError
from nextcall.llm.calls import call_frame
from nextcall.llm.day_cost import PREDICTION, DayCost, read_day_cost
from nextcall.llm.model import Model, Tier
from nextcall.llm.spending import Spending, read_spending
from nextcall.llm.tables import CALL, DAY
from nextcall.storage.database import Database

if TYPE_CHECKING:
    import pandas as pd

_FRESH: Final = 1.0
"""Seconds for which it is believed what was committed, where nothing is written meanwhile."""

_MOST_COST: Final = 10**18  # billionths of a dollar: what is beyond fits no column

_BEGIN_DAY: Final = text(
    "INSERT INTO llm_day (day, committed, predictions, prediction_cost) VALUES (:day, 0, 0, 0) "
    "ON CONFLICT DO NOTHING"
).bindparams(bindparam("day", type_=Date))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    at: datetime
    day: date
    committed: int


class Ledger:
    """Keeps what calls cost, and never lets them set aside more than the day's budget together.

    Threads, processes and services that share a database share the budget. What a call may cost is
    set aside before it is made, in one statement that counts and writes; what it did cost takes
    that place once it has ended, also where that is more. A call whose process died before counts
    by what was set aside: nobody knows what became of it. A call that costs nothing is never
    refused. Each counts for the day of UTC on which money was set aside for it.

    Parameters
    ----------
    database : Database
        Migrated.
    budget : Budget
    clock : callable
        Gives the time, with a zone.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from tempfile import TemporaryDirectory
    >>> from nextcall.storage.migrations import migrate
    >>> model = Model(name="small", provider="cloud", input_price=Decimal(1))
    >>> with TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/a.db") as database:
    ...     migrate(database)
    ...     ledger = Ledger(database, budget=Budget(daily_usd=1))
    ...     call = ledger.reserve(model, tier="low", purpose="run", most=900_000_000)
    ...     before = ledger.is_emergency()
    ...     ledger.settle(call, outcome="ok", cost=2_000_000, seconds=0.5, input_tokens=2_000)
    ...     before, ledger.is_emergency()
    (True, False)
    """

    def __init__(
        self,
        database: Database,
        *,
        budget: Budget,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.database, self.budget, self._clock = database, budget, clock
        self._seen: _Seen | None = None

    def now(self) -> datetime:
        """Give the time of the ledger, in UTC."""
        return self._clock().astimezone(UTC)

    def reserve(self, model: Model, *, tier: Tier, purpose: str, most: int) -> str:
        """Set money aside for a call that is about to be made.

        Parameters
        ----------
        model : Model
        tier : str
            Of the question.
        purpose : str
            What the answer is for, in a word.
        most : int
            Billionths of a US dollar that the call costs at most.

        Returns
        -------
        str
            The call's id, for `settle`.

        Raises
        ------
        OverBudgetError
            Where less than that is left; nothing is set aside then.
        ValueError
            Where `most` is below 0.
        sqlalchemy.exc.OperationalError
            Where the database is out of reach; then nothing is known to be set aside.
        """
        if most < 0:
            raise ValueError(f"most must be at least 0, got {most}.")
        limit = self.budget.daily
        if most > limit:
            raise OverBudgetError(
                f"a call of {model.name!r} may cost {dollars(most)}, more than the {dollars(limit)}"
                " of a day."
            )
        now, call_id = self.now(), uuid4().hex
        with self.database.writing() as connection:
            committed = _set_aside(connection, now.date(), most, limit)
            if committed is None:
                left = dollars(max(0, limit - _committed(connection, now.date())))
                raise OverBudgetError(
                    f"a call of {model.name!r} may cost {dollars(most)}, and {left} are left of the"
                    f" {dollars(limit)} of {now.date()}."
                )
            values = {
                "id": call_id,
                "at": now,
                "day": now.date(),
                "provider": model.provider,
                "model": model.name,
                "tier": tier,
                "purpose": purpose,
                "reserved": most,
            }
            connection.execute(insert(CALL).values(values))
        self._seen = _Seen(at=now, day=now.date(), committed=committed)
        return call_id

    def settle(
        self,
        call_id: str,
        *,
        outcome: Outcome,
        cost: int,
        seconds: float,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cached_tokens: int = 0,
    ) -> None:
        """Put what a call cost in the place of what was set aside for it; once.

        A second time changes nothing. The deadline of whoever asks does not count, for a call that
        took too long ends like others: the database has its own time.

        Parameters
        ----------
        call_id : str
            What `reserve` gave.
        outcome : str
        cost : int
            Billionths of a US dollar.
        seconds : float
            That the call took.
        input_tokens, output_tokens, cached_tokens : int
            As the provider counted them; the cached ones are among the input.

        Raises
        ------
        ValueError
            Where there is no such call, or a number is below 0.
        sqlalchemy.exc.OperationalError
            Where the database is out of reach; then it is not known to be kept.
        """
        tokens = {
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cached_tokens": cached_tokens,
        }
        if not 0 <= cost <= _MOST_COST:
            raise ValueError(f"cost must be from 0 to {_MOST_COST}, got {cost}.")
        for name, value in {"seconds": seconds, **tokens}.items():
            if not 0 <= value < inf:
                raise ValueError(f"{name} must be at least 0 and finite, got {value}.")
        values = {"outcome": outcome, "cost": cost, "seconds": seconds, **tokens}
        Context().run(self._settle, call_id, values)

    def _settle(self, call_id: str, values: Mapping[str, Any]) -> None:
        outcome, cost = values["outcome"], values["cost"]
        ended = (
            update(CALL)
            .where(CALL.c.id == call_id, CALL.c.outcome.is_(None))
            .values(values)
            .returning(CALL.c.day, CALL.c.reserved, CALL.c.purpose)
        )
        with self.database.writing() as connection:
            call = connection.execute(ended).one_or_none()
            if call is None:
                if connection.scalar(select(CALL.c.id).where(CALL.c.id == call_id)) is None:
                    raise ValueError(f"call_id must be that of a kept call, got {call_id[:100]!r}.")
                return
            is_prediction = call.purpose == PREDICTION
            counted = (
                update(DAY)
                .where(DAY.c.day == call.day)
                .values(
                    committed=DAY.c.committed + (cost - call.reserved),
                    predictions=DAY.c.predictions + int(is_prediction and outcome == "ok"),
                    prediction_cost=DAY.c.prediction_cost + (cost if is_prediction else 0),
                )
                .returning(DAY.c.committed)
            )
            committed = connection.execute(counted).scalar_one()
        now = self.now()
        if call.day == now.date():
            self._seen = _Seen(at=now, day=call.day, committed=committed)

    def is_emergency(self) -> bool:
        """Say whether so little is left that only the cheapest models should be asked.

        What this process writes is known at once, what others write within a second.

        Raises
        ------
        sqlalchemy.exc.OperationalError
            Where the database has to be asked, and is out of reach.
        """
        now, seen = self.now(), self._seen
        if (
            seen is None
            or seen.day != now.date()
            or not 0 <= (now - seen.at).total_seconds() < _FRESH
        ):
            with self.database.reading() as connection:
                committed = _committed(connection, now.date())
            seen = self._seen = _Seen(at=now, day=now.date(), committed=committed)
        return self.budget.is_emergency(seen.committed)

    def day_cost(self, day: date | None = None) -> DayCost:
        """Read what a day of UTC cost in all, today where none is given."""
        with self.database.reading() as connection:
            return read_day_cost(connection, budget=self.budget, now=self.now(), day=day)

    def spending(self, day: date | None = None) -> Spending:
        """Read what a day of UTC cost, by its models too, today where none is given."""
        return read_spending(self.database, budget=self.budget, now=self.now(), day=day)

    def frame(self, *, since: date | None = None, until: date | None = None) -> "pd.DataFrame":
        """Give one row a call, of days from `since` and before `until`; see `call_frame`."""
        return call_frame(self.database, since=since, until=until)


def _set_aside(connection: Connection, day: date, most: int, limit: int) -> int | None:
    """Add to what is committed where that leaves it within the limit; None where it would not."""
    held = update(DAY).where(DAY.c.day == day)
    if most:  # what costs nothing overspends nothing
        held = held.where(DAY.c.committed + most <= limit)
    held = held.values(committed=DAY.c.committed + most).returning(DAY.c.committed)
    committed: int | None = connection.scalar(held)
    if committed is None:  # too much, or the first of the day
        connection.execute(_BEGIN_DAY, {"day": day})
        committed = connection.scalar(held)
    return committed


def _committed(connection: Connection, day: date) -> int:
    return connection.scalar(select(DAY.c.committed).where(DAY.c.day == day)) or 0
