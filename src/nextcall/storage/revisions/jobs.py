"""Make the tables of jobs, and the one row that those who add and take them hold."""

import sqlalchemy as sa
from alembic import op

from nextcall.storage.column_types import UtcDateTime

revision = "jobs"
down_revision = "performance"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "job",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("asked_by", sa.Text),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("beat_at", UtcDateTime),
        sa.Column("stage", sa.Text),
        sa.Column("stage_at", UtcDateTime),
        sa.Column("done", sa.Integer),
        sa.Column("total", sa.Integer),
        sa.Column("cancel_asked", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("result", sa.JSON),
    )
    op.create_index("job_by_id", "job", ["job_id"], unique=True)
    op.create_index("job_by_status", "job", ["status", "number"])
    lock = op.create_table(
        "job_lock", sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)
    )
    op.bulk_insert(lock, [{"id": 1}])
