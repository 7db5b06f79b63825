"""One step of the five named detectors and their consensus, over the state of a key.

Every detector compares a value with what it expected and has a limit for the difference, which is
the largest of its textbook width, of the floors (`LEVEL_SHARE` of the level, half the smallest
step seen, the caller's least change) and, for the percentages, of what noise explains. A detector's
magnitude is the difference divided by the limit: above 1 is an anomaly.

The state of a key lies in two rows. What every value needs is in the hot one, of three lines of
cache; the rest is in the cold one, which most values leave alone: eight of them wait in the hot row
until quartiles and trend look at them together.
"""

from math import floor, isfinite, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.named_rarity import RARITY_WIDTH, note_odd
from nextcall.anomaly.quartiles import LOOK_EVERY, RING, insert, quantile
from nextcall.compiling import bytes_at, compiled, floats_at

Z_SCORE, IQR, SPIKE, TREND, BEHAVIOR = range(5)
KINDS: Final = ("z_score", "iqr", "spike", "trend", "behavior")
ENOUGH, LEARNED, RESTING = 32, 64, 128  # flags above those of the kinds, which are 1 << kind

BLOCKS: Final = RING // LOOK_EVERY  # of the ring; the trend compares the newer half with the older
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

# Columns of the hot row. `NEWEST` values wait there; `COLD` is the address of the other row.
NEWEST: Final = 0
(
    POINTS, MEAN, VARIANCE, PREVIOUS, CHANGE, STEP, BOUND, REST,
    LOWER, UPPER, RISK, RATE, LEAST, MEMORY, TIME, COLD,
) = range(LOOK_EVERY, LOOK_EVERY + 16)  # fmt: skip
HOT_WIDTH: Final = COLD + 1
# Columns of the cold row. A block has its mean and sum of squares, a slot its mean and visits.
VALUES: Final = 0
RANKS: Final = VALUES + RING
BLOCK_MEAN: Final = RANKS + RING // 8  # bytes of ranks in eights
BLOCK_SQUARES: Final = BLOCK_MEAN + BLOCKS
MISSING, LATE, ALARMS, REST_LENGTH, PATTERN, PATTERN_POINTS, NEW_MEAN = range(
    BLOCK_SQUARES + BLOCKS, BLOCK_SQUARES + BLOCKS + 7
)
MAGNITUDE: Final = NEW_MEAN + 1
LOW: Final = MAGNITUDE + 5
HIGH: Final = LOW + 5
RARITY: Final = HIGH + 5
SLOT: Final = RARITY + RARITY_WIDTH
COLD_WIDTH: Final = 472  # whole lines of cache

Floats = NDArray[np.float64]
Judged = tuple[float, int, float, float, float, float, float]
"""Risk, flags and the magnitudes of the five kinds."""


@compiled()
def block_of(hot: Floats) -> tuple[float, float]:
    """Give the mean of the waiting values, and the sum of their squared differences from it."""
    a, b, c, d = hot[NEWEST], hot[NEWEST + 1], hot[NEWEST + 2], hot[NEWEST + 3]
    e, f, g, h = hot[NEWEST + 4], hot[NEWEST + 5], hot[NEWEST + 6], hot[NEWEST + 7]
    mean = (((a + b) + (c + d)) + ((e + f) + (g + h))) / LOOK_EVERY
    a, b, c, d = (a - mean) ** 2, (b - mean) ** 2, (c - mean) ** 2, (d - mean) ** 2
    e, f, g, h = (e - mean) ** 2, (f - mean) ** 2, (g - mean) ** 2, (h - mean) ** 2
    return mean, ((a + b) + (c + d)) + ((e + f) + (g + h))


@compiled()
def windows(cold: Floats, oldest: int) -> tuple[float, float, float]:
    """Give the means of the older and the newer half, and their difference's standard error."""
    half = BLOCKS // 2
    old = new = 0.0
    for place in range(half):
        old += cold[BLOCK_MEAN + (oldest + place) % BLOCKS]
        new += cold[BLOCK_MEAN + (oldest + half + place) % BLOCKS]
    old /= half
    new /= half
    squares = 0.0
    for place in range(half):
        one, other = (oldest + place) % BLOCKS, (oldest + half + place) % BLOCKS
        squares += cold[BLOCK_SQUARES + one] + LOOK_EVERY * (cold[BLOCK_MEAN + one] - old) ** 2
        squares += cold[BLOCK_SQUARES + other] + LOOK_EVERY * (cold[BLOCK_MEAN + other] - new) ** 2
    n = half * LOOK_EVERY
    return old, new, sqrt(squares / (n * (n - 1)))


