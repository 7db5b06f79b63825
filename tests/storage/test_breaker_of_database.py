"""The breaker counts what the database is at fault for, and a long trial keeps nobody out."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from tests.storage.conftest import WITHIN, error_of

from nextcall.resilience.breaker import Breaker, BreakerState
from nextcall.resilience.categories import categorise
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import deadline, remaining
from nextcall.storage.database import Database
from nextcall.storage.group_writer import GroupWriter


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[str]:
    """Give the URL of a database whose lock another holds."""
    url = f"sqlite:///{tmp_path}/a.db"
    with Database(url) as other, other.writing():
        yield url


@contextmanager
def late_rollbacks(database: Database) -> Iterator[list[int]]:
    """Let the time be over when a transaction is undone; give a list that counts these."""
    seen = list[int]()

    def outlast(_: Connection) -> None:
        seen.append(1)
        while remaining():
            time.sleep(0.01)

    event.listen(database.engine, "rollback", outlast)
    yield seen
    event.remove(database.engine, "rollback", outlast)


def insert(connection: Connection, numbers: Sequence[int]) -> list[int]:
    rows = [{"number": number} for number in numbers]
    connection.execute(text("INSERT INTO given VALUES (:number)"), rows)
    return list(numbers)


def test_a_lock_that_the_caller_had_no_time_for_is_not_counted(locked: str) -> None:
    breaker = Breaker("database", failures=1)
    with Database(locked, breaker=breaker) as database:
        with (
            pytest.raises(OperationalError, match="locked") as caught,
            deadline(0.1),
            database.writing(),
        ):
            pass
        assert categorise(caught.value) is Category.RESOURCE
        assert breaker.statistics().unknown == 1
    assert breaker.state is BreakerState.CLOSED


def test_one_that_took_the_time_of_a_transaction_is(locked: str) -> None:
    breaker = Breaker("database", failures=1)
    with Database(locked, breaker=breaker, patience=0.1) as database:
        with pytest.raises(OperationalError, match="locked") as caught, database.writing():
            pass
        assert categorise(caught.value) is Category.TRANSIENT
    assert breaker.state is BreakerState.OPEN


def test_a_group_that_waited_for_another_is_not_counted(tmp_path: Path) -> None:
    """The first has its own time and is judged; the second came meanwhile, and has none left."""
    url = f"sqlite:///{tmp_path}/a.db"
    breaker = Breaker("database", failures=2)

    async def write_four(writer: GroupWriter[int, int]) -> list[int | BaseException]:
        writing = (writer.write_async(number) for number in range(4))
        return await asyncio.gather(*writing, return_exceptions=True)

    with Database(url) as other, Database(url, breaker=breaker, patience=1.0) as database:
        with database.writing() as connection:
            connection.execute(text("CREATE TABLE given (number INT)"))
        with GroupWriter(database, insert, largest=1) as writer:
            with other.writing():
                errors = asyncio.run(write_four(writer))
            assert [isinstance(each, OperationalError) for each in errors] == [True] * 4
            assert (breaker.statistics().failed, breaker.statistics().unknown) == (1, 3)
            assert writer.write(9) == 9
    assert breaker.state is BreakerState.CLOSED


def test_what_was_read_counts_where_the_time_is_over_when_it_ends(database: Database) -> None:
    with late_rollbacks(database) as late:
        with database.reading(seconds=0.5) as connection:
            assert connection.scalar(text("SELECT 7")) == 7
        assert late
    with database.reading() as connection:
        assert connection.scalar(text("SELECT 8")) == 8


@pytest.mark.parametrize("way", ["reading", "writing"])
def test_so_does_what_the_block_raised(database: Database, way: str) -> None:
    def fail() -> None:
        with getattr(database, way)(seconds=0.5) as connection:
            connection.execute(text("SELECT 7"))
            raise KeyError("no such thing")

    with late_rollbacks(database) as late:
        with pytest.raises(KeyError, match="no such thing"):
            fail()
        assert late


def hold_all(database: Database, opened: ExitStack) -> None:
    for _ in range(2):  # one, and as many again
        opened.enter_context(database.reading())


def test_a_connection_of_the_pool_is_not_waited_for_longer_than_there_is_time(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    with Database(url, connections=1, patience=600) as database, ExitStack() as opened:
        hold_all(database, opened)

        def read() -> None:
            with deadline(0.2), database.reading():
                pass

        error = error_of(read)
    assert isinstance(error, NoConnectionError)
    assert categorise(error) is Category.RESOURCE


def test_it_is_waited_for_as_long_as_there_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    with Database(url, connections=1, patience=0.05) as database:
        with ExitStack() as opened:
            hold_all(database, opened)
            read = threading.Semaphore(0)

            def ask() -> None:
                with database.reading(seconds=WITHIN):
                    read.release()

            asking = threading.Thread(target=ask)
            asking.start()
            asking.join(0.5)  # many times the patience
        assert read.acquire(timeout=WITHIN)
        asking.join(WITHIN)


@pytest.mark.parametrize("way", ["reading", "writing"])
def test_a_long_transaction_tries_the_database_first_and_keeps_nobody_out(
    database: Database, way: str
) -> None:
    now = [0.0]
    breaker = Breaker("database", failures=1, open_seconds=10.0, clock=lambda: now[0])
    url = database.engine.url.render_as_string(hide_password=False)
    with pytest.raises(ConnectionError), breaker.guarding():
        raise ConnectionError
    now[0] += 10.0
    with Database(url, breaker=breaker) as asked:
        long: Any = getattr(asked, way)
        with long(seconds=WITHIN), asked.reading() as connection:
            assert connection.scalar(text("SELECT 7")) == 7
    assert (breaker.statistics().answered, breaker.statistics().refused) == (3, 0)
    assert breaker.state is BreakerState.CLOSED
