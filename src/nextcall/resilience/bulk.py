"""Many items done in batches, several at once; what fails is told, and stops nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

from nextcall.progress import Progress, silent
from nextcall.resilience.categories import categorise
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import check
from nextcall.resilience.retry import Retry

Q = TypeVar("Q")
A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)

_ONCE = Retry(tries=1)
_DESCRIPTION = "Doing batches"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkFailure:
    """An item that failed, by its place among all, from 0."""

    index: int
    category: Category
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult(Generic[A_co]):
    """Answers by the place of their item, from 0, and what failed; each in order."""

    answers: Mapping[int, A_co]
    failures: tuple[BulkFailure, ...]


def bulk(
    items: Sequence[Q],
    work: Callable[[Sequence[Q]], Sequence[A | Exception]],
    *,
    size: int = 100,
    at_once: int = 5,
    retry: Retry = _ONCE,
    progress: Progress = silent,
) -> BulkResult[A]:
    """Do items in batches, by threads that know the deadline in force.

    Where a batch fails, all of its items do; where the deadline has passed, those that are left.

    Parameters
    ----------
    items : sequence
    work : callable
        Takes items; gives an answer for each, in order. One that is an `Exception` is the failure
        of its item.
    size : int
        Items of a batch.
    at_once : int
        Batches that are done at the same time.
    retry : Retry
        For each batch; by default it is done once.
    progress : Progress
        Wraps the batches.

    Raises
    ------
    ValueError
        Where `size` or `at_once` is below 1.

    Examples
    --------
    >>> def halves(numbers):
    ...     return [n // 2 if n % 2 == 0 else ValueError(f"{n} is odd") for n in numbers]
    >>> result = bulk([4, 5, 6], halves, size=2)
    >>> result.answers, [(failure.index, str(failure.error)) for failure in result.failures]
    ({0: 2, 2: 3}, [(1, '5 is odd')])
    """
    begins = _begins(items, size, at_once)

    def do(begin: int) -> "_Done[A]":
        batch = items[begin : begin + size]
        try:
            check()
            return _answered(begin, batch, retry.call(lambda: work(batch)))
        except Exception as error:  # noqa: BLE001  # it is told, by item
            return _failed(begin, batch, error)

    with ThreadPoolExecutor(at_once, thread_name_prefix="bulk") as threads:
        futures = [threads.submit(copy_context().run, do, begin) for begin in begins]
        try:
            completed = progress(
                as_completed(futures), description=_DESCRIPTION, total=len(futures)
            )
            return _result([future.result() for future in completed])
        finally:  # where somebody interrupts, those that have not begun
            threads.shutdown(wait=False, cancel_futures=True)


async def abulk(
    items: Sequence[Q],
    work: Callable[[Sequence[Q]], Awaitable[Sequence[A | Exception]]],
    *,
    size: int = 100,
    at_once: int = 5,
    retry: Retry = _ONCE,
    progress: Progress = silent,
) -> BulkResult[A]:
    """Do items in batches, by tasks of the event loop; as `bulk`."""
    begins, turn = _begins(items, size, at_once), asyncio.Semaphore(at_once)

    async def do(begin: int) -> "_Done[A]":
        batch = items[begin : begin + size]
        async with turn:
            try:
                check()
                return _answered(begin, batch, await retry.acall(lambda: work(batch)))
            except Exception as error:  # noqa: BLE001  # as above
                return _failed(begin, batch, error)

    tasks = [asyncio.create_task(do(begin)) for begin in begins]
    try:
        completed = progress(
            asyncio.as_completed(tasks), description=_DESCRIPTION, total=len(tasks)
        )
        return _result([await task for task in completed])
    finally:  # where somebody leaves, those that have not ended
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


_Done = list[tuple[int, A | Exception]]


def _begins(items: Sequence[Q], size: int, at_once: int) -> range:
    for name, value in (("size", size), ("at_once", at_once)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}.")
    return range(0, len(items), size)


def _answered(begin: int, batch: Sequence[Q], answers: Sequence[A | Exception]) -> "_Done[A]":
    if len(answers) != len(batch):
        raise ValueError(f"answers must be as many as the {len(batch)} items, got {len(answers)}.")
    return list(enumerate(answers, begin))


def _failed(begin: int, batch: Sequence[Q], error: Exception) -> "_Done[A]":
    return [(index, error) for index in range(begin, begin + len(batch))]


def _result(batches: Sequence["_Done[A]"]) -> BulkResult[A]:
    done = sorted(((index, each) for batch in batches for index, each in batch), key=lambda x: x[0])
    return BulkResult(
        answers={index: each for index, each in done if not isinstance(each, Exception)},
        failures=tuple(
            BulkFailure(index=index, category=categorise(each), error=each)
            for index, each in done
            if isinstance(each, Exception)
        ),
    )