@compiled()
def note(cold: Floats, kind: int, beyond: float, limit: float, low: float, high: float) -> float:
    """Give a detector's magnitude; that of an anomaly stands in the cold row, with the band."""
    most = _HIGHEST if beyond > 0 else 0.0
    magnitude = beyond / limit if beyond < limit * _HIGHEST else most
    if magnitude > 1:
        cold[MAGNITUDE + kind] = magnitude
        cold[LOW + kind] = low - limit
        cold[HIGH + kind] = high + limit
    return magnitude


@compiled(into_callers=True)
def judge(
    hot: Floats, cold: Floats, when: float,
    z: float, iqr: float, spike: float, trend: float, behavior: float,
) -> tuple[float, int]:  # fmt: skip
    """Give risk and flags of the magnitudes, and move the boundary."""
    first, second = max(z, iqr), min(z, iqr)
    second = max(second, min(first, spike))
    first = max(first, spike)
    flags = LEARNED
    if trend > 0 or behavior > 0:
        second = max(second, min(first, trend))
        first = max(first, trend)
        second = max(second, min(first, behavior))
        first = max(first, behavior)
        flags += (int(trend > 1) << TREND) + (int(behavior > 1) << BEHAVIOR)
    flags += (int(z > 1) << Z_SCORE) + (int(iqr > 1) << IQR) + (int(spike > 1) << SPIKE)
    both = first + second
    if first > 1:
        at = int(hot[COLD]) + 8 * RARITY
        note_odd(at, both, max(hot[BOUND], 1.0), hot[POINTS], when)
    if hot[POINTS] <= WARM:
        hot[BOUND] = min(max(hot[BOUND], _MARGIN * both), _MOST_FIRST)
        return 0.0, flags
    flags += ENOUGH
    bound = max(hot[BOUND], 1.0)
    risk = both * both / (both * both + bound * bound)
    bound *= 1 - _LOG_RAISE * hot[RATE]
    if first <= 1:  # an alarm names a detector
        risk *= 0.5
    if hot[REST] > 0:
        hot[REST] -= 1
        risk *= 0.5
        flags += RESTING
    elif risk >= 0.5:
        cold[ALARMS] += 1
        hot[REST] = min(cold[REST_LENGTH], floor(0.5 / hot[RATE]))
        bound *= _RAISE
    hot[BOUND] = bound
    return risk, flags


@compiled(into_callers=True)
def measure(
    hot: Floats, cold: Floats, value: float, least_sigma: float
) -> tuple[float, float, float, float]:
    """Compare a value with mean, quartiles and the value before it.

    Returns
    -------
    z_score, iqr, spike, scale : float
        Three magnitudes, and the scale of values.
    """
    least, mean, low, high, previous = hot[LEAST], hot[MEAN], hot[LOWER], hot[UPPER], hot[PREVIOUS]
    spread = max(high - low, _IQR_TO_SIGMA * least_sigma)
    sigma = max(sqrt(hot[VARIANCE]), least_sigma)
    sigma_change = max(sqrt(hot[CHANGE]), least_sigma)
    off = value - mean
    change = abs(value - previous)
    z = note(cold, Z_SCORE, abs(off), max(3 * sigma, least), mean, mean)
    beyond = max(low - value, value - high, 0.0)
    iqr = note(cold, IQR, beyond, max(1.5 * spread, least), low, high)
    spike = note(cold, SPIKE, change, max(2.5 * sigma_change, least), previous, previous)
    weight = 1 / min(hot[POINTS], hot[MEMORY])
    scale = max(sigma, spread)
    off = min(max(off, -_CLIP * scale), _CLIP * scale)
    hot[VARIANCE] = (1 - weight) * (hot[VARIANCE] + weight * off * off)
    hot[MEAN] = mean + weight * off
    change = min(change, _CLIP * max(sigma_change, spread))
    hot[CHANGE] += weight * (change * change - hot[CHANGE])
    return z, iqr, spike, scale


