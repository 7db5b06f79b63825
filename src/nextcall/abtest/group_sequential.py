"""Bounds for a test that is looked at a few times, at planned or unplanned information."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from nextcall.abtest.effect import Alternative, check_alpha, check_alternative
from nextcall.abtest.spending import Spending
from nextcall.abtest.stages import Stages, check_information, exit_probabilities

_LEAST: Final = 1e-12  # an alpha whose tails the integration still holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """At which z-scores a test stops at each look.

    Parameters
    ----------
    information : tuple of float
        At each look, as shares of what is planned.
    lower, upper : tuple of float
        The test stops where its z-score is at or below the lower bound, or at or above the upper
        one; infinite where it does not stop.
    """

    information: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def exits(self, drift: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the probabilities to stop above and below at each look.

        Parameters
        ----------
        drift : float
            Mean of the z-score at all of the planned information.
        """
        return exit_probabilities(self.information, self.lower, self.upper, drift=drift)


def spending_bounds(
    information: Sequence[float],
    *,
    alpha: float = 0.05,
    spending: Spending | None = None,
    alternative: Alternative = "two-sided",
    final: bool = False,
) -> Bounds:
    """Give the bounds at looks that spend alpha by a rule.

    The looks need not be planned: each spends what the rule allows by its information. They must
    not be chosen by what an earlier look has shown.

    Parameters
    ----------
    information : sequence of float
        At each look so far, as shares of what is planned, rising from above 0; 1 and more spend
        all that is left.
    alpha : float
        Of both sides together, at least 1e-12.
    spending : Spending, optional
        O'Brien and Fleming's by default; each side of a two-sided test spends its half by it.
    final : bool
        Whether the last look spends all that is left, as where a test ends early.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Lan & DeMets (1983), Biometrika 70(3).

    Examples
    --------
    >>> found = spending_bounds([0.2, 0.4, 0.6, 0.8, 1.0])
    >>> [round(bound, 4) for bound in found.upper]
    [4.8769, 3.357, 2.6803, 2.2898, 2.031]
    """
    times = check_information(information)
    sides = _sides(alpha, alternative)
    rule = Spending() if spending is None else spending
    path, upper, before = Stages.begin(), list[float](), 0.0
    for look, time in enumerate(times):
        last = final and look == len(times) - 1
        spent = rule.spent(1.0 if last else time, alpha=alpha / sides)
        path = path.next(time)
        bound = path.upper_bound(spent - before)
        upper.append(bound / sqrt(time))
        path = path.kept(-bound if sides == 2 else -inf, bound)
        before = spent
    return _mirrored(times, upper, alternative)


def classical_bounds(
    information: Sequence[float],
    *,
    alpha: float = 0.05,
    exponent: float = 0.0,
    alternative: Alternative = "two-sided",
) -> Bounds:
    """Give bounds of one shape for looks that are all planned.

    Parameters
    ----------
    information : sequence of float
        At each look, rising from above 0; the last is the end.
    alpha : float
        Of both sides together, at least 1e-12.
    exponent : float
        Bounds are in proportion to ``information ** (exponent - 1/2)``: 0 is O'Brien and
        Fleming's, 1/2 Pocock's, between them Wang and Tsiatis'.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Pocock (1977), Biometrika 64(2); O'Brien & Fleming (1979), Biometrics 35(3); Wang & Tsiatis
    (1987), Biometrics 43(1).

    Examples
    --------
    >>> looks = [0.2, 0.4, 0.6, 0.8, 1.0]
    >>> round(classical_bounds(looks, exponent=0.5).upper[0], 4)
    2.4132
    >>> round(classical_bounds(looks).upper[-1], 4)
    2.0401
    """
    times = check_information(information)
    sides = _sides(alpha, alternative)
    if not -5 <= exponent <= 5:
        raise ValueError(f"exponent must lie between -5 and 5, got {exponent}.")
    shape = [(time / times[-1]) ** (exponent - 0.5) for time in times]

    def excess(scale: float) -> float:
        upper = [scale * each for each in shape]
        lower = [-each if sides == 2 else -inf for each in upper]
        above, _ = exit_probabilities(times, lower, upper)
        return float(above.sum()) - alpha / sides

    once = -float(ndtri(alpha / sides))
    lowest, highest = min(once, 0.0) - 1.0, -float(ndtri(alpha / sides / len(times)))
    if sides == 2:
        lowest = 0.0
    smallest = min(shape)
    scale = float(brentq(excess, lowest / smallest, max(highest, 1e-9) / smallest, xtol=1e-12))
    return _mirrored(times, [scale * each for each in shape], alternative)


