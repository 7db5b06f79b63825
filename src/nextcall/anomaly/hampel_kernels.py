"""Hampel's rule over a row of state a key: the newest values as they came, and in order."""

from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.named_kernels import LARGEST, LEVEL_SHARE
from nextcall.anomaly.ordered import put_in_order, quantile
from nextcall.compiling import compiled

FIRST: Final = 16  # values before the first score, or the whole window where that is smaller
MAD_TO_SIGMA: Final = 1.4826  # of a normal law: 1 / Phi^-1(3/4)
FIELDS: Final = ("score", "actual", "expected", "scale")

# Columns of a state; the ring of the newest values and the same in order follow.
POINTS, MISSING, LATE, TIME, PREVIOUS, STEP = range(6)
RING: Final = 6

_HIGHEST: Final = 1e6  # score


@compiled()
def least_points(state: NDArray[np.float64]) -> int:
    """Count the values that must come before the first score."""
    return min(FIRST, (len(state) - RING) // 2)


@compiled()
def median_deviation(ordered: NDArray[np.float64], count: int, middle: float) -> float:
    """Give the median distance of the first `count` of sorted values from their median.

    Both neighbours of the median are walked outwards, the nearer one first.
    """
    right = 0
    while right < count and ordered[right] < middle:
        right += 1
    left = right - 1
    last = before = 0.0
    for _ in range(count // 2 + 1):
        before = last
        below = middle - ordered[left] if left >= 0 else np.inf
        above = ordered[right] - middle if right < count else np.inf
        if below < above:
            last = below
            left -= 1
        else:
            last = above
            right += 1
    return last if count % 2 == 1 else before + 0.5 * (last - before)


@compiled()
def step(
    state: NDArray[np.float64], value: float, when: float, result: NDArray[np.float64]
) -> float:
    """Compare a value with the window, then remember it; give the score.

    Parameters
    ----------
    state : array of shape (RING + 2 * window,)
        Changed in place; all zero before the first value but `TIME`, which is minus infinity.
    value : float
    when : float
        Seconds, ``nan`` where unknown. A value that is not later than the newest is not learned.
    result : array of shape (4,)
        Overwritten: the numbers of `FIELDS`.
    """
    window = (len(state) - RING) // 2
    ring, ordered = state[RING : RING + window], state[RING + window :]
    points = int(state[POINTS])
    count = min(points, window)
    result[0] = 0.0
    result[1] = value
    result[2] = result[3] = np.nan
    late = isfinite(when) and when <= state[TIME]
    known = isfinite(value)
    value = min(max(value, -LARGEST), LARGEST)
    if points >= least_points(state):
        middle = quantile(ordered, count, 0.5)
        scale = MAD_TO_SIGMA * median_deviation(ordered, count, middle)
        scale = max(scale, LEVEL_SHARE * abs(middle), 0.5 * state[STEP])
        result[2] = middle
        result[3] = scale
        off = abs(value - middle)
        if known and not late and off > 0.0:
            result[0] = off / scale if off < _HIGHEST * scale else _HIGHEST
    if not known:
        state[MISSING] += 1.0
        return 0.0
    if late:
        state[LATE] += 1.0
        return 0.0
    if isfinite(when):
        state[TIME] = when
    put_in_order(ordered, count, ring[points % window], value)
    ring[points % window] = value
    change = abs(value - state[PREVIOUS])
    if points > 0 and change > 0.0:
        state[STEP] = min(state[STEP], change) if state[STEP] > 0.0 else change
    state[PREVIOUS] = value
    state[POINTS] = points + 1.0
    return float(result[0])


@compiled()
def step_at(
    states: NDArray[np.float64],
    place: int,
    value: float,
    when: float,
    result: NDArray[np.float64],
) -> float:
    """Do `step` with the state of a key."""
    return step(states[place], value, when, result)


@compiled()
def steps(
    states: NDArray[np.float64],
    places: NDArray[np.int64],
    values: NDArray[np.float64],
    whens: NDArray[np.float64],
    results: NDArray[np.float64],
) -> None:
    """Do `step` with one value after the other, each with the state at its place.

    Parameters
    ----------
    states : array of shape (n_keys, RING + 2 * window)
        Changed in place.
    places, values, whens : arrays of shape (n_values,)
    results : array of shape (n_values, 4)
        Overwritten.
    """
    for row in range(len(values)):
        step(states[places[row]], values[row], whens[row], results[row])
