"""Jobs in a database: a queue with a bound, one job at a time, leases of those who do them."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from nextcall.jobs.job import (
    ENDED,
    MOST_ATTEMPTS,
    Job,
    JobEndedError,
    JobsFullError,
    Stage,
    Status,
    UnknownJobError,
)
from nextcall.jobs.rows import count_of, job_of, one, unknown
from nextcall.jobs.tables import JOB, JOB_LOCK
from nextcall.storage.database import Database

Also: TypeAlias = Callable[[Connection, Job], object]
"""Writes what belongs to a change, in the transaction of that change."""

INTERRUPTED: Final = "The service ended while the job ran."
WAITING: Final = 10
"""Jobs that may wait, where nothing else is said."""


class JobStore:
    """Jobs in a database, from many threads and processes.

    A worker that runs a job says so again and again (`beat`). Where it is not heard of for a
    while, the job is begun again by whoever comes first; after the second time it has failed.

    Parameters
    ----------
    database : Database
        Migrated.
    waiting : int
        Jobs that may wait; at least 1.

    Raises
    ------
    ValueError
        Where `waiting` is below 1.
    """

    def __init__(self, database: Database, *, waiting: int = WAITING) -> None:
        if waiting < 1:
            raise ValueError(f"waiting must be at least 1, got {waiting}.")
        self.database, self.waiting = database, waiting

    def add(
        self,
        kind: str,
        arguments: Mapping[str, Any],
        *,
        scope: str,
        now: datetime,
        asked_by: str | None = None,
        also: Also | None = None,
    ) -> Job:
        """Keep a job, to be done after those that wait.

        Parameters
        ----------
        kind : str
        arguments : mapping
            Values that JSON can hold.
        scope : str
            Which workers may do it.
        now : datetime
        asked_by : str, optional
        also : callable, optional
            Writes what belongs to it in the same transaction.

        Raises
        ------
        JobsFullError
            Where as many wait as may.
        """
        job_id = str(uuid4())  # with hyphens: a log takes long runs of digits for keys
        values = {
            "job_id": job_id,
            "kind": kind,
            "scope": scope,
            "status": "queued",
            "arguments": dict(arguments),
            "asked_by": asked_by,
            "created_at": now,
            "attempt": 0,
            "cancel_asked": False,
        }
        with self.database.writing() as connection:
            _hold(connection)
            if count_of(connection, "queued", scope=scope) >= self.waiting:
                raise JobsFullError(f"{self.waiting} jobs wait, as many as may.")
            connection.execute(insert(JOB).values(values))
            job = one(connection, job_id)
            if also is not None:
                also(connection, job)
        return job

    def get(self, job_id: str) -> Job:
        """Give a job.

        Raises
        ------
        UnknownJobError
            Where there is none of this id.
        """
        with self.database.reading() as connection:
            return one(connection, job_id)

    def page(self, *, limit: int = 50, offset: int = 0) -> list[Job]:
        """Give jobs, the newest first."""
        asked = select(JOB).order_by(JOB.c.number.desc()).limit(limit).offset(offset)
        with self.database.reading() as connection:
            return [job_of(row) for row in connection.execute(asked)]

    def count(self, status: Status) -> int:
        """Count the jobs of a status."""
        with self.database.reading() as connection:
            return count_of(connection, status)

    def claim(self, worker: str, *, scope: str, now: datetime, lapse: timedelta) -> Job | None:
        """Take the next job of a scope; None where one runs, or none waits.

        Jobs whose workers were not heard of for `lapse` wait again first, or have failed.
        """
        with self.database.writing() as connection:
            _hold(connection)
            _take_back(connection, now=now, lapse=lapse)
            if count_of(connection, "running"):
                return None
            waiting = JOB.c.status == "queued", JOB.c.scope == scope
            row = connection.execute(select(JOB).where(*waiting).order_by(JOB.c.number)).first()
            if row is None:
                return None
            values = {
                "status": "running",
                "worker": worker,
                "attempt": row.attempt + 1,
                "started_at": now,
                "beat_at": now,
            }
            connection.execute(update(JOB).where(JOB.c.number == row.number).values(values))
            return one(connection, row.job_id)

    def beat(self, job: Job, *, now: datetime, stage: Stage | None = None) -> bool | None:
        """Say that a job still runs, and how far it is.

        Returns
        -------
        bool or None
            Whether it is to be cancelled; None where it is no longer this worker's.
        """
        values: dict[str, Any] = {"beat_at": now}
        if stage is not None:
            values |= {"stage": stage.name, "stage_at": stage.started_at}
            values |= {"done": stage.done, "total": stage.total}
        with self.database.writing() as connection:
            if not _change(connection, job, values):
                return None
            asked = select(JOB.c.cancel_asked).where(JOB.c.number == job.number)
            return bool(connection.scalar(asked))

    def end(
        self,
        job: Job,
        status: Status,
        *,
        now: datetime,
        reason: str | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> bool:
        """End a job; False where it is no longer this worker's.

        Raises
        ------
        ValueError
            Where the status is none of an end.
        """
        if status not in ENDED:
            raise ValueError(f"status must be one of {', '.join(ENDED)}, got {status!r}.")
        told = None if result is None else dict(result)
        values = {"status": status, "ended_at": now, "reason": reason, "result": told}
        with self.database.writing() as connection:
            return _change(connection, job, values)

    def give_back(self, job: Job) -> bool:
        """Let a job wait again as if it had not been begun: its worker ends in order."""
        values = {**_BEFORE, "attempt": job.attempt - 1}
        with self.database.writing() as connection:
            return _change(connection, job, values)

    def release(self, worker: str) -> int:
        """Let what a worker took and never heard of wait again, as `give_back`; say how many.

        For one that holds no job: where its `claim` was cut off, the job may be its own.
        """
        own = JOB.c.status == "running", JOB.c.worker == worker
        values = {**_BEFORE, "attempt": JOB.c.attempt - 1}
        with self.database.writing() as connection:
            _hold(connection)
            return int(connection.execute(update(JOB).where(*own).values(values)).rowcount)

    def cancel(self, job_id: str, *, now: datetime, also: Also | None = None) -> Job:
        """Cancel a job: at once where it waits, else its worker is told.

        Raises
        ------
        UnknownJobError
            Where there is none of this id.
        JobEndedError
            Where it has ended.
        """
        with self.database.writing() as connection:
            _hold(connection)
            asked = select(JOB).where(JOB.c.job_id == job_id).with_for_update()
            row = connection.execute(asked).first()
            if row is None:
                raise UnknownJobError(unknown(job_id))
            if row.status in ENDED:
                raise JobEndedError(f"The job has ended: it is {row.status}.")
            values: dict[str, Any] = {"cancel_asked": True}
            if row.status == "queued":
                values |= {"status": "cancelled", "ended_at": now}
            connection.execute(update(JOB).where(JOB.c.number == row.number).values(values))
            job = one(connection, job_id)
            if also is not None:
                also(connection, job)
        return job

    def ended(self, job_ids: Collection[str]) -> set[str]:
        """Give those of some jobs that have ended."""
        asked = select(JOB.c.job_id).where(JOB.c.job_id.in_(job_ids), JOB.c.status.in_(ENDED))
        with self.database.reading() as connection:
            return set(connection.scalars(asked))

    def forget_old(self, *, now: datetime, keep: timedelta) -> int:
        """Delete the jobs that ended before a moment, and say how many."""
        old = JOB.c.status.in_(ENDED), JOB.c.ended_at < now - keep
        with self.database.writing() as connection:
            return int(connection.execute(delete(JOB).where(*old)).rowcount)


_BEFORE: Final[Mapping[str, Any]] = {
    "status": "queued",
    **dict.fromkeys(("worker", "beat_at", "started_at", "stage", "stage_at", "done", "total")),
}


def _hold(connection: Connection) -> None:
    """Wait until no other adds, takes or cancels a job; they wait until the transaction ends."""
    connection.execute(select(JOB_LOCK).with_for_update()).one()


def _take_back(connection: Connection, *, now: datetime, lapse: timedelta) -> None:
    lapsed = JOB.c.status == "running", JOB.c.beat_at < now - lapse
    for row in connection.execute(select(JOB).where(*lapsed)).all():
        values: dict[str, Any] = {**_BEFORE, "reason": INTERRUPTED}
        if row.cancel_asked:
            values = {"status": "cancelled", "ended_at": now}
        elif row.attempt >= MOST_ATTEMPTS:
            told = f"{INTERRUPTED[:-1]}, {MOST_ATTEMPTS} times."
            values = {"status": "failed", "ended_at": now, "reason": told}
        connection.execute(update(JOB).where(JOB.c.number == row.number).values(values))


def _change(connection: Connection, job: Job, values: Mapping[str, Any]) -> bool:
    """Change a job that runs, if it is still the one that its worker began."""
    own = (
        JOB.c.number == job.number,
        JOB.c.status == "running",
        JOB.c.worker == job.worker,
        JOB.c.attempt == job.attempt,
    )
    return bool(connection.execute(update(JOB).where(*own).values(values)).rowcount)
