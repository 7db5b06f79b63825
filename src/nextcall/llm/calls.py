"""Calls of language models one by one: to look into, and to forget."""

import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, select

from nextcall.llm.model import BILLION
from nextcall.llm.tables import CALL
from nextcall.storage.database import LONG, Database

if TYPE_CHECKING:
    import pandas as pd

_AT_ONCE: Final = 2_000  # calls that go in one transaction
_PAUSE: Final = 0.1  # seconds between two, in which who waits for SQLite's lock looks for it

_TYPES: Final = {
    "call_id": "object",
    "at": "datetime64[us, UTC]",
    "provider": "object",
    "model": "object",
    "tier": "object",
    "purpose": "object",
    "outcome": "object",
    "reserved_usd": "float64",
    "cost_usd": "float64",
    "seconds": "float64",
    "input_tokens": "Int64",
    "output_tokens": "Int64",
    "cached_tokens": "Int64",
}


def call_frame(
    database: Database, *, since: date | None = None, until: date | None = None
) -> "pd.DataFrame":
    """Give one row a call, the oldest first.

    Parameters
    ----------
    database : Database
        With the calls of a `nextcall.llm.ledger.Ledger`.
    since, until : date, optional
        From, and before; days of UTC.

    Returns
    -------
    DataFrame
        ``call_id, at`` (when money was set aside)``, provider, model, tier, purpose, outcome,
        reserved_usd, cost_usd, seconds, input_tokens, output_tokens, cached_tokens``; from
        ``outcome`` on, but for ``reserved_usd``, nothing where a call has not ended.

    Raises
    ------
    sqlalchemy.exc.OperationalError
        Where the database is out of reach.
    """
    import pandas as pd  # noqa: PLC0415  # 30 MB, and only for frames

    asked = select(CALL).order_by(CALL.c.at, CALL.c.id)
    if since is not None:
        asked = asked.where(CALL.c.day >= since)
    if until is not None:
        asked = asked.where(CALL.c.day < until)
    with database.reading(seconds=LONG) as connection:
        rows = [dict(row) for row in connection.execute(asked).mappings()]
    frame = pd.DataFrame(rows, columns=list(CALL.c.keys()))
    frame["reserved_usd"] = frame["reserved"].astype("float64") / BILLION
    frame["cost_usd"] = frame["cost"].astype("float64") / BILLION
    return frame.rename(columns={"id": "call_id"})[list(_TYPES)].astype(_TYPES)


def forget_old(database: Database, *, now: datetime, keep: timedelta) -> int:
    """Delete the calls of days that ended before so long; what each day cost stays.

    Some thousands go in each transaction, for others that write may have to wait meanwhile.

    Returns
    -------
    int
        Calls that are gone.
    """
    before, total = (now - keep).astimezone(UTC).date(), 0
    while count := _forget(database, before):
        total += count
        time.sleep(_PAUSE)
    return total


def _forget(database: Database, before: date) -> int:
    old = select(CALL.c.id).where(CALL.c.day < before).limit(_AT_ONCE)
    with database.writing() as connection:
        return connection.execute(delete(CALL).where(CALL.c.id.in_(old))).rowcount
