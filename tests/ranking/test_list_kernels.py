"""Kernels over lists of rows beside numpy on whole arrays, compiled and as plain Python."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextcall.ranking.list_kernels import add_gains, add_postings, field_sums, places_in_lists

N_ROWS = 12
rows = st.lists(st.integers(0, N_ROWS - 1), unique=True)
gains = (1 / np.arange(1, N_ROWS + 1)).astype(np.float32)


@given(postings=st.lists(rows, min_size=1, max_size=5), data=st.data())
def test_postings_add_up_and_name_what_they_touch(
    postings: list[list[int]], data: st.DataObject
) -> None:
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
        scored = kernel(scores, np.array(terms, dtype=np.int32), value_of, row_of, starts)
        np.testing.assert_array_equal(scores, expected)
        assert sorted(scored.tolist()) == np.flatnonzero(expected).tolist()


@given(st.lists(st.tuples(rows, st.sampled_from([0.3, 1.0, 1.3])), max_size=5))
def test_gains_of_places_are_summed_by_weight(listed: list[tuple[list[int], float]]) -> None:
    expected = np.zeros(N_ROWS, dtype=np.float32)
    for row_list, weight in listed:
        expected[row_list] += gains[: len(row_list)] * np.float32(weight)
    for kernel in (add_gains, add_gains.py_func):
        fused = np.zeros(N_ROWS, dtype=np.float32)
        seen = np.empty(N_ROWS + 1, dtype=np.int64)
        n = 0
        for row_list, weight in listed:
            n = kernel(
                fused, seen, n, np.array(row_list, dtype=np.int64), gains, np.float32(weight)
            )
        np.testing.assert_array_equal(fused, expected)
        assert sorted(seen[:n].tolist()) == np.flatnonzero(expected).tolist()


@given(asked=rows, listed=st.lists(rows, min_size=3, max_size=3))
def test_places_are_those_in_the_lists(asked: list[int], listed: list[list[int]]) -> None:
    expected = [[(one.index(row) if row in one else 77) for row in asked] for one in listed]
    lists = tuple(np.array(one, dtype=np.int64) for one in listed)
    for kernel in (places_in_lists, places_in_lists.py_func):
        places = kernel(np.array(asked, dtype=np.int64), lists, 77, N_ROWS)
        assert places.dtype == np.float32
        assert places.tolist() == expected


@given(widths=st.lists(st.integers(1, 40), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_weights_are_summed_field_by_field_as_numpy_sums(widths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    bounds = np.cumsum([0, *widths])
    ids = rng.integers(30, size=(9, bounds[-1])).astype(np.int32)
    present = (rng.random(30) * (rng.random(30) < 0.5)).astype(np.float32)
    asked = rng.integers(9, size=5)
    expected = np.add.reduceat(present[ids[asked]], bounds[:-1], axis=1).T
    for kernel in (field_sums, field_sums.py_func):
        found = kernel(present, ids, bounds, asked)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
