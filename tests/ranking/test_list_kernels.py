"""Kernels over lists of rows beside numpy on whole arrays, compiled and as plain Python."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.embedding.search import top_rows
from nextcall.ranking.list_kernels import (
    add_postings,
    fuse_lists,
    fuse_within,
    look_up,
    places_in_lists,
    rows_of_same,
    search_postings,
)

N_ROWS = 12
rows = st.lists(st.integers(0, N_ROWS - 1), unique=True)
gains = (1 / np.arange(1, N_ROWS + 1)).astype(np.float32)


@given(postings=st.lists(rows, min_size=1, max_size=5), data=st.data())
def test_postings_add_up(postings: list[list[int]], data: st.DataObject) -> None:
    terms = data.draw(st.lists(st.integers(0, len(postings) - 1), max_size=6))
    starts = np.cumsum([0, *map(len, postings)])
    row_of = np.array([row for row_list in postings for row in row_list], dtype=np.int32)
    value_of = np.random.default_rng(len(row_of)).uniform(0.1, 9, len(row_of)).astype(np.float32)
    expected = np.zeros(N_ROWS, dtype=np.float32)
    for term in terms:
        part = slice(starts[term], starts[term + 1])
        expected[row_of[part]] += value_of[part]
    for kernel in (add_postings, add_postings.py_func):
        scores = np.zeros(N_ROWS, dtype=np.float32)
        kernel(scores, np.array(terms, dtype=np.int32), value_of, row_of, starts)
        np.testing.assert_array_equal(scores, expected)


def stacked(lists: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Put lists into a rectangle; what stands behind them must count for nothing."""
    listed = np.full((len(lists), N_ROWS), 5)
    for line, rows_of_list in zip(listed, lists, strict=True):
        line[: len(rows_of_list)] = rows_of_list
    return listed, np.array([len(one) for one in lists], dtype=np.int64)


@given(st.lists(st.tuples(rows, st.sampled_from([0.3, 1.0, 1.3])), min_size=1, max_size=5))
def test_gains_of_places_are_summed_by_weight(lists: list[tuple[list[int], float]]) -> None:
    expected = np.zeros(N_ROWS, dtype=np.float32)
    for row_list, weight in lists:
        expected[row_list] += gains[: len(row_list)] * np.float32(weight)
    weights = np.array([weight for _, weight in lists], dtype=np.float32)
    for kernel in (fuse_lists, fuse_lists.py_func):
        fused, seen = kernel(*stacked([one for one, _ in lists]), weights, gains, N_ROWS)
        np.testing.assert_array_equal(fused, expected)
        assert sorted(seen.tolist()) == np.flatnonzero(expected).tolist()


@given(asked=rows, listed=st.lists(rows, min_size=3, max_size=3))
def test_places_are_those_in_the_lists(asked: list[int], listed: list[list[int]]) -> None:
    expected = [[(one.index(row) if row in one else N_ROWS) for row in asked] for one in listed]
    for kernel in (places_in_lists, places_in_lists.py_func):
        places = kernel(np.array(asked, dtype=np.int64), *stacked(listed), N_ROWS)
        assert places.dtype == np.float32
        assert places.tolist() == expected


@given(postings=st.lists(rows, min_size=1, max_size=5), depth=st.integers(1, 9))
def test_the_best_by_each_set_of_lists_are_its_first(postings: list[list[int]], depth: int) -> None:
    starts = np.cumsum([0, *map(len, postings)])
    row_of = np.array([row for row_list in postings for row in row_list], dtype=np.int32)
    ones = np.ones(len(row_of), dtype=np.float32)
    terms = np.arange(len(postings), dtype=np.int32)[::2].copy()
    for kernel in (search_postings, search_postings.py_func):
        scores = np.zeros((2, N_ROWS), dtype=np.float32)
        listed, counts = np.empty((2, depth), dtype=np.int64), np.empty(2, dtype=np.int64)
        sets = ((ones, row_of, starts), (2 * ones, row_of, starts))
        highest = np.empty(2, dtype=np.float32)
        kernel(sets, terms, scores, listed, counts, highest)
        np.testing.assert_array_equal(highest, scores.max(axis=1))
        np.testing.assert_array_equal(scores[1], 2 * scores[0])
        asked = [row for number in terms for row in postings[number]]
        np.testing.assert_array_equal(scores[0], np.bincount(asked, minlength=N_ROWS))
        best = [row for row in top_rows(scores[0], N_ROWS) if scores[0, row]][:depth]
        for line, count in zip(listed, counts, strict=True):
            assert line[:count].tolist() == best


@given(
    codes=st.lists(st.integers(0, 4), min_size=1, max_size=20),
    chosen=st.lists(st.integers(0, 19), max_size=5),
)
def test_rows_of_the_same_code_are_found(codes: list[int], chosen: list[int]) -> None:
    chosen = [row for row in chosen if row < len(codes)]
    wanted = {codes[row] for row in chosen}
    expected = [row for row, code in enumerate(codes) if code in wanted]
    for kernel in (rows_of_same, rows_of_same.py_func):
        found = kernel(np.array(codes, dtype=np.int32), np.array(chosen, dtype=np.int64))
        assert found.tolist() == expected


@given(near=rows, seed=st.integers(0, 99), depth=st.integers(1, N_ROWS), left_out=st.integers(0, 3))
def test_lists_within_are_fused_with_those_over_all(
    near: list[int], seed: int, depth: int, left_out: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-3, 4, (N_ROWS, 4)).astype(np.float32)  # whole: exact in any order
    query = rng.integers(-3, 4, 4).astype(np.float32)
    lexical = rng.integers(0, 3, (2, N_ROWS)).astype(np.float32)
    scores = [vectors @ query, *lexical]
    near = sorted(near)

    def best(number: int, among: list[int]) -> list[int]:
        kept = [row for row in among if number == 0 or scores[number][row] > 0]
        return sorted(kept, key=lambda row: (-scores[number][row], row))[:depth]

    over_all, within = (
        [best(number, among) for number in range(3)] for among in ([*range(N_ROWS)], near)
    )
    weights = np.array([1.3, 0.3, 1.0], dtype=np.float32)
    weights[left_out:][:1] = 0
    expected = np.zeros(N_ROWS, dtype=np.float32)
    for lists, times in ((over_all, 1.0), (within, 0.5)):
        for row_list, weight in zip(lists, weights * np.float32(times), strict=True):
            expected[row_list] += gains[: len(row_list)] * weight
    listed, counts = stacked(over_all)
    asked = (vectors, query, lexical, (listed[:, :depth].copy(), counts))
    both = weights, weights * np.float32(0.5)
    rows_near = np.array(near, dtype=np.int64)
    for kernel in (fuse_within, fuse_within.py_func):
        fused, seen = kernel(*asked, rows_near, both, gains[:depth].copy())
        np.testing.assert_allclose(fused, expected, rtol=1e-6)
        assert sorted(seen.tolist()) == np.flatnonzero(expected).tolist()
    for look in (look_up, look_up.py_func):
        scored, places = look(*asked, rows_near)
        np.testing.assert_array_equal(scored, np.array(scores)[:, near])
        assert places.tolist() == [
            [one.index(row) if row in one else depth for row in near] for one in over_all
        ]
