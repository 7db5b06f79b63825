"""Arms of means and ratios from moments, with what covariates explain taken out (CUPED)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.effect import Arm
from nextcall.abtest.moments import Moments

_ROUNDING: Final = 32 * 2.0**-52  # of a sum of products, beside the sum of their sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighting:
    """What came of weighting strata by their units in all arms.

    Parameters
    ----------
    chances : tuple of (float, float)
        Of each treatment: what the chance in the strata's sizes adds to the squared error of the
        difference, and of the relative one.
    merged : tuple of int
        Strata that are held as one, for some have too few units.
    mix_pvalue : float
        That all arms have the same mix of strata (chi-square); small where strata are no property
        from before the test.
    """

    chances: tuple[tuple[float, float], ...]
    merged: tuple[int, ...]
    mix_pvalue: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """Arms after what covariates explain was taken out.

    Parameters
    ----------
    arms : tuple of Arm
        In the order of the moments that were given.
    theta : tuple of float
        Of each covariate: how much of it is taken out.
    variance_reduction : float
        Share of the pooled variance of a unit that is gone; 0 without covariates. With strata it
        is of the squared errors of the estimates.
    weighting : Weighting, optional
        Of strata.
    """

    arms: tuple[Arm, ...]
    theta: tuple[float, ...]
    variance_reduction: float
    weighting: Weighting | None = None


def mean_arm(moments: Moments, column: int = 0) -> Arm:
    """Give the mean of a column, and its variance over units."""
    return Arm(
        n=moments.n,
        estimate=float(moments.mean[column]) if moments.n else nan,
        variance=float(moments.covariance()[column, column]),
        rest=float(np.broadcast_to(moments.rest, moments.mean.shape)[column]),
    )


def adjusted_means(arms: Sequence[Moments]) -> Adjusted:
    """Take out of the first column's mean what the other columns explain of it.

    One theta for all arms, from all rows together; covariates are centred on their mean over all
    arms. The effect is then what it was, but for chance differences in the covariates. A covariate
    that does not vary, or is a copy of another, takes out nothing of its own.

    Parameters
    ----------
    arms : sequence of Moments
        With columns metric, covariates.

    References
    ----------
    Deng, Xu, Kohavi & Walker (2013), WSDM: CUPED.

    Examples
    --------
    >>> before = np.arange(100.0)
    >>> found = adjusted_means([Moments.of(np.column_stack([before, before]))] * 2)
    >>> found.theta, [arm.variance for arm in found.arms], found.variance_reduction
    ((1.0,), [0.0, 0.0], 1.0)
    """
    together = _sum(arms)
    theta = slopes(together.products)
    weights = np.concatenate([[1.0], -theta])
    middle = mean_arm(together)
    found = []
    for arm in arms:
        step = float(weights @ arm.off(together)) + middle.rest
        estimate = middle.estimate + step
        variance = combined_variance(weights, arm.covariance())
        rest = step - (estimate - middle.estimate)
        found.append(
            Arm(n=arm.n, estimate=estimate if arm.n else nan, variance=variance, rest=rest)
        )
    return Adjusted(
        arms=tuple(found),
        theta=tuple(theta.tolist()),
        variance_reduction=_reduction([arm.products for arm in arms], weights),
    )


def ratio_arm(moments: Moments) -> Arm:
    """Give the ratio of the means of the first two columns, with its variance by the delta method.

    ``nan`` where the denominator's mean is 0.

    References
    ----------
    Deng, Knoblich & Lu (2018), KDD: the delta method in metric analytics.

    Examples
    --------
    >>> arm = ratio_arm(Moments.of([[1.0, 2.0], [3.0, 4.0], [2.0, 6.0]]))
    >>> arm.estimate
    0.5
    """
    if moments.n == 0 or moments.mean[1] == 0:
        return Arm(n=moments.n, estimate=nan, variance=nan)
    weights = linear_forms(moments.mean[:2])[0]
    variance = combined_variance(weights, moments.covariance()[:2, :2])
    return Arm(n=moments.n, estimate=float(moments.mean[0] / moments.mean[1]), variance=variance)


def adjusted_ratios(arms: Sequence[Moments]) -> Adjusted:
    """Take out of a ratio what other ratios, known before the test, explain of it.

    Each arm's ratios are held by their linear forms around its own values; theta is the sum of the
    arms' covariances over that of their variances. Like `adjusted_means` it is centred on the
    ratios before the test over all arms, and needs nothing but moments.

    Parameters
    ----------
    arms : sequence of Moments
        With columns numerator, denominator, and pairs of the same that were known before.
    """
    together = _sum(arms)
    own = [ratio_arm(arm) for arm in arms]
    if any(arm.n < 2 or not arm.mean[1::2].all() for arm in [*arms, together]):
        return Adjusted(arms=tuple(own), theta=(), variance_reduction=0.0)
    linear = [arm.combined(linear_forms(arm.mean)) for arm in arms]
    theta = slopes(np.sum([each.covariance() for each in linear], axis=0))
    weights = np.concatenate([[1.0], -theta])
    centre = together.mean[2::2] / together.mean[3::2]
    found = [
        Arm(
            n=arm.n,
            estimate=plain.estimate - float(theta @ (arm.mean[2::2] / arm.mean[3::2] - centre)),
            variance=combined_variance(weights @ linear_forms(arm.mean), arm.covariance()),
        )
        for arm, plain in zip(arms, own, strict=True)
    ]
    return Adjusted(
        arms=tuple(found),
        theta=tuple(theta.tolist()),
        variance_reduction=_reduction([each.products for each in linear], weights),
    )


def linear_forms(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the weights by which ratios of means move with the means (the delta method).

    Parameters
    ----------
    mean : array of shape (2 * n_ratios,)
        Pairs of numerator and denominator.

    Returns
    -------
    array of shape (n_ratios, 2 * n_ratios)

    Examples
    --------
    >>> linear_forms(np.array([1.0, 2.0])).tolist()
    [[0.5, -0.25]]
    """
    weights = np.zeros((len(mean) // 2, len(mean)))
    for pair in range(len(weights)):
        top, bottom = mean[2 * pair], mean[2 * pair + 1]
        weights[pair, 2 * pair : 2 * pair + 2] = 1 / bottom, -top / bottom**2
    return weights


def combined_variance(weights: NDArray[np.float64], covariance: NDArray[np.float64]) -> float:
    """Give that of a weighted sum; 0 where what is left of its parts is but their rounding.

    Parameters
    ----------
    weights : array of shape (n_columns,)
    covariance : array of shape (n_columns, n_columns)
    """
    parts = covariance * weights * weights[:, None]
    variance = float(parts.sum())
    return 0.0 if variance <= _ROUNDING * float(np.abs(parts).sum()) else variance


def _sum(arms: Sequence[Moments]) -> Moments:
    together = Moments.empty(len(arms[0].mean))
    for arm in arms:
        together = together + arm
    return together


def slopes(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the slopes of the first column on the others; least squares of least norm.

    Parameters
    ----------
    products : array of shape (n_columns, n_columns)

    Returns
    -------
    array of shape (n_columns - 1,)
    """
    scale = np.sqrt(np.diag(products)[1:])
    scale[scale == 0] = 1.0
    within = products[1:, 1:] / np.outer(scale, scale)
    slopes, *_ = np.linalg.lstsq(within, products[1:, 0] / scale, rcond=1e-12)
    result: NDArray[np.float64] = slopes / scale
    return result


def _reduction(products: Sequence[NDArray[np.float64]], weights: NDArray[np.float64]) -> float:
    """Give the share of the first column's variance within arms that the weights take away."""
    before = sum(float(each[0, 0]) for each in products)
    after = sum(float(weights @ each @ weights) for each in products)
    return 1 - after / before if before > 0 else 0.0
