from itertools import product
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nextcall.abtest.effect import Alternative
from nextcall.abtest.resampling import bootstrap_interval, sign_flip_test
from nextcall.abtest.signed_rank import signed_rank_test

ALTERNATIVES: tuple[Alternative, ...] = get_args(Alternative)
differences = st.lists(st.integers(-6, 6), min_size=1, max_size=9)


@given(differences)
def test_the_exact_sign_flip_test_counts_all_patterns(values: list[int]) -> None:
    each = np.array(values) / 10
    patterns = np.array(list(product([-1, 1], repeat=len(each))))
    sums, seen = np.round(patterns @ each, 9), np.round(each.sum(), 9)
    expected = {
        "two-sided": (np.abs(sums) >= abs(seen)).mean(),
        "greater": (sums >= seen).mean(),
        "less": (sums <= seen).mean(),
    }
    rng = np.random.default_rng(0)
    for alternative in ALTERNATIVES:
        found = sign_flip_test(each * 1e9, alternative=alternative, rng=rng)
        assert found == pytest.approx(expected[alternative])


def test_beyond_twenty_values_the_patterns_are_drawn() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0.4, 1, size=40)
    expected = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=20_000, rng=2
    ).pvalue
    found = sign_flip_test(values, rng=rng, resamples=20_000)
    assert abs(found - expected) < 5 * (2 * expected / 20_000) ** 0.5
    assert sign_flip_test(np.ones(200), rng=rng, resamples=999) == 0.001
    assert sign_flip_test(-np.ones(200), rng=rng, resamples=999, alternative="less") == 0.001


def test_the_drawn_test_holds_its_level() -> None:
    rng = np.random.default_rng(2)
    found = [sign_flip_test(rng.laplace(size=30), rng=rng, resamples=199) for _ in range(1_000)]
    assert abs(np.mean(np.array(found) <= 0.05) - 0.05) < 4 * (0.05 * 0.95 / 1_000) ** 0.5


def test_the_bootstrap_interval_of_a_mean_is_scipys() -> None:
    values = np.random.default_rng(3).lognormal(size=60)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=4
    ).confidence_interval
    pairs = np.column_stack([values, np.ones(60)])
    low, high = bootstrap_interval(pairs, rng=np.random.default_rng(5), resamples=20_000)
    assert low == pytest.approx(expected.low, abs=0.02)
    assert high == pytest.approx(expected.high, abs=0.04)


def test_the_bootstrap_interval_of_a_ratio_holds_the_truth() -> None:
    rng = np.random.default_rng(6)
    held = 0
    for _ in range(300):
        queries = rng.integers(1, 6, size=60)
        sums = rng.normal(0.3 * queries, np.sqrt(queries))
        low, high = bootstrap_interval(np.column_stack([sums, queries]), rng=rng, resamples=399)
        held += low <= 0.3 <= high
    assert abs(held / 300 - 0.95) < 4 * (0.95 * 0.05 / 300) ** 0.5


def test_rows_that_are_alike_or_alone_have_no_bootstrap() -> None:
    rng = np.random.default_rng(7)
    assert bootstrap_interval([[2.0, 4.0]] * 5, rng=rng) == (0.5, 0.5)
    assert bootstrap_interval([[2.0, 4.0]], rng=rng) == (-np.inf, np.inf)
    assert sign_flip_test([0.0, 0.0], rng=rng) == 1.0


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=40, unique_by=abs))
def test_the_signed_rank_test_without_ties_is_scipys(values: list[float]) -> None:
    each = np.round(np.array(values), 6)
    sizes = np.abs(each[each != 0])
    if len(sizes) < 2 or len(set(sizes)) < len(sizes):
        return
    for alternative in ALTERNATIVES:
        expected = stats.wilcoxon(each[each != 0], alternative=alternative, method="exact").pvalue
        assert signed_rank_test(each, alternative=alternative) == pytest.approx(expected)


@settings(max_examples=50)
@given(differences)
def test_the_signed_rank_test_is_exact_with_ties(values: list[int]) -> None:
    each = np.array([value for value in values if value])
    if len(each) == 0:
        assert signed_rank_test(values) == 1.0
        return
    ranks = stats.rankdata(np.abs(each))
    patterns = np.array(list(product([0, 1], repeat=len(each)))) @ ranks
    seen = ranks[each > 0].sum()
    more, fewer = (patterns >= seen).mean(), (patterns <= seen).mean()
    assert signed_rank_test(values, alternative="greater") == pytest.approx(more)
    assert signed_rank_test(values, alternative="less") == pytest.approx(fewer)
    assert signed_rank_test(values) == pytest.approx(min(1, 2 * min(more, fewer)))


def test_the_signed_rank_test_of_many_values_is_normal() -> None:
    values = np.round(np.random.default_rng(8).normal(0.05, 1, size=1_000), 1)
    for alternative in ALTERNATIVES:
        expected = stats.wilcoxon(values, alternative=alternative, method="approx").pvalue
        assert signed_rank_test(values, alternative=alternative) == pytest.approx(expected)


def test_both_laws_of_the_signed_rank_test_meet() -> None:
    values = np.random.default_rng(9).normal(0.1, 1, size=300)
    expected = stats.wilcoxon(values, method="approx").pvalue
    assert signed_rank_test(values) == pytest.approx(expected, rel=0.01)


def test_differences_that_are_alike_but_for_rounding_tie() -> None:
    assert signed_rank_test([0.4 - 0.3, 0.2 - 0.1, 0.1 - 0.2]) == signed_rank_test([1, 1, -1])


def test_what_cannot_be_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="resamples must be at least 99, got 9"):
        sign_flip_test([1.0], rng=rng, resamples=9)
    for wrong in ([], [np.nan]):
        with pytest.raises(ValueError, match="values must be finite, and at least one"):
            sign_flip_test(wrong, rng=rng)
    for pairs in ([1.0], [[1.0, 2.0, 3.0]], [[1.0, 0.0]]):
        with pytest.raises(ValueError, match=r"pairs must have shape \(n, 2\)"):
            bootstrap_interval(pairs, rng=rng)
    with pytest.raises(ValueError, match="values must be finite, in one dimension"):
        signed_rank_test([np.inf])
