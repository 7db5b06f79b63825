"""What the driver runs by itself is of the same transaction, and fails in the same words."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from nextcall.storage.by_driver import run_by_driver
from nextcall.storage.database import Database


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.writing() as opened:
        opened.execute(text("CREATE TABLE kept (id INTEGER PRIMARY KEY, name TEXT)"))
    with database.writing() as opened:
        yield opened


def insertion(connection: Connection) -> str:
    marks = "?, ?" if connection.dialect.name == "sqlite" else "%s, %s"
    return f"INSERT INTO kept VALUES ({marks})"  # noqa: S608  # one of these two


def test_it_reads_what_was_written_in_its_transaction(connection: Connection) -> None:
    connection.execute(text("INSERT INTO kept VALUES (1, 'a')"))
    assert run_by_driver(connection, insertion(connection), (2, "b")) == []
    assert run_by_driver(connection, insertion(connection), [(3, "c"), (4, None)], many=True) == []
    found = run_by_driver(connection, "SELECT id, name FROM kept ORDER BY id", ())
    assert found == [(1, "a"), (2, "b"), (3, "c"), (4, None)]


def test_what_is_undone_is_gone(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE kept (id INTEGER PRIMARY KEY, name TEXT)"))

    def write_and_fail() -> None:
        with database.writing() as connection:
            run_by_driver(connection, insertion(connection), (1, "a"))
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    with database.reading() as connection:
        assert run_by_driver(connection, "SELECT id FROM kept", ()) == []


@pytest.mark.parametrize("many", [False, True])
def test_its_errors_are_those_of_sqlalchemy_without_the_values(
    connection: Connection, *, many: bool
) -> None:
    row = (1, "secret-value")
    run_by_driver(connection, insertion(connection), row)
    with pytest.raises(IntegrityError) as told:
        run_by_driver(connection, insertion(connection), [row] if many else row, many=many)
    assert "secret-value" not in str(told.value)
    assert not told.value.connection_invalidated
    connection.rollback()


def test_a_connection_that_is_lost_is_not_used_again(database: Database) -> None:
    with database.engine.connect() as connection:
        lost = connection.connection.dbapi_connection
        assert lost is not None
        lost.close()
        with pytest.raises(DBAPIError) as told:
            run_by_driver(connection, "SELECT 1", ())
        assert told.value.connection_invalidated
        assert connection.invalidated
    with database.reading() as connection:
        assert run_by_driver(connection, "SELECT 1", ()) == [(1,)]
