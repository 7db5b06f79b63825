"""Errors that real libraries raise, of real servers where they can be had, have their category."""

import asyncio
import datetime as dt
import errno
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from redis import Redis
from redis import exceptions as of_redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from nextcall.resilience.breaker import Breaker
from nextcall.resilience.categories import categorise
from nextcall.resilience.category import Category
from nextcall.resilience.known_errors import CLASSES
from nextcall.resilience.retry import RETRIED
from nextcall.storage.database import Database

Made = Callable[[], object]


def category_of(work: Made) -> str:
    """Give the category of what the work raises."""
    try:
        work()
    except Exception as error:  # noqa: BLE001  # any
        return categorise(error)
    return "nothing was raised"


def test_every_class_that_is_known_is_there() -> None:
    modules = {"redis": "redis.exceptions", "sqlalchemy": "sqlalchemy.exc"}
    for name in CLASSES:
        package, _, of_class = name.partition(".")
        found = getattr(import_module(modules.get(package, package)), of_class)
        assert issubclass(found, Exception)
        assert found.__module__.partition(".")[0] == package


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(), "network"),
        (TimeoutError(), "network"),
        (asyncio.IncompleteReadError(b"", 1), "network"),
        (OSError(errno.EHOSTUNREACH, ""), "network"),
        (OSError(errno.EMFILE, ""), "resource"),
        (OSError(errno.EDQUOT, ""), "resource"),
        (OSError(errno.EIO, ""), "fatal"),
        (OSError("without a number"), "fatal"),
        (MemoryError(), "resource"),
        (PermissionError(), "authentication"),
        (FileNotFoundError(), "validation"),
        (BlockingIOError(), "transient"),
        (ValueError(), "validation"),
        (KeyError(), "fatal"),
        (asyncio.CancelledError(), "fatal"),
        (KeyboardInterrupt(), "fatal"),
        (httpx.PoolTimeout(""), "resource"),
        (httpx.ReadTimeout(""), "network"),
        (httpx.RemoteProtocolError(""), "network"),
        (httpx.UnsupportedProtocol(""), "validation"),
        (httpx.TooManyRedirects(""), "fatal"),
        (of_redis.BusyLoadingError(), "transient"),
        (of_redis.MasterDownError(""), "transient"),
        (of_redis.MaxConnectionsError(), "resource"),
        (of_redis.OutOfMemoryError(), "resource"),
        (of_redis.TimeoutError(), "network"),
        (of_redis.LockError(), "transient"),  # which is a ValueError too
        (jwt.ExpiredSignatureError(), "authentication"),
        (PoolTimeoutError(), "resource"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, BaseException) else each,
)
def test_the_nearest_class_that_is_known_counts(error: BaseException, expected: str) -> None:
    assert categorise(error) == expected


@pytest.mark.parametrize("number", sorted(errno.errorcode), ids=lambda n: errno.errorcode[n])
def test_every_number_of_the_system_has_a_category(number: int) -> None:
    """What Python has a class for and what it has a number for say the same."""
    error = OSError(number, "")
    found = categorise(error)
    if isinstance(error, ConnectionError | TimeoutError):
        assert found is Category.NETWORK
    assert categorise(ValueError(number, "")) is Category.VALIDATION
    assert found in Category


def test_a_full_disk_is_a_lack_of_a_resource() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no device that is full")

    def write() -> None:
        with Path("/dev/full").open("wb", buffering=0) as file:
            file.write(b"a")

    assert category_of(write) == "resource"


STATUSES = {401: "authentication", 403: "authentication", 407: "authentication"}
STATUSES |= {408: "transient", 425: "transient", 429: "api_limit", 501: "validation"}
STATUSES |= {505: "validation", 507: "resource", 511: "authentication"}


