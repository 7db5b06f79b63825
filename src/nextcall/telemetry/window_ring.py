"""How the counts of a window lie in memory: a ring of slots of time, each with its buckets."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Memory: TypeAlias = memoryview
"""Bytes of one window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRing:
    """The layout of a window, and what is read of it; another process may write it meanwhile.

    Examples
    --------
    >>> ring = WindowRing(slots=2, buckets=3)
    >>> memory = memoryview(bytearray(ring.size))
    >>> numbers, errors, counts = ring.parts(memory)
    >>> counts[3 * (7 % 2) + 1] = 5
    >>> numbers[7 % 2] = 7 + 1
    >>> ring.counted(memory, newest=8)
    (array([0, 5, 0]), 0)
    >>> ring.counted(memory, newest=9)
    (array([0, 0, 0]), 0)
    """

    slots: int
    """Of time."""
    buckets: int
    """That each slot has."""

    @property
    def size(self) -> int:
        """Bytes, a multiple of 8."""
        return 16 * self.slots + -(-4 * self.slots * self.buckets // 8) * 8

    def parts(self, memory: Memory) -> "tuple[memoryview[int], memoryview[int], memoryview[int]]":
        """Give numbers of slots of time (one more than they are: 0 is none), errors, buckets."""
        ends = 8 * self.slots, 16 * self.slots, 16 * self.slots + 4 * self.slots * self.buckets
        numbers, errors = memory[: ends[0]].cast("q"), memory[ends[0] : ends[1]].cast("q")
        return numbers, errors, memory[ends[1] : ends[2]].cast("I")

    def is_over(self, memory: Memory, *, newest: int) -> bool:
        """Tell whether nothing of it is in the window that ends with a slot of time."""
        return not self._kept(self.parts(memory)[0], newest)

    def counted(self, memory: Memory, *, newest: int) -> tuple[NDArray[np.int64], int]:
        """Sum buckets and errors of the window that ends with a slot of time."""
        if not memory:
            return np.zeros(self.buckets, dtype=np.int64), 0
        numbers, errors, counts = self.parts(memory)
        kept = self._kept(numbers, newest)
        ring = np.frombuffer(counts, dtype=np.uint32).reshape(self.slots, self.buckets)
        return ring[kept].sum(axis=0, dtype=np.int64), sum(errors[place] for place in kept)

    def _kept(self, numbers: Iterable[int], newest: int) -> list[int]:
        return [
            place
            for place, number in enumerate(numbers)
            if newest - self.slots < number - 1 <= newest and number
        ]
