"""Runs of the suite that were kept, the newest of them."""

from typing import Any, Final

from sqlalchemy import delete, insert, select

from nextcall.performance.run import PerformanceRun
from nextcall.performance.tables import RUN
from nextcall.storage.database import Database

MOST_RUNS: Final = 200
"""Runs that are kept; the oldest goes first."""


class RunHistory:
    """Runs in a database, from many threads and processes.

    Parameters
    ----------
    database : Database
        Migrated.
    most : int
        Runs that are kept; at least 1.

    Raises
    ------
    ValueError
        Where `most` is below 1.
    """

    def __init__(self, database: Database, *, most: int = MOST_RUNS) -> None:
        if most < 1:
            raise ValueError(f"most must be at least 1, got {most}.")
        self._database, self._most = database, most

    def keep(self, run: PerformanceRun) -> None:
        """Keep a run, without its samples, and forget the oldest beyond the most.

        Raises
        ------
        sqlalchemy.exc.OperationalError
            Where the database is out of reach.
        """
        told = run.told(samples=False)
        by_newest = select(RUN.c.id).order_by(RUN.c.id.desc())
        oldest = by_newest.offset(self._most).limit(1).scalar_subquery()
        with self._database.writing() as connection:
            connection.execute(
                insert(RUN).values(
                    at=run.at, version=run.version, model_version=run.model_version, told=told
                )
            )
            connection.execute(delete(RUN).where(RUN.c.id <= oldest))

    def newest(self, limit: int = MOST_RUNS) -> list[dict[str, Any]]:
        """Give runs as they are told in JSON, the newest first.

        Raises
        ------
        ValueError
            Where `limit` is below 1.
        sqlalchemy.exc.OperationalError
            Where the database is out of reach.
        """
        if limit < 1:
            raise ValueError(f"limit must be at least 1, got {limit}.")
        with self._database.reading() as connection:
            asked = select(RUN.c.told).order_by(RUN.c.id.desc()).limit(limit)
            return list(connection.scalars(asked))
