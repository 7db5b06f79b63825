"""Many wait for one computation, whoever they are; nobody waits for one who is gone."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from nextcall.cache.cache import Cache
from nextcall.cache.computing import ComputingCache
from nextcall.cache.single_flight import SingleFlight

SOON = 60.0  # seconds after which a test hangs


class Held:
    """A computation that stands until it is let go."""

    def __init__(self, outcome: object = "value") -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.times = 0
        self._outcome = outcome

    def __call__(self) -> object:
        self.times += 1
        self.begun.set()
        assert self.let_go.wait(SOON)
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    async def in_task(self) -> object:
        self.times += 1
        self.begun.set()
        await wait_in_task(self.let_go.is_set)
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


def wait_for(condition: Callable[[], bool]) -> None:
    pause, passed = threading.Event(), 0
    while not condition():
        pause.wait(0.001)
        passed += 1
        assert passed < SOON * 1000


async def wait_in_task(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():  # noqa: ASYNC110  # threads change it
            await asyncio.sleep(0.001)


def test_threads_and_tasks_share_one_computation() -> None:
    flight, held = SingleFlight[object](), Held()

    async def tasks() -> list[object]:
        waiting = [asyncio.create_task(flight.run_async("a", held.in_task)) for _ in range(10)]
        await wait_in_task(lambda: flight.joined == 19)
        held.let_go.set()
        return await asyncio.gather(*waiting)

    with ThreadPoolExecutor(11) as pool:
        first = pool.submit(flight.run, "a", held)
        assert held.begun.wait(SOON)
        others = [pool.submit(flight.run, "a", held) for _ in range(9)]
        of_tasks = pool.submit(asyncio.run, tasks())
        given = [first.result(SOON), *(each.result(SOON) for each in others)]
        given += of_tasks.result(SOON)
    assert given == ["value"] * 20
    assert held.times == 1
    assert flight._flights == {}


def test_a_thread_waits_for_a_task_of_another_thread() -> None:
    flight, held = SingleFlight[object](), Held()
    with ThreadPoolExecutor(2) as pool:

        async def lead() -> object:
            return await flight.run_async("a", held.in_task)

        led = pool.submit(asyncio.run, lead())
        assert held.begun.wait(SOON)
        waits = pool.submit(flight.run, "a", held)
        wait_for(lambda: flight.joined == 1)
        held.let_go.set()
        assert (led.result(SOON), waits.result(SOON), held.times) == ("value", "value", 1)


@pytest.mark.parametrize("of_task", [False, True])
def test_a_failure_of_the_first_alone_reaches_nobody_else(*, of_task: bool) -> None:
    computing = ComputingCache(
        Cache[object](ttl=60, entries=10), is_own=lambda error: isinstance(error, TimeoutError)
    )
    first, then = Held(TimeoutError("mine")), Held()

    async def task(held: Held) -> object:
        return await computing.get_or_compute_async("a", held.in_task)

    with ThreadPoolExecutor(6) as pool:

        def ask(held: Held) -> "Future[object]":
            if of_task:
                return pool.submit(asyncio.run, task(held))
            return pool.submit(computing.get_or_compute, "a", held)

        one = ask(first)
        assert first.begun.wait(SOON)
        others = [ask(then) for _ in range(4)]
        wait_for(lambda: computing.flight.joined == 4)
        first.let_go.set()
        assert isinstance(one.exception(SOON), TimeoutError)
        assert then.begun.wait(SOON)
        then.let_go.set()
        assert [each.result(SOON) for each in others] == ["value"] * 4
    assert then.times == 1


@pytest.mark.parametrize("error", [ValueError("no"), StopIteration("no")])
def test_a_failure_reaches_all_and_is_not_kept(error: Exception) -> None:
    flight, held = SingleFlight[object](), Held(error)

    async def task() -> object:
        return await flight.run_async("a", held.in_task)

    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(flight.run, "a", held)
        assert held.begun.wait(SOON)
        others = [pool.submit(flight.run, "a", held) for _ in range(3)]
        others.append(pool.submit(asyncio.run, task()))
        wait_for(lambda: flight.joined == 4)
        held.let_go.set()
        assert first.exception(SOON) is error
        for each in others:
            failure = each.exception(SOON)
            assert isinstance(error, StopIteration) or failure is error
            assert isinstance(failure, ValueError | RuntimeError)
            assert "no" in str(failure)
    assert flight.run("a", lambda: 2) == 2
    assert held.times == 1


def test_others_go_on_where_the_first_is_cancelled() -> None:
    flight = SingleFlight[object]()
    held = Held()

    async def all_of_it() -> None:
        first = asyncio.create_task(flight.run_async("a", held.in_task))
        await wait_in_task(held.begun.is_set)
        others = [asyncio.create_task(flight.run_async("a", held.in_task)) for _ in range(5)]
        waits = pool.submit(flight.run, "a", held)
        await wait_in_task(lambda: flight.joined == 6)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await wait_in_task(lambda: flight.joined == 11)  # all but the one that goes on
        held.let_go.set()
        async with asyncio.timeout(SOON):
            assert await asyncio.gather(*others) == ["value"] * 5
            assert await asyncio.wrap_future(waits) == "value"

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(all_of_it())
    assert held.times == 2


def test_one_who_is_cancelled_while_waiting_takes_nobody_along() -> None:
    flight, held = SingleFlight[object](), Held()

    async def all_of_it() -> None:
        first = asyncio.create_task(flight.run_async("a", held.in_task))
        await wait_in_task(held.begun.is_set)
        gone, stays = (asyncio.create_task(flight.run_async("a", held.in_task)) for _ in range(2))
        await wait_in_task(lambda: flight.joined == 2)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        held.let_go.set()
        async with asyncio.timeout(SOON):
            assert list(await asyncio.gather(first, stays)) == ["value", "value"]

    asyncio.run(all_of_it())
    assert held.times == 1


def test_others_go_on_where_the_first_is_interrupted() -> None:
    flight, interrupted = SingleFlight[object](), Held(KeyboardInterrupt())
    ended = Future[bool]()

    def first() -> None:
        with pytest.raises(KeyboardInterrupt):
            flight.run("a", interrupted)
        ended.set_result(True)

    with ThreadPoolExecutor(2) as pool:
        pool.submit(first)
        assert interrupted.begun.wait(SOON)
        other = pool.submit(flight.run, "a", lambda: "own")
        wait_for(lambda: flight.joined == 1)
        interrupted.let_go.set()
        assert other.result(SOON) == "own"
        assert ended.result(SOON)


def test_what_asks_for_itself_is_told_so() -> None:
    flight = SingleFlight[int]()
    with pytest.raises(RuntimeError, match="must not ask for its own key, 'a'"):
        flight.run("a", lambda: flight.run("b", lambda: flight.run("a", lambda: 1)))

    async def of_child() -> int:
        child = asyncio.create_task(flight.run_async("a", of_child))
        return await asyncio.to_thread(flight.run, "b", lambda: 0) + await child

    with pytest.raises(RuntimeError, match="must not ask for its own key, 'a'"):
        asyncio.run(asyncio.wait_for(flight.run_async("a", of_child), SOON))
    assert flight._flights == {}


def test_a_call_that_would_stop_the_loop_it_waits_for_computes_itself() -> None:
    flight, held = SingleFlight[object](), Held()

    async def all_of_it() -> None:
        first = asyncio.create_task(flight.run_async("a", held.in_task))
        await wait_in_task(held.begun.is_set)
        assert flight.run("a", lambda: "own") == "own"
        held.let_go.set()
        assert await first == "value"

    asyncio.run(asyncio.wait_for(all_of_it(), SOON))


def test_a_cache_computes_once_and_keeps_none_too() -> None:
    computing = ComputingCache(Cache[object](ttl=60, entries=10))
    calls: list[str] = []

    def compute() -> None:
        calls.append("sync")

    async def compute_async() -> None:
        calls.append("async")

    assert computing.get_or_compute("a", compute) is None
    assert computing.get_or_compute("a", compute) is None
    assert asyncio.run(computing.get_or_compute_async("a", compute_async)) is None
    assert asyncio.run(computing.get_or_compute_async("b", compute_async)) is None
    assert asyncio.run(computing.get_or_compute_async("b", compute_async)) is None
    assert calls == ["sync", "async"]
    assert (computing.cache.stats.hits, computing.cache.stats.misses) == (3, 2)


@pytest.mark.parametrize("of_task", [False, True])
def test_what_ended_between_looking_and_computing_is_not_computed_again(*, of_task: bool) -> None:
    """The cache is filled after a look at it that found nothing."""
    cache = Cache[object](ttl=60, entries=10)
    computing = ComputingCache(cache)
    flight = computing.flight
    run, run_async = flight.run, flight.run_async

    def late(key: str, compute: Callable[[], object]) -> object:
        cache.put("a", "kept")
        return run(key, compute)

    async def late_async(key: str, compute: Callable[[], Awaitable[object]]) -> object:
        cache.put("a", "kept")
        return await run_async(key, compute)

    flight.run, flight.run_async = late, late_async  # type: ignore[method-assign]

    async def never() -> object:
        raise AssertionError

    if of_task:
        assert asyncio.run(computing.get_or_compute_async("a", never)) == "kept"
    else:
        assert computing.get_or_compute("a", lambda: pytest.fail("computed")) == "kept"


@pytest.mark.parametrize("of_task", [False, True])
def test_what_is_invalidated_while_it_is_computed_is_not_kept(*, of_task: bool) -> None:
    computing = ComputingCache(Cache[str](ttl=60, entries=10))
    cache = computing.cache

    def compute() -> str:
        cache.invalidate_pattern("a*")
        return "old"

    async def compute_async() -> str:
        return compute()

    for key in ("a", "b"):
        if of_task:
            assert asyncio.run(computing.get_or_compute_async(key, compute_async)) == "old"
        else:
            assert computing.get_or_compute(key, compute) == "old"
    assert (cache.get("a"), cache.get("b")) == (None, "old")


@pytest.mark.parametrize("of_task", [False, True])
def test_who_asks_after_an_invalidation_does_not_get_what_was_begun_before(
    *, of_task: bool
) -> None:
    computing, held = ComputingCache(Cache[object](ttl=60, entries=10)), Held("old")

    async def new() -> str:
        return "new"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(computing.get_or_compute, "a", held)
        assert held.begun.wait(SOON)
        before = pool.submit(computing.get_or_compute, "a", held)
        wait_for(lambda: computing.flight.joined == 1)
        computing.cache.invalidate("a")
        if of_task:
            assert asyncio.run(computing.get_or_compute_async("a", new)) == "new"
        else:
            assert computing.get_or_compute("a", lambda: "new") == "new"
        held.let_go.set()
        assert (first.result(SOON), before.result(SOON), held.times) == ("old", "old", 1)
    assert computing.cache.get("a") == "new"
