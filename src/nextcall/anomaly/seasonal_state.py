"""The state of seasonal residuals, and what needs no season: newest level, steps and skew."""

from math import expm1, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.named_kernels import LEVEL_SHARE
from nextcall.compiling import compiled

Floats = NDArray[np.float64]

FIRST: Final = 16  # values before the local level is to be relied on
MEAN_TO_SIGMA: Final = 1.2533  # mean absolute deviation to sigma, of a normal law: sqrt(pi / 2)
_LOCAL_CLIP: Final = 6.0  # sigmas from the local level of which a value may teach at most
_LOCAL: Final = 0.2  # share of a value in the local level: the last 5 or so
_LOCAL_SPREAD: Final = 0.05
_LONG: Final = 3.0  # typical distances in time that one value stands for at most
_OUTER: Final = 0.025  # share of residuals beyond the quantile on either side
_NORMAL_OUTER: Final = 1.96  # where it is in a normal law
_OUTER_GAIN: Final = 17.0  # sigmas, divided by the residuals: 1 / density of a normal law there
_LEAST_GAIN: Final = 0.001  # 17,000 residuals weigh
_MOST_GAIN: Final = 0.1
_STRANGE: Final = 3.5  # sigmas, once skew is taken out, of a residual that tells nothing of a law
_MOST_SKEW: Final = 0.5  # that of a log-normal law with a sigma of 0.5
_NO_SKEW: Final = 1e-3

# Columns of the state; the levels of the knots follow.
(
    POINTS, MISSING, LATE, TIME, PREVIOUS, STEP, GAP, DRIFT, NOISE, RESIDUALS, NEAR, NEAR_SPREAD,
    KIND, ABOVE, BELOW,
) = range(15)  # fmt: skip
LEVELS: Final = 15


@compiled()
def near_value(own: Floats, value: float, when: float, day: int) -> float:
    """Give a value as far as the newest ones let it count, and move their level and spread.

    After a gap, and where a special day begins or ends, they say nothing.
    """
    points = own[POINTS]
    if points <= 1.0 or when - own[TIME] > _LONG * own[GAP] or own[KIND] != day:
        own[NEAR] = value
        own[KIND] = day
        return value
    off = value - own[NEAR]
    if points >= FIRST:
        least = max(LEVEL_SHARE * abs(own[NEAR]), 0.5 * own[STEP])
        most = _LOCAL_CLIP * max(MEAN_TO_SIGMA * own[NEAR_SPREAD], least)
        off = min(max(off, -most), most)
    counted: float = own[NEAR] + off
    share = 1.0 / (points + 1.0)
    own[NEAR_SPREAD] += max(_LOCAL_SPREAD, share) * (abs(off) - own[NEAR_SPREAD])
    own[NEAR] += max(_LOCAL, share) * off
    return counted


@compiled()
def pass_time(own: Floats, when: float, value: float) -> float:
    """Count a value and note its distance from the one before; give the seconds it stands for."""
    stands = 0.0
    if own[POINTS] > 0.0:
        apart = when - own[TIME]
        if own[POINTS] <= 1.0:
            own[GAP] = apart
        stands = min(apart, _LONG * own[GAP])
        own[GAP] += 0.05 * (min(apart, 4.0 * own[GAP]) - own[GAP])
        change = abs(value - own[PREVIOUS])
        if change > 0.0:
            own[STEP] = min(own[STEP], change) if own[STEP] > 0.0 else change
    own[TIME] = when
    own[PREVIOUS] = value
    own[POINTS] += 1.0
    return stands


@compiled()
def skew_of(own: Floats) -> float:
    """Tell how much farther residuals lie above than below: the sigma of a log-normal law like it.

    In such a law the outer quantiles above and below have the ratio exp(1.96 sigma).
    """
    if own[ABOVE] <= 0.0:
        return 0.0
    skew = log(own[ABOVE] / own[BELOW]) / _NORMAL_OUTER
    return min(max(skew, -_MOST_SKEW), _MOST_SKEW)


@compiled()
def unskewed(off: float, skew: float) -> float:
    """Give a residual in sigmas as one of a law that is alike on both sides."""
    if abs(skew) < _NO_SKEW:
        return off
    even: float = log(max(1.0 + skew * off, 1e-6)) / skew
    return even


@compiled()
def skewed(even: float, skew: float) -> float:
    """Undo `unskewed`."""
    if abs(skew) < _NO_SKEW:
        return even
    return expm1(skew * even) / skew


@compiled()
def learn_skew(own: Floats, off: float) -> None:
    """Move the outer quantiles of residuals, above and below, for one in sigmas.

    One that is strange teaches nothing, so that a fault that lasts does not look like skew.
    """
    if own[ABOVE] <= 0.0:
        own[ABOVE] = own[BELOW] = _NORMAL_OUTER
    if abs(unskewed(off, skew_of(own))) > _STRANGE:
        return
    gain = min(max(_OUTER_GAIN / own[RESIDUALS], _LEAST_GAIN), _MOST_GAIN)
    own[ABOVE] = max(own[ABOVE] + gain * ((1.0 if off > own[ABOVE] else 0.0) - _OUTER), 0.5)
    own[BELOW] = max(own[BELOW] + gain * ((1.0 if -off > own[BELOW] else 0.0) - _OUTER), 0.5)
