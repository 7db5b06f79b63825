"""Effects of many runs beside the room's own analysis of each run."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportions_ztest

from nextcall.abtest.effect import difference
from nextcall.abtest.means import adjusted_means, adjusted_ratios, mean_arm
from nextcall.abtest.moments import Moments
from nextcall.abtest.simulate import Truth, simulate_tests
from nextcall.abtest.simulated_effects import run_effects

_SIZES = [[20, 30, 25], [60, 70, 65]]


@pytest.mark.parametrize(
    "truth",
    [
        Truth(baseline=2.0, effects=(0.3, 0.0)),
        Truth(baseline=2.0, effects=(0.3, 0.0), rho=0.8),
        Truth(metric="ratio", baseline=2.0, effects=(0.3, 0.0)),
    ],
)
def test_each_run_is_tested_as_the_analysis_would(truth: Truth) -> None:
    runs = simulate_tests(truth, _SIZES, runs=3, rng=np.random.default_rng(1))
    found = run_effects(runs)
    z = found.z(0.1)
    for run, look in np.ndindex(3, 2):
        moments = [
            Moments(n=n, mean=runs.mean[run, look, arm], products=runs.products[run, look, arm])
            for arm, n in enumerate(_SIZES[look])
        ]
        reduce = adjusted_ratios if truth.metric == "ratio" else adjusted_means
        control, *treatments = reduce(moments).arms
        for place, treatment in enumerate(treatments):
            expected = difference(control, treatment, null=0.1)
            index = (run, look, place)
            assert found.value[index] == pytest.approx(expected.value)
            assert found.se[index] == pytest.approx(expected.se)
            assert found.dof[index] == pytest.approx(expected.dof)
            assert 2 * stats.norm.sf(abs(z[index])) == pytest.approx(expected.pvalue)


def test_shares_are_tested_by_their_score() -> None:
    truth = Truth(metric="proportion", baseline=0.3, effects=(0.1, 0.0))
    runs = simulate_tests(truth, _SIZES, runs=4, rng=np.random.default_rng(2))
    z, wald = run_effects(runs).z(), run_effects(runs, pooled=False)
    for run in range(4):
        counts = runs.mean[run, 1, :2, 0] * [60, 70]
        expected = proportions_ztest(counts[::-1], [70, 60])[0]
        assert z[run, 1, 0] == pytest.approx(expected)
        arms = [
            mean_arm(Moments(n=n, mean=runs.mean[run, 1, arm], products=runs.products[run, 1, arm]))
            for arm, n in ((0, 60), (1, 70))
        ]
        assert wald.se[run, 1, 0] == pytest.approx(difference(*arms).se, rel=0.02)


def test_where_nothing_varies_nothing_is_found() -> None:
    truth = Truth(metric="proportion", baseline=0.0)
    runs = simulate_tests(truth, [[9, 9]], runs=2, rng=np.random.default_rng(0))
    assert not run_effects(runs).z().any()
    single = simulate_tests(Truth(), [[1, 1]], runs=2, rng=np.random.default_rng(0))
    assert not run_effects(single).z().any()
