"""Power of a comparison of two shares by counting every outcome: for few units, where laws fail."""

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtr

from nextcall.abtest.effect import Alternative, check_alpha, check_alternative

ShareComparison = Literal["score", "fisher"]
"""The test that the data will be put to."""

_TESTS: Final = get_args(ShareComparison)
_MOST: Final = 25_000_000  # outcomes that are counted


def exact_share_power(
    n: tuple[int, int],
    shares: tuple[float, float],
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    test: ShareComparison = "score",
) -> float:
    """Give the chance that a test rejects, over all pairs of counts.

    Parameters
    ----------
    n : tuple of int
        Units of control and treatment, at least 1 each; 25,000,000 outcomes at most.
    shares : tuple of float
        True shares of control and treatment; the same twice gives the true size of the test.
    test : {"score", "fisher"}
        The z test with one common share under the null, or Fisher's exact test.

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    Examples
    --------
    >>> round(exact_share_power((50, 50), (0.2, 0.5)), 3)
    0.895
    >>> round(exact_share_power((50, 50), (0.2, 0.5), test="fisher"), 3)
    0.853
    """
    check_alpha(alpha)
    check_alternative(alternative)
    if test not in _TESTS:
        raise ValueError(f"test must be one of {_TESTS}, got {test!r}.")
    if min(n) < 1 or (n[0] + 1) * (n[1] + 1) > _MOST:
        raise ValueError(f"n must be at least 1, with {_MOST:,} outcomes at most, got {n}.")
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"shares must lie between 0 and 1, got {shares}.")
    one, other = (
        stats.binom.pmf(np.arange(size + 1), size, share)
        for size, share in zip(n, shares, strict=True)
    )
    found = 0.0
    for total in range(n[0] + n[1] + 1):
        control = np.arange(max(0, total - n[1]), min(total, n[0]) + 1)
        treatment = total - control
        chances = one[control] * other[treatment]
        pvalues = (
            _score(control, n, total, alternative)
            if test == "score"
            else _fisher(control, n, total, alternative)
        )
        found += float(chances[pvalues <= alpha].sum())
    return found


def _score(
    control: NDArray[np.int64], n: tuple[int, int], total: int, alternative: Alternative
) -> NDArray[np.float64]:
    """Give the p-values of outcomes with a common total."""
    common = total / (n[0] + n[1])
    se = np.sqrt(common * (1 - common) * (1 / n[0] + 1 / n[1]))
    if se == 0:
        return np.ones(len(control))
    z = ((total - control) / n[1] - control / n[0]) / se
    if alternative == "two-sided":
        return np.asarray(2 * ndtr(-np.abs(z)))
    return np.asarray(ndtr(-z if alternative == "greater" else z))


def _fisher(
    control: NDArray[np.int64], n: tuple[int, int], total: int, alternative: Alternative
) -> NDArray[np.float64]:
    law = stats.hypergeom(n[0] + n[1], n[0], total)
    if alternative != "two-sided":
        return law.cdf(control) if alternative == "greater" else law.sf(control - 1)
    chances = law.pmf(control)
    order = np.argsort(chances)
    sums = np.cumsum(chances[order])
    # All outcomes that are no likelier, ties within rounding included.
    ends = np.searchsorted(chances[order], chances * (1 + 1e-7), side="right")
    return np.minimum(sums[ends - 1], 1.0)
