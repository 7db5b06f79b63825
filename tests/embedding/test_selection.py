"""The first rows beside a sort of all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.embedding.search import top_rows
from nextcall.embedding.selection import (
    _best,
    _descending,
    _highest,
    _ordered_bits,
    best_nonzero_rows,
    best_places,
    best_positive_rows,
    least_of,
    ordered,
    places_from,
)

Floats = NDArray[np.float32]
few_kinds = st.lists(st.sampled_from([0.0, -0.0, 1.0, 2.5, -3.0, np.inf, -np.inf]), min_size=1)
any_kinds = st.lists(st.floats(width=32, allow_nan=False), min_size=1)


def of_many(seed: int, n: int) -> Floats:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n) if seed % 2 else rng.integers(-3, 4, size=n) / 4
    return values.astype(np.float32)


@given(st.one_of(few_kinds, any_kinds), st.integers(1, 12))
def test_best_places_are_the_first_of_a_stable_sort(values: list[float], k: int) -> None:
    scores = np.array(values, dtype=np.float32)
    expected = sorted(range(len(values)), key=lambda place: -scores[place])[:k]
    assert best_places(scores, k).tolist() == expected


@given(few_kinds, st.integers(1, 12))
def test_best_nonzero_rows_are_so_among_some(values: list[float], k: int) -> None:
    scores = np.array(values, dtype=np.float32)
    rows = np.random.default_rng(len(values)).permutation(len(values))[: len(values) // 2 + 1]
    kept = sorted(int(row) for row in rows if scores[row] != 0)
    expected = sorted(kept, key=lambda row: -scores[row])[:k]
    for kernel in (best_nonzero_rows, best_nonzero_rows.py_func):
        assert kernel(scores, rows, k).tolist() == expected


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [1, 200, 7_999, 8_000, 9_000])
def test_many_scores_are_cut_exactly(seed: int, k: int) -> None:
    scores = of_many(seed, 8_000)
    np.testing.assert_array_equal(best_places(scores, k), top_rows(scores, k))
    rows = np.random.default_rng(seed).permutation(8_000)[:5_000]
    shown = np.sort(rows[scores[rows] != 0])
    expected = shown[top_rows(scores[shown], k)]
    np.testing.assert_array_equal(best_nonzero_rows(scores, rows, k), expected)


@given(
    st.lists(st.sampled_from([0.0, 0.5, 2.0, 3.0]) | st.floats(0, width=32), min_size=1),
    st.integers(1, 12),
)
def test_best_positive_rows_are_the_first_above_0(values: list[float], k: int) -> None:
    scores = np.array(values, dtype=np.float32) + np.float32(0)  # -0 becomes 0
    shown = np.flatnonzero(scores)
    expected = shown[top_rows(scores[shown], k)] if len(shown) else shown
    for kernel in (best_positive_rows, best_positive_rows.py_func):
        np.testing.assert_array_equal(kernel(scores, k), expected)


@pytest.mark.parametrize("kept", [0.02, 0.3, 1.0])
@pytest.mark.parametrize("misleading", [False, True])
def test_best_of_many_positive_scores(kept: float, *, misleading: bool) -> None:
    """Every eighth row is looked at first; where it misleads, only these are high."""
    rng = np.random.default_rng(0)
    scores = np.where(rng.random(9_001) < kept, rng.random(9_001), 0).astype(np.float32)
    scores[::8] += np.float32(5 * misleading)
    shown = np.flatnonzero(scores)
    for k in (1, 200, 1_300):
        expected = shown[top_rows(scores[shown], k)]
        np.testing.assert_array_equal(best_positive_rows(scores, k), expected)
    np.testing.assert_array_equal(best_positive_rows.py_func(scores, 200), expected[:200])


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 300), min_size=1, unique=True))
def test_keys_are_sorted_the_highest_first(values: list[int]) -> None:
    keys = np.array(values, dtype=np.uint64)
    for kernel in (_descending, _descending.py_func):
        assert kernel(keys).tolist() == sorted(values, reverse=True)


def test_many_keys_are_sorted_too() -> None:
    keys = np.random.default_rng(0).permutation(3_000).astype(np.uint64)
    assert _descending(keys).tolist() == list(range(2_999, -1, -1))
    assert _descending.py_func(keys).tolist() == list(range(2_999, -1, -1))


@given(
    st.lists(st.one_of(st.integers(-(2**31), 2**31 - 1), st.integers(-5, 5)), min_size=1),
    st.integers(1, 50),
)
def test_what_reaches_the_least_are_the_highest_and_nothing_between_is_left_out(
    scores: list[int], n_least: int
) -> None:
    n_least = min(n_least, len(scores))
    values = np.array([ordered(np.int32(score)) for score in scores], dtype=np.uint32)
    assert np.argsort(values, kind="stable").tolist() == np.argsort(scores, kind="stable").tolist()
    edge, n = least_of(values, n_least)
    places = places_from(values, edge, n)
    assert places.tolist() == np.flatnonzero(values >= edge).tolist()
    assert len(places) == n >= n_least


def test_few_more_than_asked_reach_the_least() -> None:
    values = (1e6 * np.abs(of_many(1, 20_000))).astype(np.uint32)
    for n_least in (1, 600, 19_999):
        assert n_least <= least_of(values, n_least)[1] <= n_least + 100


@pytest.mark.parametrize("misleading", [False, True])
def test_a_sample_that_misleads_costs_time_and_nothing_else(*, misleading: bool) -> None:
    """Every eighth row is looked at first; here only these, or only the others, are high."""
    scores = of_many(1, 8_000)
    scores[(np.arange(8_000) % 8 == 0) == misleading] += np.float32(100)
    rows = np.arange(8_000)
    for kernel in (best_nonzero_rows, best_nonzero_rows.py_func):
        np.testing.assert_array_equal(kernel(scores, rows, 50), top_rows(scores, 50))


def test_the_kernels_say_the_same_without_compiling() -> None:
    for seed in (0, 1):
        scores = of_many(seed, 3_000)
        rows = np.arange(3_000)[::-1].copy()
        np.testing.assert_array_equal(best_places.py_func(scores, 90), best_places(scores, 90))
        np.testing.assert_array_equal(
            best_nonzero_rows.py_func(scores, rows, 90), best_nonzero_rows(scores, rows, 90)
        )
        values = np.array([_ordered_bits.py_func(bits) for bits in scores.view(np.uint32)])
        np.testing.assert_array_equal(
            _best.py_func(values, np.arange(3_000), 90), best_places(scores, 90)
        )
        assert len(_best.py_func(values, rows, 0)) == 0
        edge, n = least_of.py_func(values, 90)
        assert (edge, n) == least_of(values, 90)
        assert (
            places_from.py_func(values, edge, n).tolist() == np.flatnonzero(values >= edge).tolist()
        )
        keys = np.random.default_rng(seed).permutation(3_000).astype(np.uint64)
        keys[keys > 2_950] += np.uint64(2**40)  # fewer than are wanted stand far above
        highest = _highest.py_func(keys, 90)
        assert 90 <= len(highest) <= 180
        np.testing.assert_array_equal(np.sort(highest), np.sort(keys)[-len(highest) :])
    assert ordered.py_func(np.int32(-7)) == ordered(np.int32(-7))
    minus_zero = np.array([-0.0], dtype=np.float32).view(np.uint32)[0]
    assert _ordered_bits.py_func(minus_zero) == _ordered_bits.py_func(np.uint32(0))
