"""One step of the five named detectors and their consensus, over a row of state a key.

Every detector compares a value with what it expected and has a limit for the difference, which is
the largest of its textbook width, of the floors (`LEVEL_SHARE` of the level, half the smallest
step seen, the caller's least change) and, for the percentages, of what noise explains. A detector's
magnitude is the difference divided by the limit: above 1 is an anomaly.
"""

from collections.abc import Callable
from functools import cache
from math import floor, isfinite, sqrt
from typing import Final

import numpy as np
from numba import float64, int64
from numpy.typing import NDArray

from nextcall.compiling import compiled, entry_point

Z_SCORE, IQR, SPIKE, TREND, BEHAVIOR = range(5)
KINDS: Final = ("z_score", "iqr", "spike", "trend", "behavior")
ENOUGH, LEARNED, RESTING = 32, 64, 128  # flags above those of the kinds, which are 1 << kind

RING: Final = (
    64  # newest values: the quartiles' error is then 0.17 sigma, and they adapt in 64 points
)
WINDOW: Final = 32  # of the trend: the ring holds two
TREND_EVERY: Final = 8  # points from one look at the trend to the next
SLOTS: Final = 168  # hours of a week
VISITS: Final = 8  # of a slot before its pattern counts
FIRST: Final = 16  # points before the first residual
WARM: Final = 100  # points before the first possible alarm
LARGEST: Final = 1e150  # values beyond count as this, so that squares stay finite
LEVEL_SHARE: Final = 1e-3  # of the level: no sigma is smaller
_CLIP: Final = 6.0  # sigmas or interquartile ranges of which a value may teach at most
_IQR_TO_SIGMA: Final = 1.349  # of a normal law: 2 * Phi^-1(3/4)
_NOISE: Final = 4.0  # standard errors of a difference of windows that noise explains
_HIGHEST: Final = 1e6  # magnitude
_RAISE: Final = 1.1  # factor on the boundary at an alarm
_LOG_RAISE: Final = 0.09531017980432493
_MARGIN: Final = 1.5  # of the first boundary over the highest consensus of the warm-up
_MOST_FIRST: Final = 20.0  # boundary to begin with: the first change of a flat series is no measure

# Columns of the state.
(
    POINTS, MISSING, LATE, ALARMS, RISK, TIME, PREVIOUS, MEAN, VARIANCE, CHANGE, STEP, BOUND, REST,
    PATTERN, PATTERN_POINTS, NEW_MEAN, FLAGS, RATE, LEAST, MEMORY, REST_LENGTH,
) = range(21)  # fmt: skip
MAGNITUDE: Final = 21
LOW: Final = MAGNITUDE + 5
HIGH: Final = LOW + 5
VALUES: Final = HIGH + 5
ORDERED: Final = VALUES + RING
SLOT_MEAN: Final = ORDERED + RING
SLOT_VISITS: Final = SLOT_MEAN + SLOTS
WIDTH: Final = SLOT_VISITS + SLOTS


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


@compiled()
def windows(ring: NDArray[np.float64], oldest: int) -> tuple[float, float, float]:
    """Give the means of the older and the newer half, and their difference's standard error."""
    old = new = 0.0
    for place in range(WINDOW):
        old += ring[(oldest + place) % RING]
        new += ring[(oldest + WINDOW + place) % RING]
    old /= WINDOW
    new /= WINDOW
    squares = 0.0
    for place in range(WINDOW):
        squares += (ring[(oldest + place) % RING] - old) ** 2
        squares += (ring[(oldest + WINDOW + place) % RING] - new) ** 2
    return old, new, sqrt(squares / (WINDOW * (WINDOW - 1)))


@compiled()
def note(
    own: NDArray[np.float64], kind: int, beyond: float, limit: float, low: float, high: float
) -> None:
    """Write a detector's magnitude and band."""
    own[LOW + kind] = low - limit
    own[HIGH + kind] = high + limit
    if beyond > 0:
        own[MAGNITUDE + kind] = beyond / limit if beyond < limit * _HIGHEST else _HIGHEST


