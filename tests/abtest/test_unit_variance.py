"""Variances of units beside drawn data."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from nextcall.abtest.planned_tests import MeanTest
from nextcall.abtest.unit_variance import cuped_factor, design_effect, quantile_sd


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_quantiles_error_is_that_of_drawn_samples(share: float) -> None:
    rng = np.random.default_rng(2)
    law = stats.lognorm(0.5)
    found = np.quantile(rng.lognormal(0, 0.5, size=(4000, 1000)), share, axis=1)
    expected = quantile_sd(share, float(law.pdf(law.ppf(share)))) / np.sqrt(1000)
    assert found.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * 4000))


def test_a_quantiles_power_is_that_of_drawn_tests() -> None:
    rng = np.random.default_rng(3)
    law, n, effect = stats.expon(), 400, 0.35
    sd = quantile_sd(0.75, float(law.pdf(law.ppf(0.75))))
    arms = [np.quantile(rng.exponential(size=(4000, n)), 0.75, axis=1) for _ in range(2)]
    z = (arms[1] + effect - arms[0]) / (sd * np.sqrt(2 / n))
    power = MeanTest(sd=sd, normal=True).power(n, effect, 0.05)
    assert power == pytest.approx((np.abs(z) > 1.96).mean(), abs=0.04)


def test_clusters_of_unequal_size_multiply_the_variance_as_in_drawn_data() -> None:
    rng = np.random.default_rng(4)
    sizes = rng.integers(1, 20, size=(6000, 60))
    between = rng.normal(0, np.sqrt(0.2), sizes.shape)
    sums = sizes * between + rng.normal(size=sizes.shape) * np.sqrt(0.8 * sizes)
    means = sums.sum(axis=1) / sizes.sum(axis=1)
    cv = sizes.std() / sizes.mean()
    expected = design_effect(0.2, float(sizes.mean()), float(cv)) / (60 * sizes.mean())
    assert means.var() == pytest.approx(expected, rel=0.08)


def test_one_row_a_cluster_costs_nothing() -> None:
    assert design_effect(0.7, 1.0) == 1.0
    assert cuped_factor(0.0) == 1.0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: quantile_sd(1.0, 1.0), "share must lie between 0 and 1, got 1.0."),
        (lambda: quantile_sd(0.5, 0.0), "density must be above 0"),
        (lambda: cuped_factor(1.0), "rho must lie between -1 and 1, got 1.0."),
        (lambda: design_effect(-0.1, 2), "icc must lie between 0 and 1"),
        (lambda: design_effect(0.1, 0.5), "size must be at least 1"),
        (lambda: design_effect(0.1, 2, -1), "cv must be at least 0"),
    ],
)
def test_what_cannot_be_is_refused(call: Callable[[], float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()
