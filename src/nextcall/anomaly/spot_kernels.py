"""One step of SPOT and DSPOT over a row of state a key: two Pareto tails about a moving middle.

References
----------
Siffer, Fouque, Termier & Largouet (2017), KDD: peaks over a threshold in a stream.
"""

from math import isfinite, log10
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.named_kernels import LARGEST, LEVEL_SHARE
from nextcall.anomaly.ordered import quantile
from nextcall.anomaly.spot_tail import (
    BEGIN,
    EXCESSES,
    PEAKS,
    SEEN,
    TAIL_WIDTH,
    fit_tail,
    learn_excess,
    tail_decades,
    tail_quantile,
    tail_share,
)
from nextcall.compiling import compiled

TAIL_SHARE: Final = 0.02  # of the first stretch lies in a tail, as in the paper
MEMORY: Final = 2 * EXCESSES / TAIL_SHARE  # values after which the counts of a tail are halved
_MARKS: Final = 33  # quantiles of the first stretch, from one tail to the other
_FLOORS: Final = 3.0  # floors from the median to the begin of a tail, at least
_TEACHES: Final = 0.1  # of the risk: a value teaches at most what is as rare

# Columns of the state.
POINTS, MISSING, LATE, ALARMS, TIME, PREVIOUS, STEP, MIDDLE, READY, FIRST_KEPT = range(10)
RISK, SIDES = 10, 11
BODY: Final = 12
UPPER: Final = BODY + _MARKS
LOWER: Final = UPPER + TAIL_WIDTH
WIDTH: Final = LOWER + TAIL_WIDTH

UPPER_SIDE, LOWER_SIDE, BOTH_SIDES = 1, 2, 3
FIELDS: Final = ("score", "actual", "expected", "low", "high")


@compiled()
def share_beyond(marks: NDArray[np.float64], value: float, sign: float) -> float:
    """Tell the share of values between the tails that are at least (`sign` 1) or most (-1) this."""
    last = len(marks) - 1
    before = sign * marks[0 if sign > 0.0 else last]
    if sign * value <= before:
        return 1.0
    for place in range(1, last + 1):
        mark = sign * marks[place if sign > 0.0 else last - place]
        if sign * value <= mark:
            within: float = (sign * value - before) / (mark - before)
            return 1.0 - (place - 1 + within) / last
        before = mark
    return 0.0


@compiled()
def side_risk(own: NDArray[np.float64]) -> float:
    """Give the share of the risk that one side has."""
    risk: float = own[RISK] / (2.0 if own[SIDES] == BOTH_SIDES else 1.0)
    return risk


@compiled()
def decades(own: NDArray[np.float64], off: float, lattice: float) -> float:
    """Give -log10 of the probability of a value at least as far out, on the sides that count.

    A value in no tail is never rarer than the risk.
    """
    upper, lower = own[UPPER:LOWER], own[LOWER:]
    body = max(1.0 - tail_share(upper) - tail_share(lower), 0.0)
    sides = int(own[SIDES])
    risk = side_risk(own)
    rarest = 0.0
    for side in range(2):
        if sides & (1 << side):
            sign = 1.0 - 2.0 * side
            tail = upper if side == 0 else lower
            excess = sign * off - lattice - tail[BEGIN]
            if excess > 0.0:
                rarest = max(rarest, tail_decades(tail, excess))
            else:
                share = tail_share(tail) + body * share_beyond(own[BODY:UPPER], off, sign)
                rarest = max(rarest, -log10(min(max(share, risk), 1.0)))
    return max(rarest - log10(2.0), 0.0) if sides == BOTH_SIDES else rarest


@compiled()
def start_tails(own: NDArray[np.float64], first: NDArray[np.float64], lattice: float) -> None:
    """Begin with a first stretch: the tails where its outer shares lie, and their excesses.

    `first` may lie where the tails are to be: it is set to zero before they are written.
    """
    values = first.copy()
    first[:] = 0.0
    ordered = np.sort(values)
    count = len(values)
    middle = quantile(ordered, count, 0.5)
    own[MIDDLE] = middle
    for mark in range(_MARKS):
        share = TAIL_SHARE + (1.0 - 2.0 * TAIL_SHARE) * mark / (_MARKS - 1)
        own[BODY + mark] = quantile(ordered, count, share)
    floor = max(LEVEL_SHARE * abs(middle), 0.5 * own[STEP])
    for side in range(2):
        sign = 1.0 - 2.0 * side
        tail = own[UPPER:LOWER] if side == 0 else own[LOWER:]
        outer = sign * own[UPPER - 1 if side == 0 else BODY]
        tail[BEGIN] = max(outer, sign * middle + _FLOORS * floor) + lattice
        for value in values:
            if sign * value > tail[BEGIN]:
                learn_excess(tail, sign * value - tail[BEGIN])
        tail[SEEN] = count
        fit_tail(tail, floor)
    own[READY] = 1.0


@compiled()
def learn_off(own: NDArray[np.float64], off: float, floor: float) -> None:
    """Count a value in both tails; the rarest teach no more than ten times the risk would."""
    for side in range(2):
        tail = own[UPPER:LOWER] if side == 0 else own[LOWER:]
        excess = (off if side == 0 else -off) - tail[BEGIN]
        tail[SEEN] += 1.0
        if excess > 0.0:
            most = tail_quantile(tail, _TEACHES * side_risk(own))
            learn_excess(tail, min(excess, max(most, floor)))
            fit_tail(tail, floor)
        if tail[SEEN] >= MEMORY:
            tail[SEEN] *= 0.5
            tail[PEAKS] *= 0.5


