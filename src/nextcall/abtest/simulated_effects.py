"""Tests of many simulated runs at once, as the analysis makes them of one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from nextcall.abtest.simulate import Runs

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunEffects:
    """Treatment minus control in each run, at each look, of each treatment.

    Parameters
    ----------
    value, se, dof : arrays of shape (n_runs, n_looks, n_treatments)
        As in `nextcall.abtest.effect.Effect`.
    """

    value: Floats
    se: Floats
    dof: Floats

    def z(self, null: float = 0.0) -> Floats:
        """Give the normal scores that are as rare as the t-scores; 0 where nothing varies."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (self.value - null) / self.se
        t = np.where(self.se > 0, t, 0.0)
        known = np.isfinite(self.dof)
        tail = stdtr(np.where(known, self.dof, 1.0), -np.abs(t))
        return np.asarray(np.where(known, -np.sign(t) * ndtri(tail), t))


def run_effects(runs: Runs, *, pooled: bool = True) -> RunEffects:
    """Test the treatments of each run against its control.

    Welch's test of means, less what the covariate explains where there is one (CUPED, one slope
    for all variants); the delta method of ratios; of proportions the score test, whose error is
    that of one common share.

    Parameters
    ----------
    pooled : bool
        Whether proportions are tested so; else by their own errors, as margins are.

    Examples
    --------
    >>> from nextcall.abtest.simulate import Truth, simulate_tests
    >>> runs = simulate_tests(Truth(), [[50, 50]], runs=2000, rng=np.random.default_rng(0))
    >>> bool((abs(run_effects(runs).z()) > 1.96).mean().round(2) == 0.05)
    True
    """
    truth, n = runs.truth, runs.n.astype(np.float64)
    if truth.metric == "proportion":
        return _shares(runs, n, pooled=pooled)
    estimate = runs.mean[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = runs.products / (n - 1)[None, :, :, None, None]
        if truth.metric == "ratio":
            bottom = runs.mean[..., 1]
            estimate = estimate / bottom
            weights = np.stack([1 / bottom, -estimate / bottom], axis=-1)
            variance = np.einsum("rlai,rlaij,rlaj->rla", weights, covariance, weights)
        elif truth.rho is None:
            variance = covariance[..., 0, 0]
        else:
            theta = _slope(runs, n)[:, :, None]
            estimate = estimate - theta * runs.mean[..., 1]
            variance = (
                covariance[..., 0, 0]
                - 2 * theta * covariance[..., 0, 1]
                + theta**2 * covariance[..., 1, 1]
            )
        error = np.maximum(variance, 0.0) / n
        one, others = error[:, :, :1], error[:, :, 1:]
        share = one / (one + others)
        dof = 1 / (share**2 / (n[:, :1] - 1) + (1 - share) ** 2 / (n[:, 1:] - 1))
    value = estimate[:, :, 1:] - estimate[:, :, :1]
    se = np.sqrt(one + others)
    return RunEffects(value=value, se=se, dof=np.where(np.isfinite(dof), dof, 1.0))


def _shares(runs: Runs, n: Floats, *, pooled: bool) -> RunEffects:
    share = runs.mean[..., 0]
    control, size = n[:, :1], n[:, 1:]
    common = (share[:, :, :1] * control + share[:, :, 1:] * size) / (control + size)
    own = share * (1 - share) / n
    se = np.sqrt(
        common * (1 - common) * (1 / control + 1 / size)
        if pooled
        else own[:, :, :1] + own[:, :, 1:]
    )
    value = share[:, :, 1:] - share[:, :, :1]
    return RunEffects(value=value, se=se, dof=np.full(value.shape, np.inf))


def _slope(runs: Runs, n: Floats) -> Floats:
    """Give the slope on the covariate, over all units of a run together."""
    weights = (n / n.sum(axis=1, keepdims=True))[None, :, :, None]
    off = runs.mean - (runs.mean * weights).sum(axis=2, keepdims=True)
    together = runs.products.sum(axis=2) + np.einsum("rlai,rlaj,la->rlij", off, off, n)
    return np.asarray(together[..., 0, 1] / together[..., 1, 1])
