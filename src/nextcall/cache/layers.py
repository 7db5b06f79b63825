"""The layers of a process: one cache for each kind of value, with settings of its own."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nextcall.cache.cache import Cache
from nextcall.cache.stats import CacheStats

_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Settings of one cache."""

    category: str
    """What it holds; its name among the layers."""
    ttl: float
    """Seconds for which a value is kept."""
    entries: int
    """The most that are kept."""
    max_bytes: int | None = None
    """The most that they may take."""


LAYERS: Final = (
    Layer(category="embedding", ttl=24 * _HOUR, entries=10_000),
    Layer(category="prompt", ttl=_HOUR, entries=1_000),
    Layer(category="query", ttl=_HOUR / 2, entries=5_000),
    Layer(category="general", ttl=_HOUR, entries=1_000),
)
"""Layers unless told: vectors of texts, what is known of prompts alone, answers, and all else."""


class Caches:
    """The caches of a process, by category.

    Parameters
    ----------
    layers : sequence of Layer
        Each of another category.
    clock : callable
        Seconds that never go back.

    Examples
    --------
    >>> caches = Caches()
    >>> list(caches)
    ['embedding', 'prompt', 'query', 'general']
    >>> caches["query"].put("aws:s3", [1, 2])
    True
    >>> caches.invalidate(pattern="aws:*"), caches.invalidate(category="prompt")
    (1, 0)
    """

    def __init__(
        self, layers: Sequence[Layer] = LAYERS, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        # Values of all kinds: who uses a layer knows what it holds.
        self._caches: dict[str, Cache[Any]] = {
            layer.category: Cache(
                ttl=layer.ttl, entries=layer.entries, max_bytes=layer.max_bytes, clock=clock
            )
            for layer in layers
        }
        if len(self._caches) < len(layers):
            names = ", ".join(layer.category for layer in layers)
            raise ValueError(f"layers must be of different categories, got {names}.")

    def __getitem__(self, category: str) -> Cache[Any]:
        return self._caches[category]

    def __iter__(self) -> Iterator[str]:
        return iter(self._caches)

    def invalidate(self, *, category: str | None = None, pattern: str | None = None) -> int:
        """Forget a category, what matches a pattern of `fnmatch` in it or in all, or everything.

        Returns
        -------
        int
            How many values were forgotten.

        Raises
        ------
        ValueError
            Where there is no such category.
        """
        if category is not None and category not in self._caches:
            known = ", ".join(self._caches)
            raise ValueError(f"category must be one of {known}, got {category!r}.")
        chosen = self._caches.values() if category is None else (self._caches[category],)
        if pattern is None:
            return sum(cache.clear() for cache in chosen)
        return sum(cache.invalidate_pattern(pattern) for cache in chosen)

    def stats(self) -> dict[str, CacheStats]:
        """Give what each has done so far, by category."""
        return {category: cache.stats for category, cache in self._caches.items()}
