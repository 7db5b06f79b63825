"""Wilcoxon's signed-rank test, exact with ties."""

from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from nextcall.abtest.effect import Alternative, check_alternative

_EXACT: Final = 300  # values; the law then has 90,300 places, a fraction of a second
_DIGITS: Final = 12  # of the greatest: differences closer than that are rounding, and tie


def signed_rank_test(values: ArrayLike, *, alternative: Alternative = "two-sided") -> float:
    """Give the p-value of values that are symmetric around 0.

    Zeros are left out; ties share their mean rank. Up to 300 values the law of the sum of ranks
    is exact given the ties, beyond it is normal with its variance corrected for them. 1 where all
    values are 0.

    Parameters
    ----------
    values : array-like of shape (n,)
        Differences, finite.
    alternative : {"two-sided", "greater", "less"}

    Raises
    ------
    ValueError
        Where a value is not finite.

    References
    ----------
    Wilcoxon (1945), Biometrics Bulletin 1(6); ties: Pratt & Gibbons (1981), chapter 3.

    Examples
    --------
    >>> signed_rank_test([0.3, 0.1, 0.2, 0.4])
    0.125
    """
    check_alternative(alternative)
    each = np.asarray(values, dtype=np.float64)
    if each.ndim != 1 or not np.isfinite(each).all():
        raise ValueError("values must be finite, in one dimension.")
    scale = float(np.abs(each).max(initial=0.0))
    each = np.round(each / (scale or 1.0), _DIGITS)
    each = each[each != 0]
    if len(each) == 0:
        return 1.0
    doubled = np.rint(2 * stats.rankdata(np.abs(each))).astype(int)  # whole numbers with ties too
    total = int(doubled.sum())
    positive = int(doubled[each > 0].sum())
    sums = {"greater": [positive], "less": [total - positive]}.get(
        alternative, [max(positive, total - positive)]
    )
    sides = 2 if alternative == "two-sided" else 1
    if len(each) > _EXACT:
        sd = sqrt(float((doubled.astype(float) ** 2).sum()) / 4)
        return min(1.0, sides * float(stats.norm.sf((sums[0] - total / 2) / sd)))
    law = np.zeros(total + 1)
    law[0] = 1.0
    for rank in doubled:
        law /= 2
        law[rank:] += law[:-rank].copy()
    return min(1.0, sides * float(law[sums[0] :].sum()))
