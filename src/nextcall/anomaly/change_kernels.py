"""One step of three online detectors of changes of level, over a row of state a key.

All three read the rows that `nextcall.anomaly.change_noise` cuts, each when the next one is there,
and judge by its long-run standard deviation.

References
----------
Page (1954), Biometrika 41: CUSUM and what is named Page-Hinkley. Brown, Durbin & Evans (1975),
JRSS B 37: recursive residuals. Romano, Eckley, Fearnhead & Rigaill (2023), JMLR 24(81): FOCuS.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.change_noise import (
    BEFORE,
    FIRST,
    NEWEST,
    NEWEST_PLACE,
    NOISE_WIDTH,
    ROWS,
    SEEN,
    WARM,
    cut_newest,
    learn_noise,
    noise,
)
from nextcall.anomaly.tails import Floats
from nextcall.compiling import compiled

FOCUS, CUSUM, PAGE_HINKLEY = range(3)
LARGEST: Final = 1e100  # values beyond count as this, so that products of squares stay finite
GOES_ON: Final = 16.0  # rows within which a second change of the same direction is the first one
LEAST: Final = 3.0  # rows behind a change before it is told; 1 doubles alarms of heavy tails
WAITS: Final = 0.9  # of the limit: what a change with fewer rows counts as
VERTICES: Final = 32  # of a hull; of n rows without a change it has about log(n)
DRIFT: Final = 0.5  # sigmas: Page-Hinkley's tolerance, best for changes of twice that
REFERENCE: Final = 1.0  # sigmas: the same of CUSUM
FORGETTING: Final = 512.0  # rows that weigh in CUSUM's level
TEACHES_LEVEL: Final = 3.0  # sigmas by which one row may move it at most
ROW_LIMIT: Final = 8.0  # sigmas that one row may add to a cumulative sum

# Columns of the state, behind those of the noise.
FOUND, PLACE, SIGN, OLD_LEVEL, NEW_LEVEL, LATEST = range(NOISE_WIDTH, NOISE_WIDTH + 6)
MISSING, LATE, TIME = range(NOISE_WIDTH + 6, NOISE_WIDTH + 9)
OWN: Final = NOISE_WIDTH + 9  # the method's columns begin
# FOCuS: rows, their sum, what it is counted from; the two hulls.
LENGTH, TOTAL, ORIGIN, LOWER_SIZE, UPPER_SIZE = range(OWN, OWN + 5)
POINT: Final = 3  # rows before it, their sum, the place of the row behind it
LOWER: Final = UPPER_SIZE + 1
UPPER: Final = LOWER + POINT * VERTICES
# CUSUM and Page-Hinkley: level and the rows in it; of either side its sum, rows and first place.
LEVEL, WEIGHT, UP_SUM, UP_ROWS, UP_PLACE, DOWN_SUM, DOWN_ROWS, DOWN_PLACE = range(OWN, OWN + 8)
WIDTH: Final = UPPER + POINT * VERTICES
RESULT_WIDTH: Final = 5


@compiled()
def push(state: Floats, start: int, rows: float, total: float, place: float, side: float) -> None:
    """Put a point at the end of a hull; drop what lies within, or the second where it is full."""
    size_at = LOWER_SIZE if start == LOWER else UPPER_SIZE
    size = int(state[size_at])
    while size >= 2:
        last = start + POINT * (size - 1)
        older = last - POINT
        rise = (state[last + 1] - state[older + 1]) * (rows - state[older])
        through = (total - state[older + 1]) * (state[last] - state[older])
        if side * (rise - through) < 0.0:
            break
        size -= 1
    if size == VERTICES:
        for at in range(start + POINT, start + POINT * (size - 1)):
            state[at] = state[at + POINT]
        size -= 1
    end = start + POINT * size
    state[end] = rows
    state[end + 1] = total
    state[end + 2] = place
    state[size_at] = size + 1


@compiled()
def restart(state: Floats, start: int, vertex: int, level: float) -> None:
    """Go on from a change: the point becomes the origin, and sums count from the new level."""
    at = start + POINT * vertex
    rows, total, place = state[at], state[at + 1], state[at + 2]
    state[LENGTH] -= rows
    state[TOTAL] -= total + state[LENGTH] * (level - state[ORIGIN])
    for hull in (LOWER, UPPER):
        size_at = LOWER_SIZE if hull == LOWER else UPPER_SIZE
        side = 1.0 if hull == LOWER else -1.0
        size = int(state[size_at])
        state[size_at] = 0.0
        push(state, hull, 0.0, 0.0, place, side)
        for old in range(size):
            point = hull + POINT * old
            if state[point] > rows:
                left = state[point] - rows
                sum_left = state[point + 1] - total - left * (level - state[ORIGIN])
                push(state, hull, left, sum_left, state[point + 2], side)
    state[ORIGIN] = level


@compiled()
def tell(state: Floats, place: float, side: float, before: float, after: float) -> None:
    """Note a change; one that goes on in the direction of the last one is the same."""
    if state[FOUND] == 0.0 or side != state[SIGN] or place - state[LATEST] > GOES_ON:
        state[FOUND] += 1.0
        state[PLACE] = place
        state[SIGN] = side
        state[OLD_LEVEL] = before
    state[LATEST] = place
    state[NEW_LEVEL] = after


@compiled()
def focus(state: Floats, row: float, sigma: float, limit: float) -> float:
    """Tell the largest likelihood ratio of a change over all places, and restart at an alarm.

    Minus twice its logarithm, for a Gaussian mean that is unknown before and after. With the sums
    drawn over the rows, the best place of a rise is a vertex of the hull below, and of a fall one
    of the hull above.
    """
    if state[LENGTH] == 0.0:
        state[ORIGIN] = row
    push(state, LOWER, state[LENGTH], state[TOTAL], state[NEWEST_PLACE], 1.0)
    push(state, UPPER, state[LENGTH], state[TOTAL], state[NEWEST_PLACE], -1.0)
    length = state[LENGTH] + 1.0
    total: float = state[TOTAL] + row - state[ORIGIN]
    state[LENGTH] = length
    state[TOTAL] = total
    best = 0.0
    best_hull = LOWER
    best_vertex = 0
    for hull in (LOWER, UPPER):
        side = 1.0 if hull == LOWER else -1.0
        for vertex in range(1, int(state[LOWER_SIZE if hull == LOWER else UPPER_SIZE])):
            rows = state[hull + POINT * vertex]
            gap = side * (rows / length * total - state[hull + POINT * vertex + 1]) / sigma
            ratio = gap * gap * length / (rows * (length - rows))
            if gap > 0.0 and ratio > best:
                best = ratio
                best_hull = hull
                best_vertex = vertex
    if best >= limit:
        at = best_hull + POINT * best_vertex
        rows, before = state[at], state[at + 1]
        if length - rows < LEAST:
            return WAITS * limit
        side = 1.0 if best_hull == LOWER else -1.0
        after = state[ORIGIN] + (total - before) / (length - rows)
        tell(state, state[at + 2], side, state[ORIGIN] + before / rows, after)
        restart(state, best_hull, best_vertex, state[NEW_LEVEL])
    return best


@compiled()
def add(state: Floats, start: int, distance: float, place: float) -> float:
    """Add to the cumulative sum of a side, which begins again where it falls to zero."""
    total: float = state[start] + distance
    if total <= 0.0:
        state[start] = 0.0
        state[start + 1] = 0.0
        return 0.0
    if state[start + 1] == 0.0:
        state[start + 2] = place
    state[start] = total
    state[start + 1] += 1.0
    return total


@compiled()
def cumulate(state: Floats, row: float, sigma: float, method: int, limit: float) -> float:
    """Tell the larger of two one-sided cumulative sums, and restart both at an alarm.

    Either is the sum of the distances from the level, in sigmas, less a tolerance; the place of a
    change is where the sum left zero. CUSUM takes the distance before the row counts,
    by its standard error, from a level that fades; Page-Hinkley from the mean with it.
    """
    weight = state[WEIGHT]
    if weight == 0.0:
        state[LEVEL] = row
    distance = row - state[LEVEL]
    if method == CUSUM:
        tolerance = REFERENCE
        most = TEACHES_LEVEL * sigma
        taught = min(max(distance, -most), most) if weight > FIRST else distance
        state[LEVEL] += max(1.0 / (weight + 1.0), 1.0 / FORGETTING) * taught
        z = distance / (sigma * math.sqrt(1.0 + 1.0 / max(weight, 1.0)))
    else:
        tolerance = DRIFT
        state[LEVEL] += distance / (weight + 1.0)
        z = (row - state[LEVEL]) / sigma
    state[WEIGHT] = weight + 1.0
    z = min(max(z, -ROW_LIMIT), ROW_LIMIT)
    up = add(state, UP_SUM, z - tolerance, state[NEWEST_PLACE])
    down = add(state, DOWN_SUM, -z - tolerance, state[NEWEST_PLACE])
    best = max(up, down)
    if best >= limit:
        start = UP_SUM if up >= down else DOWN_SUM
        side = 1.0 if up >= down else -1.0
        before = state[LEVEL]
        state[LEVEL] += side * sigma * (best / state[start + 1] + tolerance)
        state[WEIGHT] = state[start + 1]
        tell(state, state[start + 2], side, before, state[LEVEL])
        state[UP_SUM : DOWN_PLACE + 1] = 0.0
    return best


@compiled()
def step(state: Floats, value: float, when: float, method: int, limit: float) -> float:
    """Score a row and learn from it; `FOUND` rises where a change is told.

    Parameters
    ----------
    state : array of shape (WIDTH,)
        Of the row's key, changed in place; zero before the first row but `TIME`, which is minus
        infinity. The row `value` changes nothing but `SEEN` and `MISSING` where it is NaN.
    when : float
        Seconds, ``nan`` where unknown. A row that is not later than the newest changes nothing but
        `SEEN` and `LATE`.
    method : int
        `FOCUS`, `CUSUM` or `PAGE_HINKLEY`.
    limit : float
        Statistic from which a change is told.

    Returns
    -------
    float
        In [0, 1]: 0.5 at the limit.
    """
    state[SEEN] += 1.0
    if np.isnan(value):
        state[MISSING] += 1.0
        return 0.0
    if math.isfinite(when):
        if when <= state[TIME]:
            state[LATE] += 1.0
            return 0.0
        state[TIME] = when
    value = min(max(value, -LARGEST), LARGEST)
    learn_noise(state, value)
    statistic = 0.0
    enough = state[ROWS] >= WARM
    if state[ROWS] >= 1.0:
        short, sigma = noise(state)
        row = cut_newest(state, value, short)
        told_from = limit if enough else math.inf
        if method == FOCUS:
            statistic = focus(state, row, sigma, told_from)
        else:
            statistic = cumulate(state, row, sigma, method, told_from)
    state[BEFORE] = state[NEWEST]
    state[NEWEST] = value
    state[NEWEST_PLACE] = state[SEEN] - 1.0
    state[ROWS] += 1.0
    return statistic / (statistic + limit) if enough else 0.0


@compiled()
def step_at(
    states: Floats, place: int, value: float, when: float, method: int, limit: float
) -> float:
    """Do `step` with the state of a key."""
    return step(states[place], value, when, method, limit)


@compiled()
def steps(
    states: Floats,
    places: NDArray[np.int64],
    values: Floats,
    whens: Floats,
    method: int,
    limit: float,
    results: Floats,
) -> None:
    """Score rows of many keys in their order.

    Parameters
    ----------
    states : array of shape (n_keys, WIDTH)
        Changed in place.
    places, values, whens : arrays of shape (n_rows,)
        Row of the key's state, value and time; method and limit are as for `step`.
    results : array of shape (n_rows, RESULT_WIDTH)
        Overwritten: the score and, where a change is told, its place, sign and the levels before
        and after it; NaN elsewhere.
    """
    for row in range(len(values)):
        state = states[places[row]]
        found = state[FOUND]
        results[row, 0] = step(state, values[row], whens[row], method, limit)
        results[row, 1:] = np.nan
        if state[FOUND] > found:
            results[row, 1:] = state[PLACE : NEW_LEVEL + 1]