@pytest.mark.parametrize("status", [*range(300, 600)])
def test_a_status_is_the_callers_fault_below_500_and_the_servers_above(status: int) -> None:
    request = httpx.Request("GET", "http://a.example")
    answer = httpx.Response(status, request=request)
    usual = "fatal" if status < 400 else "validation" if status < 500 else "transient"
    assert category_of(answer.raise_for_status) == STATUSES.get(status, usual)


def test_a_refusal_that_says_when_to_come_again_is_a_limit() -> None:
    request = httpx.Request("GET", "http://a.example")
    answer = httpx.Response(403, headers={"Retry-After": "60"}, request=request)
    assert category_of(answer.raise_for_status) == "api_limit"


def test_a_status_may_stand_at_the_error_itself() -> None:
    """As errors of the clients of language models have it."""
    error = RuntimeError()
    error.status_code = 529  # type: ignore[attr-defined]
    assert categorise(error) is Category.TRANSIENT
    error.status_code = "529"  # type: ignore[attr-defined]
    assert categorise(error) is Category.FATAL


@pytest.fixture
def away() -> Iterator[int]:
    """Give a port at which nobody listens: it is taken, so that nobody else comes to it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        yield port


def redis_at(port: int) -> Redis:
    return Redis(port=port, retry=Retry(NoBackoff(), 0))


def test_nobody_who_listens_is_a_matter_of_the_network(away: int) -> None:
    port = away
    assert category_of(lambda: httpx.get(f"http://127.0.0.1:{port}")) == "network"
    assert category_of(redis_at(port).ping) == "network"
    assert category_of(lambda: socket.getaddrinfo("a.invalid", 80)) == "network"
    url = f"postgresql+psycopg://a@127.0.0.1:{port}/a"
    assert category_of(create_engine(url).connect) == "network"


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[str]:
    """Give the address of a server with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin.replace(year=2100))
    ).sign(key, hashes.SHA256())
    path = tmp_path / "stranger.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            connection, _ = server.accept()
            with connection, pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"https://localhost:{server.getsockname()[1]}"
        thread.join(60)


def test_a_side_that_is_not_who_it_says_is_not_asked_again(stranger: str) -> None:
    with pytest.raises(httpx.ConnectError) as raised:
        httpx.get(stranger)
    assert categorise(raised.value) is Category.FATAL


def test_redis_says_what_is_wrong(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        client.set("a", 1)
        assert category_of(lambda: client.lpush("a", 1)) == "validation"
        auth: Any = ("AUTH", "nobody", "wrong")
        assert category_of(lambda: client.execute_command(*auth)) == "authentication"
        try:
            client.config_set("maxmemory", 1)
            assert category_of(lambda: client.set("b", 1)) == "resource"
        finally:
            client.config_set("maxmemory", 0)


def test_sqlite_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0})
    with engine.begin() as connection:
        for line in ("CREATE TABLE a (b INTEGER PRIMARY KEY)", "INSERT INTO a VALUES (1)"):
            connection.execute(text(line))

    def ask(line: str, *, url: str = f"sqlite:///{path}") -> str:
        other = create_engine(url, connect_args={"timeout": 0})
        try:
            with other.begin() as connection:
                return category_of(lambda: connection.execute(text(line)))
        finally:
            other.dispose()

    assert ask("NONSENSE") == "validation"
    assert ask("SELECT * FROM absent") == "validation"
    assert ask("INSERT INTO a VALUES (1)") == "validation"  # it is there already
    read_only = f"sqlite:///file:{path}?mode=ro&uri=true"
    assert ask("INSERT INTO a VALUES (2)", url=read_only) == "authentication"
    with engine.connect() as connection:
        connection.execute(text("BEGIN IMMEDIATE"))
        assert ask("INSERT INTO a VALUES (2)") == "transient"  # somebody writes
    with engine.connect() as connection:
        connection.execute(text("PRAGMA max_page_count = 2"))
        fill = text("INSERT INTO a (b) VALUES (:b)")
        many = [{"b": number} for number in range(2, 3000)]
        assert category_of(lambda: connection.execute(fill, many)) == "resource"
    engine.dispose()


