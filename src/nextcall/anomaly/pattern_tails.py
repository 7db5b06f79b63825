"""How probable a count and a mix of behaviors are by chance."""

from collections.abc import Callable
from math import exp, floor, lgamma, log

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, gammaincc

_LEAST_EXPECTED = 1.0  # events of a behavior that is compared for itself


def count_tail(count: float, mean: float, variance: float) -> float:
    """Give twice the smaller tail of a negative binomial count, at most 1; half the count's own.

    Parameters
    ----------
    count : float
        A whole number.
    mean : float
        Above 0.
    variance : float
        Above `mean`.

    Examples
    --------
    >>> round(count_tail(2.0, 10.0, 11.0), 4)
    0.0045
    """
    size, chance = mean * mean / (variance - mean), mean / variance
    own = exp(
        lgamma(count + size)
        - lgamma(size)
        - lgamma(count + 1.0)
        + size * log(chance)
        + count * log((variance - mean) / variance)
    )
    if count > mean:
        tail = float(betainc(count + 1.0, size, (variance - mean) / variance))
    else:
        tail = float(betainc(size, count, chance)) if count > 0 else 0.0
    return min(2.0 * tail + own, 1.0)


def count_limits(
    mean: float, variance: float, probability: float, *, off: float
) -> tuple[float, float]:
    """Give the fewest and the most events that are near the mean, or not as improbable.

    Parameters
    ----------
    mean, variance : float
        As `count_tail`.
    probability : float
        Of `count_tail`, above which a count is usual.
    off : float
        Share of the mean up to which a count is near it.
    """

    def normal(count: int) -> bool:
        near = abs(count - mean) / mean <= off
        return near or count_tail(float(count), mean, variance) > probability

    middle = floor(mean)
    step = 1
    while normal(middle + step):
        step *= 2
    high = _last(normal, middle + step // 2, middle + step)
    low = -1 if normal(0) else 0
    return float(_last(normal, middle, low)), float(high)


def mix_statistic(
    counts: NDArray[np.float64], learned: NDArray[np.float64]
) -> tuple[float, float, int]:
    """Compare counts of behaviors with those learned; neither may be all 0.

    Behaviors of which less than one event was to be expected count as one, for the G statistic
    of small numbers is no chi-square; Williams's correction (1976) sees to the rest.

    Returns
    -------
    moved : float
        Half the sum of the absolute differences of shares, in [0, 1].
    statistic : float
        The G statistic of both, about chi-square where nothing has changed.
    freedom : int
        Its degrees of freedom; at 0 the statistic is 0.
    """
    total = counts.sum()
    shares = learned / learned.sum()
    moved = 0.5 * float(np.abs(counts / total - shares).sum())
    own = total * shares >= _LEAST_EXPECTED
    now = np.append(counts[own], counts[~own].sum())
    before = np.append(learned[own], learned[~own].sum())
    seen = now + before > 0
    now, before = now[seen], before[seen]
    freedom = len(now) - 1
    if freedom == 0:
        return moved, 0.0, 0
    both = (now + before) / (total + learned.sum())
    statistic = 2.0 * (_gain(now, both * total) + _gain(before, both * learned.sum()))
    corrected = 1.0 + float((1.0 / shares[own]).sum()) / (6.0 * float(total) * freedom)
    return moved, max(statistic, 0.0) / corrected, freedom


def mix_tail(statistic: float, freedom: int) -> float:
    """Give the upper tail of chi-square."""
    return float(gammaincc(0.5 * freedom, 0.5 * statistic))


def _gain(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    some = found > 0
    return float((found[some] * np.log(found[some] / expected[some])).sum())


def _last(normal: Callable[[int], bool], inside: int, outside: int) -> int:
    """Give the count farthest from inside that is normal, by halving."""
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        if normal(middle):
            inside = middle
        else:
            outside = middle
    return inside
