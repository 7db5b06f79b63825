"""Work that is done where it is asked for, while it is short and nobody else waits."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import anyio.to_thread

T = TypeVar("T")

LONGEST: Final = 0.005
"""Seconds of work that is short: the interpreter lets a thread keep others waiting as long."""

_WAITS: Final = 20.0
"""Times the longest: what takes more waits for something; less may be a machine that is busy."""

_FORGETS: Final = 0.8  # of what was expected, a run


async def in_thread(work: Callable[[], T]) -> T:
    """Do work in a thread; where nobody waits for it any more, it ends alone."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


class ShortWork:
    """Does work on the event loop where that is quicker for all, else in a thread.

    The way to a thread and back takes a quarter of a millisecond, and finds other things in the
    processor's caches. So what is alone on its way, and of which the last runs were short, is done
    at once. Whatever comes together goes to threads, side by side; so does the first work, and
    what follows a long one.

    Parameters
    ----------
    longest : float
        Seconds of the processor that work may take on the loop.

    Examples
    --------
    >>> import threading
    >>> async def many(work):
    ...     return [await work.run(threading.current_thread) for _ in range(20)]
    >>> where = asyncio.run(many(ShortWork(longest=60.0)))
    >>> where[0] is threading.main_thread(), where[-1] is threading.main_thread()
    (False, True)
    """

    def __init__(self, *, longest: float = LONGEST) -> None:
        if not longest > 0:
            raise ValueError(f"longest must be above 0, got {longest}.")
        self._longest = longest
        self._expected = 4 * longest  # until some runs were shorter
        self._under_way = 0

    async def alone(self, work: Callable[[], T]) -> T | None:
        """Do work on the loop where that is quicker for all, else not at all: None then."""
        if self._expected >= self._longest or self._under_way:
            return None
        self._under_way += 1
        try:
            await asyncio.sleep(0)  # who came at the same moment is counted then
            return self._timed(work) if self._under_way == 1 else None
        finally:
            self._under_way -= 1

    async def run(
        self,
        work: Callable[[], T],
        *,
        at_once: Callable[[], T] | None = None,
        may_be_short: bool = True,
    ) -> T:
        """Do work.

        Parameters
        ----------
        work : callable
            Is done in a thread.
        at_once : callable, optional
            Is done on the loop in its place, where the work may wait for something outside the
            process.
        may_be_short : bool
            Whether it is like the work whose time is known; else it goes to a thread.
        """
        if not may_be_short:
            return await in_thread(work)
        self._under_way += 1
        try:
            if self._expected < self._longest:
                await asyncio.sleep(0)  # who came at the same moment is counted then
                if self._under_way == 1:
                    return self._timed(at_once or work)
            return await in_thread(partial(self._timed, work))
        finally:
            self._under_way -= 1

    def _timed(self, work: Callable[[], T]) -> T:
        begin, computed = time.perf_counter(), time.thread_time()
        try:
            return work()
        finally:
            taken = time.thread_time() - computed
            seconds = time.perf_counter() - begin
            if seconds > _WAITS * self._longest:
                taken = seconds
            self._expected = max(taken, _FORGETS * self._expected)
