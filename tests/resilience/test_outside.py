"""A side that is away is left alone, waited for and done without, as its call says."""

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import httpx
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry as RedisRetry

from nextcall.resilience.breaker import BreakerOpenError
from nextcall.resilience.breakers import Breakers
from nextcall.resilience.categories import categorise
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import DeadlineExceededError, deadline, remaining
from nextcall.resilience.fallback import NoAnswerError
from nextcall.resilience.outside import Dependency
from nextcall.resilience.outside_call import OutsideCall, outside_table
from nextcall.resilience.retry import Retried

Clock: TypeAlias = Callable[[], float]
Simulate: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]
Sleepless: TypeAlias = Callable[[], AbstractContextManager[Clock]]

REDIS = OutsideCall(name="redis", purpose="counts", fallback="counts of this process", seconds=1)
CATALOGUE = OutsideCall(
    name="catalogue", purpose="a description", fallback="the kept copy", seconds=10, tries=3
)


def test_redis_that_goes_and_comes_back(
    start_redis: Callable[[Path], "subprocess.Popen[bytes]"],
) -> None:
    """Its process is killed and started anew; only the clock of the breaker is not real."""
    now = [0.0]
    breakers = Breakers(clock=lambda: now[0])
    dependency = Dependency(REDIS, breakers=breakers)
    asked = list[int]()
    with TemporaryDirectory(prefix="nextcall-redis-") as folder:
        socket = Path(folder, "s")
        once = RedisRetry(NoBackoff(), 0)
        with Redis(unix_socket_path=str(socket), retry=once, socket_timeout=60) as client:

            def count() -> int:
                asked.append(1)
                return int(client.incr("n"))

            def answered_by() -> str:
                return dependency.call(count, fallbacks={"memory": lambda: -1}).answered_by

            server = start_redis(socket)
            assert [dependency.call(count).value for _ in range(3)] == [1, 2, 3]
            server.kill()
            server.wait(60)
            asked.clear()
            assert [answered_by() for _ in range(8)] == 8 * ["memory"]
            assert len(asked) == 5  # then it is left alone
            (failure,) = dependency.call(count, fallbacks={"memory": lambda: -1}).failures
            assert (failure.name, failure.category) == ("redis", Category.RESOURCE)
            assert isinstance(failure.error, BreakerOpenError)
            now[0] += 60
            assert [answered_by() for _ in range(3)] == 3 * ["memory"]
            assert len(asked) == 6  # one has tried
            server = start_redis(socket)
            now[0] += 60
            assert [answered_by() for _ in range(3)] == 3 * ["redis"]
            server.kill()
            server.wait(60)
    seen = dependency.statistics()
    assert (seen.state, seen.answered, seen.failed, seen.opened) == ("closed", 6, 6, 2)
    assert seen == breakers["redis"].statistics()


class Server:
    """A real server: what it answers, and when it was asked."""

    def __init__(self, clock: Clock) -> None:
        self.answers = list[tuple[int, dict[str, str]]]()
        self.asked = list[float]()
        self.clock = clock
        self.url = ""


@pytest.fixture
def clock(sleepless: Sleepless) -> Iterator[Clock]:
    with sleepless() as clock:
        yield clock


@pytest.fixture
def server(clock: Clock) -> Iterator[Server]:
    made = Server(clock)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers = made.answers[len(made.asked)]
            made.asked.append(made.clock())
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    made.url = f"http://127.0.0.1:{http.server_port}"
    yield made
    http.shutdown()
    thread.join()
    http.server_close()


def test_a_server_is_asked_again_when_it_says(server: Server, clock: Clock) -> None:
    told = list[Retried]()
    dependency = Dependency(
        CATALOGUE, breakers=Breakers(clock=clock), listener=told.append, clock=clock
    )

    def ask() -> int:
        answer = httpx.get(server.url, timeout=remaining())
        answer.raise_for_status()
        return answer.status_code

    server.answers = [(503, {}), (429, {"Retry-After": "20"}), (200, {})]
    assert dependency.call(ask).value == 200
    first, second = (later - earlier for earlier, later in pairwise(server.asked))
    assert 1 <= first < 2
    assert 20 <= second < 21
    assert [str(each.category) for each in told] == ["transient", "api_limit"]
    server.asked.clear()
    server.answers = [(404, {})]
    with pytest.raises(httpx.HTTPStatusError):
        dependency.call(ask)
    server.asked.clear()
    server.answers = [(429, {"Retry-After": "20"})]
    with deadline(15, clock=clock), pytest.raises(httpx.HTTPStatusError):
        dependency.call(ask)  # it will not wait for what comes too late
    assert dependency.statistics().failed == 1


