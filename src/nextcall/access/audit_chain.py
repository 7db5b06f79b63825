"""Whether the audit log is what was written: no event changed, none gone, none put in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from nextcall.access.audit_event import GENESIS, KEY_CHANGED, chained, event_hash
from nextcall.access.tables import AUDIT_ANCHOR, AUDIT_EVENT, AUDIT_HEAD
from nextcall.storage.database import LONG, Database

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
    database: Database,
    *,
    key: bytes = b"",
    previous: Sequence[bytes] = (),
    known: tuple[int, str] | None = None,
) -> Verification:
    """Walk the whole chain, in one state of the database.

    A previous key holds for the begin of the log only, up to the event of `change_key`, and never
    for its end. That event is hashed with the next key, and chained to all before it: whoever has a
    previous key can change nothing, old or new, unseen.

    Parameters
    ----------
    database : Database
    key : bytes
        Of the log, as it is written now.
    previous : sequence of bytes
        Keys that it was written with before, the latest first.
    known : tuple of int and str, optional
        Number and hash of an event that were kept elsewhere; it must be there, or past retention.
    """
    walk = _Walk((key, *previous))
    with database.reading(seconds=LONG) as connection:
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

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.keys, self.faults = keys, list[Fault]()
        self.age = len(keys) - 1  # of the key that hashed the event before; 0 is the one of now
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
        self.hashed(row)
        if self.events == 0:
            self.first = row.number
        self.events += 1
        self.number, self.before = row.number, row.hash
        if not self.told and row.action == "retention" and row.kind == "system":
            self.told = _tells(row.details, self.anchored, self.anchor_hash)

    def hashed(self, row: Any) -> None:
        """Compare the hash; at the begin, and where an event tells so, it may be of a later key."""
        tells = row.kind == "system" and row.action == KEY_CHANGED
        ages = range(self.age, -1, -1) if tells or self.events == 0 else (self.age,)
        for age in ages:
            if row.hash == event_hash(row, key=self.keys[age]):
                self.age = age
                return
        self.fault(row.number, "was changed: its hash is another")


def _start(connection: Connection, walk: _Walk) -> None:
    """Begin after the events that are past their retention."""
    newest = select(AUDIT_ANCHOR).order_by(AUDIT_ANCHOR.c.number)
    for anchor in connection.execute(newest):
        said = ["anchor", anchor.number, anchor.at]
        if anchor.seal not in {chained(anchor.hash, said, key=key) for key in walk.keys}:
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
    elif head.seal != chained(head.hash, ["head", head.number], key=walk.keys[0]):
        walk.fault(walk.number, "is the newest, but the head was changed, or has a previous key")
    elif walk.age:
        walk.fault(walk.number, "is the newest, but has a previous key")


def _tells(details: str, number: int, tip: str) -> bool:
    try:
        told = json.loads(details)
    except ValueError:
        return False  # it was changed, which its hash tells
    return isinstance(told, dict) and (told.get("last"), told.get("tip")) == (number, tip)
