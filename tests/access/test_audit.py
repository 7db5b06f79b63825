"""Nothing that is written to the log changes, goes or is put in without being found."""

import asyncio
import csv
import io
import json
import random
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Table, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from nextcall.access import audit_log
from nextcall.access.audit_chain import verify
from nextcall.access.audit_event import GENESIS, AuditEvent, event_hash
from nextcall.access.audit_log import AuditLog, append, forget_old
from nextcall.access.audit_report import compliance_report
from nextcall.access.audit_search import search
from nextcall.access.key_format import new_key
from nextcall.access.tables import AUDIT_ANCHOR, AUDIT_EVENT, AUDIT_HEAD
from nextcall.storage.database import Database

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = b"a key of the log"


def event(place: int, *, at: datetime = NOW, **given: Any) -> AuditEvent:
    kinds = ("authentication", "key", "system")
    fields = {
        "kind": kinds[place % 3],
        "severity": ("info", "warning")[place % 2],
        "action": f"done {place}",
        "user": None if place % 4 == 0 else f"user {place % 4}",
        "details": {"count": place, "reason": "wörds", "status": None},
        **given,
    }
    return AuditEvent(at=at + timedelta(minutes=place), **fields)


def fill(database: Database, n: int, *, at: datetime = NOW, key: bytes = b"") -> None:
    with database.writing() as connection:
        append(connection, [event(place, at=at) for place in range(n)], key=key)


def dump(database: Database) -> str:
    with database.reading() as connection:
        tables = (AUDIT_EVENT, AUDIT_ANCHOR, AUDIT_HEAD)
        return "\n".join(repr(connection.execute(select(table)).all()) for table in tables)


TABLES = ("audit_event", "audit_anchor", "audit_head")


@contextmanager
def unguarded(database: Database) -> Iterator[Connection]:
    """Change what nobody may change, as who owns the database can."""
    with database.writing() as connection:
        if database.backend == "postgresql":
            for table in TABLES:
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        else:
            names = connection.scalars(text("SELECT name FROM sqlite_master WHERE type='trigger'"))
            for name in names.all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        yield connection


def test_events_are_chained_and_numbered(migrated: Database) -> None:
    assert verify(migrated).intact
    with AuditLog(migrated) as log:
        assert [log.write(event(place)) for place in range(3)] == [1, 2, 3]
        assert asyncio.run(log.write_async(event(3))) == 4
    found = verify(migrated)
    assert (found.intact, found.events, found.first, found.last) == (True, 4, 1, 4)
    records = search(migrated)
    assert [record.number for record in records] == [4, 3, 2, 1]
    assert records[-1].before == GENESIS
    assert [one.before for one in records[:-1]] == [other.hash for other in records[1:]]
    assert records[0].hash == found.tip
    assert [record.event for record in reversed(records)] == [event(n) for n in range(4)]


def test_an_event_is_kept_with_what_it_tells_of_or_not_at_all(migrated: Database) -> None:
    def fail() -> None:
        with migrated.writing() as connection:
            append(connection, [event(0)])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert verify(migrated).events == 0


CHANGES = (
    "UPDATE audit_event SET action = 'x'",
    "UPDATE audit_event SET number = 99 WHERE number = 5",
    "DELETE FROM audit_event WHERE number = 5",
    "DELETE FROM audit_event",
    "UPDATE audit_anchor SET number = 99",
    "DELETE FROM audit_anchor",
    "UPDATE audit_head SET number = 1",
    "UPDATE audit_head SET id = 2",
    "DELETE FROM audit_head",
)
TRUNCATIONS = tuple(f"TRUNCATE {table}" for table in TABLES)  # SQLite has none


def test_the_database_refuses_to_change_it(guarded: Database) -> None:
    for statement in CHANGES + TRUNCATIONS * (guarded.backend == "postgresql"):
        with pytest.raises(DBAPIError, match="append-only"), guarded.writing() as connection:
            connection.execute(text(statement))
    assert verify(guarded).intact


