"""API keys: made, listed, rotated, revoked; only their hashes are kept."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, insert, select, update

from nextcall.access.key_format import key_digest, new_key
from nextcall.access.permissions import check_role
from nextcall.access.rate_rules import TIERS
from nextcall.access.tables import API_KEY, USER, next_version
from nextcall.access.users import check_name
from nextcall.storage.database import Database

LIFETIME: Final = timedelta(days=90)
_LONGEST_LIFETIME: Final = timedelta(days=3_650)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is known of a key, which is not the key."""

    id: str
    name: str
    user: str | None
    role: str | None
    """Its own; its user's where it is none."""
    tier: str | None
    rate_limit_multiplier: float
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    replaces: str | None = None

    def status(self, now: datetime) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if now < self.expires_at else "expired"


Also: TypeAlias = Callable[[Connection, ApiKey], object]
"""Does more in the same transaction."""


def create_key(
    database: Database,
    name: str,
    *,
    now: datetime,
    user: str | None = None,
    role: str | None = None,
    tier: str | None = None,
    rate_limit_multiplier: float = 1.0,
    lifetime: timedelta = LIFETIME,
    also: Also | None = None,
) -> tuple[str, ApiKey]:
    """Make a key, and give it with what is kept of it; it can never be shown again.

    Parameters
    ----------
    database : Database
    name : str
        What it is for; several keys may have the same.
    now : datetime
        Aware.
    user : str, optional
        Whose it is.
    role : str, optional
        The user's where it is not given.
    tier : str, optional
        One of `TIERS`.
    rate_limit_multiplier : float
        Above 0, up to 1,000.
    lifetime : timedelta
        Up to ten years.
    also : callable, optional
        Takes the connection and what is kept of the key, to do more in the same transaction.

    Raises
    ------
    ValueError
        Where an argument breaks its rule, or neither a user nor a role is given.
    """
    check_name("name", name)
    if role is not None:
        check_role(role)
    if tier is not None and tier not in TIERS:
        raise ValueError(f"tier must be one of {', '.join(TIERS)}, got {tier!r}.")
    if not (isfinite(rate_limit_multiplier) and 0 < rate_limit_multiplier <= 1000):
        raise ValueError(
            f"rate_limit_multiplier must be above 0 and at most 1000, got {rate_limit_multiplier}."
        )
    if not timedelta(0) < lifetime <= _LONGEST_LIFETIME:
        raise ValueError(f"lifetime must be above 0 and at most 3650 days, got {lifetime}.")
    if user is None and role is None:
        raise ValueError("user or role must be given, got neither.")
    record = ApiKey(
        id=_new_id(),
        name=name,
        user=user,
        role=role,
        tier=tier,
        rate_limit_multiplier=rate_limit_multiplier,
        created_at=now,
        expires_at=now + lifetime,
    )
    with database.writing() as connection:
        version = next_version(connection)
        if user is not None and not _exists(connection, user):
            raise ValueError(f"user must be known, got {user[:100]!r}.")
        key = _keep(connection, record, version)
        _do(also, connection, record)
    return key, record


def list_keys(database: Database, *, user: str | None = None) -> list[ApiKey]:
    """List keys, those of one user where one is given, the oldest first."""
    asked = select(API_KEY).order_by(API_KEY.c.created_at, API_KEY.c.id)
    if user is not None:
        asked = asked.where(API_KEY.c.user == user)
    with database.reading() as connection:
        return [key_of(row) for row in connection.execute(asked)]


def revoke_key(
    database: Database, key_id: str, *, now: datetime, also: Also | None = None
) -> ApiKey:
    """Revoke a key for good; again, and nothing changes. `also` is as of `create_key`.

    Raises
    ------
    ValueError
        Where there is no such key.
    """
    with database.writing() as connection:
        version = next_version(connection)
        record = _find(connection, key_id)
        if record.revoked_at is not None:
            return record
        record = _change(connection, key_id, revoked_at=now, version=version)
        _do(also, connection, record)
    return record


def rotate_key(
    database: Database,
    key_id: str,
    *,
    now: datetime,
    overlap: timedelta = timedelta(0),
    also: Also | None = None,
) -> tuple[str, ApiKey]:
    """Make a key like another, which is revoked; both work while they overlap.

    Of two that rotate the same key at once, one is told that it is revoked already.

    Parameters
    ----------
    database : Database
    key_id : str
    now : datetime
        Aware.
    overlap : timedelta
        How long the old key works on, at most as long as it would have.
    also : callable, optional
        As of `create_key`, with the new key.

    Raises
    ------
    ValueError
        Where there is no such key, or it is revoked or has expired.
    """
    if overlap < timedelta(0):
        raise ValueError(f"overlap must not be negative, got {overlap}.")
    with database.writing() as connection:
        version = next_version(connection)
        old = _find(connection, key_id)
        if (status := old.status(now)) != "active":
            raise ValueError(f"key must be active to be rotated, got {key_id!r}: it is {status}.")
        if overlap:
            until = min(old.expires_at, now + overlap)
            _change(connection, key_id, expires_at=until, version=version)
        else:
            _change(connection, key_id, revoked_at=now, version=version)
        record = ApiKey(
            id=_new_id(),
            name=old.name,
            user=old.user,
            role=old.role,
            tier=old.tier,
            rate_limit_multiplier=old.rate_limit_multiplier,
            created_at=now,
            expires_at=now + (old.expires_at - old.created_at),
            replaces=old.id,
        )
        key = _keep(connection, record, version)
        _do(also, connection, record)
    return key, record


def key_of(row: Any) -> ApiKey:
    """Read a row of `API_KEY`."""
    return ApiKey(
        id=row.id,
        name=row.name,
        user=row.user,
        role=row.role,
        tier=row.tier,
        rate_limit_multiplier=row.rate_limit_multiplier,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        replaces=row.replaces,
    )


def _do(also: Also | None, connection: Connection, record: ApiKey) -> None:
    if also is not None:
        also(connection, record)


def _keep(connection: Connection, record: ApiKey, version: int) -> str:
    key = new_key()
    values = {name: getattr(record, name) for name in record.__slots__}
    connection.execute(
        insert(API_KEY).values(digest=key_digest(key).hex(), version=version, **values)
    )
    return key


def _change(connection: Connection, key_id: str, **values: object) -> ApiKey:
    changed = update(API_KEY).where(API_KEY.c.id == key_id).values(**values).returning(API_KEY)
    return key_of(connection.execute(changed).one())


def _find(connection: Connection, key_id: str) -> ApiKey:
    row = connection.execute(select(API_KEY).where(API_KEY.c.id == key_id)).one_or_none()
    if row is None:
        raise ValueError(f"key must be the id of a key, got {key_id[:100]!r}.")
    return key_of(row)


def _exists(connection: Connection, user: str) -> bool:
    return connection.scalar(select(USER.c.name).where(USER.c.name == user)) is not None


def _new_id() -> str:
    return secrets.token_hex(6)
