"""Simulated errors are those of tests made one by one, and of the theory."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from nextcall.abtest.simulate import Truth
from nextcall.abtest.simulated_validity import (
    covariate_saving,
    share_table,
    simulate_sessions,
    simulated_pvalues,
)


def test_shares_come_with_exact_intervals() -> None:
    table = share_table({("a", "x"): 0, ("b", "x"): 100}, runs=2_000)
    assert table["share"].tolist() == [0.0, 0.05]
    assert table["low"][0] == 0
    assert table["high"][0] == pytest.approx(1 - 0.025 ** (1 / 2_000))
    assert list(share_table({}, runs=1).columns) == ["method", "group", "share", "low", "high"]


@pytest.mark.parametrize(
    "truth",
    [
        Truth(effects=(0.3, 0.0), rho=0.6),
        Truth(metric="proportion", baseline=0.3, effects=(0.05,)),
        Truth(metric="ratio", baseline=0.5, effects=(0.1,)),
    ],
    ids=["mean", "share", "ratio"],
)
def test_pvalues_of_the_true_effect_are_uniform(truth: Truth) -> None:
    found = simulated_pvalues(truth, 2_000, runs=2_000, rng=np.random.default_rng(0), pooled=False)
    assert stats.kstest(found, "uniform").pvalue > 0.001


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_a_covariate_saves_rho_squared(rho: float) -> None:
    found = covariate_saving(rho, 300, runs=4_000, rng=np.random.default_rng(1))
    assert abs(found.ratio - (1 - rho**2)) < 3.5 * found.error + 0.005
    assert found.reported == pytest.approx(1 - rho**2, abs=0.01)


def test_the_error_of_a_saving_is_its_spread() -> None:
    rng = np.random.default_rng(0)
    found = [covariate_saving(0.7, 100, runs=400, rng=rng) for _ in range(200)]
    spread = np.std([each.ratio for each in found])
    assert np.mean([each.error for each in found]) == pytest.approx(spread, rel=4 / sqrt(400))


def test_sessions_of_a_user_are_no_units() -> None:
    found = simulate_sessions(300, runs=1_000, rng=np.random.default_rng(0))
    assert (found.delta <= 0.05).mean() == pytest.approx(0.05, abs=4 * sqrt(0.05 * 0.95 / 1_000))
    assert (found.naive <= 0.05).mean() > 0.1


def test_what_cannot_be_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="runs must be at least 3, got 2"):
        covariate_saving(0.5, 100, runs=2, rng=rng)
    with pytest.raises(ValueError, match="got 1 and 5"):
        simulate_sessions(1, runs=5, rng=rng)
    with pytest.raises(ValueError, match="got 5 and 0"):
        simulate_sessions(5, runs=0, rng=rng)
