"""Nobody waits without end for a PostgreSQL whose processes are stopped, or for its locks."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from tests.storage.conftest import WITHIN, Server, error_of

from nextcall.resilience.breaker import Breaker, BreakerState
from nextcall.resilience.categories import categorise
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import deadline
from nextcall.storage.database import Database, LeftAloneError
from nextcall.storage.group_writer import GroupWriter
from nextcall.storage.postgres import TimeIsUpError


@pytest.fixture
def hasty(own_postgres: Server) -> Iterator[Database]:
    with Database(own_postgres.url, patience=1.0) as database:
        yield database


def scalar(database: Database, statement: str, **options: Any) -> Any:
    with database.reading(**options) as connection:
        return connection.scalar(text(statement))


def test_a_statement_is_given_up_and_the_next_one_finds_the_server_again(
    own_postgres: Server, hasty: Database
) -> None:
    assert scalar(hasty, "SELECT 1") == 1
    with own_postgres.hanging():
        error = error_of(lambda: scalar(hasty, "SELECT 1"))
        assert isinstance(error, OperationalError)
        assert categorise(error) is Category.NETWORK
    assert scalar(hasty, "SELECT 2") == 2


def test_so_is_one_within_a_transaction_and_its_commit(
    own_postgres: Server, hasty: Database
) -> None:
    with hasty.writing() as connection:
        connection.execute(text("DROP TABLE IF EXISTS kept"))
        connection.execute(text("CREATE TABLE kept (number INT)"))

    def within(statements: list[str]) -> None:
        with hasty.writing() as connection:
            connection.execute(text("INSERT INTO kept VALUES (1)"))
            gate.enter_context(own_postgres.hanging())
            for statement in statements:
                connection.execute(text(statement))

    for statements in (["INSERT INTO kept VALUES (2)"], list[str]()):
        with ExitStack() as gate:
            error = error_of(lambda: within(statements))  # noqa: B023  # called at once
        assert isinstance(error, OperationalError)
        assert isinstance(error.orig, TimeIsUpError)
    assert scalar(hasty, "SELECT count(*) FROM kept WHERE number = 2") == 0


def test_a_new_connection_is_given_up(own_postgres: Server) -> None:
    with Database(own_postgres.url, patience=1.0) as fresh:
        with own_postgres.hanging():
            error = error_of(lambda: scalar(fresh, "SELECT 1"))
            assert isinstance(error, OperationalError)
        assert scalar(fresh, "SELECT 1") == 1


def test_the_time_of_the_caller_counts_where_it_is_shorter(own_postgres: Server) -> None:
    with Database(own_postgres.url, patience=600.0) as patient:
        assert scalar(patient, "SELECT 1") == 1

        def asked() -> None:
            with deadline(0.3):
                scalar(patient, "SELECT 1")

        with own_postgres.hanging():
            error = error_of(asked)
        assert error is not None
        assert categorise(error) is Category.RESOURCE  # nothing is known of the database


@pytest.mark.parametrize(
    ("statement", "state"),
    [("SELECT pg_sleep(600)", "57014"), ("LOCK TABLE held IN EXCLUSIVE MODE", "55P03")],
)
def test_the_server_itself_gives_up_first_and_the_connection_stays_good(
    own_postgres: Server, statement: str, state: str
) -> None:
    with (
        Database(own_postgres.url, patience=600.0) as other,
        Database(own_postgres.url, patience=3.0, connections=1) as asked,
    ):
        with other.writing() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS held (number INT)"))
        number = scalar(asked, "SELECT pg_backend_pid()")
        with other.writing() as holding:
            holding.execute(text("LOCK TABLE held IN EXCLUSIVE MODE"))

            def ask() -> None:
                with asked.writing() as connection:
                    connection.execute(text(statement))

            error = error_of(ask)
        assert isinstance(error, DBAPIError)
        assert getattr(error.orig, "sqlstate", None) == state
        assert categorise(error) is Category.TRANSIENT
        assert scalar(asked, "SELECT pg_backend_pid()") == number


def test_who_does_nothing_within_a_transaction_lets_go_of_its_locks(own_postgres: Server) -> None:
    begun, go = threading.Event(), threading.Event()
    with (
        Database(own_postgres.url, patience=0.5) as slow,
        Database(own_postgres.url, patience=WITHIN) as other,
    ):
        with other.writing() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS held (number INT)"))

        def hold() -> None:
            with slow.writing() as connection:
                connection.execute(text("LOCK TABLE held IN EXCLUSIVE MODE"))
                begun.set()
                go.wait(WITHIN)

        holding = threading.Thread(target=lambda: error_of(hold))
        holding.start()
        assert begun.wait(WITHIN)
        with other.writing() as connection:  # it does not fail
            connection.execute(text("LOCK TABLE held IN EXCLUSIVE MODE"))
        go.set()
        holding.join(WITHIN)


def test_what_may_take_longer_says_so(hasty: Database) -> None:
    shown = "SHOW statement_timeout"
    assert scalar(hasty, shown) == "800ms"
    assert scalar(hasty, shown, seconds=600.0) == "8min"
    assert scalar(hasty, "SHOW lock_timeout", seconds=600.0) == "6min"
    assert scalar(hasty, shown) == "800ms"
    with hasty.writing(seconds=10) as connection:
        assert connection.scalar(text("SELECT 1 FROM pg_sleep(1.5)")) == 1


def test_what_the_url_says_itself_is_left_to_it(own_postgres: Server) -> None:
    options = quote("-c statement_timeout=7s -c search_path=other")
    with Database(f"{own_postgres.url}&options={options}&application_name=mine") as database:
        assert scalar(database, "SHOW statement_timeout") == "7s"
        assert scalar(database, "SHOW search_path") == "other"
        assert scalar(database, "SHOW lock_timeout") == "3s"
        assert scalar(database, "SHOW application_name") == "mine"


def test_a_database_that_hangs_is_left_alone_until_one_call_tries_it(own_postgres: Server) -> None:
    now = [0.0]
    breaker = Breaker("database", failures=2, open_seconds=10.0, clock=lambda: now[0])
    with Database(own_postgres.url, patience=0.5, breaker=breaker) as database:
        assert scalar(database, "SELECT 1") == 1
        with own_postgres.hanging():
            for _ in range(2):
                assert isinstance(error_of(lambda: scalar(database, "SELECT 1")), OperationalError)
        with pytest.raises(LeftAloneError, match="asked again in 10 seconds") as left:
            scalar(database, "SELECT 1")  # though it would answer
        assert left.value.retry_after == 10.0
        assert (breaker.statistics().failed, breaker.statistics().refused) == (2, 1)
        now[0] += 10.0
        assert scalar(database, "SELECT 1") == 1
        assert breaker.state is BreakerState.CLOSED


def test_a_statement_that_is_wrong_says_that_the_database_lives(own_postgres: Server) -> None:
    breaker = Breaker("database", failures=1)
    with Database(own_postgres.url, breaker=breaker) as database:
        with pytest.raises(DBAPIError):
            scalar(database, "SELECT wrong")
        assert breaker.statistics().answered == 1


def test_all_that_wait_for_a_commit_are_told(own_postgres: Server, hasty: Database) -> None:
    with hasty.writing() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS given (number INT)"))

    def insert(connection: Any, numbers: Any) -> list[int]:
        rows = [{"number": number} for number in numbers]
        connection.execute(text("INSERT INTO given VALUES (:number)"), rows)
        return list(numbers)

    with GroupWriter(hasty, insert, largest=2) as writer:
        assert writer.write(0) == 0
        with own_postgres.hanging():
            found = list[Exception | None]()
            asking = [
                threading.Thread(
                    target=lambda number: found.append(error_of(lambda: writer.write(number))),
                    args=[number],
                )
                for number in range(1, 6)
            ]
            for thread in asking:
                thread.start()
            for thread in asking:
                thread.join(2 * WITHIN)
            assert [isinstance(each, OperationalError) for each in found] == 5 * [True]
        assert writer.write(6) == 6
    assert scalar(hasty, "SELECT array_agg(number ORDER BY number) FROM given") == [0, 6]


def test_what_may_take_longer_has_no_more_than_the_caller(hasty: Database) -> None:
    shown = "SHOW statement_timeout"
    with deadline(20.0, clock=lambda: 0.0):
        assert scalar(hasty, shown, seconds=600.0) == "16s"
    with deadline(0.5, clock=lambda: 0.0):
        assert scalar(hasty, shown, seconds=600.0) == "800ms"