def futility_bounds(
    bounds: Bounds, *, power: float = 0.8, spending: Spending | None = None
) -> tuple[Bounds, float]:
    """Add to one-sided bounds the z-scores below which a test is given up.

    They need not be followed: the upper bounds hold alpha whether one stops or goes on. They spend
    what the test may miss of an effect that it is to find.

    Parameters
    ----------
    bounds : Bounds
        One-sided, upwards.
    power : float
        Probability to show the effect where one does give up, between 0 and 1.

    Returns
    -------
    (Bounds, float)
        The bounds, and the drift (mean of the z-score at information 1) that is found with that
        power: drift squared over that of a test with one look is how much larger it must be.

    Raises
    ------
    ValueError
        Where `bounds` are not one-sided upwards or an option is out of its range.

    References
    ----------
    Pampallona, Tsiatis & Kim (2001), Drug Information Journal 35(4): beta spending.

    Examples
    --------
    >>> found, drift = futility_bounds(spending_bounds([0.5, 1.0], alpha=0.025,
    ...                                                alternative="greater"), power=0.9)
    >>> [round(bound, 3) for bound in found.lower], round(drift, 3)
    ([0.267, 1.969], 3.282)
    """
    if any(low > -inf for low in bounds.lower) or bounds.upper[-1] == inf:
        raise ValueError("bounds must be one-sided upwards and end with a finite one.")
    if not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1, got {power}.")
    rule, missed = Spending() if spending is None else spending, 1 - power
    end = bounds.information[-1]

    def given_up(drift: float) -> tuple[list[float], float]:
        path, lower, before = Stages.begin(drift), list[float](), 0.0
        for time, upper in zip(bounds.information, bounds.upper, strict=True):
            path = path.next(time)
            spent = rule.spent(time / end, alpha=missed)
            low = min(path.lower_bound(spent - before), upper * sqrt(time))
            lower.append(low / sqrt(time))
            left = path.below(upper * sqrt(time)) - (spent - before)
            path = path.kept(low, upper * sqrt(time))
            before = spent
        return lower, left

    far = (10.0 - float(ndtri(missed)) + max(b for b in bounds.upper if b < inf)) / sqrt(end)
    drift = float(brentq(lambda each: given_up(each)[1], -far, far, xtol=1e-10))
    lower = [*given_up(drift)[0][:-1], bounds.upper[-1]]
    return Bounds(information=bounds.information, lower=tuple(lower), upper=bounds.upper), drift


def _sides(alpha: float, alternative: Alternative) -> int:
    if check_alpha(alpha) < _LEAST:
        raise ValueError(f"alpha must be at least {_LEAST:g}, got {alpha}.")
    return 2 if check_alternative(alternative) == "two-sided" else 1


def _mirrored(times: tuple[float, ...], upper: list[float], alternative: Alternative) -> Bounds:
    """Lay bounds on the sides that an alternative has."""
    never = [inf] * len(upper)
    above, below = (upper if side else never for side in _SHOWN[alternative])
    return Bounds(information=times, lower=tuple(-bound for bound in below), upper=tuple(above))


_SHOWN: Final = {"two-sided": (True, True), "greater": (True, False), "less": (False, True)}
