"""Sample size, power, and the smallest effect that a test can be expected to find."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf, isfinite, nan
from typing import Final

from scipy.optimize import brentq
from scipy.special import expit

from nextcall.abtest.effect import check_alpha
from nextcall.abtest.planned_tests import PlannedTest

_MOST: Final = 1e150  # units, or an effect: their squares are finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What a test comes to.

    Parameters
    ----------
    n : float
        Units of control, not rounded.
    effect : float
        In the unit of the metric.
    power : float
        Chance to find it.
    alpha : float
        Chance to find an effect where there is none.
    """

    n: float
    effect: float
    power: float
    alpha: float


def solve(
    test: PlannedTest,
    *,
    n: float | None = None,
    effect: float | None = None,
    power: float | None = None,
    alpha: float | None = 0.05,
) -> Solution:
    """Find the one of four quantities that is None.

    Parameters
    ----------
    n : float, optional
        Units of control.
    effect : float, optional
        The smallest effect that is found with the power; above the null, below it where the
        alternative is "less". It cannot be asked of a test of equivalence.

    Raises
    ------
    ValueError
        Where not exactly one is None, one is out of its range, or nothing reaches the power.

    Examples
    --------
    >>> from nextcall.abtest.planned_tests import MeanTest
    >>> round(solve(MeanTest(sd=30.0), effect=2.0, power=0.8).n, 2)
    3532.95
    >>> round(solve(MeanTest(sd=30.0), n=5000, power=0.8).effect, 4)
    1.6811
    """
    given = {"n": n, "effect": effect, "power": power, "alpha": alpha}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) != 1:
        raise ValueError(f"exactly one of n, effect, power, alpha must be None, got {missing}.")
    if n is not None and not (0 < n < inf and n >= test.least):
        raise ValueError(f"n must be finite and at least {test.least:g}, got {n}.")
    if effect is not None and not isfinite(effect):
        raise ValueError(f"effect must be finite, got {effect}.")
    if power is not None and not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1, got {power}.")
    if alpha is not None:
        check_alpha(alpha)
    asked = Solution(**{name: nan if value is None else value for name, value in given.items()})
    return replace(asked, **{missing[0]: _SOLVERS[missing[0]](test, asked)})


def _n(test: PlannedTest, asked: Solution) -> float:
    effect, power, alpha = asked.effect, asked.power, asked.alpha
    low = max(test.least, 1e-9)
    if test.power(low, effect, alpha) >= power:
        return low
    high = max(4.0, 2 * low)
    while test.power(high, effect, alpha) < power:
        low, high = high, 8 * high
        if high > _MOST:
            raise ValueError(f"power must be one that some n reaches, got {power} of {effect}.")
    return float(brentq(lambda n: test.power(n, effect, alpha) - power, low, high, rtol=1e-14))


def _effect(test: PlannedTest, asked: Solution) -> float:
    n, power, alpha = asked.n, asked.power, asked.alpha
    if test.margin is not None:
        raise ValueError("effect must be given where equivalence is to be shown, got None.")
    way = -1.0 if test.alternative == "less" else 1.0

    def excess(distance: float) -> float:
        return test.power(n, test.null + way * distance, alpha) - power

    if excess(0.0) >= 0:
        raise ValueError(f"power must be above alpha, got {power} and {alpha}.")
    most = test.largest - way * test.null
    low = high = min(1e-12, most)
    while excess(low) >= 0:
        low, high = low / 1024, low
    while excess(high) < 0:
        if high == most or high > _MOST:
            raise ValueError(f"power must be one that some effect reaches, got {power} at n {n:g}.")
        low, high = high, min(8 * high, most)
    return test.null + way * float(brentq(excess, low, high, xtol=1e-300, rtol=1e-14))


def _alpha(test: PlannedTest, asked: Solution) -> float:
    n, effect, power = asked.n, asked.effect, asked.power

    def excess(place: float) -> float:
        return test.power(n, effect, float(expit(place))) - power

    low, high = -600.0, 30.0
    if not excess(low) < 0 < excess(high):
        raise ValueError(f"power must be one that some alpha reaches, got {power} at n {n:g}.")
    return float(expit(brentq(excess, low, high, xtol=1e-13)))


_SOLVERS: Final[Mapping[str, Callable[[PlannedTest, Solution], float]]] = {
    "n": _n,
    "effect": _effect,
    "power": lambda test, asked: test.power(asked.n, asked.effect, asked.alpha),
    "alpha": _alpha,
}
