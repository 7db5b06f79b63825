"""One step of seasonal residuals: what is expected at a time, and how far off a value is.

Each season has knots at equal distances through its period, between which levels and spreads are
interpolated, so that nothing jumps where one slot ends. A value teaches the knots on both sides by
its nearness and by the time that it stands for. Each season learns what the seasons before it leave
over, of the level by difference and of the spread by ratio. Special days have 24 knots for
themselves.
"""

from math import floor, isfinite, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.named_kernels import LARGEST, LEVEL_SHARE
from nextcall.anomaly.seasonal_state import (
    DRIFT,
    LATE,
    LEVELS,
    MEAN_TO_SIGMA,
    MISSING,
    NOISE,
    RESIDUALS,
    STEP,
    TIME,
    Floats,
    learn_skew,
    near_value,
    pass_time,
    skew_of,
    skewed,
    unskewed,
)
from nextcall.compiling import compiled

Singles = NDArray[np.float32]
Rhythm = NDArray[np.float64]

LEAST_RESIDUALS: Final = 30  # before the first score: the spread is then known to 15 %
SPECIAL_SLOTS: Final = 24
DAY_SECONDS: Final = 86_400.0
USUAL, OWN_PATTERN, SKIPPED = range(3)  # what a day is
_CLIP: Final = 3.0  # sigmas of which a residual may teach at most
_MOST: Final = 6.0  # sigmas that one residual may teach of the spread
_NOISE_MEMORY: Final = 5000.0  # residuals that weigh in the common spread
_PRIOR: Final = 12.0  # values that the common spread weighs in that of a slot
_LEAST_VISITS: Final = 0.25  # and visits
_COARSE: Final = 0.2  # of a slot: values as far apart need not be near each other
_NEARLY: Final = 0.9  # of a visit is one: the edges of a slot are seen a little less
_HASTE: Final = 2.0  # two knots share a residual; at 1 a first value fades with the cube root only
_TOLD_BY: Final = 3.0  # values that know a level before a residual from it counts
_HIGHEST: Final = 1e6  # score

# Columns of what is found of a season at a time.
LEFT, RIGHT, NEARNESS, WEIGHT, LEVEL, SHARE, SEEN, REPEATS = range(8)
PLACE_WIDTH: Final = 8
# Columns of a result.
FIELDS: Final = ("score", "actual", "expected", "scale", "skew", "learned")


@compiled()
def interpolate(
    own: Floats, shares: Singles, visits: Singles, left: int, right: int, nearness: float
) -> tuple[float, float, float]:
    """Give level, share of the spread and visits between two knots; unvisited ones do not count."""
    if nearness >= 1.0 or visits[right] <= 0.0:
        right = left
    elif visits[left] <= 0.0:
        left = right
    if visits[left] <= 0.0:
        return 0.0, 1.0, 0.0
    far = 1.0 - nearness
    level: float = nearness * own[LEVELS + left] + far * own[LEVELS + right]
    share: float = nearness * shares[left] + far * shares[right]
    seen: float = nearness * visits[left] + far * visits[right]
    return level, share, seen


@compiled()
def look_up(
    own: Floats,
    shares: Singles,
    visits: Singles,
    rhythm: Rhythm,
    wall: float,
    day: int,
    stands: float,
    places: Floats,
) -> int:
    """Find the knots about a time in each season, and what they know; give how many seasons count.

    On a day with a pattern of its own that is one: its hours.
    """
    special = day == OWN_PATTERN
    base = int(rhythm[1].sum()) if special else 0
    seasons = 1 if special else rhythm.shape[1]
    for season in range(seasons):
        period = DAY_SECONDS if special else rhythm[0, season]
        count = SPECIAL_SLOTS if special else int(rhythm[1, season])
        place = (wall / period - floor(wall / period)) * count
        left = min(int(place), count - 1)
        if not (special or rhythm[2, season] > 0.0):
            place = float(left)
        found = places[season]
        found[LEFT] = base + left
        found[RIGHT] = base + (left + 1) % count
        found[NEARNESS] = 1.0 - (place - left)
        found[WEIGHT] = min(max(stands * count / period, 1e-6), 1.0)
        found[REPEATS] = 1.0 if special else rhythm[0].max() / period
        found[LEVEL], found[SHARE], found[SEEN] = interpolate(
            own, shares, visits, base + left, base + (left + 1) % count, found[NEARNESS]
        )
        base += count
    return seasons


@compiled()
def learn_spread(own: Floats, places: Floats, residual: float) -> float:
    """Learn the common spread; give the residual in common spreads, negative where there is none.

    The shares of the spread that the seasons know are taken out first.
    """
    shares = 1.0
    for season in range(len(places)):
        shares *= places[season, SHARE]
    own[RESIDUALS] += 1.0
    gain = 1.0 / min(own[RESIDUALS], _NOISE_MEMORY)
    own[NOISE] += gain * (residual / shares - own[NOISE])
    return residual / own[NOISE] if own[NOISE] > 0.0 else -1.0


