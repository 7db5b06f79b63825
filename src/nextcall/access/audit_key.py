"""The key of the audit log: where it comes from, and how it is changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from nextcall.access.audit_chain import verify
from nextcall.access.audit_event import KEY_CHANGED, AuditEvent, chained
from nextcall.access.audit_log import append, locked_head
from nextcall.access.secret_rules import check_secret, derive
from nextcall.storage.database import Database

AUDIT_VARIABLE: Final = "NEXTCALL_AUDIT_SECRET"
PREVIOUS_AUDIT_VARIABLE: Final = "NEXTCALL_PREVIOUS_AUDIT_SECRETS"
NO_SECRET: Final = "none"  # noqa: S105  # the word for none
"""Among previous secrets: the log began without one."""


def audit_keys(variables: Mapping[str, str]) -> tuple[bytes, ...]:
    """Give the key that the log is written with, and those before it, the latest first.

    Parameters
    ----------
    variables : mapping of str to str
        ``NEXTCALL_AUDIT_SECRET`` (none: an empty key) and ``NEXTCALL_PREVIOUS_AUDIT_SECRETS``
        (separated by spaces; ``none`` stands for a log without a secret).

    Raises
    ------
    ValueError
        Where a secret is poor.

    Examples
    --------
    >>> audit_keys({})
    (b'',)
    >>> [len(key) for key in audit_keys({
    ...     "NEXTCALL_AUDIT_SECRET": "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93",
    ...     "NEXTCALL_PREVIOUS_AUDIT_SECRETS": "none"})]
    [32, 0]
    """
    named = [(AUDIT_VARIABLE, variables.get(AUDIT_VARIABLE) or NO_SECRET)]
    before = variables.get(PREVIOUS_AUDIT_VARIABLE, "").split()
    named += [(PREVIOUS_AUDIT_VARIABLE, secret) for secret in before]
    keys = [
        b"" if secret == NO_SECRET else derive(check_secret(name, secret), "audit")
        for name, secret in named
    ]
    return tuple(dict.fromkeys(keys))


def require_key(connection: Connection, key: bytes) -> None:
    """Make sure that the log ends with this key, before anything is added to it.

    Raises
    ------
    ValueError
        Where it does not: the secret was changed, or somebody changed the end of the log.
    """
    if not _sealed(locked_head(connection), key):
        raise ValueError(
            f"{AUDIT_VARIABLE} must be the secret that the audit log ends with, got another. Where "
            f"it was changed, name the old one in {PREVIOUS_AUDIT_VARIABLE} and run `nextcall "
            "audit change-key`; else see `nextcall audit verify`."
        )


def change_key(database: Database, *, keys: tuple[bytes, ...], now: datetime) -> int:
    """Go on with another key, and say so in the log, which must be intact by those before.

    No process may still write with a previous key: what it adds later is a fault.

    Parameters
    ----------
    database : Database
    keys : tuple of bytes
        As of `audit_keys`: the new one, and those before.
    now : datetime

    Returns
    -------
    int
        Number of the event that tells so.

    Raises
    ------
    ValueError
        Where there is no previous key, the log is not intact, or has the new key already.
    """
    if len(keys) < 2:
        raise ValueError(f"{PREVIOUS_AUDIT_VARIABLE} must name the secret before, got none.")
    found = verify(database, key=keys[1], previous=keys[2:])
    with database.writing() as connection:
        head = locked_head(connection)
        if head.number and _sealed(head, keys[0]):
            raise ValueError(f"{AUDIT_VARIABLE} must be another secret than the audit log has.")
        if not found.intact or head.hash not in {found.tip, ""}:
            raise ValueError(
                f"{PREVIOUS_AUDIT_VARIABLE} must begin with the secret that the audit log has, "
                f"which must be intact; got {len(found.faults)} faults: see `nextcall audit "
                "verify` with the secret before."
            )
        details = {"last": head.number, "tip": head.hash}
        event = AuditEvent(
            at=now, kind="system", action=KEY_CHANGED, severity="warning", details=details
        )
        return append(connection, [event], key=keys[0])[0]


def _sealed(head: object, key: bytes) -> bool:
    number, digest, seal = (getattr(head, name) for name in ("number", "hash", "seal"))
    return not number or bool(seal == chained(digest, ["head", number], key=key))
