"""A database by URL: SQLite in a file, or PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from nextcall.resilience.breaker import Breaker, BreakerOpenError, BreakerState
from nextcall.resilience.deadline import deadline, remaining
from nextcall.storage import sqlite
from nextcall.storage.waiting_pool import WaitingPool

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
PATIENCE: Final = 5.0
"""Seconds that a transaction has, where nothing else is said."""

UPKEEP: Final = 30.0
"""Seconds for what a service does beside answering, and waits for when it ends."""

LONG: Final = 3600.0
"""Seconds for what reads or changes all that there is, while nobody else waits for it."""

_SECRET: Final = ("password", "sslpassword")  # of a query; a URL hides its own password only


class LeftAloneError(OperationalError):
    """The database is not asked, for it failed again and again lately.

    Attributes
    ----------
    retry_after : float
        Seconds until it may be tried.
    """

    def __init__(self, refused: BreakerOpenError) -> None:
        super().__init__(None, None, refused)
        self.retry_after = refused.retry_after


class Database:
    """One pool of connections, and transactions on them.

    SQLite keeps a write-ahead log and waits for the disk at each commit (``journal_mode=WAL``,
    ``synchronous=FULL``): what is committed outlives a loss of power, and who reads never waits for
    who writes. A transaction that writes takes SQLite's one lock when it begins, and so never
    finds at its end that another was faster. PostgreSQL writes at READ COMMITTED, where a row that
    is read to be changed needs ``FOR UPDATE``, and reads at REPEATABLE READ.

    A transaction ends within its time, its wait for a connection included, even where the server
    is stopped and never answers; SQLite is waited for where another holds its lock, and no longer.
    A new connection may take two seconds in any case. The deadline of whoever asks
    (`nextcall.resilience.deadline`) counts where it is nearer.

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
        Seconds that a transaction has.
    breaker : Breaker, optional
        Of this database: it is asked only where that one lets it be asked.

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

    def __init__(
        self,
        url: str,
        *,
        connections: int = 5,
        patience: float = PATIENCE,
        breaker: Breaker | None = None,
    ) -> None:
        whole = _read_url(url)
        self._url = whole.difference_update_query(_SECRET)
        self.patience, self._breaker = patience, breaker
        options: dict[str, Any] = {}
        read_options: dict[str, Any] = {}
        if self.backend == "sqlite":
            Path(str(self._url.database)).parent.mkdir(parents=True, exist_ok=True)
            options["connect_args"] = {"timeout": patience}
        else:
            # Its driver takes long to load.
            from nextcall.storage.postgres import connect_options, keep_others  # noqa: PLC0415

            secret = {name: whole.query[name] for name in _SECRET if name in whole.query}
            options["connect_args"] = connect_options(self._url, patience=patience) | secret
            options["pool_pre_ping"] = True  # a server may have closed what the pool kept
            read_options = {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
        self.engine = create_engine(
            self._url,
            pool_size=connections,
            max_overflow=connections,
            poolclass=WaitingPool,
            pool_timeout=patience,
            hide_parameters=True,
            **options,
        )
        if self.backend == "sqlite":
            event.listen(self.engine, "connect", sqlite.prepare)
            event.listen(self.engine, "begin", sqlite.begin)
        else:
            event.listen(self.engine, "do_connect", _connect_postgres)
            event.listen(self.engine, "handle_error", keep_others)
        # The same pool, with other transactions.
        self._writer = self.engine.execution_options(**{sqlite.WRITES: True})
        self._reader = self.engine.execution_options(**read_options)

    @property
    def backend(self) -> Backend:
        """``sqlite`` or ``postgresql``."""
        return "sqlite" if self._url.get_backend_name() == "sqlite" else "postgresql"

    def __repr__(self) -> str:
        shown = self._url.set(drivername=self.backend)
        return f"Database({shown.render_as_string(hide_password=True)!r})"

    @contextmanager
    def writing(self, *, seconds: float | None = None) -> Iterator[Connection]:
        """Open a transaction; commit when the block succeeds, and undo all of it when it raises.

        Parameters
        ----------
        seconds : float, optional
            That it has, in place of `patience`.

        Raises
        ------
        sqlalchemy.exc.OperationalError
            Where the database is out of reach, full, or locked, or does not answer in time;
            `LeftAloneError` where it is not asked.
        """
        with self._within(seconds, self._writer) as given, _opened(self._writer) as connection:
            transaction = connection.begin()
            self._lengthen(connection, given)
            yield connection
            if transaction.is_active:
                transaction.commit()

    @contextmanager
    def reading(self, *, seconds: float | None = None) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database, and cannot change it.

        Parameters
        ----------
        seconds : float, optional
            As of `writing`.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            As `writing`; and where a statement would write.
        """
        with self._within(seconds, self._reader) as given, _opened(self._reader) as connection:
            self._lengthen(connection, given)
            yield connection

    @contextmanager
    def _within(self, seconds: float | None, engine: Engine) -> Iterator[float]:
        """Let a block ask the database where it may be asked, and no longer than it has time."""
        own, left = self.patience if seconds is None else seconds, remaining()
        given = own if left is None else min(own, left)
        with deadline(own) as limit:
            if self._breaker is None:
                with sqlite.judged(limit):
                    yield given
                return
            try:
                if given > self.patience and self._breaker.state is not BreakerState.CLOSED:
                    self._try(engine, self._breaker)
                with self._breaker.guarding(), sqlite.judged(limit):
                    yield given
            except BreakerOpenError as refused:
                raise LeftAloneError(refused) from refused

    def _try(self, engine: Engine, breaker: Breaker) -> None:
        """Find out soon whether the database answers, for nobody else may ask meanwhile."""
        with deadline(self.patience) as limit, breaker.guarding(), sqlite.judged(limit):  # noqa: SIM117
            with _opened(engine) as connection:
                connection.exec_driver_sql("SELECT 1")

    def _lengthen(self, connection: Connection, given: float) -> None:
        """Let the server take as long, where that is longer than it would."""
        if self.backend == "postgresql" and given > self.patience:
            from nextcall.storage.postgres import longer  # noqa: PLC0415  # loaded before

            connection.exec_driver_sql(longer(given))

    def close(self) -> None:
        """Close the connections that no one uses."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _opened(engine: Engine) -> Iterator[Connection]:
    """Open a connection, and undo what was not committed.

    Where that fails the connection is discarded; what the block read, or raised, counts.
    """
    connection = engine.connect()
    try:
        yield connection
    finally:
        with suppress(DBAPIError):
            connection.close()


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


def _connect_postgres(_: object, __: object, arguments: list[Any], options: dict[str, Any]) -> Any:
    from nextcall.storage.postgres import connect  # noqa: PLC0415  # loaded before

    return connect(arguments, options)
