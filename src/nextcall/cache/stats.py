"""What a cache has done so far."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

EVENTS: Final = ("hits", "misses", "evicted", "expired", "invalidated", "doubted")
"""What becomes of values that a cache keeps, and of those that are looked for."""

Place: TypeAlias = "memoryview[float] | array[float]"
"""One number, at index 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """Counts of one cache since it was made.

    Examples
    --------
    >>> stats = CacheStats(
    ...     entries=1, size_bytes=2_000_000, hits=3, misses=1, evicted=0, expired=0, invalidated=0,
    ...     doubted=0,
    ... )
    >>> stats.hit_rate, stats.megabytes
    (0.75, 2.0)
    """

    entries: int
    """That are kept now."""
    size_bytes: int
    """Of keys and values, estimated."""
    hits: int
    misses: int
    """Expired values count as missing."""
    evicted: int
    """Let go for room, though they had not expired."""
    expired: int
    """Let go for their age."""
    invalidated: int
    doubted: int
    """Let go because nobody knows which are invalid: what was told of that is lost."""

    @property
    def hit_rate(self) -> float:
        """Share of hits, in [0, 1]; ``nan`` where nothing was asked."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else float("nan")

    @property
    def megabytes(self) -> float:
        """Size in units of a million bytes."""
        return self.size_bytes / 1e6


class CacheCounts:
    """The events of one cache, each in a place of its own; to be changed under the cache's lock.

    Parameters
    ----------
    place : callable, optional
        Gives the place of an event, which nobody else changes; memory of this process without it.

    Examples
    --------
    >>> counts = CacheCounts()
    >>> counts.hits[0] += 2
    >>> there = {event: array("d", [0.0]) for event in EVENTS}
    >>> counts = counts.moved(there.__getitem__)
    >>> counts.hits[0] += 1
    >>> there["hits"][0], counts.told()["hits"], counts.told()["misses"]
    (3.0, 3, 0)
    """

    __slots__ = EVENTS

    def __init__(self, place: Callable[[str], Place] | None = None) -> None:
        of = place or (lambda _: array("d", [0.0]))
        self.hits, self.misses = of("hits"), of("misses")
        self.evicted, self.expired = of("evicted"), of("expired")
        self.invalidated, self.doubted = of("invalidated"), of("doubted")

    def moved(self, place: Callable[[str], Place]) -> "CacheCounts":
        """Go on in other places, with what was counted so far; these begin anew."""
        there = CacheCounts(place)
        for event in EVENTS:
            moved(getattr(self, event), getattr(there, event))
        return there

    def told(self) -> dict[str, int]:
        """Give the counts until now, by event."""
        return {event: int(getattr(self, event)[0]) for event in EVENTS}


def moved(before: Place, there: Place) -> Place:
    """Add a number to another one, in whose place it is counted on; give that."""
    number, before[0] = before[0], 0.0  # so that it is nowhere counted twice
    there[0] += number
    return there
