"""Forgets what users said when it is old."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from nextcall.feedback.tables import ANSWER, REPLACED
from nextcall.storage.database import UPKEEP, Database


def forget_old(database: Database, *, now: datetime, keep: timedelta) -> int:
    """Delete answers that were given before so long, and all that was said of them before.

    Returns
    -------
    int
        Answers that are gone.
    """
    old = ANSWER.c.given_at < now - keep
    with database.writing(seconds=UPKEEP) as connection:
        gone = select(ANSWER.c.prediction_id).where(old)
        connection.execute(delete(REPLACED).where(REPLACED.c.prediction_id.in_(gone)))
        return connection.execute(delete(ANSWER).where(old)).rowcount
