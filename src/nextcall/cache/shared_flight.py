"""One computation for all workers who wait for the same key: a lock in Redis, and a value there."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from functools import partial
from typing import Final, Generic, TypeVar

from nextcall.cache.computing import MISSING, Missing
from nextcall.cache.failures import Failures, TextFailures
from nextcall.cache.redis_tier import Reading, TierUnavailableError, new_token
from nextcall.cache.single_flight import SingleFlight
from nextcall.cache.tiers import Tiers

T = TypeVar("T")
V = TypeVar("V")
_FIRST_PAUSE: Final = 0.005  # seconds between two looks of one who waits
_LONGEST_PAUSE: Final = 0.05


class ComputingTiers(Generic[V]):
    """Memory and Redis, and one computation at a time for each key in all workers.

    The first worker holds a lock for 30 s, unless told; the others look for the value every few
    milliseconds. A failure reaches those who waited for this very computation, and nobody who comes
    later. One that is of the first alone reaches nobody: the others compute, one after the other.
    Where the first is gone the lock ends, and another computes. While Redis is away each worker
    computes for itself.

    Parameters
    ----------
    tiers : Tiers
        May be used beside it.
    failures : Failures, optional
        Tells failures; by their text unless given.
    """

    def __init__(self, tiers: Tiers[V], *, failures: Failures | None = None) -> None:
        self.tiers = tiers
        self.failures = failures or TextFailures()
        self.flight = SingleFlight[V](is_own=lambda error: self.failures.told(error) is None)

    def get_or_compute(self, key: str, compute: Callable[[], V]) -> V:
        """Give the value of a key, computed where neither tier has it.

        Raises
        ------
        SharedFailureError, or another of `failures`
            Where another worker computed it, and failed. What fails here is raised as it is.
        """
        tiers = self.tiers
        tiers.look()
        value = tiers.memory.get(key, MISSING)
        if value is not MISSING:
            return value

        def fill() -> V:
            visit = _Visit(tiers, key, self.failures)
            while (found := visit.look()) is _Turn.WAITS:
                time.sleep(visit.pause)
            if not isinstance(found, _Turn):
                return found
            try:
                computed = compute()
            except BaseException as error:
                visit.leave(error)
                raise
            visit.bring(computed)
            return computed

        return self.flight.run(f"{tiers.memory.mark} {key}", fill)

    async def get_or_compute_async(self, key: str, compute: Callable[[], Awaitable[V]]) -> V:
        """Do as `get_or_compute` from a task of asyncio; Redis is asked in threads."""
        tiers = self.tiers
        if tiers.is_due:
            await _in_thread(tiers.look)
        value = tiers.memory.get(key, MISSING)
        if value is not MISSING:
            return value

        async def fill() -> V:
            visit = _Visit(tiers, key, self.failures)
            try:
                while (found := await _in_thread(visit.look)) is _Turn.WAITS:  # noqa: ASYNC110  # for others
                    await asyncio.sleep(visit.pause)
                if not isinstance(found, _Turn):
                    return found
                computed = await compute()
            except BaseException as error:
                await _in_thread(partial(visit.leave, error))
                raise
            await _in_thread(partial(visit.bring, computed))
            return computed

        return await self.flight.run_async(f"{tiers.memory.mark} {key}", fill)


class _Turn(Enum):
    """What one who asked does next."""

    COMPUTES = 1
    WAITS = 2


class _Visit(Generic[V]):
    """One worker's way from a key that is not in memory to its value."""

    def __init__(self, tiers: Tiers[V], key: str, failures: Failures) -> None:
        self._tiers, self._key, self._failures = tiers, key, failures
        self._mark, self._since = tiers.memory.mark, tiers.newest
        self._token = new_token()
        self._waits_for: bytes | None = None
        self._has_lock = False
        self.pause = _FIRST_PAUSE

    def look(self) -> V | _Turn:
        """Look for the value once, and for who computes it; take the lock where nobody does.

        Raises
        ------
        Exception
            As `failures` make it, where it failed in another worker.
        """
        tiers = self._tiers
        found = tiers.memory.peek(self._key, MISSING)
        if found is not MISSING:
            return found
        if not tiers.look():
            return _Turn.COMPUTES
        self._mark, self._since = tiers.memory.mark, tiers.newest
        value, reading = self._read()
        if value is not MISSING:
            return value
        if reading is None:
            return _Turn.COMPUTES
        if reading.failure is not None:
            raise self._failures.heard(reading.failure)
        if reading.holder is None:
            return self._take()
        self._wait_for(reading.holder)
        return _Turn.WAITS

    def bring(self, value: V) -> None:
        """Keep a value that was computed, and let the others have it."""
        tiers = self._tiers
        try:
            if self._has_lock:
                tiers.write(self._key, value, since=self._since)
        finally:
            self._unlock("")
        tiers.memory.put(self._key, value, since=self._mark)

    def leave(self, error: BaseException) -> None:
        """Let another compute; tell those who wait where it failed for all."""
        told = self._failures.told(error) if isinstance(error, Exception) else None
        self._unlock(told or "")

    def _read(self) -> tuple[V | Missing, Reading | None]:
        return self._tiers.read(self._key, mark=self._mark, waiting_for=self._waits_for)

    def _take(self) -> V | _Turn:
        tiers = self._tiers
        try:
            holder = tiers.shared.lock(self._key, self._token)
        except TierUnavailableError:
            tiers.lose()
            return _Turn.COMPUTES
        if holder != self._token:
            self._wait_for(holder)
            return _Turn.WAITS
        self._has_lock = True
        self._waits_for = self._token
        value, _ = self._read()  # another may have ended just before
        if value is not MISSING:
            self._unlock("")
            return value
        return _Turn.COMPUTES

    def _wait_for(self, holder: bytes) -> None:
        if holder != self._waits_for:
            self._waits_for, self.pause = holder, _FIRST_PAUSE
        self.pause = min(1.5 * self.pause, _LONGEST_PAUSE)

    def _unlock(self, failure: str) -> None:
        if not self._has_lock:
            return
        self._has_lock = False
        try:
            self._tiers.shared.unlock(self._key, self._token, failure=failure)
        except TierUnavailableError:
            self._tiers.lose()


async def _in_thread(call: Callable[[], T]) -> T:
    """Run what waits for Redis in a thread; where this is cancelled, first let it end.

    So the lock that a thread has just taken is known, and let go of.
    """
    running = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        running.exception()  # which nobody hears of any more
        raise