@compiled()
def judge(own: NDArray[np.float64]) -> None:
    """Write risk and flags of the magnitudes that stand in the row, and move the boundary."""
    first = second = 0.0
    flags = LEARNED
    for kind in range(5):
        magnitude = own[MAGNITUDE + kind]
        second = max(second, min(first, magnitude))
        first = max(first, magnitude)
        flags += int(magnitude > 1) << kind
    both = first + second
    if own[POINTS] <= WARM:
        own[BOUND] = min(max(own[BOUND], _MARGIN * both), _MOST_FIRST)
        own[FLAGS] = flags
        return
    flags += ENOUGH
    bound = max(own[BOUND], 1.0)
    risk = both * both / (both * both + bound * bound)
    bound *= 1 - _LOG_RAISE * own[RATE]
    if first <= 1:  # an alarm names a detector
        risk *= 0.5
    if own[REST] > 0:
        own[REST] -= 1
        risk *= 0.5
        flags += RESTING
    elif risk >= 0.5:
        own[ALARMS] += 1
        own[REST] = min(own[REST_LENGTH], floor(0.5 / own[RATE]))
        bound *= _RAISE
    own[BOUND] = bound
    own[RISK] = risk
    own[FLAGS] = flags


@compiled()
def measure(own: NDArray[np.float64], value: float, count: int, least_sigma: float) -> float:
    """Compare a value with mean, quartiles and the value before it; give the scale of values."""
    ordered, least = own[ORDERED:SLOT_MEAN], own[LEAST]
    low, high = quantile(ordered, count, 0.25), quantile(ordered, count, 0.75)
    spread = max(high - low, _IQR_TO_SIGMA * least_sigma)
    sigma = max(sqrt(own[VARIANCE]), least_sigma)
    sigma_change = max(sqrt(own[CHANGE]), least_sigma)
    off = value - own[MEAN]
    change = abs(value - own[PREVIOUS])
    note(own, Z_SCORE, abs(off), max(3 * sigma, least), own[MEAN], own[MEAN])
    note(own, IQR, max(low - value, value - high), max(1.5 * spread, least), low, high)
    limit = max(2.5 * sigma_change, least)
    note(own, SPIKE, change, limit, own[PREVIOUS], own[PREVIOUS])
    weight = 1 / min(own[POINTS], own[MEMORY])
    scale = max(sigma, spread)
    off = min(max(off, -_CLIP * scale), _CLIP * scale)
    own[VARIANCE] = (1 - weight) * (own[VARIANCE] + weight * off * off)
    own[MEAN] += weight * off
    change = min(change, _CLIP * max(sigma_change, spread))
    own[CHANGE] += weight * (change * change - own[CHANGE])
    return scale


@compiled()
def measure_pattern(
    own: NDArray[np.float64], value: float, when: float, scale: float, least_sigma: float
) -> None:
    """Compare a value with the mean of its hour of the week, and learn that mean."""
    slot = int(floor(when / 3600) % SLOTS)
    visits = own[SLOT_VISITS + slot]
    usual = own[SLOT_MEAN + slot] if visits > 0 else value
    off = value - usual
    if visits >= VISITS and scale > 0:
        noise = max(sqrt(own[PATTERN]), least_sigma)
        limit = max(0.3 * abs(usual), 3 * noise, own[LEAST])
        if own[PATTERN_POINTS] >= FIRST:
            note(own, BEHAVIOR, abs(off), limit, usual, usual)
        most = _CLIP * max(noise, scale)
        off = min(max(off, -most), most)
        own[PATTERN_POINTS] += 1
        share = 1 / min(own[PATTERN_POINTS], own[MEMORY])
        own[PATTERN] += share * (off * off - own[PATTERN])
    own[SLOT_MEAN + slot] = usual + off / min(visits + 1, RING)
    own[SLOT_VISITS + slot] = visits + 1


