"""What is late on PostgreSQL is undone, what has arrived counts, and nobody else pays for it."""

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from tests.storage.conftest import Server

from nextcall.resilience.categories import categorise
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import deadline, remaining
from nextcall.storage.database import Database
from nextcall.storage.postgres import TimeIsUpError, _until_deadline


@pytest.fixture
def two(own_postgres: Server) -> Iterator[Database]:
    with Database(own_postgres.url, connections=2) as database:
        yield database


def scalar(database: Database, statement: str) -> Any:
    with database.reading() as connection:
        return connection.scalar(text(statement))


def outlast_the_deadline() -> None:
    while remaining():
        time.sleep(0.01)


def open_two(database: Database) -> set[int]:
    """Give the numbers of the server's processes of two connections that the pool keeps."""
    asked = text("SELECT pg_backend_pid()")
    with ExitStack() as both:
        connections = [both.enter_context(database.reading()) for _ in range(2)]
        return {int(connection.scalar(asked) or 0) for connection in connections}


def steps() -> Generator[str, str, str]:
    first = yield "waits for one"
    if first == "all":
        return first
    return (yield "waits for another")


def test_an_answer_that_is_there_counts_however_late_it_is_read() -> None:
    now = [0.0]
    with deadline(1.0, clock=lambda: now[0]):
        going = _until_deadline(steps())
        assert next(going) == "waits for one"
        now[0] += 5.0
        with pytest.raises(StopIteration) as ended:
            going.send("all")
        assert ended.value.value == "all"


def test_an_answer_that_is_not_there_is_not_waited_for() -> None:
    now = [0.0]
    with deadline(1.0, clock=lambda: now[0]):
        going = _until_deadline(steps())
        next(going)
        now[0] += 5.0
        with pytest.raises(TimeIsUpError, match="did not answer in time"):
            going.send("a part")
        with pytest.raises(TimeIsUpError):  # nor is another begun
            next(_until_deadline(steps()))


def test_who_is_too_late_commits_nothing(two: Database) -> None:
    with two.writing() as connection:
        connection.execute(text("DROP TABLE IF EXISTS late"))
        connection.execute(text("CREATE TABLE late (number INT)"))

    def write() -> None:
        with two.writing(seconds=0.5) as connection:
            connection.execute(text("INSERT INTO late VALUES (1)"))
            outlast_the_deadline()

    with pytest.raises(OperationalError) as caught:
        write()
    assert isinstance(caught.value.orig, TimeIsUpError)
    # What holds no lock any more is committed or undone.
    with two.writing() as connection:
        connection.execute(text("LOCK TABLE late IN ACCESS EXCLUSIVE MODE"))
        assert connection.scalar(text("SELECT count(*) FROM late")) == 0


def test_a_late_statement_closes_its_own_connection_only(two: Database) -> None:
    numbers = open_two(two)
    assert len(numbers) == 2
    late = set[int]()

    def sleep() -> None:
        with two.writing(seconds=0.3) as connection:
            late.add(int(connection.scalar(text("SELECT pg_backend_pid()")) or 0))
            connection.execute(text("SELECT pg_sleep(600)"))

    with pytest.raises(OperationalError) as caught:
        sleep()
    assert isinstance(caught.value.orig, TimeIsUpError)
    assert {scalar(two, "SELECT pg_backend_pid()")} == numbers - late


def test_so_does_a_late_look_at_whether_a_connection_lives(
    own_postgres: Server, two: Database
) -> None:
    numbers = open_two(two)
    with (
        own_postgres.hanging(),
        pytest.raises(OperationalError) as caught,
        deadline(0.3),
    ):
        scalar(two, "SELECT 1")
    assert categorise(caught.value) is Category.RESOURCE
    assert scalar(two, "SELECT pg_backend_pid()") in numbers
