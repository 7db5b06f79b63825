"""One number, or the numbers of one histogram, found once and then counted quickly."""

import math
from bisect import bisect_left

from nextcall.telemetry.families import Family
from nextcall.telemetry.slots import Slots


class Count:
    """A counter or a gauge with its labels."""

    __slots__ = ("_lock", "_place", "_rises", "_values")

    def __init__(self, slots: Slots, place: int, *, rises: bool) -> None:
        self._values, self._lock, self._place, self._rises = slots.values, slots.lock, place, rises

    def add(self, amount: float = 1.0) -> None:
        """Add an amount; only a gauge takes one below 0.

        Raises
        ------
        ValueError
            Where the amount is not finite, or below 0 in a counter.
        """
        if not -math.inf < amount < math.inf or (self._rises and amount < 0):
            raise ValueError(f"amount must be finite, and at least 0 in a counter, got {amount}.")
        with self._lock:
            self._values[self._place] += amount


class Histogram:
    """A histogram with its labels."""

    __slots__ = ("_bounds", "_lock", "_place", "_sum", "_values")

    def __init__(self, slots: Slots, place: int, family: Family) -> None:
        self._values, self._lock, self._place = slots.values, slots.lock, place
        self._bounds, self._sum = family.bounds, place + len(family.bounds) + 1

    def observe(self, value: float) -> None:
        """Count a value in its bucket.

        Raises
        ------
        ValueError
            Where it is negative or not finite.
        """
        if not 0.0 <= value < math.inf:
            raise ValueError(f"value must be finite and at least 0, got {value}.")
        with self._lock:
            self._values[self._place + bisect_left(self._bounds, value)] += 1.0
            self._values[self._sum] += value
