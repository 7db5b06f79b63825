"""What a value should be, and how far it usually is from that: level, week and power law.

Three forecasts run side by side: a quick mean, a slow mean, and the profile of a week, a knot an
hour with straight lines between. The one whose errors were smallest speaks. The standard deviation
follows the expected value by a power law, sigma = a expected^b, so that counts (b = 1/2), durations
(b = 1) and what has one spread at every level (b = 0) are all told in their own measure.

References
----------
Taylor (1961), Nature 189: the power law. Anscombe (1953): residuals that are nearly normal.
"""

import math
from typing import Final

from nextcall.anomaly.tails import Floats
from nextcall.compiling import compiled

KNOTS: Final = 168  # hours of a week
FORECASTS: Final = 3  # quick, slow, week
QUICK: Final = 20.0  # rows that weigh in the quick mean
SLOW: Final = 500.0  # and in the slow one
CLIP: Final = 4.0  # standard deviations of which a row teaches at most
FIRST: Final = 30  # rows before anything is cut
KNOWN: Final = 0.2  # variance of the profile, in that of a row, below which it is used
UNKNOWN: Final = 30.0  # variance of a knot that was never visited, around its neighbour
NEW: Final = 0.05  # of a knot: fewer than some 20 rows have taught it
LEAST_VARIANCE: Final = 0.005  # of a knot: it follows within 200 rows of its own, some four weeks
LOG_MEAN: Final = 0.635  # -E log |N(0, 1)|
LOW_LOG: Final = 2.4  # natural logs below the usual that a residual counts at most ...
HIGH_LOG: Final = 1.7  # ... and above: one row moves the spread little
POWER: Final = 0.5  # exponent where levels differ too little to tell: counts
POWER_WEIGHT: Final = 20.0  # squared logs that this guess is worth
KEEP: Final = 1 - 1 / 20_000  # of the sums, a row
LEVEL_SHARE: Final = 1e-3  # of the level: no standard deviation is smaller
SMALLEST: Final = 1e-9
WEEK_GAIN: Final = 0.95  # squared error of the others at which the week speaks, in its own
SLOW_GAIN: Final = 1.02

# Columns, from where the slice begins.
MEAN_QUICK: Final = 0
MEAN_SLOW: Final = 1
ERRORS: Final = 2
SUMS: Final = ERRORS + FORECASTS  # weight, x, y, x x, x y of the logs
LEAST: Final = SUMS + 5  # smallest value
KNOT: Final = LEAST + 1
VARIANCE: Final = KNOT + KNOTS
FORECAST_WIDTH: Final = VARIANCE + KNOTS


@compiled()
def week_place(when: float) -> tuple[int, int, float]:
    """Give the knots before and after a time in seconds, and how far it is from the first."""
    hour = when / 3600.0
    whole = math.floor(hour)
    return int(whole % KNOTS), int((whole + 1) % KNOTS), hour - whole


@compiled()
def week_mean(own: Floats, when: float) -> tuple[float, bool]:
    """Give the profile's value at a time, and whether it is known well enough."""
    before, after, share = week_place(when)
    quick = own[MEAN_QUICK]
    low = own[KNOT + before] if own[VARIANCE + before] > 0 else quick
    high = own[KNOT + after]
    first, second = own[VARIANCE + before], own[VARIANCE + after]
    if second == 0:
        second, high = UNKNOWN, low
    doubt = (1 - share) ** 2 * first + share**2 * second
    return (1 - share) * low + share * high, first > 0 and doubt < KNOWN


@compiled()
def expect(own: Floats, when: float) -> float:
    """Give what is expected of the next value; `when` is ``nan`` where no time is known."""
    expected: float = own[MEAN_QUICK]
    error = own[ERRORS]
    if own[ERRORS + 1] <= SLOW_GAIN * error:
        expected, error = own[MEAN_SLOW], own[ERRORS + 1]
    if math.isfinite(when):
        week, known = week_mean(own, when)
        if known and WEEK_GAIN * own[ERRORS + 2] <= error:
            expected = week
    return expected


@compiled()
def spread(own: Floats, expected: float) -> tuple[float, float]:
    """Give standard deviation and exponent of the power law at an expected value."""
    weight, x, y = own[SUMS], own[SUMS + 1], own[SUMS + 2]
    sigma, power = 0.0, POWER
    if weight > 0:
        squares = own[SUMS + 3] - x * x / weight
        products = own[SUMS + 4] - x * y / weight
        power = (products + POWER_WEIGHT * POWER) / (squares + POWER_WEIGHT)
        power = min(max(power, 0.0), 1.0)
        log_level = math.log(max(abs(expected), SMALLEST))
        sigma = math.exp((y - power * x) / weight + power * log_level + LOG_MEAN)
    return max(sigma, LEVEL_SHARE * abs(expected), SMALLEST), power


