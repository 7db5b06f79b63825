"""Whether the audit log is what was written: no event changed, none gone, none put in."""

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from nextcall.access.audit_event import GENESIS, chained, event_hash
from nextcall.access.tables import AUDIT_ANCHOR, AUDIT_EVENT, AUDIT_HEAD
from nextcall.storage.database import Database

_AT_ONCE: Final = 1_000
_MOST_FAULTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Where the log is not what was written."""

    number: int
    """Of the event; of the anchor or the head the event that it names."""
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What came of a verification."""

    events: int
    first: int | None
    last: int | None
    """Numbers of the oldest and newest event."""
    tip: str
    """Hash of the newest event: kept elsewhere, it shows later whether this log goes on from it."""
    faults: tuple[Fault, ...]
    """The first 100."""

    @property
    def intact(self) -> bool:
        """Whether all is as it was written."""
        return not self.faults


def verify(
    database: Database, *, key: bytes = b"", known: tuple[int, str] | None = None
) -> Verification:
    """Walk the whole chain, in one state of the database.

    Parameters
    ----------
    database : Database
    key : bytes
        Of the log.
    known : tuple of int and str, optional
        Number and hash of an event that were kept elsewhere; it must be there, or past retention.
    """
    walk = _Walk(key)
    with database.reading() as connection:
        _start(connection, walk)
        rows = connection.execution_options(yield_per=_AT_ONCE).execute(
            select(AUDIT_EVENT).order_by(AUDIT_EVENT.c.number)
        )
        seen: str | None = None
        for row in rows:
            walk.step(row)
            if known is not None and row.number == known[0]:
                seen = row.hash
        _finish(connection, walk)
    if known is not None and seen != known[1] and known[0] > walk.anchored:
        walk.fault(known[0], "is not the event whose hash was kept elsewhere")
    return Verification(
        events=walk.events,
        first=walk.first,
        last=walk.number if walk.events else None,
        tip=walk.before,
        faults=tuple(walk.faults),
    )


class _Walk:
    """Where a verification stands."""

    def __init__(self, key: bytes) -> None:
        self.key, self.faults = key, list[Fault]()
        self.number, self.before = 0, GENESIS  # of the event before
        self.events = 0
        self.first: int | None = None
        self.anchored, self.anchor_hash = 0, GENESIS
        self.told = True  # whether an event told of the anchor

    def fault(self, number: int, what: str) -> None:
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(Fault(number=number, what=what))

    def step(self, row: Any) -> None:
        if row.number != self.number + 1:
            missing = f"{self.number + 1} to {row.number - 1}"
            self.fault(row.number, f"comes after a gap: {missing} are missing")
        elif row.before != self.before:
            self.fault(row.number, "is not chained to the event before")
        if row.hash != event_hash(row, key=self.key):
            self.fault(row.number, "was changed: its hash is another")
        if self.events == 0:
            self.first = row.number
        self.events += 1
        self.number, self.before = row.number, row.hash
        if not self.told and row.action == "retention" and row.kind == "system":
            self.told = _tells(row.details, self.anchored, self.anchor_hash)


def _start(connection: Connection, walk: _Walk) -> None:
    """Begin after the events that are past their retention."""
    newest = select(AUDIT_ANCHOR).order_by(AUDIT_ANCHOR.c.number)
    for anchor in connection.execute(newest):
        seal = chained(anchor.hash, ["anchor", anchor.number, anchor.at], key=walk.key)
        if anchor.seal != seal:
            walk.fault(anchor.number, "ends what is past retention, but its anchor was changed")
        walk.number, walk.before, walk.told = anchor.number, anchor.hash, False
    walk.anchored, walk.anchor_hash = walk.number, walk.before


def _finish(connection: Connection, walk: _Walk) -> None:
    """Compare the end with the head, which tells of events that were cut off there."""
    if not walk.told:
        walk.fault(walk.anchored, "ends what is past retention, but no event tells of that")
    head = connection.execute(select(AUDIT_HEAD)).one_or_none()
    if head is None:
        walk.fault(walk.number, "is the newest, but the head is gone")
    elif head.number == 0 and walk.number == 0 and head.hash == head.seal == "":
        return
    elif head.number != walk.number or head.hash != walk.before:
        walk.fault(walk.number, f"is the newest, but {head.number} was: some were cut off")
    elif head.seal != chained(head.hash, ["head", head.number], key=walk.key):
        walk.fault(walk.number, "is the newest, but the head was changed")


def _tells(details: str, number: int, tip: str) -> bool:
    try:
        told = json.loads(details)
    except ValueError:
        return False  # it was changed, which its hash tells
    return isinstance(told, dict) and (told.get("last"), told.get("tip")) == (number, tip)
