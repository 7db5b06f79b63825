"""Users, and the role that each has."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, insert, select, update

from nextcall.access.permissions import check_role
from nextcall.access.tables import USER, next_version
from nextcall.storage.database import Database

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who keys and tokens may belong to."""

    name: str
    role: str
    created_at: datetime
    changed_at: datetime


Also: TypeAlias = Callable[[Connection, User], object]
"""Does more in the same transaction."""


def add_user(
    database: Database, name: str, *, role: str, now: datetime, also: Also | None = None
) -> User:
    """Add a user; `also` takes the connection and the user, to do more in the same transaction.

    Raises
    ------
    ValueError
        Where the name is taken, empty, longer than 100 characters or not printable, or the role
        is not known.
    """
    check_name("name", name)
    user = User(name=name, role=check_role(role), created_at=now, changed_at=now)
    with database.writing() as connection:
        version = next_version(connection)  # from here on nobody else changes users
        if connection.scalar(select(USER.c.name).where(USER.c.name == name)) is not None:
            raise ValueError(f"name must be new, got {name!r}: there is such a user.")
        connection.execute(
            insert(USER).values(
                name=name, role=role, created_at=now, changed_at=now, version=version
            )
        )
        if also is not None:
            also(connection, user)
    return user


def set_role(
    database: Database, name: str, *, role: str, now: datetime, also: Also | None = None
) -> User:
    """Give a user another role; what runs sees it as soon as a revocation. `also` is as above.

    Raises
    ------
    ValueError
        Where there is no such user or role.
    """
    check_role(role)
    with database.writing() as connection:
        version = next_version(connection)
        changed = connection.execute(
            update(USER)
            .where(USER.c.name == name)
            .values(role=role, changed_at=now, version=version)
            .returning(USER)
        ).one_or_none()
        if changed is None:
            raise ValueError(f"name must be a user's, got {name[:LONGEST_NAME]!r}.")
        user = _user(changed)
        if also is not None:
            also(connection, user)
    return user


def list_users(database: Database) -> list[User]:
    """List all users by name."""
    with database.reading() as connection:
        return [_user(row) for row in connection.execute(select(USER).order_by(USER.c.name))]


def check_name(field: str, name: str) -> None:
    """Refuse a name that nobody could read.

    Raises
    ------
    ValueError
        Where it is empty, longer than 100 characters, padded or not printable.
    """
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        shown = name[:LONGEST_NAME]
        raise ValueError(
            f"{field} must be 1 to {LONGEST_NAME} printable characters without spaces around "
            f"them, got {shown!r}."
        )


def _user(row: Any) -> User:
    return User(name=row.name, role=row.role, created_at=row.created_at, changed_at=row.changed_at)
