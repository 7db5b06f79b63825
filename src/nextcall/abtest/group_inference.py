"""What a group-sequential test says of an effect: while it runs, and once it has stopped."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import exp, inf, log, sqrt
from typing import Final

from scipy.optimize import brentq

from nextcall.abtest.effect import Alternative, Effect, check_alpha, effect_of
from nextcall.abtest.group_sequential import Bounds, spending_bounds
from nextcall.abtest.horizon_sequences import t_score, without_law, z_score
from nextcall.abtest.spending import Spending
from nextcall.abtest.stages import Stages

_LOG_LEAST: Final = log(1.001e-12)  # repeated p-values are not sought below
_LOG_MOST: Final = -1e-12
_FARTHEST: Final = 1e3  # z-scores: no p-value or root is told apart beyond


def repeated_effect(
    effect: Effect,
    information: Sequence[float],
    *,
    alpha: float = 0.05,
    spending: Spending | None = None,
    alternative: Alternative = "two-sided",
    final: bool = False,
) -> Effect:
    """Give the repeated confidence interval: valid whether the test stops at this look or not.

    Parameters
    ----------
    effect : Effect
        At the newest look; its value, standard error, degrees of freedom and null are read.
    information : sequence of float
        At all looks so far, as shares of what is planned.
    final : bool
        Whether this look spends all of alpha that is left.

    Returns
    -------
    Effect
        The p-value is the smallest alpha at which this look would stop, from 1e-12 on.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Jennison & Turnbull (1989), JRSS B 51(3).

    Examples
    --------
    >>> from math import nan
    >>> seen = Effect(value=1.2, se=0.4, dof=inf, ci_lower=nan, ci_upper=nan, pvalue=nan)
    >>> found = repeated_effect(seen, [0.5])
    >>> round(found.ci_lower, 3), round(found.ci_upper, 3), round(found.pvalue, 3)
    (0.015, 2.385, 0.047)
    """

    def bound(level: float) -> float:
        found = spending_bounds(
            information, alpha=level, spending=spending, alternative=alternative, final=final
        )
        return min(found.upper[-1], -found.lower[-1])

    limit = bound(check_alpha(alpha))
    if without_law(effect):
        return effect_of(
            effect.value, effect.se, dof=effect.dof, alternative=alternative, null=effect.null
        )
    z = _oriented(effect, alternative)
    reach = effect.se * t_score(limit, effect.dof)

    def excess(log_level: float) -> float:
        return bound(exp(log_level)) - z

    pvalue = 1.0
    if excess(_LOG_LEAST) <= 0:
        pvalue = exp(_LOG_LEAST)
    elif excess(_LOG_MOST) < 0:
        pvalue = exp(float(brentq(excess, _LOG_LEAST, _LOG_MOST, xtol=1e-8)))
    return _open_sided(
        replace(
            effect,
            ci_lower=effect.value - reach,
            ci_upper=effect.value + reach,
            pvalue=pvalue,
        ),
        alternative,
    )


def stagewise_effect(
    effect: Effect,
    bounds: Bounds,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Effect:
    """Give the estimate, interval and p-value of a test that has stopped, freed of its looks.

    Results are ordered by when the test stopped, then by how far: a stop above at an early look
    says more for the treatment than any later one. The estimate is as often too high as too low.

    Parameters
    ----------
    effect : Effect
        At the look at which it stopped; its value, standard error, degrees of freedom and null are
        read. A t-score counts as the z-score that is as rare.
    bounds : Bounds
        Of all looks up to and with that one.

    Returns
    -------
    Effect
        With the median-unbiased estimate as `value`.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Tsiatis, Rosner & Mehta (1984), Biometrics 40(3); Jennison & Turnbull (2000), chapter 8.

    Examples
    --------
    >>> from nextcall.abtest.group_sequential import classical_bounds
    >>> from math import nan
    >>> seen = Effect(value=1.2, se=0.4, dof=inf, ci_lower=nan, ci_upper=nan, pvalue=nan)
    >>> found = stagewise_effect(seen, classical_bounds([0.5, 1.0]))
    >>> round(found.value, 2), round(found.ci_lower, 2), round(found.pvalue, 4)
    (1.17, 0.34, 0.0072)
    """
    check_alpha(alpha)
    if without_law(effect):
        return effect_of(
            effect.value, effect.se, dof=effect.dof, alternative=alternative, null=effect.null
        )
    end, t = sqrt(bounds.information[-1]), (effect.value - effect.null) / effect.se
    score = min(max(z_score(t, effect.dof), -_FARTHEST), _FARTHEST)
    unit = effect.se * end * (t / score if score else 1.0)  # an effect of it is a drift of 1

    def tails(drift: float) -> tuple[float, float]:
        return _stage_tails(bounds, score, drift)

    share = alpha / 2 if alternative == "two-sided" else alpha
    above, below = tails(0.0)
    pvalues = {"two-sided": min(2 * min(above, below), 1.0), "greater": above, "less": below}
    start = score / end
    return _open_sided(
        replace(
            effect,
            value=effect.null + unit * _root(lambda drift: tails(drift)[0] - 0.5, start),
            ci_lower=effect.null + unit * _root(lambda drift: tails(drift)[0] - share, start),
            ci_upper=effect.null + unit * _root(lambda drift: share - tails(drift)[1], start),
            pvalue=pvalues[alternative],
        ),
        alternative,
    )


def _stage_tails(bounds: Bounds, score: float, drift: float) -> tuple[float, float]:
    """Give the probabilities of results at least as high, and at most as high."""
    path, above, below = Stages.begin(drift), 0.0, 0.0
    for time, low, high in zip(
        bounds.information[:-1], bounds.lower[:-1], bounds.upper[:-1], strict=True
    ):
        path = path.next(time)
        above += path.above(high * sqrt(time))
        below += path.below(low * sqrt(time))
        path = path.kept(low * sqrt(time), high * sqrt(time))
    path = path.next(bounds.information[-1])
    place = score * sqrt(bounds.information[-1])
    return above + path.above(place), below + path.below(place)


def _root(rising: Callable[[float], float], start: float) -> float:
    """Find where a rising function is 0."""
    width = 1.0 + abs(start) / 8
    low, high = start - width, start + width
    while rising(low) > 0:
        low, width = low - width, 2 * width
    while rising(high) < 0:
        high, width = high + width, 2 * width
    return float(brentq(rising, low, high, xtol=1e-10))


def _oriented(effect: Effect, alternative: Alternative) -> float:
    """Give the z-score, in the direction that is to be shown."""
    z = z_score((effect.value - effect.null) / effect.se, effect.dof)
    return {"two-sided": abs(z), "greater": z, "less": -z}[alternative]


def _open_sided(effect: Effect, alternative: Alternative) -> Effect:
    if alternative == "greater":
        return replace(effect, ci_upper=inf)
    return replace(effect, ci_lower=-inf) if alternative == "less" else effect
