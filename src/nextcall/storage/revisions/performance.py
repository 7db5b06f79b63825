"""Make the table of runs of the performance suite."""

import sqlalchemy as sa
from alembic import op

from nextcall.storage.column_types import UtcDateTime

revision = "performance"
down_revision = "feedback"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "performance_run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text),
        sa.Column("told", sa.JSON, nullable=False),
    )
    op.create_index("performance_run_by_time", "performance_run", ["at"])
