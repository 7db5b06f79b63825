"""The tables of the room; `nextcall/storage/revisions/jobs.py` makes them."""

from typing import Final

from sqlalchemy import JSON, Boolean, Column, Index, Integer, MetaData, Table, Text

from nextcall.storage.column_types import UtcDateTime

TABLES: Final = MetaData()

JOB: Final = Table(
    "job",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("job_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("scope", Text, nullable=False),  # only workers of the same one may do it
    Column("status", Text, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("asked_by", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("attempt", Integer, nullable=False),
    Column("worker", Text),
    Column("beat_at", UtcDateTime),  # when its worker was last heard of
    Column("stage", Text),
    Column("stage_at", UtcDateTime),
    Column("done", Integer),
    Column("total", Integer),
    Column("cancel_asked", Boolean, nullable=False),
    Column("reason", Text),
    Column("result", JSON),
    Index("job_by_id", "job_id", unique=True),
    Index("job_by_status", "status", "number"),
)

JOB_LOCK: Final = Table(
    "job_lock", TABLES, Column("id", Integer, primary_key=True, autoincrement=False)
)
"""One row: who adds or takes a job holds it, so that they come one after the other."""
