"""No deadline within outlives the one around it, and all that is started knows of it."""

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, TypeAlias

import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.resilience.category import Category
from nextcall.resilience.deadline import (
    PREDICTION_SECONDS,
    DeadlineExceededError,
    check,
    deadline,
    remaining,
)

Simulate: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]

SECONDS = st.integers(1, 100)


@given(st.lists(st.tuples(SECONDS, st.integers(0, 30)), min_size=1))
def test_what_is_left_is_the_least_of_all_around(entered: list[tuple[int, int]]) -> None:
    now, ends = [0.0], list[float]()
    with ExitStack() as stack:
        for seconds, passed in entered:
            scope = stack.enter_context(deadline(seconds, clock=lambda: now[0]))
            ends.append(now[0] + seconds)
            now[0] += passed
            left = min(ends) - now[0]
            assert remaining() == scope.left() == max(0, left)
            if left > 0:
                check()
            else:
                with pytest.raises(DeadlineExceededError) as raised:
                    check()
                inherited = len(ends) > 1 and min(ends[:-1]) <= ends[-1]
                assert raised.value.inherited is inherited
    assert remaining() is None
    check()


def test_a_prediction_has_half_a_minute() -> None:
    with deadline(clock=lambda: 0.0):
        assert remaining() == PREDICTION_SECONDS == 30


def test_an_inner_deadline_ends_with_its_block() -> None:
    now = [0.0]
    with deadline(30, clock=lambda: now[0]):
        with deadline(1, clock=lambda: now[0]):
            now[0] = 2.0
            assert remaining() == 0
        assert remaining() == 28


@given(st.lists(SECONDS, min_size=1, max_size=4), SECONDS)
def test_what_is_awaited_is_cancelled_on_time(
    simulate: Simulate, seconds: list[int], needed: int
) -> None:
    """The least of the deadlines cancels, and the one that is whose tells it."""

    async def within(depth: int) -> str:
        if depth == len(seconds):
            await asyncio.sleep(needed)
            return "done"
        async with deadline(seconds[depth], clock=asyncio.get_running_loop().time):
            return await within(depth + 1)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        if needed < min(seconds):
            assert await within(0) == "done"
            assert loop.time() - begin == needed
        elif needed > min(seconds):
            with pytest.raises(DeadlineExceededError):
                await within(0)
            assert loop.time() - begin == pytest.approx(min(seconds))
        current = asyncio.current_task()
        assert current is not None
        assert current.cancelling() == 0
        assert remaining() is None

    simulate(main())


@pytest.mark.parametrize("inner", [1, 10])
def test_an_error_tells_whose_time_is_over(simulate: Simulate, inner: int) -> None:
    found = list[DeadlineExceededError]()

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        with deadline(5, clock=clock):
            try:
                async with deadline(inner, clock=clock):
                    await asyncio.sleep(60)
            except DeadlineExceededError as error:
                found.append(error)
            assert remaining() == pytest.approx(5 - min(5, inner))

    simulate(main())
    assert found[0].inherited is (inner == 10)
    assert found[0].category is (Category.RESOURCE if inner == 10 else Category.NETWORK)
    told = "the time that the caller has" if inner == 10 else "1 seconds"
    assert str(found[0]) == f"must end within {told}."


def test_a_timeout_of_the_work_itself_stays_what_it_is(simulate: Simulate) -> None:
    async def main() -> None:
        async with deadline(5, clock=asyncio.get_running_loop().time):
            async with asyncio.timeout(1):
                await asyncio.sleep(60)

    with pytest.raises(TimeoutError) as raised:
        simulate(main())
    assert not isinstance(raised.value, DeadlineExceededError)


def test_a_cancelled_task_is_cancelled_and_not_late(simulate: Simulate) -> None:
    async def work() -> None:
        async with deadline(5, clock=asyncio.get_running_loop().time):
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    simulate(main())


def test_a_deadline_that_has_passed_lets_nothing_be_awaited(simulate: Simulate) -> None:
    done = list[str]()

    async def late(clock: Callable[[], float]) -> None:
        async with deadline(1, clock=clock):
            await asyncio.sleep(0.001)
            done.append("late")

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        with deadline(1, clock=clock):
            await asyncio.sleep(2)
            with pytest.raises(DeadlineExceededError):
                await late(clock)

    simulate(main())
    assert done == []


def test_tasks_and_threads_know_the_deadline_of_where_they_were_started() -> None:
    async def task() -> float | None:
        return remaining()

    async def main() -> None:
        with deadline(5, clock=lambda: 0.0):
            assert await asyncio.create_task(task()) == 5
            assert await anyio.to_thread.run_sync(remaining) == 5
            assert await asyncio.to_thread(remaining) == 5
            with ThreadPoolExecutor(1) as threads:
                assert threads.submit(remaining).result() is None

    asyncio.run(main())


def test_deadlines_of_threads_and_tasks_are_their_own() -> None:
    met = threading.Barrier(2)
    found = dict[float, float | None]()

    def work(seconds: float) -> None:
        with deadline(seconds, clock=lambda: 0.0):
            met.wait(60)
            found[seconds] = remaining()
            met.wait(60)

    threads = [threading.Thread(target=work, args=(seconds,)) for seconds in (1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == {1.0: 1.0, 2.0: 2.0}


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf])
def test_a_deadline_is_above_0_and_finite(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"^seconds must be above 0 and finite, got "):
        deadline(seconds)


def test_a_deadline_is_entered_once() -> None:
    scope = deadline(1)
    with scope, pytest.raises(RuntimeError, match=r"^a deadline is entered once\.$"), scope:
        pass
    assert remaining() is None
