"""Connections to SQLite, whose one lock is waited for as long as there is time."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from nextcall.resilience.category import Category
from nextcall.resilience.deadline import Deadline, DeadlineExceededError, remaining

WRITES: Final = "nextcall_writes"
"""The option that tells a connection that it may write."""

_WAITS: Final = "nextcall_waits"  # milliseconds that a connection waits for the lock


class NoTimeLeftError(OperationalError):
    """Another held SQLite's lock for as long as the caller had time; nothing is known of it."""

    def __init__(self, error: OperationalError, over: DeadlineExceededError) -> None:
        super().__init__(error.statement, None, error.orig or error, hide_parameters=True)
        self.category: Category = over.category


@contextmanager
def judged(limit: Deadline) -> Iterator[None]:
    """Keep the caller's lack of time apart from a database that fails."""
    try:
        yield
    except OperationalError as error:
        busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        if busy and limit.left() <= 0 and (over := limit.exceeded()).inherited:
            raise NoTimeLeftError(error, over) from error
        raise


def prepare(connection: Any, _: object) -> None:
    """Let a new connection wait for the disk, and begin its transactions where `begin` says."""
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def begin(connection: Connection) -> None:
    """Begin a transaction, which waits for the lock as long as there is time."""
    left = remaining()
    if left is not None and connection.info.get(_WAITS) != (most := 100 * math.ceil(10 * left)):
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {most}")
        connection.info[_WAITS] = most
    writes = bool(connection.get_execution_options().get(WRITES))
    if connection.info.get(WRITES, True) is not writes:  # of this connection's last transaction
        connection.exec_driver_sql(f"PRAGMA query_only = {int(not writes)}")
        connection.info[WRITES] = writes
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
