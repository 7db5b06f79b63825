"""Make the tables of users, keys and revoked tokens."""

import sqlalchemy as sa
from alembic import op

from nextcall.storage.column_types import UtcDateTime

revision = "access"
down_revision = "trials"


def upgrade() -> None:
    """Make the tables, and the row that counts changes."""
    state = op.create_table(
        "access_state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "version": 0}])
    op.create_table(
        "access_user",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        _version(),
    )
    op.create_table(
        "access_key",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("user", sa.Text),
        sa.Column("role", sa.Text),
        sa.Column("tier", sa.Text),
        sa.Column("rate_limit_multiplier", sa.Double, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("replaces", sa.Text),
        _version(),
    )
    op.create_table(
        "access_revoked_token",
        sa.Column("jti", sa.Text, primary_key=True),
        sa.Column("revoked_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        _version(),
    )


def _version() -> "sa.Column[int]":
    return sa.Column("version", sa.BigInteger, nullable=False, index=True)
