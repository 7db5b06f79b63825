"""How often a statistic that follows a t law lies beyond or between bounds, at any size."""

from functools import cache
from math import inf, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

Floats = NDArray[np.float64]

_NODES: Final = 16  # of a panel
_PANEL: Final = 0.5  # width of a panel, in standard deviations of the logarithm of the error
_NARROW: Final = 1e-3  # spread of the logarithm below which its law is a series
_SURE: Final = 1e15  # degrees of freedom beyond which the error is known
_FEW: Final = 100.0  # degrees of freedom below which the logarithm's lower tail is exponential


def critical(alpha: float, dof: float = inf) -> float:
    """Give the t-score that is exceeded with chance `alpha`; a normal one without `dof`."""
    return -float(ndtri(alpha) if dof > _SURE else stdtrit(dof, alpha))


def beyond(shift: float, bound: float, dof: float = inf) -> float:
    """Give the chance that (Z + shift) / s is above a bound.

    Z is normal and s**2 a chi-square over its degrees of freedom: a t statistic that is `shift`
    standard errors off the null. By quadrature over s, for the noncentral t law of most libraries
    fails far out.

    Parameters
    ----------
    shift : float
        True effect minus null, in standard errors.
    dof : float
        Of s; infinite where the error is known.

    Examples
    --------
    >>> round(beyond(2.8, 1.96), 4), round(beyond(2.8, 2.228, dof=10), 4)
    (0.7995, 0.7139)
    """
    if dof > _SURE:
        return float(ndtr(shift - bound))
    scale, weights = _error_law(dof)
    return float(weights @ ndtr(shift - bound * scale))


def between(low: float, high: float, bound: float, dof: float = inf) -> float:
    """Give the chance that two one-sided tests at a margin both reject (TOST).

    Parameters
    ----------
    low, high : float
        The true effect's distance from the lower and from the upper margin, in standard errors.
    bound : float
        Of each of both tests.

    References
    ----------
    Phillips (1990), Journal of Pharmacokinetics and Biopharmaceutics 18(2).

    Examples
    --------
    >>> round(between(3.0, 3.0, 1.645), 4)
    0.8246
    """
    scale, weights = (np.ones(1), np.ones(1)) if dof > _SURE else _error_law(dof)
    reach = bound * scale
    chance = ndtr(high - reach) - ndtr(reach - low)
    return float(weights @ np.where(low + high > 2 * reach, chance, 0.0))


def _error_law(dof: float) -> tuple[Floats, Floats]:
    """Give errors over the true one, and the chance of each."""
    spread = 1 / sqrt(2 * dof)
    low = 37 / dof + 0.5 if dof < _FEW else 13 * spread
    high = min(13 * spread, 2.5)
    borders = np.linspace(-low, high, int(np.ceil((low + high) / (_PANEL * spread))) + 1)
    nodes, weights = _rule()
    half = (borders[1] - borders[0]) / 2
    places = (borders[:-1, None] + half * (1 + nodes)).ravel()
    if spread < _NARROW:  # a series, for nearly equal numbers would be subtracted
        inner = 2 / 3 + places * (1 / 3 + places * (2 / 15 + places * (2 / 45)))
        logs = -dof * places**2 * (1 + places * inner)
    else:
        logs = dof * (places - np.expm1(2 * places) / 2)
    chances = np.exp(logs) * np.tile(weights, len(borders) - 1)
    return np.exp(places), chances / chances.sum()


@cache
def _rule() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights
