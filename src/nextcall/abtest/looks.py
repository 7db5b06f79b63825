"""What it costs to look at a test before its end, in units."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, get_args

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from nextcall.abtest.effect import Alternative, check_alpha
from nextcall.abtest.group_sequential import spending_bounds
from nextcall.abtest.horizon_sequences import Horizon, horizon_bounds
from nextcall.abtest.stages import check_information, exit_probabilities

LookMethod = Literal["fixed", "group-sequential", "always-valid"]
"""One look at the end; a few looks that spend alpha; a look whenever one likes."""

METHODS: Final[tuple[str, ...]] = get_args(LookMethod)
_FIRST: Final = 60.0  # units of both arms before which an always-valid look says nothing
_MOST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLooks:
    """When a test is looked at, and what that costs.

    Parameters
    ----------
    method : {"fixed", "group-sequential", "always-valid"}
    information : tuple of float
        Share of the units at each look; the last is 1.
    bounds : tuple of float
        The z-score that shows an effect at each look; infinite where none does.
    inflation : float
        Units at the end over those of a test with one look, for the same power; at least 1.
    expected : float
        Mean share of the units at which a test stops that has the effect.
    """

    method: LookMethod
    information: tuple[float, ...] = (1.0,)
    bounds: tuple[float, ...]
    inflation: float = 1.0
    expected: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {METHODS}, got {self.method!r}.")
        check_information(self.information)
        if self.information[-1] != 1 or len(self.bounds) != len(self.information):
            raise ValueError(
                "information must end with 1, and bounds be as many, "
                f"got {self.information} and {self.bounds}."
            )
        if self.method == "fixed" and len(self.bounds) > 1:
            raise ValueError(f"looks must be 1 of a fixed test, got {len(self.bounds)}.")
        if not (isfinite(self.inflation) and self.inflation > 0):
            raise ValueError(f"inflation must be above 0 and finite, got {self.inflation}.")
        if not 0 < self.expected <= 1:
            raise ValueError(f"expected must lie above 0 and at most 1, got {self.expected}.")


def plan_looks(
    method: LookMethod,
    looks: int,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    two_sided: bool = True,
    units: float,
) -> PlannedLooks:
    """Plan looks after equal steps of the units.

    A group-sequential test spends alpha as O'Brien and Fleming do; an always-valid one has the
    bounds of `horizon_bounds`, which allow for a look after every unit, and is looked at here so
    many times.

    Parameters
    ----------
    looks : int
        From 1 to 100, the end included.
    units : float
        Of both arms, of a test with one look; an always-valid look before 60 says nothing.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Jennison & Turnbull (2000), Group Sequential Methods, sections 2.3 and 19.2.

    Examples
    --------
    >>> round(plan_looks("group-sequential", 5, units=1000).inflation, 3)
    1.025
    """
    check_alpha(alpha)
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}.")
    if not 1 <= looks <= _MOST:
        raise ValueError(f"looks must lie between 1 and {_MOST}, got {looks}.")
    if not alpha < power < 1:
        raise ValueError(f"power must lie above alpha and below 1, got {power}.")
    if method == "fixed" and looks > 1:
        raise ValueError(f"looks must be 1 of a fixed test, got {looks}.")
    times = tuple(((1 + np.arange(looks)) / looks).tolist())
    way: Alternative = "two-sided" if two_sided else "greater"
    single = spending_bounds([1.0], alpha=alpha, alternative=way).upper
    if method == "fixed":
        return PlannedLooks(method=method, bounds=single)
    once = _drift([1.0], single, power, two_sided=two_sided)
    if method == "group-sequential":
        bounds = spending_bounds(times, alpha=alpha, alternative=way).upper
        drift = _drift(times, bounds, power, two_sided=two_sided)
    else:
        inflation = 1.3  # the first look's share of the units moves the bounds a little
        for count in (min(looks, 5), min(looks, 5), looks):
            horizon = Horizon(last=max(units * inflation, _FIRST), first=_FIRST)
            steps = (1 + np.arange(count)) / count
            found = horizon_bounds(horizon, horizon.last * steps, alpha=alpha, alternative=way)
            bounds = tuple(found.tolist())
            drift = _drift(steps.tolist(), bounds, power, two_sided=two_sided)
            inflation = (drift / once) ** 2
    return PlannedLooks(
        method=method,
        information=times,
        bounds=bounds,
        inflation=(drift / once) ** 2,
        expected=_expected(times, bounds, drift, two_sided=two_sided),
    )


def _exits(
    times: Sequence[float], bounds: Sequence[float], drift: float, *, two_sided: bool
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    lower = [-bound if two_sided else -np.inf for bound in bounds]
    above, below = exit_probabilities(times, lower, bounds, drift=drift)
    return np.asarray(above + below)


def _drift(
    times: Sequence[float], bounds: Sequence[float], power: float, *, two_sided: bool
) -> float:
    """Give the mean of the last z-score at which an effect is found with the power."""

    def excess(drift: float) -> float:
        return float(_exits(times, bounds, drift, two_sided=two_sided).sum()) - power

    # The last look alone has more than the power at this drift.
    high = max(1.0 - float(ndtri(1 - power)) + bounds[-1], 1.0)
    return float(brentq(excess, 0.0, high, xtol=1e-7))


def _expected(
    times: Sequence[float], bounds: Sequence[float], drift: float, *, two_sided: bool
) -> float:
    stopped = _exits(times, bounds, drift, two_sided=two_sided)
    return float(stopped @ np.array(times) + 1 - stopped.sum())