@compiled()
def remember(own: NDArray[np.float64], value: float, points: int) -> None:
    """Put a value in the ring and its order; mean and variance begin with median and quartiles."""
    ring, ordered = own[VALUES:ORDERED], own[ORDERED:SLOT_MEAN]
    count, place = min(points, RING), points % RING
    put_in_order(ordered, count, ring[place], value)
    ring[place] = value
    if points < FIRST:
        own[MEAN] = quantile(ordered, count + 1, 0.5)
        spread = quantile(ordered, count + 1, 0.75) - quantile(ordered, count + 1, 0.25)
        own[VARIANCE] = (spread / _IQR_TO_SIGMA) ** 2
        own[CHANGE] = 2 * own[VARIANCE]
    change = abs(value - own[PREVIOUS])
    if points > 0 and change > 0:
        own[STEP] = min(own[STEP], change) if own[STEP] > 0 else change
    own[PREVIOUS] = value


@compiled()
def measure_trend(own: NDArray[np.float64], points: int, least_sigma: float) -> None:
    """Compare the newer half of the ring with the older one."""
    old, new, error = windows(own[VALUES:ORDERED], points % RING)
    explained = max(_NOISE * error, 3 * least_sigma)
    limit = max(0.25 * abs(old), explained, own[LEAST])
    note(own, TREND, abs(new - old), limit, old, old)
    own[NEW_MEAN] = new


@compiled(hold_lock=True)
def step(state: NDArray[np.float64], row: int, value: float, when: float) -> float:
    """Compare a value with what its key has seen, then learn from it; give the risk.

    The rest of the answer stands in the row: `FLAGS`, `MAGNITUDE`, `LOW`, `HIGH`, `NEW_MEAN`.

    Parameters
    ----------
    state : array of shape (n_keys, WIDTH)
    when : float
        Seconds since 1970 in UTC; ``nan`` where no time is known.
    """
    own = state[row]
    for column in range(MAGNITUDE, MAGNITUDE + 5):
        own[column] = 0.0
    own[RISK] = 0.0
    points = int(own[POINTS])
    own[FLAGS] = ENOUGH if points > WARM else 0
    if not isfinite(value):
        own[MISSING] += 1
        return 0.0
    timed = isfinite(when)
    if timed:
        if when <= own[TIME]:
            own[LATE] += 1
            return 0.0
        own[TIME] = when
    value = min(max(value, -LARGEST), LARGEST)
    own[POINTS] = points + 1.0
    least_sigma = max(LEVEL_SHARE * abs(own[MEAN]), 0.5 * own[STEP])
    scale = measure(own, value, min(points, RING), least_sigma) if points >= FIRST else 0.0
    if timed:
        measure_pattern(own, value, when, scale, least_sigma)
    remember(own, value, points)
    if points + 1 >= RING and (points + 1) % TREND_EVERY == 0:
        measure_trend(own, points + 1, least_sigma)
    judge(own)
    return float(own[RISK])


@compiled()
def steps(
    state: NDArray[np.float64],
    rows: NDArray[np.int64],
    values: NDArray[np.float64],
    times: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Do `step` with many values, key after key, each key's in their order.

    Returns
    -------
    risk, flags : arrays of shape (n_values,)
    magnitudes : array of shape (5, n_values)
    """
    n = len(rows)
    ends = np.zeros(len(state) + 1, dtype=np.int64)
    for place in range(n):
        ends[rows[place] + 1] += 1
    for key in range(len(state)):
        ends[key + 1] += ends[key]
    order = np.empty(n, dtype=np.int64)
    for place in range(n):
        order[ends[rows[place]]] = place
        ends[rows[place]] += 1
    risks, flags = np.empty(n), np.empty(n, dtype=np.int64)
    magnitudes = np.empty((5, n))
    for point in order:
        own = state[rows[point]]
        risks[point] = step(state, rows[point], values[point], times[point])
        flags[point] = int(own[FLAGS])
        for kind in range(5):
            magnitudes[kind, point] = own[MAGNITUDE + kind]
    return risks, flags, magnitudes


@cache
def step_entry() -> Callable[[NDArray[np.float64], int, float, float], float]:
    """Give `step` for arguments of exactly these types, which saves the look at them."""
    return entry_point(step, float64[:, ::1], int64, float64, float64)
