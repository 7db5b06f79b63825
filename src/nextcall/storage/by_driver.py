"""Statements in the driver's own words, for what is run so often that composing it costs most."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


def run_by_driver(
    connection: Connection, statement: str, values: Sequence[Any], *, many: bool = False
) -> list[tuple[Any, ...]]:
    """Run a statement within the connection's transaction, past all that SQLAlchemy does for it.

    Its types convert nothing: values and rows are the driver's own. Errors are SQLAlchemy's, with
    the values left out.

    Parameters
    ----------
    statement : str
        With the driver's marks for parameters (SQLite ``?``, PostgreSQL ``%s``).
    values : sequence
        Of the parameters; with `many` a sequence for each time that it is run.

    Returns
    -------
    list of tuple
        The rows; none with `many`.

    Raises
    ------
    sqlalchemy.exc.DBAPIError
        As of ``connection.execute``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from nextcall.storage.database import Database
    >>> with TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/a.db") as database:
    ...     with database.writing() as connection:
    ...         _ = run_by_driver(connection, "CREATE TABLE unit (name TEXT)", ())
    ...         _ = run_by_driver(connection, "INSERT INTO unit VALUES (?)", [("u",)], many=True)
    ...         run_by_driver(connection, "SELECT name FROM unit", ())
    [('u',)]
    """
    if not connection.in_transaction():
        connection.begin()
    dialect, raw = connection.dialect, connection.connection
    errors = dialect.loaded_dbapi.Error
    try:
        with closing(raw.cursor()) as cursor:
            if many:
                cursor.executemany(statement, values)
                return []
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []
    except errors as error:
        lost = dialect.is_disconnect(error, raw.dbapi_connection, None)
        told = DBAPIError.instance(
            statement,
            None,
            error,
            errors,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=dialect,
        )
        if lost:
            connection.invalidate(error)
        raise told from error
