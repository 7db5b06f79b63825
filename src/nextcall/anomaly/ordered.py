"""Values kept in ascending order while they come and go."""

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled


@compiled()
def quantile(ordered: NDArray[np.float64], count: int, share: float) -> float:
    """Interpolate linearly between the first `count` of sorted values."""
    place = share * (count - 1)
    below = int(place)
    above = min(below + 1, count - 1)
    low, high = ordered[below], ordered[above]
    return float(low + (place - below) * (high - low))


@compiled()
def put_in_order(ordered: NDArray[np.float64], count: int, old: float, value: float) -> None:
    """Put a value among the first `count` of sorted values; in the place of `old` where all are."""
    hole = count
    if count == len(ordered):
        hole = 0
        for place in range(count):
            hole += int(ordered[place] < old)
    while hole + 1 < count and ordered[hole + 1] < value:
        ordered[hole] = ordered[hole + 1]
        hole += 1
    while hole > 0 and ordered[hole - 1] > value:
        ordered[hole] = ordered[hole - 1]
        hole -= 1
    ordered[hole] = value
