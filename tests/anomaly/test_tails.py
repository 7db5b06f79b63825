"""The streaming tail probability, against known distributions and plain counting."""

import math

import numpy as np
import pytest
from scipy import stats

from nextcall.anomaly.tails import (
    BINS,
    COUNTS,
    HIGHEST,
    MEMORY,
    POSITIVE,
    ROWS,
    TAIL_WIDTH,
    UNSEEN,
    Floats,
    decades,
    learn,
    pareto_decades,
    reach,
    weigh,
)


def _history(residuals: Floats) -> Floats:
    history = np.zeros(TAIL_WIDTH)
    for residual in residuals:
        learn(history, residual)
    return history


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.2, 0.5])
def test_tail_beyond_the_counts_is_the_generalised_pareto_it_was_drawn_from(shape: float) -> None:
    known = stats.genpareto(c=shape, scale=2.0)
    draws = [known.rvs(15_000, random_state=np.random.default_rng(seed)) for seed in range(10)]
    histories = [_history(np.asarray(draw)) for draw in draws]
    for probability in (3e-3, 1e-3, 3e-4):
        residual = float(known.isf(probability))
        told = np.mean([decades(history, residual) for history in histories])
        assert told == pytest.approx(-np.log10(probability), abs=0.17)


def test_fit_is_by_probability_weighted_moments_when_much_is_known() -> None:
    """The moments of residuals that lie evenly in their bins; the prior weighs a tenth."""
    history = _history(np.random.default_rng(2).exponential(size=10_000))
    counts = history[COUNTS:]
    last = int(np.argmax(np.cumsum(counts) >= 100))
    held = counts[: last + 1].sum()
    highest = history[HIGHEST]
    threshold = 2 ** ((highest - last) / 4)
    edges = 2 ** ((highest + 1 - np.arange(last + 2)) / 4) - threshold
    middles = 2 ** ((highest - np.arange(last + 1) + 0.5) / 4) - threshold
    excesses = np.concatenate(  # the largest first, 101 for one
        [
            middle + (upper - lower) * (0.5 - (np.arange(101 * count) + 0.5) / (101 * count))
            for middle, upper, lower, count in zip(
                middles, edges[:-1], edges[1:], counts[: last + 1].astype(int), strict=True
            )
        ]
    )
    exceeded_by = (np.arange(len(excesses)) + 0.5) / len(excesses)
    ratio = np.mean(excesses * exceeded_by) / np.mean(excesses)
    ratio = (ratio * held + 0.22 * 10) / (held + 10)
    tail = stats.genpareto(
        c=2 - 1 / (1 - 2 * ratio), scale=2 * np.mean(excesses) * ratio / (1 - 2 * ratio)
    )
    for residual in (threshold * 1.1, threshold * 1.5, threshold * 2):
        plain = (held * tail.sf(residual - threshold) + UNSEEN) / (10_000 + UNSEEN)
        assert decades(history, residual) == pytest.approx(-np.log10(plain), abs=0.01)


def test_body_is_the_share_of_residuals_at_least_as_large() -> None:
    residuals = np.abs(np.random.default_rng(3).normal(size=5000))
    history = _history(residuals)
    for residual in (0.05, 0.2, 0.5, 1.0, 1.5):
        share = np.mean(residuals >= residual)
        assert decades(history, residual) == pytest.approx(-np.log10(share), abs=0.02)


def test_zeros_are_no_news_and_make_the_rest_rare() -> None:
    history = _history(np.zeros(1000))
    assert decades(history, 0.0) == 0.0
    assert decades(history, -1.0) == 0.0
    assert decades(history, 1.0) == pytest.approx(np.log10(1000.1 / 0.1))
    learn(history, 1.0)
    assert decades(history, 0.9) == pytest.approx(3.0, abs=0.4)
    assert decades(np.zeros(TAIL_WIDTH), 1.0) == 0.0


def test_residuals_below_the_lowest_bin_are_as_large_as_any() -> None:
    history = _history(np.full(500, 1000.0))
    assert decades(history, 1e-6) == pytest.approx(0.0, abs=1e-6)


def test_a_larger_residual_is_never_less_unusual() -> None:
    history = _history(np.abs(np.random.default_rng(4).standard_t(2, size=3000)))
    told = [decades(history, residual) for residual in np.geomspace(1e-6, 1e6, 400)]
    assert told[0] == 0.0
    assert np.all(np.diff(told) >= -0.02)  # body and fit meet within a few hundredths
    assert max(told) <= np.log10(3000.1 / 0.1)


