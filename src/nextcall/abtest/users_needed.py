"""How many users a comparison needs, from simulated ones, and how sure that is."""

from collections.abc import Mapping
from math import sqrt

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from nextcall.abtest.duels import DuelMoments
from nextcall.abtest.effect import check_alpha

Floats = NDArray[np.float64]


def duel_evidence(batch: DuelMoments) -> dict[str, tuple[float, float]]:
    """Give what a user tells in each A/B metric and each way to count credit.

    Returns
    -------
    dict of str to (difference, variance)
        The squared error of the difference, times the users of both arms together.
    """
    found = {
        name: (other.estimate - one.estimate, 2 * (one.variance + other.variance))
        for name, (one, other) in batch.ab_arms().items()
    }
    return found | {name: (arm.estimate, arm.variance) for name, arm in batch.credit_arms().items()}


def needed_users(
    evidence: Mapping[str, ArrayLike], *, against: str, alpha: float = 0.05, power: float = 0.8
) -> pd.DataFrame:
    """Give the users that each test needs, and how many times as many `against` needs.

    By the normal law. Intervals (95 %) are the jackknife's over batches, on the log scale.

    Parameters
    ----------
    evidence : mapping of str to array-like of shape (n_batches, 2)
        Difference and variance as `duel_evidence` gives them, of as many users in each batch; of
        the same users in all tests.
    against : str
        One of the tests.
    alpha, power : float

    Returns
    -------
    DataFrame
        One row a test: ``test, difference, variance, users, low, high, times, times_low,
        times_high``.

    Raises
    ------
    ValueError
        Where there are fewer than two batches, `against` is no test, or a level is out of range.

    Examples
    --------
    >>> found = needed_users({"A/B": [[1.0, 16.0]] * 2, "drafts": [[1.0, 4.0]] * 2}, against="A/B")
    >>> found["users"].round(1).tolist(), found["times"].round(3).tolist()
    ([125.6, 31.4], [1.0, 4.0])
    """
    known = {name: np.asarray(each, dtype=np.float64) for name, each in evidence.items()}
    if against not in known:
        raise ValueError(f"against must be one of {list(known)}, got {against!r}.")
    if not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1, got {power}.")
    n_batches = min(len(each) for each in known.values())
    if n_batches < 2:
        raise ValueError(f"evidence must be of at least two batches, got {n_batches}.")
    reach = 2 * _log_reach(alpha, power)
    rows = []
    whole, others = _log_users(known[against], reach)
    for name, each in known.items():
        users, left_out = _log_users(each, reach)
        low, high = _interval(users, left_out)
        times = _interval(whole - users, others - left_out)
        rows.append(
            {
                "test": name,
                "difference": float(each[:, 0].mean()),
                "variance": float(each[:, 1].mean()),
                "users": float(np.exp(users)),
                "low": low,
                "high": high,
                "times": float(np.exp(whole - users)),
                "times_low": times[0],
                "times_high": times[1],
            }
        )
    return pd.DataFrame(rows)


def power_of(
    users: ArrayLike, difference: float, variance: float, *, alpha: float = 0.05
) -> Floats:
    """Give the chance that so many users show a difference (two-sided, by the normal law).

    Parameters
    ----------
    users : array-like
    difference, variance : float
        As `duel_evidence` gives them.

    Examples
    --------
    >>> power_of([0, 32, 1000], 1.0, 4.0).round(2).tolist()
    [0.05, 0.81, 1.0]
    """
    far = abs(difference) * np.sqrt(np.asarray(users, dtype=np.float64) / variance)
    bound = stats.norm.isf(check_alpha(alpha) / 2)
    found: Floats = stats.norm.sf(bound - far) + stats.norm.sf(bound + far)
    return found


def _log_reach(alpha: float, power: float) -> float:
    """Give the logarithm of the standard errors that a difference must be away from 0."""
    return float(np.log(stats.norm.isf(check_alpha(alpha) / 2) + stats.norm.isf(1 - power)))


def _log_users(evidence: Floats, reach: float) -> tuple[float, Floats]:
    """Give the log of the users needed, by all batches and by all but each."""
    n = len(evidence)

    def needed(means: Floats) -> Floats:
        return np.asarray(np.log(means[..., 1]) - 2 * np.log(np.abs(means[..., 0])) + reach)

    without = (evidence.sum(axis=0) - evidence) / (n - 1)
    return float(needed(evidence.mean(axis=0))), needed(without)


def _interval(middle: float, left_out: Floats) -> tuple[float, float]:
    n = len(left_out)
    error = sqrt((n - 1) ** 2 / n * float(np.var(left_out, ddof=1)))
    far = float(stats.norm.isf(0.025)) * error
    return float(np.exp(middle - far)), float(np.exp(middle + far))