@pytest.mark.parametrize("seconds", [5, 100])
def test_a_client_that_waits_as_long_as_it_may_is_late(clock: Clock, seconds: float) -> None:
    """Whose time was over says whether the side is to blame."""
    dependency = Dependency(REDIS, breakers=Breakers(failures=1, clock=clock), clock=clock)

    def ask() -> None:
        time.sleep(remaining() or 0)  # as a client with that timeout does
        raise TimeoutError

    with deadline(0.5 if seconds == 5 else seconds, clock=clock):
        with pytest.raises(DeadlineExceededError) as raised:
            dependency.call(ask)
        inherited = seconds == 5
        assert raised.value.inherited is inherited
        assert (dependency.statistics().state == "closed") is inherited
        if inherited:
            with pytest.raises(DeadlineExceededError):
                dependency.call(lambda: 7)  # is not begun


def test_an_error_that_is_no_matter_of_time_stays_what_it_is(clock: Clock) -> None:
    dependency = Dependency(REDIS, breakers=Breakers(clock=clock), clock=clock)

    def ask() -> None:
        time.sleep(2)  # late
        raise KeyError("a")

    with pytest.raises(KeyError):
        dependency.call(ask)
    with pytest.raises(NoAnswerError) as raised:
        dependency.call(ask, fallbacks={"none": ask})
    assert [each.name for each in raised.value.failures] == ["redis", "none"]


def test_a_side_that_hangs_is_cancelled_counted_and_done_without(simulate: Simulate) -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        dependency = Dependency(CATALOGUE, breakers=Breakers(failures=4, clock=clock), clock=clock)
        asked = list[float]()

        async def hangs() -> str:
            asked.append(clock())
            await asyncio.sleep(3600)
            return "never"

        async def kept() -> str:
            return "copy"

        begin = clock()
        answer = await dependency.acall(hangs, fallbacks={"the kept copy": kept})
        assert (answer.value, answer.answered_by, len(asked)) == ("copy", "the kept copy", 3)
        assert isinstance(answer.failures[0].error, DeadlineExceededError)
        assert 33 <= clock() - begin < 35 < CATALOGUE.longest_seconds
        # A second prediction, with less time than a try may take.
        with deadline(4, clock=clock), pytest.raises(NoAnswerError):
            await dependency.acall(hangs, fallbacks={"the kept copy": kept})
        assert dependency.statistics().failed == 3
        # The fourth failure opens it: no third try, nor a wait for it.
        begin = clock()
        with pytest.raises(BreakerOpenError):
            await dependency.acall(hangs)
        assert clock() - begin < 13
        assert dependency.statistics().state == "open"
        with pytest.raises(BreakerOpenError):
            await dependency.acall(hangs)
        assert len(asked) == 5

    simulate(main())


def test_who_is_cancelled_leaves_the_trial_to_the_next(simulate: Simulate) -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        dependency = Dependency(REDIS, breakers=Breakers(failures=1, clock=clock), clock=clock)

        async def fails() -> int:
            raise TimeoutError

        async def slow() -> int:
            await asyncio.sleep(0.5)
            return 7

        with pytest.raises(TimeoutError):
            await dependency.acall(fails)
        await asyncio.sleep(60)
        trial = asyncio.create_task(dependency.acall(slow))
        await asyncio.sleep(0.1)
        with pytest.raises(BreakerOpenError):
            await dependency.acall(slow)
        trial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trial
        assert (await dependency.acall(slow)).value == 7
        assert dependency.statistics().state == "closed"

    simulate(main())


def test_a_client_of_ours_late_by_its_own_timeout_is_told_the_same_way(simulate: Simulate) -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        dependency = Dependency(REDIS, breakers=Breakers(clock=clock), clock=clock)

        async def ask() -> None:
            end = clock() + (remaining() or 0)
            while clock() < end:
                try:
                    await asyncio.sleep(2)
                except asyncio.CancelledError as error:
                    raise httpx.ReadTimeout("late") from error

        with pytest.raises(DeadlineExceededError) as raised:
            await dependency.acall(ask)
        assert categorise(raised.value) is Category.NETWORK

    simulate(main())


def test_the_table_says_what_each_call_may_take() -> None:
    odd = OutsideCall(name="a|b", purpose="", fallback="", seconds=0.25, tries=2, longest_wait=0.5)
    assert outside_table([REDIS, CATALOGUE, odd]).splitlines() == [
        "| asked | for | one try | tries | at most | without an answer |",
        "| --- | --- | --- | --- | --- | --- |",
        "| redis | counts | 1 s | 1 | 1 s | counts of this process |",
        "| catalogue | a description | 10 s | 3 | 150 s | the kept copy |",
        r"| a\|b |  | 0.25 s | 2 | 1 s |  |",
    ]


@pytest.mark.parametrize(
    "options", [{"seconds": 0}, {"tries": 0}, {"first_wait": -1}, {"longest_wait": -1}]
)
def test_settings_that_are_no_settings_are_refused(options: dict[str, Any]) -> None:
    (name,) = options
    call = OutsideCall(**{"name": "a", "purpose": "", "fallback": "", "seconds": 1, **options})
    with pytest.raises(ValueError, match=f"^{name} must be "):
        Dependency(call, breakers=Breakers())
