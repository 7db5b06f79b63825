"""The audit log: events are added, each chained to the one before; the old go, the chain holds."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Self

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from nextcall.access.audit_event import (
    GENESIS,
    AuditEvent,
    chained,
    event_hash,
    moment_text,
)
from nextcall.access.tables import AUDIT_ANCHOR, AUDIT_EVENT, AUDIT_HEAD
from nextcall.storage.database import UPKEEP, Database
from nextcall.storage.group_writer import GroupWriter, WriterBusyError, WriterClosedError
from nextcall.telemetry.instruments import Count

RETENTION: Final = timedelta(days=90)
_AT_ONCE: Final = 5_000  # events that go in one transaction
_PAUSE: Final = 0.1  # seconds between two, in which who waits for SQLite's lock looks for it
_AWAY: Final = (SQLAlchemyError, WriterBusyError, WriterClosedError)


class AuditLog:
    """Adds events; many callers share a commit, and many processes a log.

    Parameters
    ----------
    database : Database
    key : bytes
        Up to 64, the same for all that write or verify. Without one the chain shows what was
        changed by whoever does not write the rest of it anew; with one, whoever has not the key
        cannot do that either.

    Examples
    --------
    >>> from datetime import UTC
    >>> from tempfile import TemporaryDirectory
    >>> from nextcall.storage.migrations import migrate
    >>> event = AuditEvent(at=datetime.now(UTC), kind="key", action="created", user="Ada")
    >>> with TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/a.db") as database:
    ...     migrate(database)
    ...     with AuditLog(database) as log:
    ...         log.write(event), log.write(event)
    (1, 2)
    """

    def __init__(self, database: Database, *, key: bytes = b"") -> None:
        self._key = key
        self._lost = Count.alone()
        self._writer: GroupWriter[AuditEvent, int] = GroupWriter(database, self._write)

    @property
    def lost(self) -> int:
        """Events that `offer` and `try_write` could not keep."""
        return round(self._lost.own)

    def count_in(self, lost: Count) -> None:
        """Count there from now on what is lost."""
        self._lost = lost.instead_of(self._lost)

    def write(self, event: AuditEvent) -> int:
        """Add an event, wait until it is on disk, and give its number.

        Raises
        ------
        WriterClosedError
            Nothing was written.
        sqlalchemy.exc.SQLAlchemyError
            Where the database is away.
        """
        return self._writer.write(event)

    async def write_async(self, event: AuditEvent) -> int:
        """Add an event as `write` does, from a task of asyncio."""
        return await self._writer.write_async(event)

    async def offer(self, event: AuditEvent) -> bool:
        """Add an event where that is possible; count it as lost where it is not, and go on.

        For what was refused already: nobody is let in because the log is away.
        """
        try:
            await self._writer.write_async(event, patience=1.0)
        except _AWAY:
            self._lost.rise()
            return False
        return True

    def try_write(self, event: AuditEvent) -> bool:
        """Add an event as `offer` does, from a thread."""
        try:
            self._writer.write(event, patience=1.0)
        except _AWAY:
            self._lost.rise()
            return False
        return True

    def append(self, connection: Connection, event: AuditEvent) -> int:
        """Add an event within a transaction that writes, as `append` does, and give its number."""
        return append(connection, [event], key=self._key)[0]

    def close(self) -> None:
        """Write what waits, and take no more."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, connection: Connection, events: Sequence[AuditEvent]) -> list[int]:
        return append(connection, events, key=self._key)


def append(connection: Connection, events: Sequence[AuditEvent], *, key: bytes = b"") -> list[int]:
    """Add events within a transaction that writes, and give their numbers.

    So an event is kept if what it tells of is, and only then. Until the transaction ends, others
    that add events wait.
    """
    head = locked_head(connection)
    number, before = head.number, head.hash or GENESIS
    rows = list[dict[str, Any]]()
    for number, event in enumerate(events, head.number + 1):  # the last one counts
        row = _Row(number, event, before)
        before = event_hash(row, key=key)
        rows.append({**vars(row), "hash": before})
    connection.execute(insert(AUDIT_EVENT), rows)
    connection.execute(
        update(AUDIT_HEAD).values(
            number=number, hash=before, seal=chained(before, ["head", number], key=key)
        )
    )
    return [row["number"] for row in rows]


def forget_old(
    database: Database, *, now: datetime, keep: timedelta = RETENTION, key: bytes = b""
) -> int:
    """Delete the events before a moment, and say so in the log; what is left can be verified.

    From the begin of the log up to the first event that is to be kept, some thousands in each
    transaction, for others that add events wait meanwhile: an anchor keeps the number and hash of
    the last that goes in it, and an event tells of it.

    Parameters
    ----------
    database : Database
    now : datetime
    keep : timedelta
        At least a day.
    key : bytes
        Of the log.

    Returns
    -------
    int
        How many went.
    """
    if keep < timedelta(days=1):
        raise ValueError(f"keep must be at least a day, got {keep}.")
    cutoff = moment_text(now - keep)
    with database.reading(seconds=UPKEEP) as connection:
        first_kept = connection.scalar(
            select(func.min(AUDIT_EVENT.c.number)).where(AUDIT_EVENT.c.at >= cutoff)
        )
        head = connection.execute(select(AUDIT_HEAD)).one()
    # What is added from here on has a higher number.
    until = head.number if first_kept is None else int(first_kept) - 1
    total = 0
    while count := _forget(database, until, at=now, cutoff=cutoff, key=key):
        total += count
        time.sleep(_PAUSE)
    return total


def _forget(database: Database, until: int, *, at: datetime, cutoff: str, key: bytes) -> int:
    """Delete the oldest events up to a number, but no more than others can wait for."""
    with database.writing() as connection:
        locked_head(connection)
        oldest = connection.scalar(select(func.min(AUDIT_EVENT.c.number)))
        if oldest is None or oldest > until:
            return 0
        gone = AUDIT_EVENT.c.number <= min(until, oldest + _AT_ONCE - 1)
        count = int(connection.scalar(select(func.count()).where(gone)) or 0)
        last, tip = connection.execute(
            select(AUDIT_EVENT.c.number, AUDIT_EVENT.c.hash)
            .where(gone)
            .order_by(AUDIT_EVENT.c.number.desc())
            .limit(1)
        ).one()
        told = moment_text(at)
        seal = chained(tip, ["anchor", last, told], key=key)
        connection.execute(insert(AUDIT_ANCHOR).values(number=last, at=told, hash=tip, seal=seal))
        connection.execute(delete(AUDIT_EVENT).where(gone))
        details = {"last": last, "count": count, "cutoff": cutoff, "tip": tip}
        event = AuditEvent(at=at, kind="system", action="retention", details=details)
        append(connection, [event], key=key)
    return count


def locked_head(connection: Connection) -> Any:
    """Read the newest number and hash; others that write wait until the transaction ends."""
    return connection.execute(select(AUDIT_HEAD).with_for_update()).one()


class _Row:
    """An event as it is kept."""

    def __init__(self, number: int, event: AuditEvent, before: str) -> None:
        self.number = number
        self.at = moment_text(event.at)
        self.kind, self.severity, self.action = event.kind, event.severity, event.action
        self.user, self.details, self.before = event.user, event.details_text(), before