@compiled()
def measure_pattern(
    hot: Floats, cold: Floats, value: float, when: float, scale: float, least_sigma: float
) -> float:
    """Compare a value with the mean of its hour of the week, and learn that mean."""
    slot = SLOT + 2 * int(floor(when / 3600) % SLOTS)
    visits = cold[slot + 1]
    usual = cold[slot] if visits > 0 else value
    off = value - usual
    magnitude = 0.0
    if visits >= VISITS and scale > 0:
        noise = max(sqrt(cold[PATTERN]), least_sigma)
        limit = max(0.3 * abs(usual), 3 * noise, hot[LEAST])
        if cold[PATTERN_POINTS] >= FIRST:
            magnitude = note(cold, BEHAVIOR, abs(off), limit, usual, usual)
        most = _CLIP * max(noise, scale)
        off = min(max(off, -most), most)
        cold[PATTERN_POINTS] += 1
        share = 1 / min(cold[PATTERN_POINTS], hot[MEMORY])
        cold[PATTERN] += share * (off * off - cold[PATTERN])
    cold[slot] = usual + off / min(visits + 1, RING)
    cold[slot + 1] = visits + 1
    return magnitude


@compiled()
def look_back(hot: Floats, cold: Floats, points: int, least_sigma: float) -> float:
    """Move the waiting values to the ring: new quartiles; give the magnitude of the trend."""
    at = int(hot[COLD])
    ring, ranks = floats_at(at + 8 * VALUES, RING), bytes_at(at + 8 * RANKS, RING)
    block = (points // LOOK_EVERY - 1) % BLOCKS
    for place in range(LOOK_EVERY):
        insert(ring, ranks, block * LOOK_EVERY + place, hot[NEWEST + place])
    cold[BLOCK_MEAN + block], cold[BLOCK_SQUARES + block] = block_of(hot)
    count = min(points, RING)
    hot[LOWER], hot[UPPER] = quantile(ring, ranks, count, 0.25), quantile(ring, ranks, count, 0.75)
    if points == FIRST:  # mean and variance begin with median and quartiles
        hot[MEAN] = quantile(ring, ranks, count, 0.5)
        hot[VARIANCE] = ((hot[UPPER] - hot[LOWER]) / _IQR_TO_SIGMA) ** 2
        hot[CHANGE] = 2 * hot[VARIANCE]
    if points < RING:
        return 0.0
    old, new, error = windows(cold, block + 1)
    limit = max(0.25 * abs(old), _NOISE * error, 3 * least_sigma, hot[LEAST])
    magnitude = note(cold, TREND, abs(new - old), limit, old, old)
    if magnitude > 1:
        cold[NEW_MEAN] = new
    return magnitude


@compiled(into_callers=True)
def step(hot: Floats, cold: Floats, value: float, when: float) -> Judged:
    """Compare a value with what its key has seen, then learn from it.

    The bands of the anomalies stand in the cold row: `MAGNITUDE`, `LOW`, `HIGH`, `NEW_MEAN`.

    Parameters
    ----------
    hot, cold : arrays of shape (HOT_WIDTH,), (COLD_WIDTH,)
    when : float
        Seconds since 1970 in UTC; ``nan`` where no time is known.
    """
    points = int(hot[POINTS])
    enough = ENOUGH if points > WARM else 0
    timed = isfinite(when)
    if not isfinite(value):
        hot[RISK] = 0.0
        cold[MISSING] += 1
        return 0.0, enough, 0.0, 0.0, 0.0, 0.0, 0.0
    if timed:
        if when <= hot[TIME]:
            hot[RISK] = 0.0
            cold[LATE] += 1
            return 0.0, enough, 0.0, 0.0, 0.0, 0.0, 0.0
        hot[TIME] = when
    value = min(max(value, -LARGEST), LARGEST) + 0.0  # no zero is negative
    points += 1
    hot[POINTS] = points
    hot[NEWEST + (points - 1) % LOOK_EVERY] = value
    least_sigma = max(LEVEL_SHARE * abs(hot[MEAN]), 0.5 * hot[STEP])
    change = abs(value - hot[PREVIOUS]) if points > 1 else 0.0
    z = iqr = spike = trend = behavior = scale = 0.0
    if points > FIRST:
        z, iqr, spike, scale = measure(hot, cold, value, least_sigma)
    if timed:
        behavior = measure_pattern(hot, cold, value, when, scale, least_sigma)
    if change > 0 and (change < hot[STEP] or hot[STEP] == 0):
        hot[STEP] = change
    hot[PREVIOUS] = value
    if points % LOOK_EVERY == 0:
        trend = look_back(hot, cold, points, least_sigma)
    risk, flags = judge(hot, cold, when, z, iqr, spike, trend, behavior)
    hot[RISK] = risk
    return risk, flags, z, iqr, spike, trend, behavior
