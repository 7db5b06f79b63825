"""Tables of the room; `feedback.py` and `interleaving.py` of the revisions make them."""

from typing import Final

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, MetaData, Table, Text

from nextcall.storage.column_types import UtcDateTime

TABLES: Final = MetaData()

ANSWER: Final = Table(
    "feedback_answer",
    TABLES,
    Column("prediction_id", Text, primary_key=True),
    Column("shown_at", UtcDateTime, nullable=False),
    Column("given_at", UtcDateTime, nullable=False),  # the first time
    Column("changed_at", UtcDateTime, nullable=False),  # as it stands
    Column("version", Integer, nullable=False),  # answers so far that differ from the one before
    Column("user", Text),
    Column("model_version", Text),
    Column("catalog_hash", Text, nullable=False),
    Column("prompt", Text),  # where prompts are kept
    Column("history", JSON, nullable=False),
    Column("operations", JSON, nullable=False),  # as they were shown
    Column("confidences", JSON, nullable=False),
    Column("trial", Text),
    Column("variant", Text),
    Column("chosen", Text),  # none of them where it is not given
    Column("rank", Integer),  # from 1, of what was chosen; none where it was not shown
    Column("challenger", Text),  # version of a second model, where lists of two were interleaved
    Column("draft", JSON(none_as_null=True)),  # these lists, and who placed what
    Index("feedback_answer_by_time", "given_at"),
)

REPLACED: Final = Table(
    "feedback_replaced",
    TABLES,
    Column("prediction_id", ForeignKey("feedback_answer.prediction_id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("chosen", Text),
    Column("rank", Integer),
)
