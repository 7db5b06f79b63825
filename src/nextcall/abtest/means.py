"""Arms of means and ratios from moments, with what covariates explain taken out (CUPED)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.effect import Arm
from nextcall.abtest.moments import Moments


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
        Share of the pooled variance of a unit that is gone; 0 without covariates.
    """

    arms: tuple[Arm, ...]
    theta: tuple[float, ...]
    variance_reduction: float


def mean_arm(moments: Moments, column: int = 0) -> Arm:
    """Give the mean of a column, and its variance over units."""
    return Arm(
        n=moments.n,
        estimate=float(moments.mean[column]) if moments.n else nan,
        variance=float(moments.covariance()[column, column]),
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
    theta = _slopes(together.products)
    weights = np.concatenate([[1.0], -theta])
    centre = float(theta @ together.mean[1:])
    return Adjusted(
        arms=tuple(mean_arm(arm.combined(weights, shift=centre)) for arm in arms),
        theta=tuple(theta.tolist()),
        variance_reduction=_reduction([arm.products for arm in arms], weights),
    )


def ratio_arm(moments: Moments) -> Arm:
    """Give the ratio of the means of two columns, with its variance by the delta method.

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
    ratio, weights = float(moments.mean[0] / moments.mean[1]), _linear(moments.mean)
    variance = float(weights @ moments.covariance() @ weights)
    return Arm(n=moments.n, estimate=ratio, variance=max(variance, 0.0))


def adjusted_ratios(arms: Sequence[Moments]) -> Adjusted:
    """Take out of a ratio what the same ratio before the test explains of it.

    Each arm's ratios are held by their linear forms around its own values; theta is the sum of the
    arms' covariances over that of their variances. Like `adjusted_means` it is centred on the
    ratio before the test over all arms, and needs nothing but moments.

    Parameters
    ----------
    arms : sequence of Moments
        With columns numerator, denominator, and the same two before the test.
    """
    together = _sum(arms)
    usable = all(arm.n > 1 and arm.mean[1] != 0 and arm.mean[3] != 0 for arm in arms)
    if not usable or together.mean[3] == 0:
        plain = tuple(ratio_arm(arm.columns([0, 1])) for arm in arms)
        return Adjusted(arms=plain, theta=(0.0,), variance_reduction=0.0)
    centre = float(together.mean[2] / together.mean[3])
    linear = [arm.combined(_two_linear(arm.mean)) for arm in arms]
    covariances = [each.covariance() for each in linear]
    theta = float(_slopes(np.sum(covariances, axis=0))[0])
    weights = np.array([1.0, -theta])
    found = [
        Arm(
            n=arm.n,
            estimate=float(arm.mean[0] / arm.mean[1])
            - theta * (float(arm.mean[2] / arm.mean[3]) - centre),
            variance=max(float(weights @ covariance @ weights), 0.0),
        )
        for arm, covariance in zip(arms, covariances, strict=True)
    ]
    return Adjusted(
        arms=tuple(found),
        theta=(theta,),
        variance_reduction=_reduction([each.products for each in linear], weights),
    )


def _two_linear(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.zeros((2, 4))
    weights[0, :2], weights[1, 2:] = _linear(mean[:2]), _linear(mean[2:])
    return weights


def _linear(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the weights of the linear form of a ratio of two means."""
    weights: NDArray[np.float64] = np.array([1.0, -mean[0] / mean[1]]) / mean[1]
    return weights


def _sum(arms: Sequence[Moments]) -> Moments:
    together = Moments.empty(len(arms[0].mean))
    for arm in arms:
        together = together + arm
    return together


def _slopes(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the slopes of the first column on the others; least squares of least norm."""
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
