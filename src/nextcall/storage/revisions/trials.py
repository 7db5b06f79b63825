"""Make the tables of A/B tests."""

import sqlalchemy as sa
from alembic import op

from nextcall.storage.column_types import UtcDateTime

revision = "trials"
down_revision = None


def upgrade() -> None:
    """Make the tables, and keep the changes of tests from being changed."""
    op.create_table(
        "trial",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("test_id", sa.Text, nullable=False, unique=True),
        sa.Column("test_type", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("definition", sa.JSON, nullable=False),
        sa.Column("salt", sa.Text, nullable=False),
        sa.Column("allocation", sa.JSON),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("stopped_at", UtcDateTime),
        sa.Column("units_at_first_look", sa.JSON),
        sa.Index("trial_by_status", "status", "test_type"),
    )
    op.create_table(
        "trial_change",
        sa.Column("id", sa.Integer, primary_key=True),
        _trial(primary_key=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("definition", sa.JSON, nullable=False),
        sa.UniqueConstraint("trial", "version", name="trial_change_version"),
    )
    op.create_table(
        "trial_exposure",
        _trial(),
        sa.Column("unit", sa.Text, primary_key=True),
        sa.Column("variant_id", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trial_event",
        _trial(),
        sa.Column("unit", sa.Text, primary_key=True),
        sa.Column("metric", sa.Text, primary_key=True),
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trial_unit_total",
        _trial(),
        sa.Column("unit", sa.Text, primary_key=True),
        sa.Column("metric", sa.Text, primary_key=True),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("total", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trial_arm",
        _trial(),
        sa.Column("variant_id", sa.Text, primary_key=True),
        sa.Column("units", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "trial_aggregate",
        _trial(),
        sa.Column("variant_id", sa.Text, primary_key=True),
        sa.Column("metric", sa.Text, primary_key=True),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("events_squared", "totals", "squares", "cubes", "totals_by_events")
        ),
    )
    _append_only("trial_change")


def _trial(*, primary_key: bool = True) -> "sa.Column[int]":
    return sa.Column(
        "trial", sa.Integer, sa.ForeignKey("trial.number"), primary_key=primary_key, nullable=False
    )


def _append_only(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_keeps_{change} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_keeps() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_keeps()"
    )