@pytest.fixture
def guarded(migrated: Database) -> Database:
    """Give a log of ten events, of which three are past retention."""
    fill(migrated, 3, at=NOW - 100 * DAY)
    fill(migrated, 6)
    assert forget_old(migrated, now=NOW) == 3
    return migrated


def other_byte(value: Any, rng: random.Random) -> Any:
    """Change one byte of what is kept."""
    if isinstance(value, int):
        return value ^ (1 << rng.randrange(16))
    if value is None:
        return ""
    if not value:
        return "x"
    place = rng.randrange(len(value))
    letter = rng.choice([c for c in "aA0 .}é" if c != value[place]])
    return value[:place] + letter + value[place + 1 :]


def test_every_change_of_one_byte_is_found(guarded: Database) -> None:
    rng = random.Random(3)
    with unguarded(guarded):
        pass
    places = [
        (table, column)
        for table in (AUDIT_EVENT, AUDIT_EVENT, AUDIT_EVENT, AUDIT_ANCHOR, AUDIT_HEAD)
        for column in table.columns
        if column.name != "id"
    ]
    assert verify(guarded).intact
    n = 4 if guarded.backend == "sqlite" else 1
    for table, column in n * places:
        with guarded.reading() as connection:
            rows = connection.execute(select(table)).all()
        row = rng.choice(rows)
        value = getattr(row, column.name)
        changed = other_byte(value, rng)
        identity = table.primary_key.columns[0]

        def write(at: Any, new: Any, table: Table = table, column: Any = column) -> None:
            name = table.primary_key.columns[0]
            with guarded.writing() as connection:
                connection.execute(update(table).where(name == at).values({column: new}))

        at = getattr(row, identity.name)
        taken = {getattr(each, identity.name) for each in rows}
        if column is identity and changed in taken:
            continue
        write(at, changed)
        assert not verify(guarded).intact, (table.name, column.name, value, changed)
        write(changed if column is identity else at, value)
    assert verify(guarded).intact


def test_every_deletion_is_found(guarded: Database) -> None:
    with guarded.reading() as connection:
        rows = [row._asdict() for row in connection.execute(select(AUDIT_EVENT))]
    for gone in ({4}, {5}, {7, 8}, {10}, {9, 10}, set(range(4, 11))):
        with unguarded(guarded) as connection:
            connection.execute(delete(AUDIT_EVENT))
            left = [row for row in rows if row["number"] not in gone]
            if left:
                connection.execute(insert(AUDIT_EVENT), left)
        found = verify(guarded)
        assert not found.intact
        assert found.events == 7 - len(gone)


def test_what_is_put_in_or_swapped_is_found(guarded: Database) -> None:
    with guarded.reading() as connection:
        rows = [row._asdict() for row in connection.execute(select(AUDIT_EVENT))]
    with unguarded(guarded) as connection:
        connection.execute(delete(AUDIT_EVENT))
        swapped = [
            {**row, "number": {5: 6, 6: 5}.get(row["number"], row["number"])} for row in rows
        ]
        connection.execute(insert(AUDIT_EVENT), swapped)
    assert {fault.number for fault in verify(guarded).faults} >= {5, 6}
    with unguarded(guarded) as connection:
        connection.execute(delete(AUDIT_EVENT))
        connection.execute(insert(AUDIT_EVENT), [*rows, {**rows[-1], "number": 11}])
    assert not verify(guarded).intact
    with unguarded(guarded) as connection:
        connection.execute(delete(AUDIT_EVENT).where(AUDIT_EVENT.c.number == 11))
        assert verify(guarded).faults != ()  # not committed yet
    assert verify(guarded).intact
    with unguarded(guarded) as connection:
        connection.execute(delete(AUDIT_HEAD))
    assert [fault.what for fault in verify(guarded).faults] == [
        "is the newest, but the head is gone"
    ]


