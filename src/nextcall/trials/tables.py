"""Tables of the room; `nextcall/storage/revisions/trials.py` makes them.

What grows with records (exposures, events, totals of units) is found by its primary key; what an
analysis reads (arms, aggregates) has a row a variant, or a row a variant and metric.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from nextcall.storage.column_types import UtcDateTime

TABLES: Final = MetaData()

TRIAL: Final = Table(
    "trial",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("test_id", Text, nullable=False, unique=True),
    Column("test_type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("definition", JSON, nullable=False),
    Column("salt", Text, nullable=False),
    Column("allocation", JSON),  # from the start on: whose each bucket is
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("stopped_at", UtcDateTime),
    Column("units_at_first_look", JSON),  # of each variant; where it was looked at while it ran
    Index("trial_by_status", "status", "test_type"),
)

# A trigger keeps its rows from being changed or deleted.
TRIAL_CHANGE: Final = Table(
    "trial_change",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("trial", ForeignKey("trial.number"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("action", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("status", Text, nullable=False),
    Column("definition", JSON, nullable=False),
    UniqueConstraint("trial", "version", name="trial_change_version"),
)

EXPOSURE: Final = Table(
    "trial_exposure",
    TABLES,
    Column("trial", ForeignKey("trial.number"), primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("variant_id", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    sqlite_with_rowid=False,
)

EVENT: Final = Table(
    "trial_event",
    TABLES,
    Column("trial", ForeignKey("trial.number"), primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("value", Double, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    sqlite_with_rowid=False,
)

UNIT_TOTAL: Final = Table(
    "trial_unit_total",
    TABLES,
    Column("trial", ForeignKey("trial.number"), primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("events", BigInteger, nullable=False),
    Column("total", Text, nullable=False),  # `Exact`
    sqlite_with_rowid=False,
)

ARM: Final = Table(
    "trial_arm",
    TABLES,
    Column("trial", ForeignKey("trial.number"), primary_key=True),
    Column("variant_id", Text, primary_key=True),
    Column("units", BigInteger, nullable=False),
)

AGGREGATE: Final = Table(
    "trial_aggregate",
    TABLES,
    Column("trial", ForeignKey("trial.number"), primary_key=True),
    Column("variant_id", Text, primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("units", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("events_squared", Text, nullable=False),  # `Exact`, as those below
    Column("totals", Text, nullable=False),
    Column("squares", Text, nullable=False),
    Column("cubes", Text, nullable=False),
    Column("totals_by_events", Text, nullable=False),
)
