"""One step of SPOT and DSPOT over a row of state: two Pareto tails about a moving middle.

References
----------
Siffer, Fouque, Termier & Largouet (2017), KDD: peaks over a threshold in a stream. Hosking & Wallis
(1987), Technometrics 29(3): the fit by probability-weighted moments.
"""

from math import expm1, isfinite, log, log10
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.named_kernels import LARGEST, LEVEL_SHARE
from nextcall.anomaly.ordered import put_in_order, quantile
from nextcall.anomaly.tails import (
    LARGEST_RATIO,
    LEAST_RATIO,
    NO_SHAPE,
    PRIOR_RATIO,
    PRIOR_WEIGHT,
    UNSEEN,
)
from nextcall.compiling import compiled

TAIL_SHARE: Final = 0.02  # of the first stretch lies in a tail, as in the paper
EXCESSES: Final = 200  # newest of a tail that carry its fit: those of 10,000 values
MEMORY: Final = 2 * EXCESSES / TAIL_SHARE  # values after which the counts of a tail are halved
HIGHEST: Final = 300.0  # decades
_MARKS: Final = 33  # quantiles of the first stretch, from one tail to the other
_FLOORS: Final = 3.0  # floors from the median to the begin of a tail, at least
_TEACHES: Final = 0.1  # of the risk: a value teaches at most what is as rare

# Columns of the state.
POINTS, MISSING, ALARMS, PREVIOUS, STEP, MIDDLE, READY, FIRST_KEPT, RISK, SIDES = range(10)
BODY: Final = 10
UPPER: Final = BODY + _MARKS
# Columns of a tail, from its first; the excesses as they came and the same in order follow.
BEGIN, SEEN, PEAKS, PLACE, KEPT, SHAPE, SCALE = range(7)
_RING: Final = 7
_ORDERED: Final = _RING + EXCESSES
LOWER: Final = UPPER + _ORDERED + EXCESSES
WIDTH: Final = LOWER + _ORDERED + EXCESSES

UPPER_SIDE, LOWER_SIDE, BOTH_SIDES = 1, 2, 3
FIELDS: Final = ("score", "actual", "expected", "low", "high")


@compiled()
def fit_tail(tail: NDArray[np.float64], floor: float) -> None:
    """Fit the generalised Pareto law to the excesses that are kept.

    The moments are drawn to those of a mildly heavy tail as by ten excesses more, and the scale is
    at least `floor`.
    """
    kept = int(tail[KEPT])
    mean = weighted = 0.0
    for place in range(kept):
        share = tail[_ORDERED + place] / kept
        mean += share
        weighted += share * (kept - place - 0.5) / kept
    ratio = weighted / mean if mean > 0.0 else PRIOR_RATIO
    ratio = (ratio * kept + PRIOR_RATIO * PRIOR_WEIGHT) / (kept + PRIOR_WEIGHT)
    ratio = min(max(ratio, LEAST_RATIO), LARGEST_RATIO)
    tail[SHAPE] = 2.0 - 1.0 / (1.0 - 2.0 * ratio)
    tail[SCALE] = max(2.0 * mean * ratio / (1.0 - 2.0 * ratio), floor, 1e-300)


@compiled()
def learn_excess(tail: NDArray[np.float64], excess: float) -> None:
    """Remember an excess in the place of the oldest."""
    kept, place = int(tail[KEPT]), int(tail[PLACE])
    put_in_order(tail[_ORDERED : _ORDERED + EXCESSES], kept, tail[_RING + place], excess)
    tail[_RING + place] = excess
    tail[PLACE] = (place + 1) % EXCESSES
    tail[KEPT] = min(kept + 1, EXCESSES)
    tail[PEAKS] += 1.0


@compiled()
def tail_share(tail: NDArray[np.float64]) -> float:
    """Give the probability that a value lies in the tail."""
    share: float = (tail[PEAKS] + UNSEEN) / (tail[SEEN] + UNSEEN)
    return share


@compiled()
def tail_decades(tail: NDArray[np.float64], excess: float) -> float:
    """Give -log10 of the probability of an excess at least this large; `excess` is not negative."""
    scaled = excess / tail[SCALE]
    shape = tail[SHAPE]
    if abs(shape) < NO_SHAPE:
        log_survival = -scaled
    else:
        log_survival = -log(max(1.0 + shape * scaled, 1e-9)) / shape
    rarity: float = -log10(tail_share(tail)) - log_survival / log(10.0)
    return min(rarity, HIGHEST)


@compiled()
def tail_quantile(tail: NDArray[np.float64], probability: float) -> float:
    """Give the excess that is passed with a probability; 0 where the whole tail is no likelier."""
    rarity = log(tail_share(tail) / probability)
    if rarity <= 0.0:
        return 0.0
    shape = tail[SHAPE]
    if abs(shape) < NO_SHAPE:
        return float(tail[SCALE] * rarity)
    return float(tail[SCALE] * expm1(shape * rarity) / shape)


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
    """Begin with a first stretch: the tails where its outer shares lie, and their excesses."""
    ordered = np.sort(first)
    count = len(first)
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
        for value in first:
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
    result: NDArray[np.float64],
) -> float:
    """Tell how improbable a value is, then learn it; give the decades.

    Parameters
    ----------
    own : array of shape (WIDTH,)
        Changed in place; all zero but `RISK` and `SIDES` before the first value.
    window : array of shape (depth,)
        The newest values, whose mean is subtracted; empty for SPOT.
    first : array of shape (warm_up,)
        Where the first stretch is kept; not looked at once `READY`.
    value : float
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


@compiled()
def steps(
    own: NDArray[np.float64],
    window: NDArray[np.float64],
    first: NDArray[np.float64],
    values: NDArray[np.float64],
    results: NDArray[np.float64],
) -> None:
    """Do `step` with one value after the other; `results` has a row for each."""
    for place in range(len(values)):
        step(own, window, first, values[place], results[place])
