"""A Redis of one's own: started where its program is installed."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

Start = Callable[[Path], "subprocess.Popen[bytes]"]


@pytest.fixture(scope="session")
def start_redis() -> Start:
    """Give what starts a server on a socket and waits until it answers."""
    program = os.environ.get("NEXTCALL_TEST_REDIS_SERVER") or shutil.which("redis-server")
    if program is None:
        pytest.skip(
            "redis-server is not installed (Debian's package of that name), and "
            "NEXTCALL_TEST_REDIS_SERVER names no other"
        )

    def start(socket: Path) -> "subprocess.Popen[bytes]":
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
        process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        client, end = Redis(unix_socket_path=str(socket)), time.monotonic() + 10
        while True:
            try:
                client.ping()
            except RedisError:
                assert time.monotonic() < end
                time.sleep(0.02)
            else:
                client.close()
                return process

    return start


@pytest.fixture(scope="session")
def redis_socket() -> Iterator[Path]:
    """Give a short path: that of a socket may have some hundred characters only."""
    with tempfile.TemporaryDirectory(prefix="nextcall-redis-") as folder:
        yield Path(folder, "s")


@pytest.fixture(scope="session")
def redis_server(start_redis: Start, redis_socket: Path) -> Iterator[str]:
    """Give the URL of a server that runs as long as the tests."""
    process = start_redis(redis_socket)
    yield f"unix://{redis_socket}"
    process.kill()
    process.wait(10)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """Give the URL of an empty Redis."""
    with Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture
def migrated(database: Database) -> Database:
    migrate(database)
    return database


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """Give a database for what is refused before it is asked."""
    with Database(f"sqlite:///{tmp_path}/kept.db") as database:
        migrate(database)
        yield database