def test_without_the_key_nobody_can_write_the_chain_anew(migrated: Database) -> None:
    fill(migrated, 5, key=KEY)
    honest = verify(migrated, key=KEY)
    assert honest.intact
    assert not verify(migrated).intact

    class Forged:
        def __init__(self, row: Any, before: str) -> None:
            self.__dict__.update(row._asdict())
            self.action, self.before = row.action.replace("done", "made"), before

    with unguarded(migrated) as connection:
        before, rows = GENESIS, []
        for row in connection.execute(select(AUDIT_EVENT).order_by(AUDIT_EVENT.c.number)).all():
            forged = Forged(row, before)
            before = event_hash(forged)
            rows.append({**vars(forged), "hash": before})
        connection.execute(delete(AUDIT_EVENT))
        connection.execute(insert(AUDIT_EVENT), rows)
        connection.execute(update(AUDIT_HEAD).values(hash=before))
    assert len(verify(migrated, key=KEY).faults) >= 5
    # A tip that was kept elsewhere shows it even where the forger has the key.
    assert honest.last is not None
    known = (honest.last, honest.tip)
    assert "kept elsewhere" in verify(migrated, known=known).faults[-1].what


def test_a_tip_that_was_kept_elsewhere_is_found_again(guarded: Database) -> None:
    record = search(guarded)[3]
    assert verify(guarded, known=(record.number, record.hash)).intact
    assert verify(guarded, known=(2, "gone with the others")).intact
    assert not verify(guarded, known=(99, record.hash)).intact


def test_many_faults_are_counted_to_a_hundred(migrated: Database) -> None:
    fill(migrated, 150)
    assert len(verify(migrated, key=b"another").faults) == 100


def test_retention_keeps_the_chain_verifiable(migrated: Database) -> None:
    for days in (200, 150, 95, 50, 0):
        fill(migrated, 2, at=NOW - days * DAY)
    assert forget_old(migrated, now=NOW - 59 * DAY) == 4
    assert forget_old(migrated, now=NOW) == 2
    assert forget_old(migrated, now=NOW) == 0
    found = verify(migrated)
    assert (found.intact, found.first, found.last, found.events) == (True, 7, 12, 6)
    told = [
        record for record in search(migrated, kind="system") if record.event.action == "retention"
    ]
    assert [record.event.details["last"] for record in told] == [6, 4]
    assert forget_old(migrated, now=NOW + 1000 * DAY) == 6  # all of them
    found = verify(migrated)
    assert (found.intact, found.events, found.first) == (True, 1, 13)
    with pytest.raises(ValueError, match=r"^keep must be at least a day, got 1:00:00\.$"):
        forget_old(migrated, now=NOW, keep=timedelta(hours=1))


def test_an_event_whose_clock_was_set_back_does_not_take_younger_ones_along(
    migrated: Database,
) -> None:
    fill(migrated, 2, at=NOW - 10 * DAY)
    fill(migrated, 2, at=NOW - 100 * DAY)
    assert forget_old(migrated, now=NOW) == 0
    assert verify(migrated).events == 4


def test_an_anchor_that_no_event_tells_of_is_found(migrated: Database) -> None:
    """Somebody deletes the begin as retention would, but not through this package."""
    fill(migrated, 6)
    third = search(migrated)[3]
    with migrated.writing() as connection:
        values = {"number": 3, "at": "2026", "hash": third.hash, "seal": "x"}
        connection.execute(insert(AUDIT_ANCHOR).values(**values))
        connection.execute(delete(AUDIT_EVENT).where(AUDIT_EVENT.c.number <= 3))
        append(connection, [AuditEvent(at=NOW, kind="system", action="retention")])
    told = [fault.what for fault in verify(migrated).faults]
    assert any("its anchor was changed" in what for what in told)
    assert any("no event tells of that" in what for what in told)


def test_details_that_are_no_json_any_more_are_found(guarded: Database) -> None:
    with unguarded(guarded) as connection:
        connection.execute(update(AUDIT_EVENT).values(details="x"))
    assert len(verify(guarded).faults) == 8


WRITER = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from nextcall.access.audit_event import AuditEvent
from nextcall.access.audit_log import AuditLog
from nextcall.storage.database import Database
log = AuditLog(Database(sys.argv[1]))
def write(place):
    event = AuditEvent(at=datetime.now(UTC), kind="data", action=f"{sys.argv[2]} {place}")
    os.write(1, f"{log.write(event)} {sys.argv[2]} {place}\\n".encode())
