"""An interval that holds at every look at a test with a planned size, and narrows for it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import exp, expm1, inf, isfinite, isnan, log, log1p, pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, ndtri, stdtr, stdtrit

from nextcall.abtest.crossing import crossing_probability
from nextcall.abtest.effect import Alternative, Effect, check_alpha, check_alternative, effect_of

_LOG_2: Final = log(2)
_LOOSEST: Final = 18.0  # log evidence up to which the chance to meet it by the horizon is solved
_FARTHEST: Final = 36.0  # z-scores: rarer than 1e-283, and soon too rare for a float
_RAREST: Final = 4e-284  # the normal law's share beyond _FARTHEST
_SQUARABLE: Final = 1e150  # its square is finite
_EXPONENT: Final = 700.0  # e to the power of it is finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """When a test is looked at first, and how large it is planned to be.

    Parameters
    ----------
    last : float
        Units of both arms together at which it ends, as planned.
    first : float
        Units at the first look, of both arms together; nothing is said before. Thirty an arm by
        default: below, no law of large numbers helps a skewed metric.
    shape : float
        How evenly the error is spent: near 0 almost all of it at the horizon (O'Brien & Fleming),
        10 and more mostly early. By default the mean size of a test that ends early is smallest
        for the effect that its size was planned for.
    beyond : float
        Share of alpha that is kept for looks after the horizon, between 0 and 1.

    Raises
    ------
    ValueError
        Where one is out of its range.
    """

    last: float
    first: float = 60.0
    shape: float = 2.5
    beyond: float = 0.05

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not (isfinite(self.last) and 0 < self.first <= self.last):
            raise ValueError(
                f"first and last must rise and lie above 0, got {self.first} and {self.last}."
            )
        if not (self.shape > 0 and isfinite(self.shape)):
            raise ValueError(f"shape must be above 0 and finite, got {self.shape}.")
        if not 0 < self.beyond < 1:
            raise ValueError(f"beyond must lie between 0 and 1, got {self.beyond}.")


def horizon_bounds(
    horizon: Horizon,
    n: ArrayLike,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> NDArray[np.float64]:
    """Give the z-scores beyond which an effect is shown, at each number of units.

    The mixture's own bound, lowered until a path that is watched at every instant from the first
    look to the horizon meets it with probability ``(1 - beyond) * alpha``; after the horizon
    Robbins' and Siegmund's bound, which is met at any time with the rest of alpha.

    Parameters
    ----------
    n : array-like
        Units of both arms together; infinite bounds before the first look.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Robbins & Siegmund (1970), Annals of Mathematical Statistics 41(5): the bound that is met with
    probability 2 (1 - Phi(a) + a phi(a)).

    Examples
    --------
    >>> horizon_bounds(Horizon(last=4000), [59, 60, 1000, 4000, 4001]).round(2).tolist()
    [inf, 9.7, 3.16, 2.54, 3.78]
    """
    units = np.asarray(n, dtype=np.float64)
    two_sided = check_alternative(alternative) == "two-sided"
    log_threshold = _log_threshold(horizon, check_alpha(alpha), two_sided=two_sided)
    within = _curve(horizon, log_threshold)(np.maximum(units, horizon.first))
    tail = _tail_start(horizon, alpha)
    after = np.sqrt(tail**2 + np.log(np.maximum(units / horizon.last, 1.0)))
    found: NDArray[np.float64] = np.where(units <= horizon.last, within, after)
    found[units < horizon.first] = inf
    return found


def horizon_effect(
    effect: Effect,
    n: float,
    *,
    horizon: Horizon,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Effect:
    """Give the interval and p-value of an effect that hold at every look.

    An effect's t-score counts as the z-score that is as rare under its null, so that few units and
    an unknown variance cost what they should. Read it as often as you like; the error is spent by
    the horizon, where the bound is a quarter above that of a test with one look.

    Parameters
    ----------
    effect : Effect
        Its value, standard error, degrees of freedom and null are read.
    n : float
        Units of both arms together, above 0.

    Returns
    -------
    Effect
        The p-value is the smallest alpha at which this look shows the effect, 1 before the first
        look; ``nan`` where the standard error is 0 or not known.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> from nextcall.abtest.effect import Arm, difference
    >>> a, b = Arm(n=500, estimate=10.0, variance=4.0), Arm(n=500, estimate=10.5, variance=4.0)
    >>> found = horizon_effect(difference(a, b), 1000, horizon=Horizon(last=4000))
    >>> round(found.ci_lower, 3), round(found.ci_upper, 3), round(found.pvalue, 4)
    (0.099, 0.901, 0.0097)
    """
    if not (n > 0 and isfinite(n)):
        raise ValueError(f"n must be above 0 and finite, got {n}.")
    bound = float(horizon_bounds(horizon, n, alpha=alpha, alternative=alternative))
    value, se, dof, null = effect.value, effect.se, effect.dof, effect.null
    if without_law(effect) and bound < inf:
        return effect_of(value, se, dof=dof, alternative=alternative, null=null)
    reach, pvalue = inf, 1.0
    if bound < inf:
        reach = se * t_score(bound, dof)
        z = z_score((value - null) / se, dof) * (-1 if alternative == "less" else 1)
        z = abs(z) if alternative == "two-sided" else z
        pvalue = _pvalue(horizon, z, n, two_sided=alternative == "two-sided")
    return Effect(
        value=value,
        se=se,
        dof=dof,
        ci_lower=-inf if alternative == "less" or reach == inf else value - reach,
        ci_upper=inf if alternative == "greater" or reach == inf else value + reach,
        pvalue=pvalue,
        null=null,
    )


def without_law(effect: Effect) -> bool:
    """Tell whether an effect can not be tested: its error is 0 or not known."""
    return isnan(effect.value) or not effect.se > 0 or not effect.dof > 0


def z_score(t: float, dof: float) -> float:
    """Give the normal score that is as rare as a t-score.

    Beyond the rarest that a float holds, by Wallace's (1959) approximation.

    Examples
    --------
    >>> round(z_score(2.2281, 10), 3), z_score(-3.0, inf)
    (1.96, -3.0)
    """
    if dof == inf:
        return t
    tail = float(stdtr(dof, -abs(t)))
    z = float(-ndtri(tail))
    if tail < _RAREST:
        logarithm = log1p(t * t / dof) if abs(t) < _SQUARABLE else 2 * log(abs(t)) - log(dof)
        z = max(z if z < inf else 0.0, sqrt(dof * logarithm) * (8 * dof + 1) / (8 * dof + 3))
        z = max(z, _FARTHEST)
    return float(np.copysign(z, t))


def t_score(z: float, dof: float) -> float:
    """Give the t-score that is as rare as a normal score not below 0; `z_score` turned round.

    Examples
    --------
    >>> round(t_score(1.96, 10), 3)
    2.228
    """
    if inf in {dof, z}:
        return z
    if z < _FARTHEST:
        return float(-stdtrit(dof, float(ndtr(-z))))
    power = (z * (8 * dof + 3) / (8 * dof + 1)) ** 2 / dof
    return sqrt(dof * expm1(power)) if power < _EXPONENT else inf


def _curve(
    horizon: Horizon, log_threshold: float
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Give the bound at which the mixture's evidence reaches a threshold."""

    def bound(units: NDArray[np.float64]) -> NDArray[np.float64]:
        ratio = units * (horizon.shape / horizon.last)
        square = (1 + ratio) / ratio * (np.log1p(ratio) + 2 * log_threshold)
        found: NDArray[np.float64] = np.sqrt(np.maximum(square, 0.0))
        return found

    return bound


def _met(horizon: Horizon, log_threshold: float, *, two_sided: bool) -> float:
    """Give the probability that the bound is met between the first look and the horizon."""
    curve = _curve(horizon, log_threshold)
    if log_threshold <= _LOOSEST:
        return crossing_probability(curve, horizon.first, horizon.last, two_sided=two_sided)
    # The chance to meet it at any time, which differs little; it holds for one side, too.
    ratio = horizon.first * horizon.shape / horizon.last
    start = float(curve(np.array([horizon.first]))[0])
    ever = 2 * ndtr(-start) + (1 - 2 * ndtr(-start / sqrt(1 + ratio))) * exp(-log_threshold)
    return min(float(ever), _met(horizon, _LOOSEST, two_sided=two_sided))


@lru_cache(maxsize=256)
def _log_threshold(horizon: Horizon, alpha: float, *, two_sided: bool) -> float:
    """Give the evidence (its logarithm) that is met by the horizon with what alpha it has."""
    share = alpha * (1 - horizon.beyond)

    def excess(log_threshold: float) -> float:
        return _met(horizon, log_threshold, two_sided=two_sided) - share

    lowest, highest = -log1p(horizon.shape) / 2, 1.0 - log(share)  # bounds of 0; Ville's bound
    if excess(lowest) <= 0:
        return lowest
    return float(brentq(excess, lowest, highest, xtol=1e-9))


def _tail_start(horizon: Horizon, alpha: float) -> float:
    """Give where Robbins' and Siegmund's bound begins that is met with the rest of alpha.

    On either side: for one side they give no exact form, and half of it would be too little.
    """
    share = log(alpha * horizon.beyond)
    highest = 2.0 + 2 * sqrt(-2 * share)
    return float(brentq(lambda start: _log_ever(start) - share, 0.0, highest))


def _log_ever(start: float) -> float:
    """Give the log probability to meet the bound that begins at `start`."""
    density = -start * start / 2 - log(2 * pi) / 2
    return _LOG_2 + float(
        np.logaddexp(log_ndtr(-start), density + log(start)) if start else log_ndtr(0.0)
    )


def _pvalue(horizon: Horizon, z: float, n: float, *, two_sided: bool) -> float:
    if n < horizon.first or z <= 0:
        return 1.0
    if n > horizon.last:
        start = sqrt(max(z * z - log(n / horizon.last), 0.0))
        return min(exp(_log_ever(start)) / horizon.beyond, 1.0)
    ratio = n * horizon.shape / horizon.last
    log_evidence = z * z * ratio / (1 + ratio) / 2 - log1p(ratio) / 2
    return min(_met(horizon, log_evidence, two_sided=two_sided) / (1 - horizon.beyond), 1.0)