@compiled()
def learn_knots(
    own: Floats,
    shares: Singles,
    visits: Singles,
    places: Floats,
    memory: float,
    value: float,
    ratio: float,
) -> None:
    """Teach the knots of each season what those before it leave over of a value and its spread.

    `ratio` is the size of the residual in common spreads; negative where it says nothing.
    """
    left_over = value - own[DRIFT]
    known = True
    for season in range(len(places)):
        found = places[season]
        off = left_over - found[LEVEL] if known else 0.0
        prior = max(_PRIOR * found[WEIGHT], _LEAST_VISITS)
        for side in range(2):
            nearness = found[NEARNESS] if side == 0 else 1.0 - found[NEARNESS]
            if nearness <= 0.0:
                continue
            knot = int(found[LEFT + side])
            weight = nearness * found[WEIGHT]
            if visits[knot] <= 0.0:
                own[LEVELS + knot] = found[LEVEL]
                shares[knot] = found[SHARE]
            visits[knot] = min(visits[knot] + weight, _HASTE * memory * found[REPEATS])
            own[LEVELS + knot] += min(_HASTE * weight / visits[knot], 1.0) * off
            if ratio >= 0.0:
                gain = min(_HASTE * weight / (visits[knot] + prior), 1.0)
                shares[knot] += gain * (ratio - shares[knot])
        known = known and found[SEEN] > 0.0
        left_over -= found[LEVEL]
        ratio /= found[SHARE]


@compiled()
def step(
    own: Floats,
    shares: Singles,
    visits: Singles,
    rhythm: Rhythm,
    settings: Floats,
    point: tuple[float, float, float, int],
    places: Floats,
    result: Floats,
) -> float:
    """Compare a value with what is expected at its time, then learn it; give the score.

    Parameters
    ----------
    own : array of shape (LEVELS + n_knots,)
        Changed in place; all zero but `TIME`, minus infinity, before the first value.
    shares, visits : arrays of shape (n_knots,)
        Of each knot, its spread by the common one and how often it was passed; zero at first.
    rhythm : array of shape (3, n_seasons)
        Seconds of a period, its number of knots, and whether they are interpolated.
    settings : array of shape (3,)
        Visits of a slot before it scores, longest periods that weigh, and seconds in which a new
        level is taken over.
    point : tuple
        Value; seconds since 1970 in UTC and as the clock on the wall shows; and `USUAL`,
        `OWN_PATTERN` or `SKIPPED`.
    places : array of shape (n_seasons, PLACE_WIDTH)
        Room to work in.
    result : array of shape (6,)
        Overwritten: the numbers of `FIELDS`.
    """
    value, when, wall, day = point
    result[0] = result[4] = result[5] = 0.0
    result[1] = value
    result[2] = result[3] = np.nan
    if not (isfinite(value) and isfinite(wall) and isfinite(when)):
        own[MISSING] += 1.0
        return 0.0
    if when <= own[TIME]:
        own[LATE] += 1.0
        return 0.0
    result[5] = 1.0
    value = min(max(value, -LARGEST), LARGEST)
    least_step = 0.5 * own[STEP]
    counted = near_value(own, value, when, day)
    stands = pass_time(own, when, value)
    if day == SKIPPED:
        return 0.0
    places = places[: look_up(own, shares, visits, rhythm, wall, day, stands, places)]
    expected, spread, error = own[DRIFT], own[NOISE], 1.0
    visited = told_by = np.inf
    for found in places:
        expected += found[LEVEL]
        spread *= found[SHARE]
        visited = min(visited, found[SEEN])
        told_by = min(told_by, found[SEEN] / found[WEIGHT])
        error += found[WEIGHT] / max(found[SEEN], found[WEIGHT])
    if places[0, WEIGHT] > _COARSE:
        counted = value
    sigma = max(MEAN_TO_SIGMA * spread * sqrt(error), LEVEL_SHARE * abs(expected), least_step)
    if visited > 0.0:
        result[2] = expected
    spread_known = own[RESIDUALS] >= LEAST_RESIDUALS
    skew = skew_of(own)
    off = min(max((value - expected) / max(sigma, 1e-300), -_HIGHEST), _HIGHEST)
    if visited >= _NEARLY * settings[0] and spread_known:
        result[3] = sigma
        result[4] = skew
        result[0] = min(abs(unskewed(off, skew)), _HIGHEST)
        learned = sigma * min(max(off, skewed(-_CLIP, skew)), skewed(_CLIP, skew))
        counted = expected + learned
        own[DRIFT] += min(stands / settings[2], 1.0) * learned
    ratio = -1.0
    if told_by >= _TOLD_BY or visited >= _NEARLY:
        residual = abs(counted - expected)
        if spread_known:
            residual = min(residual, _MOST * sigma)
            learn_skew(own, off)
        ratio = learn_spread(own, places, residual)
    learn_knots(own, shares, visits, places, settings[1], counted, ratio)
    return float(result[0])


@compiled()
def steps(
    own: Floats,
    shares: Singles,
    visits: Singles,
    rhythm: Rhythm,
    settings: Floats,
    rows: NDArray[np.int64],
    points: Floats,
    days: NDArray[np.int64],
    results: Floats,
) -> None:
    """Do `step` with many values in their order; `rows` are those of their keys.

    `points` has the shape (3, n_values): values, times in UTC and on the wall.
    """
    places = np.empty((rhythm.shape[1], PLACE_WIDTH))
    for place in range(len(rows)):
        row = rows[place]
        point = points[0, place], points[1, place], points[2, place], days[place]
        step(own[row], shares[row], visits[row], rhythm, settings, point, places, results[place])
