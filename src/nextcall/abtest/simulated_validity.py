"""Type I error, coverage and what covariates save, of many simulated tests at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from nextcall.abtest.simulate import Truth, simulate_tests
from nextcall.abtest.simulated_effects import run_effects

Floats = NDArray[np.float64]


def share_table(counts: Mapping[tuple[str, str], int], *, runs: int) -> pd.DataFrame:
    """Give shares of runs with their exact 95 % intervals.

    Parameters
    ----------
    counts : mapping of (method, group) to int
    runs : int
        Of each.

    Returns
    -------
    pandas.DataFrame
        ``method``, ``group``, ``share``, ``low``, ``high``.

    Examples
    --------
    >>> share_table({("Welch", "normal"): 5}, runs=100).round(3).values.tolist()
    [['Welch', 'normal', 0.05, 0.016, 0.113]]
    """
    rows = []
    for (method, group), count in counts.items():
        interval = stats.binomtest(count, runs).proportion_ci(method="exact")
        rows.append(
            {
                "method": method,
                "group": group,
                "share": count / runs,
                "low": float(interval.low),
                "high": float(interval.high),
            }
        )
    return pd.DataFrame(rows, columns=["method", "group", "share", "low", "high"])


def simulated_pvalues(
    truth: Truth, n: int, *, runs: int, rng: np.random.Generator, pooled: bool = True
) -> Floats:
    """Give the p-values of the true effect of the first treatment, in tests with one look.

    Uniform where the test holds its level; above `alpha` in as many runs as the interval of the
    level 1 - alpha covers.

    Parameters
    ----------
    n : int
        Units of each variant.
    pooled : bool
        As of `run_effects`.

    Examples
    --------
    >>> found = simulated_pvalues(Truth(), 100, runs=2000, rng=np.random.default_rng(0))
    >>> bool(0.03 < (found <= 0.05).mean() < 0.07)
    True
    """
    found = simulate_tests(truth, [[n] * len(truth.values)], runs=runs, rng=rng)
    z = run_effects(found, pooled=pooled).z(truth.effects[0])[:, -1, 0]
    return np.asarray(2 * special.ndtr(-np.abs(z)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CovariateSaving:
    """What a covariate takes out of the variance of an effect.

    Parameters
    ----------
    rho : float
    expected : float
        Variance left over the whole: 1 - rho^2.
    ratio : float
        Of the variances of the effect over runs, with and without the covariate.
    error : float
        Standard error of that.
    reported : float
        Mean of the same as each run's own standard errors have it.
    """

    rho: float
    expected: float
    ratio: float
    error: float
    reported: float


def covariate_saving(rho: float, n: int, *, runs: int, rng: np.random.Generator) -> CovariateSaving:
    """Run a test with a covariate, and hold its effects against those without (CUPED).

    Parameters
    ----------
    rho : float
        Correlation of metric and covariate, both normal.
    n : int
        Units of each of two variants.
    runs : int
        At least 3.

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    Examples
    --------
    >>> found = covariate_saving(0.7, 500, runs=2000, rng=np.random.default_rng(0))
    >>> abs(found.ratio - 0.51) < 3 * found.error
    True
    """
    if runs < 3:
        raise ValueError(f"runs must be at least 3, got {runs}.")
    found = simulate_tests(Truth(rho=rho), [[n, n]], runs=runs, rng=rng)
    with_it = run_effects(found)
    plain = found.mean[:, -1, 1, 0] - found.mean[:, -1, 0, 0]
    own = found.products[:, -1, :, 0, 0].sum(axis=1) / (n - 1) / n
    adjusted = with_it.value[:, -1, 0]
    ratio = float(adjusted.var(ddof=1) / plain.var(ddof=1))
    # Two variances of one sample, correlated by r^2: var(log ratio) = 4 (1 - r^2) / (m - 1).
    alike = float(np.corrcoef(adjusted, plain)[0, 1])
    return CovariateSaving(
        rho=rho,
        expected=1 - rho**2,
        ratio=ratio,
        error=ratio * sqrt(4 * (1 - alike**2) / (runs - 1)),
        reported=float((with_it.se[:, -1, 0] ** 2 / own).mean()),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionPvalues:
    """Of clicks a session in tests of two equal variants.

    Parameters
    ----------
    delta : array of shape (n_runs,)
        By the delta method over users.
    naive : array of shape (n_runs,)
        With sessions held to be independent.
    """

    delta: Floats
    naive: Floats


def simulate_sessions(n: int, *, runs: int, rng: np.random.Generator) -> SessionPvalues:
    """Test clicks a session where two variants do not differ.

    A user has one session and a geometric number more (mean 5 in all); the users' chances to click
    are logit-normal around 0.27. Sessions of a user are thus alike.

    Parameters
    ----------
    n : int
        Users of each variant, at least 2.
    runs : int
        At least 1.

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    Examples
    --------
    >>> found = simulate_sessions(200, runs=500, rng=np.random.default_rng(0))
    >>> bool((found.delta <= 0.05).mean() < 0.09 < (found.naive <= 0.05).mean())
    True
    """
    if n < 2 or runs < 1:
        raise ValueError(f"n must be at least 2 and runs 1, got {n} and {runs}.")
    parts = [_session_arm(n, runs, rng) for _ in range(2)]
    value = parts[1][0] - parts[0][0]
    found = []
    for method in (1, 2):
        one, other = parts[0][method], parts[1][method]
        total = one + other
        dof = total**2 / ((one**2 + other**2) / (n - 1))
        found.append(np.asarray(2 * special.stdtr(dof, -np.abs(value) / np.sqrt(total))))
    return SessionPvalues(delta=found[0], naive=found[1])


def _session_arm(n: int, runs: int, rng: np.random.Generator) -> Floats:
    """Give ratios, and their squared errors by users and by sessions."""
    parts = []
    block = max(2_000_000 // n, 1)
    for begin in range(0, runs, block):
        shape = (min(block, runs - begin), n)
        sessions = rng.geometric(0.25, shape) + 1
        clicks = rng.binomial(sessions, special.expit(rng.normal(-1.0, 1.0, shape)))
        total = sessions.sum(axis=1)
        ratio = clicks.sum(axis=1) / total
        off = clicks - ratio[:, None] * sessions
        own = off.var(axis=1, ddof=1) / n / sessions.mean(axis=1) ** 2
        parts.append(np.stack([ratio, own, ratio * (1 - ratio) / total]))
    return np.concatenate(parts, axis=1)
