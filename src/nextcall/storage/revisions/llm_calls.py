"""Make the tables of the calls of language models, and of what they cost a day."""

import sqlalchemy as sa
from alembic import op

from nextcall.storage.column_types import UtcDateTime

revision = "llm_calls"
down_revision = "interleaving"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "llm_call",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("tier", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("cost", sa.BigInteger),
        sa.Column("seconds", sa.Double),
        sa.Column("input_tokens", sa.Integer),
        sa.Column("output_tokens", sa.Integer),
        sa.Column("cached_tokens", sa.Integer),
    )
    op.create_index("llm_call_by_day", "llm_call", ["day"])
    op.create_table(
        "llm_day",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("committed", sa.BigInteger, nullable=False),
        sa.Column("predictions", sa.Integer, nullable=False),
        sa.Column("prediction_cost", sa.BigInteger, nullable=False),
    )