with ThreadPoolExecutor(8) as pool:
    list(pool.map(write, range(100_000)))
"""


def test_nothing_acknowledged_is_lost_when_writers_are_killed(
    migrated: Database, url: str, start_script: Callable[..., "subprocess.Popen[str]"]
) -> None:
    acknowledged = dict[int, str]()
    writers = [start_script(WRITER, url, name) for name in ("a", "b")]
    for writer, n in zip(writers, (60, 40), strict=True):
        assert writer.stdout is not None
        whole = "".join(writer.stdout.readline() for _ in range(n))
        writer.kill()
        whole += writer.stdout.read()
        writer.wait(60)
        for line in whole.split("\n")[:-1]:
            number, action = line.split(" ", 1)
            assert int(number) not in acknowledged
            acknowledged[int(number)] = action
    assert verify(migrated).intact
    kept = {record.number: record.event.action for record in search(migrated, most=10**6)}
    assert acknowledged.items() <= kept.items()


def test_threads_of_one_log_share_commits(migrated: Database) -> None:
    with AuditLog(migrated, key=KEY) as log, ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda place: log.write(event(place)), range(100)))
    assert sorted(numbers) == list(range(1, 101))
    assert verify(migrated, key=KEY).intact


def test_what_cannot_be_kept_is_counted_where_it_is_only_offered(migrated: Database) -> None:
    log = AuditLog(migrated)
    assert asyncio.run(log.offer(event(0))) is True
    with unguarded(migrated) as connection:
        connection.execute(text("ALTER TABLE audit_head RENAME TO away"))
    assert asyncio.run(log.offer(event(1))) is False
    log.close()
    assert asyncio.run(log.offer(event(2))) is False
    assert log.lost == 2


def test_events_are_found_by_what_they_are(migrated: Database) -> None:
    fill(migrated, 24)

    def places(**asked: Any) -> list[int]:
        return [int(str(record.event.details["count"])) for record in search(migrated, **asked)]

    newest = list(range(23, -1, -1))
    assert places() == newest
    assert places(kind="key") == [n for n in newest if n % 3 == 1]
    assert places(severity="warning") == [n for n in newest if n % 2]
    assert places(user="user 2") == [n for n in newest if n % 4 == 2]
    assert places(user="' OR 1=1 --") == []
    east = timezone(timedelta(hours=5))
    since = (NOW + timedelta(minutes=5)).astimezone(east)
    assert places(since=since, until=NOW + timedelta(minutes=8)) == [7, 6, 5]
    assert places(kind="system", severity="info", user="user 2", most=1) == [14]
    with pytest.raises(ValueError, match=r"^most must be at least 1, got 0\.$"):
        search(migrated, most=0)
    with pytest.raises(ValueError, match=r"^kind must be one of .* got 'other'\.$"):
        search(migrated, kind="other")


def test_a_report_counts_and_says_whether_the_log_holds(migrated: Database) -> None:
    fill(migrated, 24)
    with migrated.writing() as connection:
        odd = AuditEvent(at=NOW, kind="security", severity="critical", action="=1+1")
        append(connection, [odd])
    span: dict[str, Any] = {"since": NOW, "until": NOW + timedelta(minutes=12), "now": NOW + DAY}
    report = compliance_report(migrated, **span)
    document = json.loads(report.to_json())
    assert document["events"] == 13
    assert document["by_kind"] == {
        "authentication": 4,
        "authorization": 0,
        "key": 4,
        "user": 0,
        "data": 0,
        "security": 1,
        "system": 4,
    }
    assert document["by_severity"] == {"info": 6, "warning": 6, "critical": 1}
    assert document["users"] == 3
    assert document["log"]["intact"] is True
    assert document["log"]["events"] == 25
    rows = list(csv.reader(io.StringIO(report.to_csv())))
    assert rows[0] == ["section", "name", "value"]
    assert ["report", "since", "2026-05-01T12:00:00.000000Z"] in rows
    assert ["by_kind", "key", "4"] in rows
    assert ["by_action", "security =1+1", "1"] in rows
    assert ["log", "intact", "true"] in rows
    broken = compliance_report(migrated, key=KEY, **span)
    assert ["log", "intact", "false"] in list(csv.reader(io.StringIO(broken.to_csv())))
    assert json.loads(broken.to_json())["log"]["faults"][0]["number"] == 1
    with pytest.raises(ValueError, match=r"^since must be before until"):
        compliance_report(migrated, since=NOW, until=NOW, now=NOW)


def test_no_secret_and_no_prompt_is_in_it(migrated: Database) -> None:
    key = new_key()
    token = jwt.encode({"sub": "Ada"}, 32 * b"k", algorithm="HS256")
    planted = [
        key,
        key[:30],
        token,
        "Bearer abcdefgh12345",
        "basic dXNlcjpwYXNz",
        "sk-abcdefghijklmnopqrstuvwx",
        "-----BEGIN PRIVATE KEY-----MIIE",
    ]
    url = "postgresql://nextcall:geheim@localhost/nextcall"
    with AuditLog(migrated) as log:
        for secret in planted:
            text = f"with {secret} in it"
            details = {"reason": text, "name": secret}
            log.write(AuditEvent(at=NOW, kind="security", action=text, user=text, details=details))
        log.write(AuditEvent(at=NOW, kind="system", action="connected", details={"reason": url}))
    kept = dump(migrated)
    report = compliance_report(migrated, since=NOW, until=NOW + DAY, now=NOW)
    for secret in (*planted, "geheim"):
        assert secret not in kept
        assert secret not in report.to_json() + report.to_csv()
    assert "[removed]" in kept
    for name in ("prompt", "body", "password", "token", "key"):
        with pytest.raises(ValueError, match=r"^details must be of known names, got \['"):
            AuditEvent(at=NOW, kind="data", action="done", details={name: "list my buckets"})


@given(st.text(max_size=400), st.floats())
def test_any_text_is_kept_short_and_reads_back(text: str, number: float) -> None:
    made = AuditEvent(at=NOW, kind="data", action=text, details={"reason": text, "risk": number})
    assert len(made.action) <= 200
    assert made.action.encode().decode() == made.action
    again = AuditEvent(
        at=NOW, kind="data", action=made.action, details=json.loads(made.details_text())
    )
    assert again == made


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"kind": "other"}, "kind must be one of authentication"),
        ({"severity": "fatal"}, "severity must be one of info, warning, critical, got 'fatal'"),
        ({"at": datetime(2026, 5, 1)}, "at must have a zone"),  # noqa: DTZ001  # that is the case
    ],
)
def test_what_is_not_known_is_refused(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        AuditEvent(**{"at": NOW, "kind": "data", "action": "done", **given_})


def test_much_goes_in_several_transactions_and_each_leaves_a_log_that_holds(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "_AT_ONCE", 3)
    monkeypatch.setattr(audit_log, "_PAUSE", 0.001)
    fill(migrated, 8, at=NOW - 100 * DAY, key=KEY)
    fill(migrated, 2, key=KEY)
    writing, held = migrated.writing, list[bool]()

    @contextmanager
    def noted(**given: Any) -> Iterator[Connection]:
        with writing(**given) as connection:
            yield connection
        held.append(verify(migrated, key=KEY).intact)

    monkeypatch.setattr(migrated, "writing", noted)
    assert forget_old(migrated, now=NOW, key=KEY) == 8
    assert held == [True] * 4  # the last finds nothing
    with migrated.reading() as connection:
        anchors = select(AUDIT_ANCHOR.c.number).order_by(AUDIT_ANCHOR.c.number)
        assert connection.scalars(anchors).all() == [3, 6, 8]
        kept = select(AUDIT_EVENT.c.number).order_by(AUDIT_EVENT.c.number)
        assert connection.scalars(kept).all() == [9, 10, 11, 12, 13]
    assert verify(migrated, key=KEY).intact
