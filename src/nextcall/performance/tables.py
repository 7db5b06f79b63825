"""The table of the room; `nextcall/storage/revisions/performance.py` makes it."""

from typing import Final

from sqlalchemy import JSON, Column, Index, Integer, MetaData, Table, Text

from nextcall.storage.column_types import UtcDateTime

TABLES: Final = MetaData()

RUN: Final = Table(
    "performance_run",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("version", Text, nullable=False),
    Column("model_version", Text),
    Column("told", JSON, nullable=False),  # all figures, without samples
    Index("performance_run_by_time", "at"),
)
