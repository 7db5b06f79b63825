"""A cache that computes what it does not have, once for all who ask."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final, Generic, Literal, Protocol, TypeVar

from nextcall.cache.cache import Cache
from nextcall.cache.single_flight import SingleFlight

V = TypeVar("V")


class Missing(Enum):
    """What stands for no value, where None may be one."""

    MISSING = 0


MISSING: Final[Literal[Missing.MISSING]] = Missing.MISSING


class Computes(Protocol[V]):
    """Gives the value of a key, and computes it where there is none."""

    def get_or_compute(self, key: str, compute: Callable[[], V]) -> V:
        """Give the value of a key, computed where it is not kept."""
        ...

    async def get_or_compute_async(self, key: str, compute: Callable[[], Awaitable[V]]) -> V:
        """Do the same from a task of asyncio."""
        ...


class ComputingCache(Generic[V]):
    """A cache of one process, and one computation at a time for each of its keys.

    A value whose key is invalidated while it is computed is given to those who waited for it
    before that, and not kept; who asks after that waits for another computation.

    Parameters
    ----------
    cache : Cache
        May be used beside it.
    is_own : callable, optional
        As that of `SingleFlight`.

    Examples
    --------
    >>> squares = ComputingCache(Cache[int](ttl=60, entries=10))
    >>> squares.get_or_compute("3", lambda: 3 * 3), squares.get_or_compute("3", lambda: 0)
    (9, 9)
    """

    def __init__(
        self, cache: Cache[V], *, is_own: Callable[[Exception], bool] = lambda _: False
    ) -> None:
        self.cache = cache
        self.flight = SingleFlight[V](is_own=is_own)

    def get_or_compute(self, key: str, compute: Callable[[], V]) -> V:
        """Give the value of a key, computed where it is not kept; a failure reaches all."""
        value = self.cache.get(key, MISSING)
        if value is not MISSING:
            return value

        def fill() -> V:
            mark = self.cache.mark
            found = self.cache.peek(key, MISSING)  # another may have ended just before
            if found is not MISSING:
                return found
            computed = compute()
            self.cache.put(key, computed, since=mark)
            return computed

        return self.flight.run(f"{self.cache.mark} {key}", fill)

    async def get_or_compute_async(self, key: str, compute: Callable[[], Awaitable[V]]) -> V:
        """Do as `get_or_compute` from a task of asyncio; both share computations."""
        value = self.cache.get(key, MISSING)
        if value is not MISSING:
            return value

        async def fill() -> V:
            mark = self.cache.mark
            found = self.cache.peek(key, MISSING)
            if found is not MISSING:
                return found
            computed = await compute()
            self.cache.put(key, computed, since=mark)
            return computed

        return await self.flight.run_async(f"{self.cache.mark} {key}", fill)