def test_postgres_says_what_is_wrong(postgres: str) -> None:
    url = make_url(postgres).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, engine.connect() as other:

        def ask(line: str) -> str:
            return category_of(lambda: connection.execute(text(line)))

        assert ask("NONSENSE") == "validation"
        assert ask("SELECT 1 / 0") == "validation"
        assert ask("SET statement_timeout = 1; SELECT pg_sleep(10)") == "transient"
        raises = "DO $$ BEGIN RAISE EXCEPTION SQLSTATE '{}'; END $$"
        said = {"40001": "transient", "40P01": "transient", "53300": "resource", "23505": ""}
        said |= {"28P01": "authentication", "42501": "authentication", "23505": "validation"}
        said |= {"57P03": "network", "08006": "network", "XX000": "fatal", "55P03": "transient"}
        assert {state: ask(raises.format(state)) for state in said} == said
        (process,) = connection.execute(text("SELECT pg_backend_pid()")).one()
        other.execute(text(f"SELECT pg_terminate_backend({process}, 60000)"))
        assert ask("SELECT 1") == "network"
    engine.dispose()


def test_a_pool_without_a_free_connection_is_a_lack_of_a_resource() -> None:
    engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0,
                           pool_timeout=0.01)  # fmt: skip
    with engine.connect():
        assert category_of(engine.connect) == "resource"
    engine.dispose()


def test_an_error_that_nothing_is_known_of_is_as_its_cause(away: int) -> None:
    class StoreError(RuntimeError):
        pass

    def ask() -> None:
        try:
            redis_at(away).ping()
        except of_redis.RedisError as error:
            raise StoreError from error

    assert category_of(ask) == "network"
    alone = StoreError()
    alone.__cause__ = alone
    assert categorise(alone) is Category.FATAL
    cancelled = StoreError()
    cancelled.__cause__ = asyncio.CancelledError()
    assert categorise(cancelled) is Category.FATAL


def test_rules_come_first_and_an_error_may_say_it_itself() -> None:
    class SaidError(RuntimeError):
        category = Category.API_LIMIT

    def rule(error: Exception) -> Category | None:
        return Category.RESOURCE if "full" in str(error) else None

    assert categorise(SaidError("full")) is Category.API_LIMIT
    assert categorise(SaidError("full"), rules=[rule]) is Category.RESOURCE
    assert categorise(SaidError("empty"), rules=[rule]) is Category.API_LIMIT
    assert categorise(TimeoutError("full"), rules=[lambda _: None, rule]) is Category.RESOURCE
    SaidError.category = "api_limit"  # type: ignore[assignment]  # of another library's making
    assert categorise(SaidError()) is Category.FATAL


def test_a_database_of_ours_that_is_out_of_reach_is_a_matter_of_the_network(
    away: int,
) -> None:
    url = f"postgresql://a@127.0.0.1:{away}/a"

    def connect() -> None:
        with Database(url) as database, database.writing() as connection:
            connection.execute(text("SELECT 1"))

    assert category_of(connect) == "network"


def test_the_documentation_has_what_is_done_with_each() -> None:
    """Tried again, and judged by a breaker, as its table says."""
    page = (Path(__file__).parents[2] / "docs" / "resilience.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    table = {row[0]: row[2:] for row in rows if row[0] in set(Category)}
    told = {"yes": True, "no": False, "failed": (0, 1), "lives": (1, 0), "is not judged": (0, 0)}
    for category in Category:
        breaker = Breaker("side", categorise=lambda _, category=category: category)  # type: ignore[misc]
        category_of(lambda breaker=breaker: breaker.call(lambda: 1 / 0))  # type: ignore[misc]
        seen = breaker.statistics()
        assert [category in RETRIED, (seen.answered, seen.failed)] == [
            told[each] for each in table[category]
        ]
