"""Requests of many callers answered together, each with its own answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from nextcall.resilience.categories import categorise
from nextcall.resilience.category import Category

Q = TypeVar("Q")
A = TypeVar("A")


class BatcherClosedError(RuntimeError):
    """The batcher takes no more requests."""


@dataclass(frozen=True, slots=True, eq=False)
class _Asked(Generic[Q, A]):
    """A request, and who waits for its answer."""

    request: Q
    answer: "asyncio.Future[A]"


class MicroBatcher(Generic[Q, A]):
    """Answers requests that come at about the same time together, in one event loop.

    A batch is asked when it is full, or `wait` seconds after its first request. Every caller gets
    its own answer, or its own error: where a batch fails for what one of it asks (validation,
    fatal), each of its requests is asked alone. A caller that is cancelled leaves the others as
    they are; a request that is cancelled before its batch is asked is not asked.

    A batch serves many: it runs outside the deadline, and all other context, of each of them.

    Parameters
    ----------
    ask : callable
        Takes requests; gives an answer for each, in order, by an awaitable. An answer that is an
        `Exception` is raised to its caller.
    largest : int
        Requests of a batch at most.
    wait : float
        Seconds that the first of a batch waits for others, at most.

    Examples
    --------
    >>> async def doubles(numbers):
    ...     return [2 * number for number in numbers]
    >>> async def main():
    ...     async with MicroBatcher(doubles, largest=3) as batcher:
    ...         return await asyncio.gather(*map(batcher.ask, [1, 2, 3]))
    >>> asyncio.run(main())
    [2, 4, 6]
    """

    def __init__(
        self,
        ask: Callable[[Sequence[Q]], Awaitable[Sequence[A | Exception]]],
        *,
        largest: int = 10,
        wait: float = 0.1,
    ) -> None:
        if largest < 1:
            raise ValueError(f"largest must be at least 1, got {largest}.")
        if not wait >= 0:
            raise ValueError(f"wait must be at least 0, got {wait}.")
        self._ask, self._largest, self._wait = ask, largest, wait
        self._waiting = list[_Asked[Q, A]]()
        self._timer: asyncio.TimerHandle | None = None
        self._batches = set[asyncio.Task[None]]()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ask(self, request: Q) -> A:
        """Give the answer to a request.

        Raises
        ------
        BatcherClosedError
            Where it was closed before.
        Exception
            What the request failed with.
        """
        if self._closed:
            raise BatcherClosedError("a batcher that is closed takes no requests.")
        loop = asyncio.get_running_loop()
        asked: _Asked[Q, A] = _Asked(request, loop.create_future())
        self._waiting.append(asked)
        if len(self._waiting) >= self._largest:
            self._send()
        elif self._timer is None:
            self._timer = loop.call_later(self._wait, self._send)
        try:
            return await asked.answer
        finally:
            if asked in self._waiting:  # cancelled
                self._waiting.remove(asked)
                if not self._waiting:
                    self._stop_timer()

    async def close(self) -> None:
        """Take no more requests, and wait until those that came are answered."""
        self._closed = True
        if self._waiting:
            self._send()
        while self._batches:
            await asyncio.wait(self._batches)

    def _send(self) -> None:
        self._stop_timer()
        batch, self._waiting = self._waiting, []
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._answer(batch), context=Context())
        self._batches.add(task)
        task.add_done_callback(self._batches.discard)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _answer(self, batch: Sequence[_Asked[Q, A]]) -> None:
        """Ask for a batch, and give each caller its own."""
        try:
            answers = await self._ask([asked.request for asked in batch])
            _check(batch, answers)
        except Exception as error:  # noqa: BLE001  # it reaches those who wait
            if len(batch) > 1 and categorise(error) in {Category.VALIDATION, Category.FATAL}:
                for asked in batch:
                    await self._answer([asked])
                return
            answers = [error] * len(batch)
        except BaseException:
            _give(batch, [RuntimeError("the batch was cancelled.")] * len(batch))
            raise
        _give(batch, answers)


def _check(batch: Sequence[object], answers: Sequence[object]) -> None:
    if len(answers) != len(batch):
        raise ValueError(
            f"answers must be as many as the {len(batch)} requests, got {len(answers)}."
        )


def _give(batch: Sequence[_Asked[Q, A]], answers: Sequence[A | Exception]) -> None:
    for asked, answer in zip(batch, answers, strict=True):
        if asked.answer.done():  # the caller was cancelled
            continue
        if isinstance(answer, Exception):
            asked.answer.set_exception(answer)
        else:
            asked.answer.set_result(answer)
