"""One look is a plain test; p-values are uniform and intervals cover in simulated tests."""

from math import inf, isnan, nan, sqrt
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.abtest.effect import Alternative, Effect, effect_of
from nextcall.abtest.group_inference import repeated_effect, stagewise_effect
from nextcall.abtest.group_sequential import Bounds, classical_bounds, spending_bounds
from nextcall.abtest.spending import Spending

ALTERNATIVES: tuple[Alternative, ...] = get_args(Alternative)
LOOKS = [0.3, 0.6, 1.0]


def effect(value: float, se: float = 1.0, dof: float = inf, null: float = 0.0) -> Effect:
    return Effect(value=value, se=se, dof=dof, ci_lower=nan, ci_upper=nan, pvalue=nan, null=null)


@given(value=st.floats(-5, 5), null=st.floats(-1, 1), alternative=st.sampled_from(ALTERNATIVES))
@settings(deadline=None, max_examples=40)
@pytest.mark.parametrize("dof", [12.0, inf])
def test_one_look_is_a_plain_test(
    value: float, null: float, alternative: Alternative, dof: float
) -> None:
    seen = effect(value, 0.7, dof, null)
    plain = effect_of(value, 0.7, dof=dof, null=null, alternative=alternative)
    again = repeated_effect(seen, [1.0], alternative=alternative)
    assert again.ci_lower == pytest.approx(plain.ci_lower, rel=1e-6)
    assert again.ci_upper == pytest.approx(plain.ci_upper, rel=1e-6)
    assert again.pvalue == pytest.approx(plain.pvalue, rel=1e-6, abs=1e-11)
    freed = stagewise_effect(
        seen, classical_bounds([1.0], alternative=alternative), alternative=alternative
    )
    assert freed.pvalue == pytest.approx(plain.pvalue, rel=1e-9)
    if dof == inf:  # a t-score's interval is that of the z-score as rare as the null's
        assert freed.value == pytest.approx(value, abs=1e-8)
        assert freed.ci_lower == pytest.approx(plain.ci_lower, abs=1e-8)
        assert freed.ci_upper == pytest.approx(plain.ci_upper, abs=1e-8)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_pvalues_and_intervals_say_what_the_bounds_say(alternative: Alternative) -> None:
    bounds = spending_bounds(LOOKS[:2], alternative=alternative)
    limit = bounds.upper[1] if alternative != "less" else -bounds.lower[1]
    for score in (limit - 1e-6, limit + 1e-6):
        stops = score > limit
        seen = effect(-score if alternative == "less" else score)
        again = repeated_effect(seen, LOOKS[:2], alternative=alternative)
        assert (again.pvalue < 0.05) == stops
        assert (not again.ci_lower <= 0 <= again.ci_upper) == stops
        freed = stagewise_effect(seen, bounds, alternative=alternative)
        assert (not freed.ci_lower <= 0 <= freed.ci_upper) == (freed.pvalue < 0.05)
        assert stops <= (freed.pvalue < 0.05)


@pytest.mark.parametrize("drift", [0.0, 2.5])
def test_what_is_read_at_the_stop_is_freed_of_the_looks(drift: float) -> None:
    rng = np.random.default_rng(5)
    runs, bounds = 100, classical_bounds(LOOKS, exponent=0.5)
    steps = np.diff([0.0, *LOOKS])
    pvalues, medians, covered = [], 0, 0
    for _ in range(runs):
        path = (rng.standard_normal(3) * np.sqrt(steps) + drift * steps).cumsum()
        scores = path / np.sqrt(LOOKS)
        over = np.flatnonzero(np.abs(scores) >= bounds.upper)
        k = int(over[0]) if over.size else 2
        seen = effect(float(scores[k]) / sqrt(LOOKS[k]), 1 / sqrt(LOOKS[k]), null=0.0)
        part = Bounds(
            information=bounds.information[: k + 1],
            lower=bounds.lower[: k + 1],
            upper=bounds.upper[: k + 1],
        )
        found = stagewise_effect(seen, part)
        pvalues.append(found.pvalue)
        medians += found.value > drift
        covered += found.ci_lower <= drift <= found.ci_upper
        assert found.ci_lower < found.value < found.ci_upper
    error = 3 / sqrt(runs)
    assert medians / runs == pytest.approx(0.5, abs=error * 0.5)
    assert covered / runs == pytest.approx(0.95, abs=error * sqrt(0.95 * 0.05))
    if drift == 0:
        for level in (0.05, 0.3, 0.6):
            share = float(np.mean(np.array(pvalues) <= level))
            assert share == pytest.approx(level, abs=error * sqrt(level * (1 - level)))


def test_extreme_scores_have_an_answer() -> None:
    bounds = spending_bounds(LOOKS)
    # That it did not stop before is held against it: what was spent before stays spent.
    huge = stagewise_effect(effect(5e4), bounds)
    assert huge.pvalue == pytest.approx(2 * Spending().spent(LOOKS[1], alpha=0.025))
    assert huge.ci_lower > 0
    assert stagewise_effect(effect(5e4), spending_bounds(LOOKS[:1])).pvalue == 0
    assert repeated_effect(effect(5e4), LOOKS).pvalue < 1.01e-12
    assert repeated_effect(effect(0.0), LOOKS).pvalue == 1
    zero = stagewise_effect(effect(0.0), bounds)
    assert zero.pvalue == pytest.approx(1)
    assert zero.value == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_without_a_law_the_plain_answer_stands(alternative: Alternative) -> None:
    for value, se, dof in ((2.0, 0.0, 9.0), (2.0, nan, 9.0), (nan, 1.0, 9.0), (2.0, 1.0, nan)):
        seen, plain = effect(value, se, dof), effect_of(value, se, dof=dof, alternative=alternative)
        for found in (
            repeated_effect(seen, LOOKS, alternative=alternative),
            stagewise_effect(seen, spending_bounds(LOOKS), alternative=alternative),
        ):
            assert (found.ci_lower, found.ci_upper) == (plain.ci_lower, plain.ci_upper)
            assert isnan(found.pvalue)


@pytest.mark.parametrize("z", [37.0, 38.0, 1e6])
def test_a_very_early_look_at_a_huge_effect_says_little(z: float) -> None:
    seen = Effect(value=z, se=1.0, dof=inf, ci_lower=0.0, ci_upper=0.0, pvalue=0.0)
    found = repeated_effect(seen, [6e-5], alpha=0.2, alternative="greater")
    assert 0.1 < found.pvalue < 1
    assert found.ci_lower == -inf
