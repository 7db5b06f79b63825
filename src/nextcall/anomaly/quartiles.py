"""Quantiles of the newest values: a ring of them, and the rank of each as a byte."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled

RING: Final = (
    64  # newest values: the quartiles' error is then 0.17 sigma, and they adapt in 64 points
)
LOOK_EVERY: Final = 8  # points from one look at quartiles and trend to the next


@compiled()
def insert(ring: NDArray[np.float64], ranks: NDArray[np.uint8], slot: int, value: float) -> None:
    """Put a value in a slot of the ring, in the place of the one there, and renew all ranks.

    Ranks are places in ascending order, without a gap; values that are equal stand in any order.
    A slot that is not yet in use holds infinity. Both loops become a few vector instructions.
    """
    rank = -int(ring[slot] < value)
    for place in range(RING):
        rank += int(ring[place] < value)
    was, now = ranks[slot], np.uint8(rank)
    for place in range(RING):
        other = np.uint8(ranks[place] - np.uint8(ranks[place] > was))
        ranks[place] = np.uint8(other + np.uint8(other >= now))
    ring[slot] = value
    ranks[slot] = now


@compiled()
def ranked(ring: NDArray[np.float64], ranks: NDArray[np.uint8], rank: int) -> float:
    """Give the value of a rank."""
    wanted = np.uint8(rank)
    slot = np.uint8(0)
    for place in range(RING):
        slot |= np.uint8(place) if ranks[place] == wanted else np.uint8(0)
    return float(ring[slot % RING])


@compiled()
def quantile(
    ring: NDArray[np.float64], ranks: NDArray[np.uint8], count: int, share: float
) -> float:
    """Interpolate linearly between the `count` lowest values."""
    place = share * (count - 1)
    below = int(place)
    low = ranked(ring, ranks, below)
    high = ranked(ring, ranks, min(below + 1, count - 1))
    return low + (place - below) * (high - low)
