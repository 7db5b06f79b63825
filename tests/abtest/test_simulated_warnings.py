import numpy as np
import pytest

from nextcall.abtest.simulate import Truth, draw_units, simulate_tests
from nextcall.abtest.simulated_warnings import count_warned


@pytest.mark.parametrize(
    ("truth", "word"),
    [
        (Truth(), ""),
        (Truth(law="pareto"), "skewed"),
        (Truth(rho=0.7), ""),
        (Truth(metric="proportion", baseline=0.3), ""),
        (Truth(metric="proportion", baseline=0.01), "below 8"),
        (Truth(metric="ratio", baseline=0.5), ""),
    ],
)
def test_an_analysis_warns_where_theory_says_so(truth: Truth, word: str) -> None:
    found = count_warned(truth, 150, runs=12, rng=np.random.default_rng(0))
    assert found.runs == 12
    assert found.covered >= 9
    assert word in found.first
    assert (found.warned > 9) == bool(word)


def test_units_are_those_of_the_simulated_tests() -> None:
    rng = np.random.default_rng(1)
    for truth in (
        Truth(metric="ratio", baseline=0.5, sd=2.0),
        Truth(baseline=3.0, law="lognormal"),
    ):
        units = draw_units(truth, 200_000, rng=rng)
        runs = simulate_tests(truth, [[1_000, 1_000]], runs=200, rng=rng)
        mean, products = runs.mean[:, 0].mean(axis=(0, 1)), runs.products[:, 0].mean(axis=(0, 1))
        assert units.mean(axis=1) == pytest.approx(mean, abs=0.1)
        assert np.atleast_2d(np.cov(units)) == pytest.approx(products / 999, rel=0.1, abs=0.2)


def test_no_run_is_refused() -> None:
    with pytest.raises(ValueError, match="runs must be at least 1, got 0"):
        count_warned(Truth(), 10, runs=0, rng=np.random.default_rng(0))
