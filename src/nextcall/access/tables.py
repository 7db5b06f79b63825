"""Tables of the room; `access.py` and `audit.py` of `nextcall/storage/revisions` make them.

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


# Texts, moments too: every byte that is kept is a byte that was hashed. Triggers refuse to change
# or delete an event; but those may go that an anchor names as past their retention.
AUDIT_EVENT: Final = Table(
    "audit_event",
    TABLES,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("user", Text, index=True),
    Column("details", Text, nullable=False),  # JSON
    Column("before", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

AUDIT_ANCHOR: Final = Table(
    "audit_anchor",
    TABLES,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # of the last that went
    Column("at", Text, nullable=False),
    Column("hash", Text, nullable=False),  # of that event
    Column("seal", Text, nullable=False),
)

AUDIT_HEAD: Final = Table(
    "audit_head",
    TABLES,
    Column("id", Integer, primary_key=True),  # 1, the only row
    Column("number", BigInteger, nullable=False),  # of the newest event
    Column("hash", Text, nullable=False),
    Column("seal", Text, nullable=False),
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
