"""What a cache has done so far."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """Counts of one cache since it was made.

    Examples
    --------
    >>> stats = CacheStats(
    ...     entries=1, size_bytes=2_000_000, hits=3, misses=1, evicted=0, expired=0, invalidated=0
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

    @property
    def hit_rate(self) -> float:
        """Share of hits, in [0, 1]; ``nan`` where nothing was asked."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else float("nan")

    @property
    def megabytes(self) -> float:
        """Size in units of a million bytes."""
        return self.size_bytes / 1e6
