"""A cache in the memory of one process: the least recently used goes first, the old go anyway."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from sys import getsizeof
from typing import Final, Generic, TypeVar, overload

from nextcall.cache.rules import Invalidations, Rule
from nextcall.cache.sizes import size_of
from nextcall.cache.stats import CacheCounts, CacheStats, Place

V = TypeVar("V")
D = TypeVar("D")
_SPARE: Final = 64  # moments of entries that are gone already, beyond as many as there are entries
_Entry = tuple[V, float, int]  # the value, when it expires, its bytes


class Cache(Generic[V]):
    """Values by key, each for `ttl` seconds, at most so many and so large; threads share it.

    Where there is no room the entry that nobody asked for longest goes. Expired ones go before
    that: whenever something is put.

    Parameters
    ----------
    ttl : float
        Seconds for which a value is kept where `put` does not say.
    entries : int
        The most that are kept.
    max_bytes : int, optional
        The most that keys and values may take, by `size`.
    size : callable
        Estimates the bytes of a value. It is asked once a value, by `put`.
    clock : callable
        Seconds that never go back.

    Raises
    ------
    ValueError
        Where a limit is not above 0.

    Examples
    --------
    >>> now = [0.0]
    >>> cache = Cache[str](ttl=60, entries=2, clock=lambda: now[0])
    >>> cache.put("a", "A"), cache.put("b", "B"), cache.get("a"), cache.put("c", "C")
    (True, True, 'A', True)
    >>> [cache.get(key) for key in "abc"]
    ['A', None, 'C']
    >>> now[0] = 60.0
    >>> cache.get("a", "expired")
    'expired'
    """

    def __init__(
        self,
        *,
        ttl: float,
        entries: int,
        max_bytes: int | None = None,
        size: Callable[[V], int] = size_of,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value in (("ttl", ttl), ("entries", entries), ("max_bytes", max_bytes)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}.")
        self.ttl = ttl
        self._most, self._max_bytes = entries, max_bytes
        self._size, self._clock = size, clock
        self._entries: OrderedDict[str, _Entry[V]] = OrderedDict()
        self._moments: list[tuple[float, str]] = []  # a heap of when what expires
        self._lock = threading.Lock()
        self._invalidations = Invalidations(0)
        self._bytes = 0
        self._counts = CacheCounts()

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def get(self, key: str) -> V | None: ...
    @overload
    def get(self, key: str, default: D) -> V | D: ...
    def get(self, key: str, default: D | None = None) -> V | D | None:
        """Give the value of a key, or the default where there is none."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                if entry[1] > self._clock():
                    self._entries.move_to_end(key)
                    self._counts.hits[0] += 1.0
                    return entry[0]
                self._forget(key)
                self._counts.expired[0] += 1.0
            self._counts.misses[0] += 1.0
        return default

    def peek(self, key: str, default: D) -> V | D:
        """Give the value of a key as `get` does, but count nothing and take it for no use."""
        entry = self._entries.get(key)
        return default if entry is None or entry[1] <= self._clock() else entry[0]

    @property
    def mark(self) -> int:
        """Stands for this moment among the invalidations; see `put`."""
        return self._invalidations.newest

    def put(
        self, key: str, value: V, *, ttl: float | None = None, since: int | None = None
    ) -> bool:
        """Keep a value.

        Parameters
        ----------
        key : str
        value : V
        ttl : float, optional
            Seconds, instead of the cache's.
        since : int, optional
            The `mark` from before the value was computed: it is not kept where its key was
            invalidated after that, and what was put since stays.

        Returns
        -------
        bool
            Whether it is kept: not where it is larger than all that may be, or invalid already.
        """
        size, most = self._size(value) + getsizeof(key), self._max_bytes
        with self._lock:
            now = self._clock()
            if self._moments and self._moments[0][0] <= now:
                self._let_go_of_expired(now)
            if since is not None and not self._invalidations.spares(since, key):
                return False
            if key in self._entries:
                self._forget(key)
            if most is not None and size > most:
                return False
            until = now + (self.ttl if ttl is None else ttl)
            if until <= now:
                return False
            self._entries[key] = value, until, size
            self._bytes += size
            heappush(self._moments, (until, key))
            if len(self._moments) > 2 * len(self._entries) + _SPARE:
                self._moments = [(entry[1], each) for each, entry in self._entries.items()]
                heapify(self._moments)
            while len(self._entries) > self._most or (most is not None and self._bytes > most):
                self._forget(next(iter(self._entries)))
                self._counts.evicted[0] += 1.0
        return True

    def invalidate(self, key: str) -> int:
        """Forget the value of a key; give how many were forgotten, 0 or 1."""
        return self.apply((Rule("key", key),))

    def invalidate_pattern(self, pattern: str) -> int:
        """Forget the values whose keys match a pattern of `fnmatch`; give how many there were."""
        return self.apply((Rule("pattern", pattern),))

    def clear(self) -> int:
        """Forget all values; give how many there were."""
        return self.apply((Rule("all"),))

    def apply(self, rules: Sequence[Rule]) -> int:
        """Forget the values of the keys that match one of the rules; give how many there were."""
        with self._lock:
            self._let_go_of_expired(self._clock())
            before, doubted = len(self._entries), 0
            for rule in rules:
                self._invalidations.add(self._invalidations.newest + 1, rule)
                if rule.kind in {"all", "lost"}:
                    doubted += len(self._entries) if rule.kind == "lost" else 0
                    self._entries.clear()
                    self._moments.clear()
                    self._bytes = 0
                elif rule.kind == "key":
                    if rule.text in self._entries:
                        self._forget(rule.text)
                else:
                    for key in [key for key in self._entries if rule.matches(key)]:
                        self._forget(key)
            gone = before - len(self._entries)
            self._counts.invalidated[0] += gone - doubted
            self._counts.doubted[0] += doubted
        return gone

    def count_in(self, place: Callable[[str], Place]) -> None:
        """Count on where others read it: in the places of `EVENTS`; see `CacheCounts`."""
        with self._lock:
            self._counts = self._counts.moved(place)

    @property
    def stats(self) -> CacheStats:
        """Counts until now; what has expired is let go of before."""
        with self._lock:
            self._let_go_of_expired(self._clock())
            return CacheStats(
                entries=len(self._entries),
                size_bytes=self._bytes,
                **self._counts.told(),
            )

    def _forget(self, key: str) -> None:
        self._bytes -= self._entries.pop(key)[2]

    def _let_go_of_expired(self, now: float) -> None:
        moments = self._moments
        while moments and moments[0][0] <= now:
            _, key = heappop(moments)
            entry = self._entries.get(key)
            if entry is not None and entry[1] <= now:  # else it was put again since
                self._forget(key)
                self._counts.expired[0] += 1.0