@compiled()
def residual(own: Floats, value: float, expected: float, sigma: float, power: float) -> float:
    """Tell a value in standard deviations from what is expected, nearly normal where it can be.

    Where nothing was ever below 0, a power of the values takes the skew out: 2/3 for counts, 1/3
    where the spread follows the level.
    """
    if min(value, own[LEAST]) < 0 or expected <= SMALLEST:
        return (value - expected) / sigma
    bend = 1 - 2 * power / 3
    slope = bend * expected ** (bend - 1) * sigma
    return float((value**bend - expected**bend) / slope)


@compiled()
def _limited(value: float, most: float) -> float:
    return min(max(value, -most), most)


@compiled()
def learn_week(own: Floats, value: float, when: float, sigma: float, share: float) -> None:
    """Move the two knots beside a time, each by what its own variance says (a Kalman filter).

    Their covariance is left out: it would take as much memory again.

    Parameters
    ----------
    own : array
        Changed in place.
    share : float
        What the row may teach, in [0, 1]; a new knot learns whatever is suspected.
    """
    before, after, right = week_place(when)
    if own[VARIANCE + before] == 0:
        own[KNOT + before] = own[MEAN_QUICK]
        own[VARIANCE + before] = UNKNOWN
    if own[VARIANCE + after] == 0:
        own[KNOT + after] = own[KNOT + before]
        own[VARIANCE + after] = UNKNOWN
    left = 1 - right
    new = max(own[VARIANCE + before], own[VARIANCE + after]) > NEW
    share = max(share, 0.5 if new else 0.1)
    low, high = own[VARIANCE + before], own[VARIANCE + after]
    doubt = left * left * low + right * right * high
    off = value - left * own[KNOT + before] - right * own[KNOT + after]
    off = _limited(off, CLIP * sigma * math.sqrt(1 + doubt))
    for knot, weight in ((before, left), (after, right)):
        gain = own[VARIANCE + knot] * weight / (doubt + 1 / share)
        own[KNOT + knot] += gain * off
        own[VARIANCE + knot] = max(own[VARIANCE + knot] * (1 - gain * weight), LEAST_VARIANCE)


@compiled()
def learn_spread(own: Floats, off: float, expected: float, sigma: float, share: float) -> None:
    """Add a residual to the sums of the power law."""
    x = math.log(max(abs(expected), SMALLEST))
    usual = math.log(sigma) - LOG_MEAN
    y = math.log(max(abs(off), SMALLEST))
    y = min(max(y, usual - LOW_LOG), usual + HIGH_LOG) if own[SUMS] >= FIRST else max(y, usual)
    for place in range(5):
        own[SUMS + place] *= KEEP
    own[SUMS] += share
    own[SUMS + 1] += share * x
    own[SUMS + 2] += share * y
    own[SUMS + 3] += share * x * x
    own[SUMS + 4] += share * x * y


@compiled()
def learn_forecast(
    own: Floats, value: float, when: float, rows: int, expected: float, sigma: float, share: float
) -> None:
    """Learn from a row: errors and means, then week and spread.

    Parameters
    ----------
    own : array of shape (FORECAST_WIDTH,)
        Changed in place.
    when : float
        Seconds since 1970, ``nan`` where unknown.
    rows : int
        Before this one.
    expected, sigma : float
        What `expect` and `spread` said of it.
    share : float
        What the row may teach, in [0, 1]: little where a fault is suspected.
    """
    timed = math.isfinite(when)
    if rows == 0:
        own[MEAN_QUICK] = own[MEAN_SLOW] = own[LEAST] = value
    own[LEAST] = min(own[LEAST], value)
    most = CLIP * sigma if rows >= FIRST else math.inf
    if rows >= FIRST:
        week = week_mean(own, when)[0] if timed else own[MEAN_QUICK]
        gain = share * max(1 / (rows - FIRST + 1.0), 1 / SLOW)
        for place in range(FORECASTS):
            mean = week if place == 2 else own[MEAN_QUICK + place]
            error = _limited((value - mean) / sigma, CLIP)
            own[ERRORS + place] += gain * (error * error - own[ERRORS + place])
    quick = max(share, 0.02) / min(rows + 1.0, QUICK)
    own[MEAN_QUICK] += quick * _limited(value - own[MEAN_QUICK], most)
    slow = share / min(rows + 1.0, SLOW)
    own[MEAN_SLOW] += slow * _limited(value - own[MEAN_SLOW], most)
    if rows >= FIRST and timed:
        learn_week(own, value, when, sigma, share)
    if rows >= FIRST // 3:
        learn_spread(own, value - expected, expected, sigma, share)
