"""Sign-flip test and bootstrap interval of a mean: few assumptions, many draws."""

from collections.abc import Iterator
from math import inf
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from nextcall.abtest.effect import Alternative, check_alpha, check_alternative

_EXACT: Final = 20  # 2^20 sums take 8 MB
_ALIKE: Final = 1e-12  # of the sum of sizes: sums this close differ by rounding
_AT_ONCE: Final = 1 << 20  # numbers drawn at a time


def sign_flip_test(
    values: ArrayLike,
    *,
    rng: np.random.Generator,
    alternative: Alternative = "two-sided",
    resamples: int = 9_999,
) -> float:
    """Give the p-value of a mean of 0, by turning around the sign of each value at will.

    Exact, over all sign patterns, up to 20 values other than 0; beyond, over `resamples` random
    patterns and the one seen, so that the p-value is never below 1 / (resamples + 1).

    Parameters
    ----------
    values : array-like of shape (n,)
        Differences, independent and symmetric around 0 where nothing differs; sums over clusters
        where they are not independent within.
    rng : numpy.random.Generator
    alternative : {"two-sided", "greater", "less"}
    resamples : int
        At least 99.

    Raises
    ------
    ValueError
        Where a value is not finite or an argument out of its range.

    References
    ----------
    Fisher (1935), The Design of Experiments; Phipson & Smyth (2010), SAGMB 9(1): the count of one.

    Examples
    --------
    >>> sign_flip_test([0.3, 0.1, 0.2, 0.4], rng=np.random.default_rng(0))
    0.125
    """
    check_alternative(alternative)
    each = _checked(values, resamples)
    scale = float(np.abs(each).max(initial=0.0))
    if scale == 0:
        return 1.0
    each = each[each != 0] / scale
    turn = -1.0 if alternative == "less" else 1.0
    seen = turn * float(each.sum())
    seen = abs(seen) if alternative == "two-sided" else seen
    least = seen - _ALIKE * float(np.abs(each).sum())
    if len(each) <= _EXACT:
        return float((_extreme(_all_sums(each), turn, alternative) >= least).mean())
    reached = 0
    for size in _portions(resamples, len(each)):
        signs = 2.0 * rng.integers(2, size=(size, len(each)), dtype=np.int8) - 1.0
        reached += int((_extreme(signs @ each, turn, alternative) >= least).sum())
    return (reached + 1) / (resamples + 1)


def bootstrap_interval(
    pairs: ArrayLike,
    *,
    rng: np.random.Generator,
    alpha: float = 0.05,
    resamples: int = 9_999,
) -> tuple[float, float]:
    """Give the bias-corrected and accelerated bootstrap interval of a ratio of sums.

    With a second column of ones it is that of a mean; with sums and counts of clusters that of
    the mean over what the clusters hold. Unbounded for one row.

    Parameters
    ----------
    pairs : array-like of shape (n, 2)
        Numerator and denominator of each independent row; denominators above 0.
    rng : numpy.random.Generator
    alpha : float
        One less the level of the two-sided interval.
    resamples : int
        At least 99.

    Raises
    ------
    ValueError
        Where a value is not finite or an argument out of its range.

    References
    ----------
    Efron (1987), JASA 82(397).

    Examples
    --------
    >>> pairs = np.column_stack([np.arange(40.0), np.ones(40)])
    >>> low, high = bootstrap_interval(pairs, rng=np.random.default_rng(0))
    >>> bool(14 < low < 19.5 < high < 25)
    True
    """
    check_alpha(alpha)
    rows = _checked(pairs, resamples)
    if rows.ndim != 2 or rows.shape[1] != 2 or not (rows[:, 1] > 0).all():
        raise ValueError("pairs must have shape (n, 2), with denominators above 0.")
    totals = rows.sum(axis=0)
    if len(rows) == 1:
        return -inf, inf
    draws = np.concatenate(
        [
            _ratio(_drawn_sums(rows, rng.integers(len(rows), size=(size, len(rows)))))
            for size in _portions(resamples, len(rows))
        ]
    )
    estimate = float(totals[0] / totals[1])
    off = _ratio(totals - rows)
    off = off.mean() - off
    spread = float((off**2).sum())
    if spread == 0:
        return estimate, estimate
    bend = float((off**3).sum()) / (6 * spread**1.5)
    below = float((draws < estimate).mean() + (draws == estimate).mean() / 2)
    shift = stats.norm.ppf(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples))
    z = shift + stats.norm.ppf([alpha / 2, 1 - alpha / 2])
    low, high = np.quantile(draws, stats.norm.cdf(shift + z / np.maximum(1 - bend * z, 1e-9)))
    return float(low), float(high)


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    ratios: NDArray[np.float64] = sums[:, 0] / sums[:, 1]
    return ratios


def _drawn_sums(rows: NDArray[np.float64], places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sum the columns of the rows at each line of places."""
    alike = (rows[:, 1] == rows[0, 1]).all()  # the common case: one query a row
    return np.column_stack(
        [
            rows[:, 0].take(places).sum(axis=1),
            np.full(len(places), len(rows) * rows[0, 1])
            if alike
            else rows[:, 1].take(places).sum(axis=1),
        ]
    )


def _all_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _extreme(
    sums: NDArray[np.float64], turn: float, alternative: Alternative
) -> NDArray[np.float64]:
    return np.abs(sums) if alternative == "two-sided" else turn * sums


def _portions(draws: int, width: int) -> Iterator[int]:
    """Cut a number of draws into portions that fit in memory."""
    most = max(1, _AT_ONCE // width)
    while draws > 0:
        yield min(most, draws)
        draws -= most


def _checked(values: ArrayLike, resamples: int) -> NDArray[np.float64]:
    if resamples < 99:
        raise ValueError(f"resamples must be at least 99, got {resamples}.")
    rows = np.asarray(values, dtype=np.float64)
    if len(rows) == 0 or not np.isfinite(rows).all():
        raise ValueError("values must be finite, and at least one.")
    return rows
