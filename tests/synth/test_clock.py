from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextcall.synth.clock import (
    HOUR,
    GapLaw,
    draw_starts,
    elapsed_share,
    session_rates,
    week_profile,
)

LAW = GapLaw()


def test_the_profile_is_busiest_on_working_days_at_office_hours() -> None:
    week = week_profile().reshape(7, 24)
    assert week.mean() == pytest.approx(1.0)
    assert week[:5].sum(axis=1).min() > week[5:].sum(axis=1).max()
    assert week[:, 9:18].mean() > 5 * week[:, 0:5].mean()


def test_rates_begin_at_the_hour_of_the_start() -> None:
    rates = session_rates(datetime(2026, 1, 7, 5, tzinfo=UTC), 8, week_profile())
    assert len(rates) == 8 * 24
    np.testing.assert_array_equal(rates[:24], np.roll(week_profile(), -53)[:24])
    np.testing.assert_array_equal(rates[:24], rates[168:])


def test_gaps_follow_their_law(rng: np.random.Generator) -> None:
    gaps = LAW.draw(20_000, rng=rng)
    assert gaps.min() > 0
    assert stats.kstest(LAW.cdf(gaps), "uniform").pvalue > 0.001
    pauses = stats.binomtest(int((gaps > 600).sum()), 20_000, float(1 - LAW.cdf(600)))
    assert pauses.pvalue > 0.001


@given(st.floats(1e-3, 1e5), st.floats(1e-3, 1e5))
def test_the_distribution_function_ascends(one: float, other: float) -> None:
    low, high = LAW.cdf(sorted((one, other)))
    assert 0 <= low <= high <= 1


def test_bursts_are_burstier_than_a_poisson_process(rng: np.random.Generator) -> None:
    gaps = LAW.draw(20_000, rng=rng)
    assert gaps.std() / gaps.mean() > 1.5  # an exponential law has 1


@pytest.mark.parametrize(
    ("law", "message"),
    [
        ({"sigma": 0.0}, "median, sigma and tail_index must be above 0"),
        ({"tail": 1.5}, r"tail must be in \[0, 1\], got 1.5"),
        ({"tail_from": 1800.0}, "tail_from must be above 0 and below timeout"),
    ],
)
def test_laws_out_of_range_are_refused(law: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GapLaw(**law)


def test_starts_are_uniform_in_the_cumulative_rate(rng: np.random.Generator) -> None:
    rates = session_rates(datetime(2026, 1, 5, tzinfo=UTC), 7, week_profile())
    starts = draw_starts(rates, 5000, rng=rng)
    assert (np.diff(starts) >= 0).all()
    assert starts.min() >= 0
    assert starts.max() < 7 * 24 * HOUR
    assert stats.kstest(elapsed_share(starts, rates), "uniform").pvalue > 0.001
    flat = np.ones_like(rates)
    assert stats.kstest(elapsed_share(starts, flat), "uniform").pvalue < 1e-6
