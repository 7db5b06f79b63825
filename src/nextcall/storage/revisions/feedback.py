"""Make the tables of feedback: what was shown and chosen, and what was said of it before."""

import sqlalchemy as sa
from alembic import op

from nextcall.storage.column_types import UtcDateTime

revision = "feedback"
down_revision = "audit"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "feedback_answer",
        sa.Column("prediction_id", sa.Text, primary_key=True),
        sa.Column("shown_at", UtcDateTime, nullable=False),
        sa.Column("given_at", UtcDateTime, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("user", sa.Text),
        sa.Column("model_version", sa.Text),
        sa.Column("catalog_hash", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text),
        sa.Column("history", sa.JSON, nullable=False),
        sa.Column("operations", sa.JSON, nullable=False),
        sa.Column("confidences", sa.JSON, nullable=False),
        sa.Column("trial", sa.Text),
        sa.Column("variant", sa.Text),
        sa.Column("chosen", sa.Text),
        sa.Column("rank", sa.Integer),
    )
    op.create_index("feedback_answer_by_time", "feedback_answer", ["given_at"])
    answer = sa.ForeignKey("feedback_answer.prediction_id")
    op.create_table(
        "feedback_replaced",
        sa.Column("prediction_id", sa.Text, answer, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("chosen", sa.Text),
        sa.Column("rank", sa.Integer),
    )
