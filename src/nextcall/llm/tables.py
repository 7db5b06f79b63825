"""Tables of the room; `nextcall/storage/revisions/llm_calls.py` makes them.

Money is whole billionths of a US dollar.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Date, Double, Index, Integer, MetaData, Table, Text

from nextcall.storage.column_types import UtcDateTime

TABLES: Final = MetaData()

CALL: Final = Table(
    "llm_call",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("at", UtcDateTime, nullable=False),  # when money was set aside for it
    Column("day", Date, nullable=False),  # that moment's, UTC
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("outcome", Text),  # this and what follows: once the call has ended
    Column("cost", BigInteger),
    Column("seconds", Double),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("cached_tokens", Integer),
    Index("llm_call_by_day", "day"),
)

DAY: Final = Table(
    "llm_day",
    TABLES,
    Column("day", Date, primary_key=True),
    # What its calls cost, and what is set aside for those that have not ended.
    Column("committed", BigInteger, nullable=False),
    Column("predictions", Integer, nullable=False),
    Column("prediction_cost", BigInteger, nullable=False),
)
"""A row a day, which each call holds for a moment: so they count one after the other."""
