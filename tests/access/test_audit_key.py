"""The audit log goes on when its secret is changed, and hides no tampering on either side."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update

from nextcall.access.audit_chain import verify
from nextcall.access.audit_event import AuditEvent, chained, event_hash
from nextcall.access.audit_key import audit_keys, change_key, require_key
from nextcall.access.audit_log import append, forget_old
from nextcall.access.audit_report import compliance_report
from nextcall.access.audit_search import search
from nextcall.access.tables import AUDIT_EVENT, AUDIT_HEAD
from nextcall.storage.database import Database

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OLD, NEW, NEWEST = b"the first key", b"the second key", b"the third key"


def add(database: Database, n: int, key: bytes, *, at: datetime = NOW) -> None:
    events = [AuditEvent(at=at, kind="data", action=f"done {place}") for place in range(n)]
    with database.writing() as connection:
        append(connection, events, key=key)


@pytest.fixture
def changed(migrated: Database) -> Database:
    """Give a log of two events with one key, the event of the change, and two with the next."""
    add(migrated, 2, OLD)
    assert change_key(migrated, keys=(NEW, OLD), now=NOW) == 3
    add(migrated, 2, NEW)
    return migrated


def unguard(database: Database) -> None:
    with database.writing() as connection:
        if database.backend == "postgresql":
            for table in ("audit_event", "audit_anchor", "audit_head"):
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            return
        names = connection.scalars(text("SELECT name FROM sqlite_master WHERE type='trigger'"))
        for name in names.all():
            connection.execute(text(f"DROP TRIGGER {name}"))


def intact(database: Database) -> bool:
    return verify(database, key=NEW, previous=(OLD,)).intact


def test_a_log_is_verified_over_changes_of_its_key(changed: Database) -> None:
    found = verify(changed, key=NEW, previous=(OLD,))
    assert (found.intact, found.events, found.last) == (True, 5, 5)
    (told,) = search(changed, kind="system")
    assert (told.event.action, told.event.severity) == ("audit key changed", "warning")
    assert told.event.details == {"last": 2, "tip": search(changed)[-2].hash}
    for key, previous in ((NEW, ()), (OLD, ()), (OLD, (NEW,)), (NEW, (NEWEST,))):
        assert not verify(changed, key=key, previous=previous).intact
    assert change_key(changed, keys=(NEWEST, NEW, OLD), now=NOW) == 6
    assert verify(changed, key=NEWEST, previous=(NEW, OLD)).intact
    assert not verify(changed, key=NEWEST, previous=(OLD, NEW)).intact
    span: dict[str, Any] = {"since": NOW.replace(year=2025), "until": NOW, "now": NOW}
    report = compliance_report(changed, key=NEWEST, previous=(NEW, OLD), **span)
    assert report.verification.intact


def test_every_byte_on_either_side_that_is_changed_is_found(changed: Database) -> None:
    unguard(changed)
    step = 1 if changed.backend == "sqlite" else 17
    with changed.reading() as connection:
        rows = connection.execute(select(AUDIT_EVENT)).all()
        head = connection.execute(select(AUDIT_HEAD)).one()

    def write(table: Any, at: int, name: str, value: str) -> None:
        which = table.primary_key.columns[0] == at
        with changed.writing() as connection:
            connection.execute(update(table).where(which).values({name: value}))

    places = [
        (AUDIT_EVENT, row.number, name, getattr(row, name))
        for row in rows
        for name in ("at", "kind", "severity", "action", "details", "before", "hash")
    ]
    places += [(AUDIT_HEAD, 1, name, getattr(head, name)) for name in ("hash", "seal")]
    for table, at, name, value in places:
        for place in range(0, len(value), step):
            letter = chr(ord(value[place]) ^ 1)
            write(table, at, name, value[:place] + letter + value[place + 1 :])
            assert not intact(changed), (at, name, place)
        write(table, at, name, value)
    assert intact(changed)


def test_every_event_on_either_side_that_is_taken_away_is_found(changed: Database) -> None:
    unguard(changed)
    with changed.reading() as connection:
        rows = [row._asdict() for row in connection.execute(select(AUDIT_EVENT))]
    for gone in ({1}, {2}, {3}, {4}, {5}, {1, 2}, {1, 2, 3}, {2, 3}, {3, 4, 5}, {4, 5}):
        with changed.writing() as connection:
            connection.execute(delete(AUDIT_EVENT))
            left = [row for row in rows if row["number"] not in gone]
            connection.execute(insert(AUDIT_EVENT), left)
        assert not intact(changed), gone


def _rewrite(connection: Connection) -> None:
    """Write all of the log anew with the old key."""
    before = ""
    for row in connection.execute(select(AUDIT_EVENT).order_by(AUDIT_EVENT.c.number)).all():
        made: Any = Row(row, action="forged", before=before or row.before)
        before = event_hash(made, key=OLD)
        at = AUDIT_EVENT.c.number == row.number
        values = {"action": "forged", "before": made.before, "hash": before}
        connection.execute(update(AUDIT_EVENT).where(at).values(values))
    _seal(connection, 5, before)


def _cut_off(connection: Connection) -> None:
    """Leave the events of the old key, and end the log there, as the old key can."""
    connection.execute(delete(AUDIT_EVENT).where(AUDIT_EVENT.c.number > 2))
    last = select(AUDIT_EVENT.c.hash).where(AUDIT_EVENT.c.number == 2)
    _seal(connection, 2, connection.scalars(last).one())


def _rewrite_the_begin(connection: Connection) -> None:
    """Change what the old key hashed, up to the event of the change."""
    for number in (1, 2):
        at = AUDIT_EVENT.c.number == number
        row = connection.execute(select(AUDIT_EVENT).where(at)).one()
        hashed = event_hash(Row(row, action="forged"), key=OLD)
        connection.execute(update(AUDIT_EVENT).where(at).values(action="forged", hash=hashed))
        then = AUDIT_EVENT.c.number == number + 1
        connection.execute(update(AUDIT_EVENT).where(then).values(before=hashed))


def _go_on(connection: Connection) -> None:
    """Add an event with the old key."""
    append(connection, [AuditEvent(at=NOW, kind="data", action="forged")], key=OLD)


class Row:
    def __init__(self, row: Any, **other: str) -> None:
        self.__dict__.update({**row._asdict(), **other})


def _seal(connection: Connection, number: int, digest: str) -> None:
    seal = chained(digest, ["head", number], key=OLD)
    connection.execute(update(AUDIT_HEAD).values(number=number, hash=digest, seal=seal))


@pytest.mark.parametrize("forge", [_rewrite, _cut_off, _rewrite_the_begin, _go_on])
def test_who_has_the_old_secret_can_forge_nothing(
    changed: Database, forge: Callable[[Connection], None]
) -> None:
    unguard(changed)
    with changed.writing() as connection:
        forge(connection)
    assert not intact(changed)
    add(changed, 1, NEW)  # nor does it heal when the log goes on
    assert not intact(changed)


def test_nothing_is_added_with_a_key_that_the_log_has_not(changed: Database) -> None:
    with changed.writing() as connection:
        require_key(connection, NEW)
        with pytest.raises(ValueError, match=r"^NEXTCALL_AUDIT_SECRET must be the secret that"):
            require_key(connection, OLD)


def test_a_change_that_cannot_be_is_refused(migrated: Database) -> None:
    with migrated.writing() as connection:
        require_key(connection, OLD)  # it is empty
    assert change_key(migrated, keys=(NEW, b""), now=NOW) == 1
    assert verify(migrated, key=NEW).intact
    with pytest.raises(ValueError, match=r"^NEXTCALL_PREVIOUS_AUDIT_SECRETS must name .* got none"):
        change_key(migrated, keys=(NEWEST,), now=NOW)
    with pytest.raises(ValueError, match=r"^NEXTCALL_AUDIT_SECRET must be another secret than"):
        change_key(migrated, keys=(NEW, OLD), now=NOW)
    with pytest.raises(ValueError, match=r"must begin with the secret that .* got 2 faults"):
        change_key(migrated, keys=(NEWEST, OLD), now=NOW)
    assert verify(migrated, key=NEW).events == 1


def test_retention_and_a_change_of_the_key_agree(migrated: Database) -> None:
    add(migrated, 2, OLD, at=NOW.replace(month=1))
    add(migrated, 1, OLD)
    assert forget_old(migrated, now=NOW, key=OLD) == 2
    change_key(migrated, keys=(NEW, OLD), now=NOW)
    assert intact(migrated)
    assert forget_old(migrated, now=NOW.replace(year=2027), key=NEW) == 3
    assert intact(migrated)
    assert verify(migrated, key=NEW).faults[0].what.endswith("its anchor was changed")


def test_secrets_come_from_the_environment() -> None:
    good = ("q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93", "b1Zr1vT0mXw5LkYb2HsJd7NcPfUgEa90")
    names = ("NEXTCALL_AUDIT_SECRET", "NEXTCALL_PREVIOUS_AUDIT_SECRETS")
    both = audit_keys({names[0]: good[0], names[1]: f"{good[1]} none"})
    assert both == (*audit_keys({names[0]: good[0]}), *audit_keys({names[0]: good[1]}), b"")
    with pytest.raises(ValueError, match=r"^NEXTCALL_PREVIOUS_AUDIT_SECRETS must have at least 32"):
        audit_keys({names[0]: good[0], names[1]: "short"})
