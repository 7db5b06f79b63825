"""Calls one after the other, or of many users at once, each timed, until a number or a time."""

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeAlias

import anyio

from nextcall.performance.figures import Samples
from nextcall.progress import Progress, silent

Call: TypeAlias = Callable[[], Awaitable[object]]
Clock: TypeAlias = Callable[[], float]

FAILURES: Final = (ValueError, OSError, TimeoutError)
"""What counts as a call that failed, where nothing else is said."""


class Budget:
    """Time for some parts, of which each gets an equal share of what is left.

    Parameters
    ----------
    seconds : float or None
        For all; None is without end.
    parts : int
    clock : callable
        Seconds that never go back.

    Examples
    --------
    >>> now = [0.0]
    >>> budget = Budget(10.0, 2, clock=lambda: now[0])
    >>> budget.until()
    5.0
    >>> now[0] = 2.0  # the first part needed less
    >>> budget.until()
    10.0
    """

    def __init__(
        self, seconds: float | None, parts: int, *, clock: Clock = time.perf_counter
    ) -> None:
        self.clock = clock
        self._end = None if seconds is None else clock() + seconds
        self._parts = parts

    def until(self) -> float:
        """Give the moment at which the next part ends, by the clock."""
        left, self._parts = max(self._parts, 1), self._parts - 1
        if self._end is None:
            return float("inf")
        now = self.clock()
        return now + max(self._end - now, 0.0) / left


async def repeated(
    call: Call,
    repeats: int,
    budget: Budget,
    *,
    users: int = 1,
    failures: tuple[type[Exception], ...] = FAILURES,
    description: str = "calls",
    progress: Progress = silent,
) -> Samples:
    """Call again and again, and time each.

    Parameters
    ----------
    call : callable
        Makes what is awaited.
    repeats : int
        How often, of all users together; at least 1.
    budget : Budget
        Its next share is used; one call is made however little is left.
    users : int
        Calls that are under way at once; at least 1.
    failures : tuple of exception types
        Count as errors; any other ends it.
    description : str
        For the progress.
    progress : Progress

    Raises
    ------
    ValueError
        Where there is nothing to repeat.
    """
    for name, value in (("repeats", repeats), ("users", users)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}.")
    clock = budget.clock
    turns = _turns(repeats, clock, budget.until())
    shared = iter(progress(turns, description=description, total=repeats))
    timed = _Timed(call, failures, clock)
    start = clock()
    async with anyio.create_task_group() as group:
        for _ in range(min(users, repeats) - 1):
            group.start_soon(timed.ask, shared)
        await timed.ask(shared)
    return Samples(seconds=timed.seconds, errors=timed.errors, elapsed=clock() - start)


def _turns(repeats: int, clock: Clock, until: float) -> Iterator[int]:
    for turn in range(repeats):
        if turn and clock() >= until:
            return
        yield turn


class _Timed:
    """What one user does, for all of them."""

    def __init__(self, call: Call, failures: tuple[type[Exception], ...], clock: Clock) -> None:
        self._call, self._failures, self._clock = call, failures, clock
        self.seconds, self.errors = list[float](), 0

    async def ask(self, turns: Iterator[int]) -> None:
        """Call as long as there are turns, which all users share."""
        for _ in turns:
            begin = self._clock()
            try:
                await self._call()
            except self._failures:
                self.errors += 1
            else:
                self.seconds.append(self._clock() - begin)