@pytest.mark.parametrize("wanted", [0.3, 1.0, 2.0, 3.0, 4.0])
def test_the_reach_is_where_the_evidence_passes_what_is_wanted(wanted: float) -> None:
    history = _history(np.abs(np.random.default_rng(4).standard_t(2, size=3000)))
    usual = reach(history, wanted)
    assert decades(history, usual) < wanted <= decades(history, usual * 1.001)


def test_nothing_reaches_what_no_history_of_that_length_can_prove() -> None:
    history = _history(np.abs(np.random.default_rng(4).normal(size=3000)))
    assert reach(history, 4.6) == math.inf
    assert reach(_history(np.zeros(1000)), 3.0) == 0.0
    evidence, usual = weigh(history, 100.0, 2.0)
    assert evidence > 2.0
    assert usual == pytest.approx(
        np.quantile(np.abs(np.random.default_rng(4).normal(size=3000)), 0.99), rel=0.1
    )
    assert math.isnan(weigh(history, 0.1, 2.0)[1])


def test_counts_are_kept_when_a_larger_residual_moves_the_bins() -> None:
    residuals = np.exp(np.random.default_rng(5).normal(0, 4, size=2000))
    history = _history(np.sort(residuals))
    assert history[COUNTS:].sum() == history[POSITIVE] == history[ROWS] == 2000
    again = _history(np.sort(residuals)[::-1])
    np.testing.assert_array_equal(history, again)


def test_old_counts_fade() -> None:
    history = _history(np.full(int(MEMORY), 2.0))
    assert history[ROWS] == MEMORY / 2
    assert history[COUNTS:].sum() == MEMORY / 2


def test_a_fit_of_shape_zero_is_an_exponential() -> None:
    """Two counts whose moments give a ratio of a quarter, once the prior is undone."""
    history = np.zeros(TAIL_WIDTH)
    history[ROWS] = 1000.0
    history[POSITIVE] = 300.0
    history[HIGHEST] = 10.0
    best = (1.0, 0.0)
    for count in np.linspace(1.0, 200.0, 4000):
        history[COUNTS] = count
        history[COUNTS + 4] = 100.0
        held = count + 100.0
        threshold = 2.0 ** (6 / 4)
        excess = 2.0 ** (np.array([10.5, 6.5]) / 4) - threshold
        counts = np.array([count, 100.0])
        mean = (counts * excess).sum() / held
        above = np.array([count / 2, count + 50.0])
        width = 2.0 ** (np.array([11, 7]) / 4) - 2.0 ** (np.array([10, 6]) / 4)
        ratio = (counts * excess * above - counts**2 * width / 12).sum() / held**2 / mean
        ratio = (ratio * held + 2.2) / (held + 10)
        shape = 2 - 1 / (1 - 2 * ratio)
        best = min(best, (abs(shape), count))
    assert best[0] < 1e-3
    history[COUNTS] = best[1]
    held = best[1] + 100.0
    for kernel in (pareto_decades, pareto_decades.py_func):
        near = kernel(history, 20.0, 4, held)
        history[COUNTS] *= 1.02
        aside = kernel(history, 20.0, 4, held)
        history[COUNTS] /= 1.02
        assert near == pytest.approx(aside, abs=0.05)


def test_plain_python_gives_the_same() -> None:
    residuals = np.concatenate(
        [np.zeros(5), np.exp(np.random.default_rng(6).normal(0, 2, 400)), [-1.0, 1e-9, 1e9]]
    )
    fast, slow = np.zeros(TAIL_WIDTH), np.zeros(TAIL_WIDTH)
    for residual in residuals.tolist():
        told = decades.py_func(slow, residual)
        assert weigh(fast, residual, math.inf)[0] == told
        learn.py_func(slow, residual)
    np.testing.assert_array_equal(fast, slow)
    highest = float(residuals.max())
    assert pareto_decades.py_func(fast, highest, 3, 4.0) == pareto_decades(fast, highest, 3, 4.0)
    joined = np.zeros(TAIL_WIDTH)
    evidence, usual = weigh.py_func(joined, 1.0, 0.5)
    assert evidence == 0.0
    assert math.isnan(usual)
    for wanted in (1e-9, 0.5, 2.0, 3.4, 9.0):
        assert reach.py_func(fast, wanted) == reach(fast, wanted)
    assert weigh.py_func(fast.copy(), 1e12, 0.5) == weigh(fast, 1e12, 0.5)
    full = np.full(TAIL_WIDTH, MEMORY)
    learn.py_func(full, 0.0)
    assert full[ROWS] < MEMORY
    assert BINS == TAIL_WIDTH - COUNTS
