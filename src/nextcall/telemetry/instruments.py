"""One number, or the numbers of one histogram, found once and then counted quickly."""

import math
import threading
from array import array
from bisect import bisect_left
from typing import Self

from nextcall.telemetry.families import Family
from nextcall.telemetry.slots import Slots


class Count:
    """A counter or a gauge with its labels, as this worker has it.

    Examples
    --------
    >>> lost = Count.alone()
    >>> lost.rise()
    >>> lost.add(2)
    >>> lost.set(1)  # a counter never falls
    >>> lost.own
    3.0
    """

    __slots__ = ("_lock", "_place", "_rises", "_values")

    def __init__(
        self,
        values: "memoryview[float] | array[float]",
        lock: threading.Lock,
        place: int,
        *,
        rises: bool,
    ) -> None:
        self._values, self._lock, self._place, self._rises = values, lock, place, rises

    @classmethod
    def alone(cls) -> Self:
        """Make a counter that nobody else reads, for whoever is given none."""
        return cls(array("d", [0.0]), threading.Lock(), 0, rises=True)

    def rise(self) -> None:
        """Add one, as fast as it goes."""
        with self._lock:
            self._values[self._place] += 1.0

    def add(self, amount: float = 1.0) -> None:
        """Add an amount; only a gauge takes one below 0. What is untold counts as 0.

        Raises
        ------
        ValueError
            Where the amount is not finite, or below 0 in a counter.
        """
        if not -math.inf < amount < math.inf or (self._rises and amount < 0):
            raise ValueError(f"amount must be finite, and at least 0 in a counter, got {amount}.")
        with self._lock:
            if not self._rises and math.isinf(self._values[self._place]):
                self._values[self._place] = 0.0
            self._values[self._place] += amount

    def set(self, value: float) -> None:
        """Take the number that is counted elsewhere; a counter passes over one that is lower.

        Raises
        ------
        ValueError
            Where it is not finite.
        """
        if not -math.inf < value < math.inf:
            raise ValueError(f"value must be finite, got {value}.")
        with self._lock:
            if not self._rises or value > self._values[self._place]:
                self._values[self._place] = value

    def instead_of(self, before: "Count") -> Self:
        """Go on from what another counted, in its place; give itself."""
        if before is not self:
            self.add(before.own)
        return self

    @property
    def own(self) -> float:
        """The number of this worker."""
        return self._values[self._place]


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
