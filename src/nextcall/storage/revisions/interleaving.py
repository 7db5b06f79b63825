"""Give feedback two columns: which second model was interleaved, and who placed what."""

import sqlalchemy as sa
from alembic import op

revision = "interleaving"
down_revision = "jobs"


def upgrade() -> None:
    """Add the columns; what was shown before has neither."""
    op.add_column("feedback_answer", sa.Column("challenger", sa.Text))
    op.add_column("feedback_answer", sa.Column("draft", sa.JSON))
