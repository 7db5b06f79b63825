"""What the audit log holds: by kind, severity, user and time."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select

from nextcall.access.audit_event import (
    KINDS,
    SEVERITIES,
    AuditEvent,
    AuditRecord,
    moment_text,
    read_moment,
)
from nextcall.access.tables import AUDIT_EVENT
from nextcall.storage.database import LONG, Database


def search(
    database: Database,
    *,
    kind: str | None = None,
    severity: str | None = None,
    user: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    most: int = 100,
) -> list[AuditRecord]:
    """Find events, the newest first; what is not given is not asked.

    Parameters
    ----------
    database : Database
    kind, severity, user : str, optional
    since, until : datetime, optional
        Aware; `until` is left out itself.
    most : int

    Raises
    ------
    ValueError
        Where a kind or severity is not known, or `most` is below 1.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}.")
    for name, value, known in (("kind", kind, KINDS), ("severity", severity, SEVERITIES)):
        if value is not None and value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}.")
    wanted: list[ColumnElement[bool]] = [
        column == value
        for column, value in (
            (AUDIT_EVENT.c.kind, kind),
            (AUDIT_EVENT.c.severity, severity),
            (AUDIT_EVENT.c.user, user),
        )
        if value is not None
    ]
    wanted += within(since, until)
    found = select(AUDIT_EVENT).where(*wanted).order_by(AUDIT_EVENT.c.number.desc()).limit(most)
    with database.reading(seconds=LONG) as connection:
        return [record_of(row) for row in connection.execute(found)]


def within(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """Give the conditions of a span of time."""
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        conditions.append(AUDIT_EVENT.c.at >= moment_text(since))
    if until is not None:
        conditions.append(AUDIT_EVENT.c.at < moment_text(until))
    return conditions


def record_of(row: Any) -> AuditRecord:
    """Read a row of `AUDIT_EVENT`."""
    event = AuditEvent(
        at=read_moment(row.at),
        kind=row.kind,
        severity=row.severity,
        action=row.action,
        user=row.user,
        details=json.loads(row.details),
    )
    return AuditRecord(number=row.number, event=event, before=row.before, hash=row.hash)
