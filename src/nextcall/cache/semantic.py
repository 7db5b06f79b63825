"""Answers to prompts that mean the same: near by their vectors, and of the same content words."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from nextcall.cache.content_words import content_words
from nextcall.cache.sizes import size_of
from nextcall.cache.stats import CacheCounts, CacheStats, Place

V = TypeVar("V")
_NORM_TOLERANCE: Final = 1e-3  # of a square; single precision leaves 1e-6


class Scope(NamedTuple):
    """What must be the same for an answer to be given again."""

    caller_class: str
    """Those who may see each other's answers, such as a role or one user."""
    catalog_hash: str
    model_hash: str
    k: int
    """How many predictions were asked for."""
    history: tuple[str, ...] = ()
    """Calls so far, as the answer depends on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticHit(Generic[V]):
    """An answer that was kept."""

    value: V
    cosine: float
    """Of its prompt's vector and the one asked with."""


@dataclass(slots=True)
class _Entry(Generic[V]):
    place: tuple[Scope, tuple[str, ...]]
    value: V
    until: float
    size: int


class SemanticCache(Generic[V]):
    """Answers by the meaning of their prompts, within a scope; threads share it.

    Vectors alone take "enable X" for "disable X", so prompts must have the same `content_words`
    too. Those are an index: only the vectors that share them are looked at, by one matrix product.

    Parameters
    ----------
    dimensions : int
        Length of the vectors.
    threshold : float
        Least cosine of two prompts, in (0, 1].
    ttl : float
        Seconds for which an answer is kept.
    entries : int
        The most that are kept; of more, the one that nobody asked for longest goes. Their vectors
        take ``4 * dimensions`` bytes each, once they are filled.
    clock : callable
        Seconds that never go back.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> cache = SemanticCache[str](dimensions=2)
    >>> scope = Scope(caller_class="user", catalog_hash="c", model_hash="m", k=3)
    >>> vector = np.array([0.6, 0.8], dtype=np.float32)
    >>> cache.put(scope, "To describe your key pairs", vector, "ec2:DescribeKeyPairs")
    True
    >>> cache.get(scope, "Please describe the key pairs.", vector).value
    'ec2:DescribeKeyPairs'
    >>> cache.get(scope, "Please delete the key pairs.", vector)
    """

    def __init__(
        self,
        *,
        dimensions: int,
        threshold: float = 0.95,
        ttl: float = 3600.0,
        entries: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value in (("dimensions", dimensions), ("ttl", ttl), ("entries", entries)):
            if not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}.")
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, got {threshold}.")
        self._threshold, self._ttl, self._clock = threshold, ttl, clock
        self._vectors = np.empty((entries, dimensions), dtype=np.float32)
        self._free = list(range(entries - 1, -1, -1))
        self._entries: dict[int, _Entry[V]] = {}  # by row, the oldest first
        self._used = OrderedDict[int, None]()  # rows, the least recently used first
        self._rows: dict[tuple[Scope, tuple[str, ...]], list[int]] = {}
        self._lock = threading.Lock()
        self._bytes = self._mark = 0
        self._counts = CacheCounts()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, scope: Scope, prompt: str, vector: NDArray[np.float32]) -> SemanticHit[V] | None:
        """Give the answer of the nearest prompt that means the same, where one is near enough.

        Parameters
        ----------
        scope : Scope
        prompt : str
        vector : array of shape (dimensions,)
            Of the prompt; norm 1.

        Raises
        ------
        ValueError
            Where the vector has another shape or norm.
        """
        self._check(vector)
        place = scope, content_words(prompt)
        with self._lock:
            row, cosine = self._nearest(place, vector)
            if row is None:
                self._counts.misses[0] += 1.0
                return None
            self._counts.hits[0] += 1.0
            self._used.move_to_end(row)
            return SemanticHit(value=self._entries[row].value, cosine=cosine)

    @property
    def mark(self) -> int:
        """Stands for this moment among the invalidations; see `put`."""
        return self._mark

    def put(
        self,
        scope: Scope,
        prompt: str,
        vector: NDArray[np.float32],
        value: V,
        *,
        since: int | None = None,
    ) -> bool:
        """Keep an answer, in the place of one whose prompt means the same.

        Parameters
        ----------
        since : int, optional
            The `mark` from before the answer was made: it is not kept where anything was
            invalidated after that.

        Returns
        -------
        bool
            Whether it is kept: not where the prompt has no content words, or it is invalid already.

        Raises
        ------
        ValueError
            As `get`.
        """
        self._check(vector)
        place = scope, content_words(prompt)
        if not place[1]:
            return False
        size = size_of(value) + size_of(place) + 4 * len(vector)
        with self._lock:
            if since is not None and since != self._mark:
                return False
            same, _ = self._nearest(place, vector)
            if same is not None:
                self._forget(same)
            elif not self._free:
                self._forget(next(iter(self._used)))
                self._counts.evicted[0] += 1.0
            row = self._free.pop()
            self._vectors[row] = vector
            self._rows.setdefault(place, []).append(row)
            self._used[row] = None
            self._entries[row] = _Entry(place, value, self._clock() + self._ttl, size)
            self._bytes += size
        return True

    def invalidate(self, matches: Callable[[Scope], bool], *, is_doubt: bool = False) -> int:
        """Forget the answers of the scopes that match, such as those of a catalogue; count them.

        Parameters
        ----------
        matches : callable
        is_doubt : bool
            Whether nobody knows which are invalid.
        """
        with self._lock:
            self._mark += 1
            gone = [row for row, entry in self._entries.items() if matches(entry.place[0])]
            for row in gone:
                self._forget(row)
            counted = self._counts.doubted if is_doubt else self._counts.invalidated
            counted[0] += len(gone)
        return len(gone)

    def clear(self) -> int:
        """Forget all; give how many there were."""
        return self.invalidate(lambda _: True)

    def count_in(self, place: Callable[[str], Place]) -> None:
        """Count on where others read it: in the places of `EVENTS`; see `CacheCounts`."""
        with self._lock:
            self._counts = self._counts.moved(place)

    @property
    def stats(self) -> CacheStats:
        """Counts until now; what has expired is let go of before."""
        with self._lock:
            self._let_go_of_expired()
            return CacheStats(
                entries=len(self._entries),
                size_bytes=self._bytes,
                **self._counts.told(),
            )

    def _nearest(
        self, place: tuple[Scope, tuple[str, ...]], vector: NDArray[np.float32]
    ) -> tuple[int | None, float]:
        """Give the row of the nearest vector that is near enough, and its cosine."""
        self._let_go_of_expired()
        rows = self._rows.get(place)
        if not rows:
            return None, 0.0
        if len(rows) == 1:  # most have one: spares the copy that several rows need
            best, cosine = 0, float(self._vectors[rows[0]] @ vector)
        else:
            cosines = self._vectors[rows] @ vector
            best = int(np.argmax(cosines))
            cosine = float(cosines[best])
        return (rows[best], cosine) if cosine >= self._threshold else (None, cosine)

    def _forget(self, row: int) -> None:
        entry = self._entries.pop(row)
        del self._used[row]
        self._bytes -= entry.size
        self._free.append(row)
        rows = self._rows[entry.place]
        rows.remove(row)
        if not rows:
            del self._rows[entry.place]

    def _let_go_of_expired(self) -> None:
        now, entries = self._clock(), self._entries
        while entries and entries[oldest := next(iter(entries))].until <= now:
            self._forget(oldest)
            self._counts.expired[0] += 1.0

    def _check(self, vector: NDArray[np.float32]) -> None:
        shape = (self._vectors.shape[1],)
        if vector.shape != shape:
            raise ValueError(f"vector must be of shape {shape}, got {vector.shape}.")
        square = float(vector @ vector)
        if not abs(square - 1) <= _NORM_TOLERANCE:
            raise ValueError(f"vector must have norm 1, got {square**0.5:.4f}.")
