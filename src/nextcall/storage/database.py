"""A database by URL: SQLite in a file, or PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Self

from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError

Backend = Literal["sqlite", "postgresql"]
"""Which database it is."""

OUT_OF_REACH: Final = (OperationalError, InterfaceError, NoConnectionError)
"""What no row is at fault for: the database cannot be reached, is full, or locked for too long."""

_DRIVERS: Final = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_CONNECT_SECONDS: Final = 10  # until a server that does not answer is given up
_SECRET: Final = ("password", "sslpassword")  # of a query; a URL hides its own password only
_WRITES: Final = "nextcall_writes"  # the option that tells a connection that it may write


class Database:
    """One pool of connections, and transactions on them.

    SQLite keeps a write-ahead log and waits for the disk at each commit (``journal_mode=WAL``,
    ``synchronous=FULL``): what is committed outlives a loss of power, and who reads never waits for
    who writes. A transaction that writes takes SQLite's one lock when it begins, and so never
    finds at its end that another was faster. PostgreSQL writes at READ COMMITTED, where a row that
    is read to be changed needs ``FOR UPDATE``, and reads at REPEATABLE READ.

    Statements are SQLAlchemy's, or ``text`` with bound parameters. Errors leave their values out
    (PostgreSQL's own words may name the key of a duplicate), and nothing shows the URL's password.

    Parameters
    ----------
    url : str
        ``sqlite:///FILE`` (``sqlite:////FILE`` from the root) or
        ``postgresql://USER:PASSWORD@HOST/NAME``. Missing folders of a file are made.
    connections : int
        Kept open, and as many again at need.
    patience : float
        Seconds that a transaction waits for a connection, or for SQLite's lock.

    Raises
    ------
    ValueError
        Where the URL is of another form.

    Examples
    --------
    >>> from sqlalchemy import text
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/a.db") as database:
    ...     with database.writing() as connection:
    ...         _ = connection.execute(text("CREATE TABLE unit (name TEXT)"))
    ...         _ = connection.execute(text("INSERT INTO unit VALUES (:name)"), {"name": "u"})
    ...     with database.reading() as connection:
    ...         connection.scalar(text("SELECT name FROM unit"))
    'u'
    >>> Database("postgresql://nextcall:secret@localhost/nextcall")
    Database('postgresql://nextcall:***@localhost/nextcall')
    """

    def __init__(self, url: str, *, connections: int = 5, patience: float = 30.0) -> None:
        whole = _read_url(url)
        self._url = whole.difference_update_query(_SECRET)
        options: dict[str, Any] = {}
        read_options: dict[str, Any] = {}
        if self._url.get_backend_name() == "sqlite":
            Path(str(self._url.database)).parent.mkdir(parents=True, exist_ok=True)
            options["connect_args"] = {"timeout": patience}
        else:
            options["connect_args"] = {
                "connect_timeout": _CONNECT_SECONDS,
                "application_name": "nextcall",
                **{name: whole.query[name] for name in _SECRET if name in whole.query},
            }
            options["pool_pre_ping"] = True  # a server may have closed what the pool kept
            read_options = {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
        self.engine = create_engine(
            self._url,
            pool_size=connections,
            max_overflow=connections,
            pool_timeout=patience,
            hide_parameters=True,
            **options,
        )
        if self.backend == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        # The same pool, with other transactions.
        self._writer = self.engine.execution_options(**{_WRITES: True})
        self._reader = self.engine.execution_options(**read_options)

    @property
    def backend(self) -> Backend:
        """``sqlite`` or ``postgresql``."""
        return "sqlite" if self._url.get_backend_name() == "sqlite" else "postgresql"

    def __repr__(self) -> str:
        shown = self._url.set(drivername=self.backend)
        return f"Database({shown.render_as_string(hide_password=True)!r})"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction; commit when the block succeeds, and undo all of it when it raises.

        Raises
        ------
        sqlalchemy.exc.OperationalError
            Where the database is out of reach, full, or locked for longer than `patience`.
        """
        with self._writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database, and cannot change it.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            As `writing`; and where a statement would write.
        """
        with self._reader.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close the connections that no one uses."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read_url(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # their messages may hold a part of the password
        raise ValueError(
            "url must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; what came is not "
            "shown, for it may hold a password."
        ) from None
    if url.drivername not in _DRIVERS:
        raise ValueError(f"url must begin with sqlite or postgresql, got {url.drivername!r}.")
    file = url.database or ""
    if url.get_backend_name() == "sqlite" and (
        file in {"", ":memory:"} or file.startswith("file:")
    ):
        raise ValueError(
            f"url must name a file of SQLite (each connection has its own memory), got {file!r}."
        )
    return url.set(drivername=_DRIVERS[url.drivername])


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = bool(connection.get_execution_options().get(_WRITES))
    if connection.info.get(_WRITES, True) is not writes:  # of this connection's last transaction
        connection.exec_driver_sql(f"PRAGMA query_only = {int(not writes)}")
        connection.info[_WRITES] = writes
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
