"""Every item has its answer or its failure, whatever the batches, in threads and in tasks alike."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.resilience.bulk import BulkResult, abulk, bulk
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import DeadlineExceededError, deadline, remaining
from nextcall.resilience.retry import Retry

T = TypeVar("T")
Simulate: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]


def halves(numbers: Sequence[int]) -> list[int | Exception]:
    """Fail for odd numbers each, and for a batch that has a 13."""
    if 13 in numbers:
        raise TimeoutError
    return [ValueError(number) if number % 2 else number // 2 for number in numbers]


async def ahalves(numbers: Sequence[int]) -> list[int | Exception]:
    await asyncio.sleep(1)
    return halves(numbers)


def told(result: BulkResult[int]) -> tuple[dict[int, int], list[tuple[int, str, str]]]:
    return dict(result.answers), [
        (each.index, str(each.category), type(each.error).__name__) for each in result.failures
    ]


@given(st.lists(st.integers(0, 13)), st.integers(1, 5), st.integers(1, 3))
def test_every_item_is_told_of_once(
    simulate: Simulate, items: list[int], size: int, at_once: int
) -> None:
    answers, failures = dict[int, int](), list[tuple[int, str, str]]()
    for index, item in enumerate(items):  # one after the other
        batch = items[index // size * size :][:size]
        if 13 in batch:
            failures.append((index, "network", "TimeoutError"))
        elif item % 2:
            failures.append((index, "validation", "ValueError"))
        else:
            answers[index] = item // 2
    assert told(bulk(items, halves, size=size, at_once=at_once)) == (answers, failures)
    later = simulate(abulk(items, ahalves, size=size, at_once=at_once))
    assert told(later) == (answers, failures)


def test_by_default_five_batches_of_a_hundred_are_done_at_once(simulate: Simulate) -> None:
    """1,050 items: 11 batches, in three turns."""
    met, sizes = threading.Barrier(5), list[int]()

    def work(numbers: Sequence[int]) -> Sequence[int]:
        sizes.append(len(numbers))
        if numbers[0] < 500:
            met.wait(60)  # so five run at the same time
        return numbers

    assert len(bulk(range(1050), work).answers) == 1050
    assert sorted(sizes) == [50, *10 * [100]]

    async def main() -> float:
        begin = asyncio.get_running_loop().time()
        assert len((await abulk(range(0, 2100, 2), ahalves)).answers) == 1050
        return asyncio.get_running_loop().time() - begin

    assert simulate(main()) == 3


def test_no_more_than_so_many_run_at_once() -> None:
    lock, running, most = threading.Lock(), [0], [0]
    begin = threading.Barrier(2)

    def work(numbers: Sequence[int]) -> Sequence[int]:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        begin.wait(60)
        with lock:
            running[0] -= 1
        return numbers

    bulk(range(8), work, size=1, at_once=2)
    assert most == [2]


def test_progress_sees_every_batch(simulate: Simulate) -> None:
    seen = list[tuple[str, int | None, int]]()

    def progress(
        iterable: Iterable[T], *, description: str, total: int | None = None
    ) -> Iterator[T]:
        count = 0
        for each in iterable:
            count += 1
            yield each
        seen.append((description, total, count))

    bulk(range(0, 50, 2), halves, size=10, progress=progress)
    simulate(abulk(range(0, 50, 2), ahalves, size=10, progress=progress))
    assert seen == 2 * [("Doing batches", 3, 3)]


def test_a_batch_may_be_tried_again(simulate: Simulate) -> None:
    failed = set[int]()

    def once(numbers: Sequence[int]) -> Sequence[int]:
        if numbers[0] not in failed:
            failed.add(numbers[0])
            raise TimeoutError
        return numbers

    async def aonce(numbers: Sequence[int]) -> Sequence[int]:
        return once(numbers)

    retry = Retry(tries=2, first_wait=0, jitter=0)
    assert bulk(range(4), once, size=2, retry=retry).failures == ()
    failed.clear()
    assert simulate(abulk(range(4), aonce, size=2, retry=retry)).failures == ()
    failed.clear()
    assert len(bulk(range(4), once, size=2).failures) == 4


def test_what_is_left_when_the_deadline_passes_is_told(simulate: Simulate) -> None:
    async def main() -> None:
        with deadline(2.5, clock=asyncio.get_running_loop().time):
            result = await abulk(range(0, 20, 2), ahalves, size=1, at_once=2)
        assert list(result.answers) == list(range(6))
        assert [each.index for each in result.failures] == list(range(6, 10))
        assert {type(each.error) for each in result.failures} == {DeadlineExceededError}

    simulate(main())
    with deadline(5, clock=lambda: 0.0):
        result = bulk([0], lambda _: [remaining()])
    assert result.answers == {0: 5.0}  # a thread knows it


def test_answers_must_be_as_many_as_items() -> None:
    (failure,) = bulk([1], lambda _: list[int]()).failures
    assert str(failure.error) == "answers must be as many as the 1 items, got 0."
    assert (failure.index, failure.category) == (0, Category.VALIDATION)


def test_who_is_cancelled_leaves_no_batch_running(simulate: Simulate) -> None:
    begun = list[int]()

    async def work(numbers: Sequence[int]) -> Sequence[int]:
        begun.append(numbers[0])
        await asyncio.sleep(10)
        return numbers

    async def main() -> None:
        task = asyncio.create_task(abulk(range(9), work, size=1, at_once=2))
        await asyncio.sleep(15)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(100)

    simulate(main())
    assert begun == [0, 1, 2, 3]


def test_who_interrupts_waits_for_no_batch_that_has_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, leave = list[int](), threading.Event()
    shutdown = ThreadPoolExecutor.shutdown

    def shut(threads: ThreadPoolExecutor, *, wait: bool, cancel_futures: bool = False) -> None:
        shutdown(threads, wait=False, cancel_futures=cancel_futures)
        leave.set()  # those that have begun end only now
        shutdown(threads, wait=wait)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shut)

    def work(numbers: Sequence[int]) -> Sequence[int]:
        begun.append(numbers[0])
        leave.wait(60)
        return numbers

    def interrupted(
        iterable: Iterable[T],
        *,
        description: str,  # noqa: ARG001  # the protocol's argument
        total: int | None = None,  # noqa: ARG001  # as above
    ) -> Iterator[T]:
        raise KeyboardInterrupt
        yield from iterable

    with pytest.raises(KeyboardInterrupt):
        bulk(range(1000), work, size=1, at_once=2, progress=interrupted)
    assert len(begun) <= 2


@pytest.mark.parametrize("options", [{"size": 0}, {"at_once": 0}, {"at_once": -1}])
def test_settings_that_are_no_settings_are_refused(
    simulate: Simulate, options: dict[str, Any]
) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, got "):
        bulk([1], halves, **options)
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, got "):
        simulate(abulk([1], ahalves, **options))
