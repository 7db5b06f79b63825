"""Many rows by their primary keys, read and written in one statement of the driver's own.

A group of records is a handful of statements however many records it holds; composed anew each
time, they would cost more than what they do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Table

from nextcall.storage.by_driver import run_by_driver
from nextcall.storage.column_types import UtcDateTime

Key = tuple[Any, ...]
"""Of a row: the values of its primary key."""

_LOCK: Final = {"sqlite": "", "postgresql": " FOR UPDATE OF kept"}  # SQLite has one writer anyway
_KEYS_AT_ONCE: Final = 1_000  # of one statement; databases take some ten thousand values


def read_rows(
    connection: Connection, table: Table, keys: Iterable[Key], *wanted: str
) -> dict[Key, tuple[Any, ...]]:
    """Read some columns of rows, as the driver gives them; those that are not there are left out.

    SQLite would walk through all of a table to find a list of compound keys. Here the keys are a
    table of their own, and ``CROSS JOIN`` has it look up one after another.
    """
    n, ordered = len(table.primary_key), sorted(keys)
    found: dict[Key, tuple[Any, ...]] = {}
    for start in range(0, len(ordered), _KEYS_AT_ONCE):
        some = ordered[start : start + _KEYS_AT_ONCE]
        asked = _select(table, connection.dialect.name, len(some), wanted)
        for row in run_by_driver(connection, asked, tuple(chain.from_iterable(some))):
            found[row[:n]] = row[n:]
    return found


def lock_rows(
    connection: Connection, table: Table, keys: Iterable[Key], *wanted: str
) -> dict[Key, tuple[Any, ...]]:
    """Read rows as `read_rows` does; nobody else changes them before the transaction ends."""
    found = {}
    for key in sorted(keys):  # in one order, so that no two wait for each other
        dialect = connection.dialect.name
        asked = _select(table, dialect, 1, wanted) + _LOCK[dialect]
        for row in run_by_driver(connection, asked, key):
            found[key] = row[len(key) :]
    return found


def insert_rows(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Write new rows: values of all columns, in their order."""
    written, moments = _insert(table, connection.dialect)
    for place, told in moments:
        rows = [(*row[:place], told(row[place]), *row[place + 1 :]) for row in rows]
    run_by_driver(connection, written, rows, many=True)


def put_rows(
    connection: Connection, table: Table, rows: Mapping[Key, Sequence[Any]], *wanted: str
) -> None:
    """Write some columns of rows, at least one row, whether they are there or not."""
    written = _upsert(table, connection.dialect.name, wanted)
    told = [(*key, *values) for key, values in rows.items()]
    run_by_driver(connection, written, told, many=True)


def add_to_rows(connection: Connection, table: Table, more: Mapping[Key, int], wanted: str) -> None:
    """Add to a column of rows that are there."""
    written = _addition(table, connection.dialect.name, wanted)
    told = [(n, *key) for key, n in more.items()]
    run_by_driver(connection, written, told, many=True)


# Below, texts are made of the names of declared columns and of marks for parameters alone.


@cache
def _select(table: Table, dialect: str, n: int, wanted: Sequence[str]) -> str:
    names = _key_names(table)
    keys = ", ".join([_marks(dialect, len(names))] * n)
    columns = ", ".join(f"kept.{name}" for name in (*names, *wanted))
    alike = " AND ".join(f"kept.{name} = keys.{name}" for name in names)
    return (
        f"WITH keys ({', '.join(names)}) AS (VALUES {keys}) "  # noqa: S608  # see above
        f"SELECT {columns} FROM keys CROSS JOIN {table.name} AS kept WHERE {alike}"
    )


@cache
def _insert(
    table: Table, dialect: Dialect
) -> tuple[str, Sequence[tuple[int, Callable[[Any], Any]]]]:
    """Give the statement, and how those columns are told whose values the driver does not know."""
    names = [column.name for column in table.columns]
    told = [
        (place, column.type.bind_processor(dialect))
        for place, column in enumerate(table.columns)
        if isinstance(column.type, UtcDateTime)
    ]
    text = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES "  # noqa: S608  # see above
    return text + _marks(dialect.name, len(names)), [(at, how) for at, how in told if how]


@cache
def _upsert(table: Table, dialect: str, wanted: Sequence[str]) -> str:
    names = _key_names(table)
    columns = ", ".join([*names, *wanted])
    changed = ", ".join(f"{name} = excluded.{name}" for name in wanted)
    return (
        f"INSERT INTO {table.name} ({columns}) "  # noqa: S608  # see above
        f"VALUES {_marks(dialect, len(names) + len(wanted))} "
        f"ON CONFLICT ({', '.join(names)}) DO UPDATE SET {changed}"
    )


@cache
def _addition(table: Table, dialect: str, wanted: str) -> str:
    mark = _marks(dialect, 1)
    alike = " AND ".join(f"{name} = {mark}" for name in _key_names(table))
    return f"UPDATE {table.name} SET {wanted} = {wanted} + {mark} WHERE {alike}"  # noqa: S608  # see above


def _key_names(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]


def _marks(dialect: str, n: int) -> str:
    return f"({', '.join(['?' if dialect == 'sqlite' else '%s'] * n)})"
