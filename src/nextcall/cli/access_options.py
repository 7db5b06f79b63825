"""What the verbs of users, keys, tokens and the audit log share: database, secrets, who asks."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:  # each verb loads what it needs when it runs
    from nextcall.storage.database import Database

DatabaseOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--database",
        help="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; better in "
        "NEXTCALL_DATABASE_URL, for others see a command line. Default: data/nextcall.db.",
    ),
]


@contextmanager
def opened(url: str | None) -> Iterator["Database"]:
    """Open the database that is named: by an option, the environment, or nobody."""
    from nextcall.serve.door.access_settings import AccessSettings, read_settings
    from nextcall.storage.opening import open_database

    settings = read_settings(AccessSettings, database_url=url)
    with open_database(settings.database_url, patience=settings.database_seconds) as database:
        yield database


def audit_key() -> bytes:
    """Give the key of the audit log, from ``NEXTCALL_AUDIT_SECRET``; none where it is not set."""
    return all_audit_keys()[0]


def all_audit_keys() -> tuple[bytes, ...]:
    """Give the key of the audit log, and those before it."""
    from nextcall.serve.door.access_settings import AccessSettings, read_settings

    return read_settings(AccessSettings).audit_keys()


class Recorded:
    """Writes to the audit log, in the transaction of what it tells of."""

    def __init__(self, kind: Any, action: str, **details: Any) -> None:
        self.key, self.now = audit_key(), datetime.now(UTC)
        self._kind, self._action, self._details = kind, action, details

    def __call__(self, connection: Any, **details: Any) -> None:
        """Write the event, with more details where there are."""
        from nextcall.access.audit_event import AuditEvent
        from nextcall.access.audit_key import require_key
        from nextcall.access.audit_log import append

        require_key(connection, self.key)
        event = AuditEvent(
            at=self.now,
            kind=self._kind,
            action=self._action,
            user=f"cli:{_whoami()}",
            details={**self._details, **details},
        )
        append(connection, [event], key=self.key)


def moment(name: str, text: str | None) -> datetime | None:
    """Read a day or a moment; without a zone it is UTC.

    Raises
    ------
    ValueError
        Where it is neither.

    Examples
    --------
    >>> moment("since", "2026-05-01").isoformat()
    '2026-05-01T00:00:00+00:00'
    """
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{name} must be such as 2026-05-01 or 2026-05-01T12:00:00Z, got {text[:100]!r}."
        ) from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


def _whoami() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return "unknown"
