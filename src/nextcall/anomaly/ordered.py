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


def check_in_order(
    rings: NDArray[np.float64], ordered: NDArray[np.float64], kept: NDArray[np.float64]
) -> None:
    """Refuse rows whose values in order are not those that came: one that goes would not be found.

    Parameters
    ----------
    rings : array of shape (n_rows, width)
        Values as they came, finite.
    ordered : array of shape (n_rows, width)
        The same in ascending order.
    kept : array of shape (n_rows,)
        How many of them count, from the first; `width` at most.

    Raises
    ------
    ValueError
        Where they differ, or a row would hold more than it can.
    """
    width = rings.shape[1]
    if (kept > width).any():
        raise ValueError(f"a row of its states keeps more values than {width}")
    left_out = np.arange(width) >= kept[:, np.newaxis]
    as_they_came = np.sort(np.where(left_out, np.inf, rings), axis=1)
    if not np.array_equal(as_they_came, np.where(left_out, np.inf, ordered)):
        raise ValueError("the ordered values of its states are not those that came")
