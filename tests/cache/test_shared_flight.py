"""All workers wait for one computation; they hear of its failure, and go on where it is gone."""

import asyncio
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis
from tests.cache.conftest import Clock, MakeTiers

from nextcall.cache.computing import MISSING
from nextcall.cache.failures import SharedFailureError
from nextcall.cache.shared_flight import ComputingTiers

StartScript = Callable[..., "subprocess.Popen[str]"]  # of the tests' conftest.py
SOON = 60.0  # seconds after which a test hangs

WORKER = """
import asyncio, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from redis import Redis
from nextcall.cache.cache import Cache
from nextcall.cache.codecs import JsonCodec
from nextcall.cache.redis_tier import RedisTier
from nextcall.cache.shared_flight import ComputingTiers
from nextcall.cache.tiers import Tiers

url = sys.argv[1]
shared = RedisTier(url, category="query", patience=10, lock_seconds=float(sys.argv[3]))
tiers = Tiers(Cache(ttl=1000, entries=100), shared, codec=JsonCodec())
computing = ComputingTiers(tiers)
client = Redis.from_url(url)

def compute():
    client.incr("computed")
    time.sleep(0.2)
    return {"by": "thread"}

async def compute_async():
    client.incr("computed")
    await asyncio.sleep(0.2)
    return {"by": "task"}

async def tasks(key):
    return await asyncio.gather(
        *(computing.get_or_compute_async(key, compute_async) for _ in range(5))
    )

def hang():
    client.set("holds", 1)
    time.sleep(60)

if sys.argv[2] == "hang":
    computing.get_or_compute("hang", hang)
client.incr("ready")
while client.get("go") is None:
    time.sleep(0.001)
with ThreadPoolExecutor(6) as pool:
    for number in range(5):
        key = f"key {number}"
        threads = [pool.submit(computing.get_or_compute, key, compute) for _ in range(5)]
        of_tasks = pool.submit(asyncio.run, tasks(key)).result()
        values = {str(value) for value in [*of_tasks, *(each.result() for each in threads)]}
        assert len(values) == 1, values
        client.rpush("values", f"{key} {values.pop()}")
shared.close()
client.close()
"""


def test_processes_compute_each_key_once(redis_url: str, start_script: StartScript) -> None:
    processes = [start_script(WORKER, redis_url, "ask", "300") for _ in range(3)]
    with Redis.from_url(redis_url) as client:
        wait_for(lambda: client.get("ready") == b"3")
        client.set("go", 1)
        assert [process.wait(SOON) for process in processes] == [0, 0, 0]
        assert client.get("computed") == b"5"
        values = client.lrange("values", 0, -1)
        assert (len(values), len(set(values))) == (15, 5)
        assert client.keys("*lock") == []


def test_a_process_that_is_killed_holds_nobody_for_longer_than_its_lock(
    redis_url: str, make_tiers: MakeTiers, start_script: StartScript
) -> None:
    process = start_script(WORKER, redis_url, "hang", "1")
    with Redis.from_url(redis_url) as client:
        wait_for(lambda: client.get("holds") == b"1")
        process.kill()
        process.wait(SOON)
    assert ComputingTiers(make_tiers(redis_url)).get_or_compute("hang", lambda: "own") == "own"


def wait_for(condition: Callable[[], bool]) -> None:
    pause, passed = threading.Event(), 0
    while not condition():
        pause.wait(0.002)
        passed += 1
        assert passed < SOON * 500


