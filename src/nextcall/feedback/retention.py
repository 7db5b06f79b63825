"""Forgets what users said when it is old."""

import time
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from nextcall.feedback.tables import ANSWER, REPLACED
from nextcall.storage.database import Database

_AT_ONCE: Final = 2_000  # answers that go in one transaction
_PAUSE: Final = 0.1  # seconds between two, in which who waits for SQLite's lock looks for it


def forget_old(database: Database, *, now: datetime, keep: timedelta) -> int:
    """Delete answers that were given before so long, and all that was said of them before.

    Some thousands go in each transaction, for others that write may have to wait meanwhile.

    Returns
    -------
    int
        Answers that are gone.
    """
    total = 0
    while count := _forget(database, before=now - keep):
        total += count
        time.sleep(_PAUSE)
    return total


def _forget(database: Database, *, before: datetime) -> int:
    old = ANSWER.c.given_at < before
    with database.writing() as connection:
        asked = select(ANSWER.c.prediction_id).where(old).limit(_AT_ONCE).with_for_update()
        gone = connection.scalars(asked).all()
        connection.execute(delete(REPLACED).where(REPLACED.c.prediction_id.in_(gone)))
        return connection.execute(delete(ANSWER).where(ANSWER.c.prediction_id.in_(gone))).rowcount
