"""Rows of the table of jobs, read."""

from typing import Any

from sqlalchemy import Connection, func, select

from nextcall.jobs.job import Job, Stage, Status, UnknownJobError
from nextcall.jobs.tables import JOB


def count_of(connection: Connection, status: Status, *, scope: str | None = None) -> int:
    """Count the jobs of a status, of one scope or of all."""
    asked = select(func.count()).select_from(JOB).where(JOB.c.status == status)
    if scope is not None:
        asked = asked.where(JOB.c.scope == scope)
    return int(connection.scalar(asked) or 0)


def one(connection: Connection, job_id: str) -> Job:
    """Read a job.

    Raises
    ------
    UnknownJobError
        Where there is none of this id.
    """
    row = connection.execute(select(JOB).where(JOB.c.job_id == job_id)).first()
    if row is None:
        raise UnknownJobError(unknown(job_id))
    return job_of(row)


def unknown(job_id: str) -> str:
    """Say that there is no such job."""
    return f"There is no job {job_id[:100]!r}."


def job_of(row: Any) -> Job:
    """Make a job of its row."""
    stage = None
    if row.stage is not None:
        stage = Stage(name=row.stage, started_at=row.stage_at, done=row.done or 0, total=row.total)
    return Job(
        number=row.number,
        job_id=row.job_id,
        kind=row.kind,
        scope=row.scope,
        status=row.status,
        arguments=row.arguments,
        asked_by=row.asked_by,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        attempt=row.attempt,
        worker=row.worker,
        stage=stage,
        cancel_asked=row.cancel_asked,
        reason=row.reason,
        result=row.result,
    )