class Held:
    """A computation that stands until it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.error, self.times = error, 0

    def __call__(self) -> str:
        self.times += 1
        self.begun.set()
        assert self.let_go.wait(SOON)
        if self.error is not None:
            raise self.error
        return "value"

    async def in_task(self) -> str:
        return await asyncio.to_thread(self)


class Worker:
    """Asks in a thread, or in a task of one, and counts how often it looks into Redis."""

    def __init__(self, computing: ComputingTiers[object], pool: ThreadPoolExecutor) -> None:
        self.computing, self._pool, self.looks = computing, pool, 0
        read = computing.tiers.shared.read

        def counted(key: str, *, waiting_for: bytes = b"") -> object:
            self.looks += 1
            return read(key, waiting_for=waiting_for)

        computing.tiers.shared.read = counted  # type: ignore[method-assign, assignment]

    def ask(self, held: Held, *, of_task: bool) -> Callable[[float], object]:
        if of_task:

            async def asked() -> object:
                return await self.computing.get_or_compute_async("a", held.in_task)

            return self._pool.submit(asyncio.run, asked()).result
        return self._pool.submit(self.computing.get_or_compute, "a", held).result


@pytest.fixture
def workers(redis_url: str, make_tiers: MakeTiers) -> list[ComputingTiers[object]]:
    return [ComputingTiers(make_tiers(redis_url)) for _ in range(2)]


@pytest.mark.parametrize("of_task", [False, True])
def test_one_waits_for_the_other_and_has_its_value(
    workers: list[ComputingTiers[object]], *, of_task: bool
) -> None:
    held, never = Held(), Held(AssertionError("computed"))
    with ThreadPoolExecutor(4) as pool:
        one, other = (Worker(each, pool) for each in workers)
        first = one.ask(held, of_task=of_task)
        assert held.begun.wait(SOON)
        second = other.ask(never, of_task=of_task)
        wait_for(lambda: other.looks >= 3)
        held.let_go.set()
        assert (first(SOON), second(SOON)) == ("value", "value")
    assert not never.begun.is_set()
    assert workers[1].tiers.memory.get("a") == "value"
    stats = workers[1].tiers.stats
    assert (stats.shared_hits, stats.shared_misses) == (0, 1)


@pytest.mark.parametrize("of_task", [False, True])
def test_a_failure_is_told_to_who_waited_and_to_no_one_later(
    workers: list[ComputingTiers[object]], *, of_task: bool
) -> None:
    error = LookupError("no such model")
    held, never = Held(error), Held(AssertionError("computed"))
    with ThreadPoolExecutor(4) as pool:
        one, other = (Worker(each, pool) for each in workers)
        first = one.ask(held, of_task=of_task)
        assert held.begun.wait(SOON)
        second = other.ask(never, of_task=of_task)
        wait_for(lambda: other.looks >= 3)
        held.let_go.set()
        with pytest.raises(LookupError) as raised:
            first(SOON)
        assert raised.value is error
        with pytest.raises(SharedFailureError, match="failed to compute it: LookupError: no such"):
            second(SOON)
    assert workers[1].get_or_compute("a", lambda: "later") == "later"


class OwnTimeouts:
    """Tells failures by a number; a timeout is of the one who computed alone."""

    def told(self, error: Exception) -> str | None:
        return None if isinstance(error, TimeoutError) else "7"

    def heard(self, told: str) -> Exception:
        return LookupError(int(told))


@pytest.mark.parametrize("of_task", [False, True])
def test_where_it_failed_for_the_first_alone_the_others_compute_one_after_the_other(
    redis_url: str, make_tiers: MakeTiers, *, of_task: bool
) -> None:
    first, then = Held(TimeoutError("mine")), Held()
    computing = [
        ComputingTiers[object](make_tiers(redis_url), failures=OwnTimeouts()) for _ in range(3)
    ]
    with ThreadPoolExecutor(8) as pool:
        workers = [Worker(each, pool) for each in computing]
        one = workers[0].ask(first, of_task=of_task)
        assert first.begun.wait(SOON)
        others = [each.ask(then, of_task=of_task) for each in (*workers, *workers[1:])]
        wait_for(
            lambda: computing[0].flight.joined == 1 and workers[1].looks + workers[2].looks > 6
        )
        first.let_go.set()
        with pytest.raises(TimeoutError, match="mine"):
            one(SOON)
        assert then.begun.wait(SOON)
        then.let_go.set()
        assert [each(SOON) for each in others] == ["value"] * 5
    assert then.times == 1  # and kept
    assert computing[0].flight.joined >= 1


@pytest.mark.parametrize("of_task", [False, True])
def test_a_failure_is_told_as_it_is_set(
    redis_url: str, make_tiers: MakeTiers, *, of_task: bool
) -> None:
    held, never = Held(KeyError("secret")), Held(AssertionError("computed"))
    computing = [
        ComputingTiers[object](make_tiers(redis_url), failures=OwnTimeouts()) for _ in range(2)
    ]
    with ThreadPoolExecutor(4) as pool:
        one, other = (Worker(each, pool) for each in computing)
        first = one.ask(held, of_task=of_task)
        assert held.begun.wait(SOON)
        second = other.ask(never, of_task=of_task)
        wait_for(lambda: other.looks >= 3)
        held.let_go.set()
        with pytest.raises(KeyError, match="secret"):
            first(SOON)
        with pytest.raises(LookupError, match="7"):
            second(SOON)


def test_who_is_cancelled_lets_the_others_go_on(
    workers: list[ComputingTiers[object]], redis_url: str
) -> None:
    held, own = Held(), Held()
    own.let_go.set()

    async def cancelled() -> None:
        first = asyncio.create_task(workers[0].get_or_compute_async("a", held.in_task))
        await asyncio.to_thread(held.begun.wait, SOON)
        second = other.ask(own, of_task=True)
        await asyncio.to_thread(wait_for, lambda: other.looks >= 3)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await asyncio.to_thread(second, SOON) == "value"
        held.let_go.set()

    with ThreadPoolExecutor(2) as pool:
        other = Worker(workers[1], pool)
        asyncio.run(cancelled())
    with Redis.from_url(redis_url) as client:
        assert client.keys("*lock") == []


@pytest.mark.parametrize("moment", ["read", "lock"])
def test_who_is_cancelled_while_redis_is_asked_leaves_no_lock(
    workers: list[ComputingTiers[object]], redis_url: str, moment: str
) -> None:
    asked, let_go = threading.Event(), threading.Event()
    shared = workers[0].tiers.shared
    original = getattr(shared, moment)

    def slow(*args: object, **kwargs: object) -> object:
        asked.set()
        assert let_go.wait(SOON)
        return original(*args, **kwargs)

    setattr(shared, moment, slow)

    async def cancelled() -> None:
        task = asyncio.create_task(workers[0].get_or_compute_async("a", Held().in_task))
        await asyncio.to_thread(asked.wait, SOON)
        task.cancel()
        await asyncio.sleep(0.01)
        let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    with Redis.from_url(redis_url) as client:
        assert client.keys("*lock") == []


def test_what_another_brought_between_looking_and_locking_is_not_computed(
    workers: list[ComputingTiers[object]],
) -> None:
    shared = workers[0].tiers.shared
    lock = shared.lock

    def late(key: str, token: bytes) -> bytes:
        workers[1].tiers.put("a", "other's")
        return lock(key, token)

    shared.lock = late  # type: ignore[method-assign]
    assert workers[0].get_or_compute("a", lambda: pytest.fail("computed")) == "other's"


def test_what_came_into_memory_after_looking_there_is_not_computed(
    workers: list[ComputingTiers[object]],
) -> None:
    tiers = workers[0].tiers
    get = tiers.memory.get

    def late(key: str, default: object) -> object:
        found = get(key, default)
        tiers.memory.put(key, "kept")
        return found

    tiers.memory.get = late  # type: ignore[method-assign, assignment]
    assert workers[0].get_or_compute("a", lambda: pytest.fail("computed")) == "kept"


def test_what_cannot_be_written_leaves_no_lock(
    workers: list[ComputingTiers[object]], redis_url: str
) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        workers[0].get_or_compute("a", object)
    with Redis.from_url(redis_url) as client:
        assert client.keys("*lock") == []


@pytest.mark.parametrize("of_task", [False, True])
def test_what_is_forgotten_while_it_is_computed_is_kept_nowhere(
    workers: list[ComputingTiers[object]], clock: Clock, *, of_task: bool
) -> None:
    def compute() -> str:
        assert workers[1].tiers.invalidate_pattern("a*")
        return "old"

    async def compute_async() -> str:
        return compute()

    one = workers[0]
    if of_task:
        assert asyncio.run(one.get_or_compute_async("a", compute_async)) == "old"
    else:
        assert one.get_or_compute("a", compute) == "old"
    assert workers[1].tiers.get("a") is MISSING
    clock.now += 0.5
    assert one.tiers.get("a") is MISSING


@pytest.mark.parametrize("of_task", [False, True])
@pytest.mark.parametrize("who", [0, 1])
def test_who_asks_after_an_invalidation_does_not_get_what_was_begun_before(
    workers: list[ComputingTiers[object]], who: int, *, of_task: bool
) -> None:
    old, new = Held(), Held()
    new.let_go.set()
    with ThreadPoolExecutor(4) as pool:
        one, other = (Worker(each, pool) for each in workers)
        first = one.ask(old, of_task=of_task)
        assert old.begun.wait(SOON)
        assert workers[1 - who].tiers.invalidate("a")
        assert workers[who].tiers.invalidate("a")
        asks = (one, other)[who]
        looked = asks.looks
        second = asks.ask(new, of_task=of_task)
        wait_for(lambda: asks.looks >= looked + 3)  # for the lock; what comes then is not valid
        assert not new.begun.is_set()
        old.let_go.set()
        assert (first(SOON), second(SOON)) == ("value", "value")
    assert new.begun.is_set()


def test_while_redis_is_away_each_computes_for_itself(
    make_tiers: MakeTiers, tmp_path: Path, clock: Clock
) -> None:
    computing = ComputingTiers(make_tiers(f"unix://{tmp_path}/none"))
    assert computing.get_or_compute("a", lambda: 1) == 1
    assert computing.get_or_compute("a", lambda: 2) == 1

    async def compute() -> int:
        return 3

    clock.now += 1
    assert asyncio.run(computing.get_or_compute_async("b", compute)) == 3
    assert asyncio.run(computing.get_or_compute_async("b", compute)) == 3
    assert computing.tiers.failures == 2


@pytest.mark.parametrize("moment", ["read", "lock", "write", "unlock"])
def test_redis_may_go_at_any_moment(
    redis_url: str, make_tiers: MakeTiers, tmp_path: Path, moment: str
) -> None:
    tiers, gone = make_tiers(redis_url), make_tiers(f"unix://{tmp_path}/none").shared
    setattr(tiers.shared, moment, getattr(gone, moment))
    assert ComputingTiers(tiers).get_or_compute("a", lambda: 1) == 1
    assert (tiers.memory.get("a"), tiers.degraded, tiers.failures) == (1, True, 1)
