"""Tails of counts and of mixes: against scipy's, and what small numbers do to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, chi2_contingency, nbinom

from nextcall.anomaly.pattern_tails import count_tail, mix_statistic, mix_tail


@given(
    st.integers(0, 400),
    st.floats(0.05, 200.0),
    st.floats(0.001, 3.0),
)
def test_the_tail_is_scipys(count: int, mean: float, over: float) -> None:
    variance = mean * (1 + over)
    law = nbinom(mean**2 / (variance - mean), mean / variance)
    beyond = law.sf(count) if count > mean else law.cdf(count - 1)
    expected = min(2 * beyond + law.pmf(count), 1.0)
    assert count_tail(float(count), mean, variance) == pytest.approx(expected, rel=1e-5, abs=1e-250)


def test_the_statistic_is_scipys() -> None:
    counts, learned = np.array([30.0, 12.0, 9.0, 0.0]), np.array([400.0, 300.0, 200.0, 0.0])
    table = np.stack([counts, learned])[:, :3]
    expected = chi2_contingency(table, lambda_="log-likelihood", correction=False)
    moved, statistic, freedom = mix_statistic(counts, learned)
    shares = table[1] / 900
    corrected = 1 + (1 / shares).sum() / (6 * 51 * 2)
    assert statistic * corrected == pytest.approx(expected.statistic)
    assert freedom == expected.dof == 2
    assert moved == pytest.approx(0.5 * np.abs(table[0] / 51 - shares).sum())
    assert mix_tail(statistic, freedom) == pytest.approx(chi2.sf(statistic, 2))


def test_one_behavior_has_no_mix() -> None:
    assert mix_statistic(np.array([5.0, 0.0]), np.array([50.0, 0.0])) == (0.0, 0.0, 0)


def test_rare_behaviors_count_as_one() -> None:
    learned = np.array([900.0, 50.0, 25.0, 25.0])
    moved, statistic, freedom = mix_statistic(np.array([8.0, 0.0, 1.0, 1.0]), learned)
    assert (freedom, round(moved, 3)) == (1, 0.15)
    assert statistic < 3


@pytest.mark.parametrize("events", [3, 10, 100])
def test_tails_of_small_numbers_are_not_too_small(events: int) -> None:
    rng = np.random.default_rng(events)
    shares = rng.dirichlet(np.ones(12))
    learned = rng.multinomial(20_000, shares).astype(np.float64)
    tails = []
    for counts in rng.multinomial(events, shares, size=2000).astype(np.float64):
        _, statistic, freedom = mix_statistic(counts, learned)
        tails.append(mix_tail(statistic, freedom) if freedom else 1.0)
    assert np.mean(np.array(tails) < 0.01) < 0.02