@compiled()
def remember(
    own: NDArray[np.float64], window: NDArray[np.float64], value: float, learned: float
) -> None:
    """Count a value, note its step from the one before, and put what is learned in the window."""
    points = int(own[POINTS])
    if len(window) > 0:
        window[points % len(window)] = learned
    change = abs(value - own[PREVIOUS])
    if points > 0 and change > 0.0:
        own[STEP] = min(own[STEP], change) if own[STEP] > 0.0 else change
    own[PREVIOUS] = value
    own[POINTS] = points + 1.0


@compiled()
def step(
    own: NDArray[np.float64],
    window: NDArray[np.float64],
    first: NDArray[np.float64],
    value: float,
    when: float,
    result: NDArray[np.float64],
) -> float:
    """Tell how improbable a value is, then learn it; give the decades.

    Parameters
    ----------
    own : array of shape (WIDTH,)
        Changed in place; as `fresh_row` begins it before the first value.
    window : array of shape (depth,)
        The newest values, whose mean is subtracted; empty for SPOT.
    first : array of shape (warm_up,)
        Where the first stretch is kept; not looked at once `READY`. It may share the memory of
        `own` from `BODY` on.
    value : float
    when : float
        Seconds, ``nan`` where unknown. A value that is not later than the newest is not learned.
    result : array of shape (5,)
        Overwritten: the numbers of `FIELDS`.
    """
    result[0] = 0.0
    result[1] = value
    result[2] = result[3] = result[4] = np.nan
    count = min(int(own[POINTS]), len(window))
    local = 0.0
    for place in range(count):
        local += window[place] / count
    lattice = 0.5 * own[STEP] if len(window) == 0 else 0.0  # means of whole numbers are not whole
    ready = own[READY] > 0.0
    if ready:
        upper, lower, risk = own[UPPER:LOWER], own[LOWER:], side_risk(own)
        result[2] = local + own[MIDDLE]
        result[3] = local - (lower[BEGIN] + tail_quantile(lower, risk) + lattice)
        result[4] = local + (upper[BEGIN] + tail_quantile(upper, risk) + lattice)
    if not isfinite(value):
        own[MISSING] += 1.0
        return 0.0
    if isfinite(when):
        if when <= own[TIME]:
            own[LATE] += 1.0
            return 0.0
        own[TIME] = when
    value = min(max(value, -LARGEST), LARGEST)
    if ready:
        result[0] = decades(own, value - local, lattice)
        if result[0] > -log10(own[RISK]):
            own[ALARMS] += 1.0
        learn_off(own, value - local, max(LEVEL_SHARE * abs(result[2]), 0.5 * own[STEP]))
        remember(own, window, value, min(max(value, result[3]), result[4]))
        return float(result[0])
    if count == len(window):
        first[int(own[FIRST_KEPT])] = value - local
        own[FIRST_KEPT] += 1.0
    remember(own, window, value, value)
    if int(own[FIRST_KEPT]) == len(first):
        start_tails(own, first, 0.5 * own[STEP] if len(window) == 0 else 0.0)
    return 0.0


def row_width(depth: int, warm_up: int) -> int:
    """Count the numbers of a key: the window, then `own`, whose tails begin as the first stretch.

    Parameters
    ----------
    depth : int
        Values in the local mean.
    warm_up : int
        Values of the first stretch.
    """
    return depth + max(WIDTH, BODY + warm_up)


def fresh_row(depth: int, warm_up: int, risk: float, sides: int) -> NDArray[np.float64]:
    """Give the state of a key before its first value."""
    row = np.zeros(row_width(depth, warm_up))
    own = row[depth:]
    own[TIME] = -np.inf
    own[RISK], own[SIDES] = risk, sides
    return row


@compiled()
def step_at(
    rows: NDArray[np.float64],
    place: int,
    shape: tuple[int, int],
    value: float,
    when: float,
    result: NDArray[np.float64],
) -> float:
    """Do `step` with the state of a key; `shape` is depth and warm-up."""
    depth, warm_up = shape
    row = rows[place]
    own = row[depth : depth + WIDTH]
    first = row[depth + BODY : depth + BODY + warm_up]
    return step(own, row[:depth], first, value, when, result)


@compiled()
def steps(
    rows: NDArray[np.float64],
    places: NDArray[np.int64],
    shape: tuple[int, int],
    values: NDArray[np.float64],
    whens: NDArray[np.float64],
    results: NDArray[np.float64],
) -> None:
    """Do `step_at` with one value after the other.

    Parameters
    ----------
    rows : array of shape (n_keys, row_width(depth, warm_up))
        Changed in place.
    places : array of shape (n_values,)
        Row of the key of each value.
    shape : tuple of int
        Depth and warm-up.
    values, whens : arrays of shape (n_values,)
    results : array of shape (n_values, 5)
        Overwritten.
    """
    for at in range(len(values)):
        step_at(rows, places[at], shape, values[at], whens[at], results[at])
