"""Tables of the room; `nextcall/storage/revisions/access.py` makes them.

Whoever changes a row takes the next number of `ACCESS_STATE` in the same transaction and writes it
to the row: who read up to a number asks for what came after it, and misses nothing.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    update,
)

from nextcall.storage.column_types import UtcDateTime

TABLES: Final = MetaData()

ACCESS_STATE: Final = Table(
    "access_state",
    TABLES,
    Column("id", Integer, primary_key=True),  # 1, the only row
    Column("version", BigInteger, nullable=False),
)

USER: Final = Table(
    "access_user",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("version", BigInteger, nullable=False, index=True),
)

API_KEY: Final = Table(
    "access_key",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),  # SHA-256, hexadecimal
    Column("name", Text, nullable=False),
    Column("user", Text),
    Column("role", Text),  # the user's where it is none
    Column("tier", Text),
    Column("rate_limit_multiplier", Double, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("replaces", Text),  # the id of the key that it was rotated from
    Column("version", BigInteger, nullable=False, index=True),
)

REVOKED_TOKEN: Final = Table(
    "access_revoked_token",
    TABLES,
    Column("jti", Text, primary_key=True),
    Column("revoked_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("version", BigInteger, nullable=False, index=True),
)


def next_version(connection: Connection) -> int:
    """Take the next number; until the transaction ends, others that change rows wait."""
    return int(
        connection.scalars(
            update(ACCESS_STATE)
            .where(ACCESS_STATE.c.id == 1)
            .values(version=ACCESS_STATE.c.version + 1)
            .returning(ACCESS_STATE.c.version)
        ).one()
    )
