"""How often tests that are looked at again and again are wrong: each method on the same draws."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import e, log, sqrt
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtr

from nextcall.abtest.confidence_sequences import mixture_rate
from nextcall.abtest.effect import check_alpha
from nextcall.abtest.group_sequential import classical_bounds, spending_bounds
from nextcall.abtest.horizon_sequences import Horizon, horizon_bounds
from nextcall.abtest.spending import Spending
from nextcall.progress import Progress, silent

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]
"""Gives values of units, as many as rows and columns are asked for."""

_BLOCK: Final = 200  # runs at once

LAWS: Final[Mapping[str, Draw]] = MappingProxyType(
    {
        "normal": lambda rng, shape: rng.standard_normal(shape),
        "lognormal": lambda rng, shape: rng.lognormal(size=shape),
        "bernoulli_0.1": lambda rng, shape: (rng.random(shape) < 0.1).astype(np.float64),
        "exponential": lambda rng, shape: rng.exponential(size=shape),
    }
)
"""Of a unit's value."""

MEANS: Final[Mapping[str, float]] = MappingProxyType(
    {"normal": 0.0, "lognormal": sqrt(e), "bernoulli_0.1": 0.1, "exponential": 1.0}
)
"""The true mean of each law."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """When a test of two equal arms is looked at, and what shows an effect.

    Parameters
    ----------
    sizes : array of int, shape (n_looks,)
        Units of an arm.
    bounds : array of shape (n_looks,)
        Z-scores.
    exact : bool
        Whether a t-score counts as the z-score that is as rare, or as it is.
    """

    sizes: NDArray[np.int64]
    bounds: Floats
    exact: bool = True


def planned_readings(n: int, looks: int, *, alpha: float = 0.05) -> dict[str, Reading]:
    """Give the ways to read a test of planned size at a few even looks.

    Parameters
    ----------
    n : int
        Units of an arm at the last look.
    looks : int

    Returns
    -------
    dict of str to Reading
        ``naive``: each look as though it were the only one; ``always_valid``; ``group_*``.

    Raises
    ------
    ValueError
        Where there are more looks than units, or an option is out of its range.

    Examples
    --------
    >>> found = planned_readings(1000, 5)
    >>> found["naive"].bounds.round(2).tolist(), found["group_pocock"].bounds.round(3).tolist()
    ([1.96, 1.96, 1.96, 1.96, 1.96], [2.413, 2.413, 2.413, 2.413, 2.413])
    """
    if not 1 <= looks <= n:
        raise ValueError(f"looks must lie between 1 and n = {n}, got {looks}.")
    sizes = n * np.arange(1, looks + 1) // looks
    shares = (sizes / n).tolist()
    once = -ndtri(check_alpha(alpha) / 2)
    found = {
        "naive": Reading(sizes=sizes, bounds=np.full(looks, once)),
        "always_valid": Reading(
            sizes=sizes, bounds=horizon_bounds(_horizon(n, 30), 2 * sizes, alpha=alpha)
        ),
    }
    for name, bounds in {
        "obrien_fleming": classical_bounds(shares, alpha=alpha),
        "pocock": classical_bounds(shares, alpha=alpha, exponent=0.5),
        "spending_obrien_fleming": spending_bounds(shares, alpha=alpha),
        "spending_pocock": spending_bounds(shares, alpha=alpha, spending=Spending("pocock")),
    }.items():
        found[f"group_{name}"] = Reading(sizes=sizes, bounds=np.array(bounds.upper))
    return found


def continuous_readings(n: int, *, first: int = 30, alpha: float = 0.05) -> dict[str, Reading]:
    """Give the ways to read a test after every pair of units.

    Parameters
    ----------
    n, first : int
        Units of an arm at the last look, and at the first.

    Returns
    -------
    dict of str to Reading
        ``naive``, ``always_valid``, and ``mixture``: the normal mixture tuned to the last look.

    Raises
    ------
    ValueError
        Where an option is out of its range.
    """
    sizes = np.arange(first, n + 1)
    once = -ndtri(check_alpha(alpha) / 2)
    return {
        "naive": Reading(sizes=sizes, bounds=np.full(len(sizes), once)),
        "always_valid": Reading(
            sizes=sizes, bounds=horizon_bounds(_horizon(n, first), 2 * sizes, alpha=alpha)
        ),
        "mixture": Reading(
            sizes=sizes,
            bounds=mixture_bounds(sizes, mixture_rate(2 * n, alpha), alpha=alpha),
            exact=False,
        ),
    }


def mixture_bounds(sizes: ArrayLike, rate: float, *, alpha: float = 0.05) -> Floats:
    """Give the z-scores that a normal mixture's confidence sequence excludes.

    Parameters
    ----------
    sizes : array-like
        Units of each of two equal arms.
    rate : float
        As `nextcall.abtest.confidence_sequences.mixture_rate` gives it.

    Examples
    --------
    >>> mixture_bounds([1000], 0.001).round(2).tolist()
    [3.26]
    """
    ratio = 2 * np.asarray(sizes, dtype=np.float64) * rate
    found: Floats = np.sqrt((1 + ratio) / ratio * (np.log1p(ratio) - 2 * log(alpha)))
    return found


def count_shown(
    draw: Draw,
    readings: Mapping[str, Reading],
    *,
    runs: int,
    rng: np.random.Generator,
    effect: float = 0.0,
    progress: Progress = silent,
) -> dict[str, int]:
    """Count the runs in which each reading shows an effect at one of its looks.

    All readings see the same runs: Welch's test of two arms of one law.

    Parameters
    ----------
    draw : callable
        Such as one of `LAWS`.
    runs : int
        At least 1.
    effect : float
        What is added to the second arm.

    Raises
    ------
    ValueError
        Where there is no run or no reading.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = count_shown(LAWS["normal"], planned_readings(200, 5), runs=2000, rng=rng)
    >>> 230 < found["naive"] < 330, found["always_valid"] < 100
    (True, True)
    """
    if runs < 1 or not readings:
        raise ValueError(f"runs must be at least 1 and of a reading, got {runs}.")
    shown = dict.fromkeys(readings, 0)
    most = max(int(reading.sizes[-1]) for reading in readings.values())
    for begin in progress(range(0, runs, _BLOCK), description="Simulating tests"):
        scores, dof = t_scores(draw, rng, (min(_BLOCK, runs - begin), most), effect=effect)
        for name, reading in readings.items():
            where = reading.sizes - 1
            hits = beyond(scores[:, where], dof[:, where], reading.bounds, exact=reading.exact)
            shown[name] += int(hits.sum())
    return shown


def t_scores(
    draw: Draw,
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    effect: float = 0.0,
    of: int = 1,
) -> tuple[Floats, Floats]:
    """Give Welch's t-score and degrees of freedom after every unit of treatment.

    Parameters
    ----------
    shape : (runs, units of treatment)
    effect : float
        What is added to treatment.
    of : int
        Units of control for each of treatment.

    Returns
    -------
    arrays of the shape
        The score is 0 where nothing varies.
    """
    runs, size = shape
    estimates: list[Floats] = []
    errors: list[Floats] = []  # squared
    freedoms: list[Floats] = []
    for times, shift in ((of, 0.0), (1, effect)):
        values = draw(rng, (runs, size * times)) + shift
        count = np.arange(1.0, size + 1) * times
        mean = values.cumsum(axis=1)[:, times - 1 :: times] / count
        square = (values * values).cumsum(axis=1)[:, times - 1 :: times] / count - mean * mean
        estimates.append(mean)
        errors.append(np.maximum(square, 0.0) / np.maximum(count - 1, 1))
        freedoms.append(np.maximum(count - 1, 1))
    one, other = errors
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = (estimates[1] - estimates[0]) / np.sqrt(one + other)
        dof = (one + other) ** 2 / (one**2 / freedoms[0] + other**2 / freedoms[1])
    return np.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0), dof


def beyond(scores: Floats, dof: Floats, bounds: Floats, *, exact: bool) -> NDArray[np.bool_]:
    """Tell which runs lie beyond a bound at a look (two-sided).

    Parameters
    ----------
    scores, dof : arrays of shape (n_runs, n_looks)
    bounds : array of shape (n_looks,)
    exact : bool
        As of a `Reading`.
    """
    hits = np.abs(scores) >= bounds
    if not exact:
        return np.asarray(hits.any(axis=1))
    runs, looks = np.nonzero(hits)  # the z-score that is as rare lies nearer to 0
    rare = -ndtri(stdtr(dof[runs, looks], -np.abs(scores[runs, looks]))) >= bounds[looks]
    found = np.zeros(len(scores), dtype=np.bool_)
    found[runs[rare]] = True
    return found


def _horizon(n: int, first: int) -> Horizon:
    return Horizon(last=2.0 * n, first=2.0 * min(first, n))
