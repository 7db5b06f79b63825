"""Transactions keep or undo all; nothing that is secret is shown; nobody writes while reading."""

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from nextcall.resilience.deadline import deadline
from nextcall.storage.column_types import UtcDateTime
from nextcall.storage.database import Database

TABLES = MetaData()
UNIT = Table("unit", TABLES, Column("id", Integer, primary_key=True), Column("name", Text))
SEEN = Table(
    "seen",
    TABLES,
    Column("unit", ForeignKey("unit.id"), nullable=False),
    Column("at", UtcDateTime),
)


@pytest.fixture(autouse=True)
def _tables(request: pytest.FixtureRequest) -> None:
    if "database" in request.fixturenames:
        with request.getfixturevalue("database").writing() as connection:
            TABLES.create_all(connection)


def names(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.scalars(select(UNIT.c.name).order_by(UNIT.c.id)))


def test_a_transaction_keeps_all_or_nothing(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(insert(UNIT), [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])

    def fail() -> None:
        with database.writing() as connection:
            connection.execute(insert(UNIT).values(id=3, name="c"))
            raise KeyError("c")

    with pytest.raises(KeyError):
        fail()
    assert names(database) == ["a", "b"]


def test_what_is_committed_is_there_for_another_engine(database: Database, url: str) -> None:
    with database.writing() as connection:
        connection.execute(insert(UNIT).values(id=1, name="a"))
    with Database(url) as other:
        assert names(other) == ["a"]


def test_a_reading_transaction_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError), database.reading() as connection:
        connection.execute(insert(UNIT).values(id=1, name="a"))
    with database.writing() as connection:  # of the same pool
        connection.execute(insert(UNIT).values(id=2, name="b"))
    assert names(database) == ["b"]


def test_a_reading_transaction_sees_one_state(database: Database) -> None:
    with database.reading() as reading:
        assert list(reading.scalars(select(UNIT.c.name))) == []
        with database.writing() as connection:
            connection.execute(insert(UNIT).values(id=1, name="a"))
        assert list(reading.scalars(select(UNIT.c.name))) == []
    assert names(database) == ["a"]


def test_a_row_of_no_unit_is_refused_and_no_value_is_shown(database: Database) -> None:
    twice = [{"id": 1, "name": "a"}, {"id": 1, "name": "top-secret"}]
    with pytest.raises(IntegrityError) as caught, database.writing() as connection:
        connection.execute(insert(UNIT), twice)
    assert "top-secret" not in str(caught.value)
    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.execute(insert(SEEN).values(unit=99))


def test_moments_come_back_in_utc_and_in_order(database: Database) -> None:
    zone = timezone(timedelta(hours=-5, minutes=-30))
    moments = [
        datetime(2026, 1, 1, 0, 30, 0, 123_456, tzinfo=zone),
        datetime(2026, 1, 1, 5, 59, tzinfo=UTC),
        datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=zone),
    ]
    with database.writing() as connection:
        connection.execute(insert(UNIT).values(id=1, name="a"))
        connection.execute(insert(SEEN), [{"unit": 1, "at": at} for at in moments])
    with database.reading() as connection:
        read = list(connection.scalars(select(SEEN.c.at).order_by(SEEN.c.at)))
    assert read == sorted(moments)
    assert {at.tzinfo for at in read if at is not None} == {UTC}


def test_no_moment_is_kept_as_none_and_one_without_a_zone_is_refused(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(insert(UNIT).values(id=1, name="a"))
        connection.execute(insert(SEEN).values(unit=1, at=None))
        assert connection.scalars(select(SEEN.c.at)).all() == [None]
        naive = datetime(2026, 1, 1)  # noqa: DTZ001  # that is the case
        with pytest.raises(Exception, match=r"time must have a zone, got 2026-01-01T00:00:00\."):
            connection.execute(insert(SEEN).values(unit=1, at=naive))


def test_sqlite_waits_for_the_disk(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path}/a.db") as database:
        for open_ in (database.reading, database.writing):
            with open_() as connection:
                values = {
                    name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                    for name in ("journal_mode", "synchronous", "foreign_keys")
                }
            assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with closing(sqlite3.connect(tmp_path / "a.db")) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_lock_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    with Database(url) as database, Database(url, patience=0.05) as hasty:
        with (
            database.writing(),
            pytest.raises(OperationalError, match="locked"),
            hasty.writing(),
        ):
            pass
        release, held = threading.Event(), threading.Event()

        def hold() -> None:
            with database.writing() as connection:
                TABLES.create_all(connection)
                connection.execute(insert(UNIT).values(id=1, name="a"))
                held.set()
                release.wait(60)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(60)
        timer = threading.Timer(0.05, release.set)
        timer.start()
        with Database(url, patience=60) as patient, patient.writing() as connection:
            connection.execute(insert(UNIT).values(id=2, name="b"))
        thread.join()
        timer.join()
        assert names(database) == ["a", "b"]


def test_sqlite_is_waited_for_as_long_as_there_is_time(tmp_path: Path) -> None:
    asked = "PRAGMA busy_timeout"
    with Database(f"sqlite:///{tmp_path}/a.db", patience=7.0, connections=1) as database:
        with database.writing(seconds=2.0) as connection:
            assert connection.exec_driver_sql(asked).scalar() == 2000
        with deadline(0.3), database.reading() as connection:
            assert connection.exec_driver_sql(asked).scalar() == 300
        with database.reading() as connection:
            assert connection.exec_driver_sql(asked).scalar() == 7000


def test_many_transactions_count_right(database: Database) -> None:
    """Read, add one, write: none of 4 x 25 is lost, for a writer locks when it begins."""
    with database.writing() as connection:
        connection.execute(insert(UNIT).values(id=0, name="0"))

    def count() -> None:
        for _ in range(25):
            with database.writing() as connection:
                if database.backend == "postgresql":
                    connection.execute(text("SELECT id FROM unit WHERE id = 0 FOR UPDATE"))
                n = int(connection.scalars(select(UNIT.c.name)).one() or 0)
                connection.execute(UNIT.update().values(name=str(n + 1)))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(database) == ["100"]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_password_is_hidden(scheme: str) -> None:
    database = Database(f"{scheme}://user:geheim@127.0.0.1:1/name?password=geheim&sslmode=disable")
    shown = "Database('postgresql://user:***@127.0.0.1:1/name?sslmode=disable')"
    assert repr(database) == shown
    assert "geheim" not in f"{database.engine!r} {database.engine.url!r}"
    with pytest.raises(OperationalError) as caught, database.reading():
        pass
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["geheim", "postgresql://user:geheim@host:port:9/name", "", "://user:geheim@host"]
)
def test_a_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url must be sqlite:///FILE or postgresql://") as caught:
        Database(url)
    assert "geheim" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_another_database_is_refused() -> None:
    with pytest.raises(ValueError, match=r"url must begin with sqlite or postgresql, got 'mysql'"):
        Database("mysql://user:geheim@host/name")


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file:a?mode=memory&uri=true"],
)
def test_a_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"url must name a file of SQLite"):
        Database(url)
