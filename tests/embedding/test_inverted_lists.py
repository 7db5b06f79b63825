"""Lists of vectors beside scikit-learn's k-means and a plain choice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from nextcall.embedding.inverted_lists import InvertedLists, nearest_runs

Floats = NDArray[np.float32]


def normal(n: int, dimensions: int = 128, *, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=(n, dimensions)).astype(np.float32)


def lists_of(n: int, seed: int) -> InvertedLists:
    return InvertedLists.build(normal(n, seed=seed))


@pytest.mark.parametrize("n", [1, 2, 7, 3_000])
def test_every_vector_stands_once_with_the_nearest_of_the_centres_before(n: int) -> None:
    vectors = normal(n)
    lists = InvertedLists.build(vectors)
    n_lists = len(lists.centres)
    assert n_lists == min(n, int(5 * n**0.5))
    assert sorted(lists.order.tolist()) == list(range(n))
    assert (lists.starts[0], lists.starts[-1]) == (0, n)
    for number in range(n_lists):
        rows = lists.order[lists.starts[number] : lists.starts[number + 1]]
        assert (np.diff(rows) > 0).all()
        if len(rows):
            centre = vectors[rows].mean(axis=0)
            np.testing.assert_allclose(lists.centres[number], centre, atol=1e-5)
            distances = np.linalg.norm(vectors[rows] - centre, axis=1)
            spread = np.sqrt(np.square(distances).mean())
            np.testing.assert_allclose(lists.spreads[number], spread, atol=1e-4)


def test_the_lists_are_about_as_narrow_as_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    vectors = (rng.normal(size=(60, 16))[rng.integers(60, size=4_000)] * 4).astype(np.float32)
    vectors += normal(4_000, 16)
    lists = InvertedLists.build(vectors)
    sizes = np.diff(lists.starts)
    ours = float((sizes * np.square(lists.spreads)).sum())
    reference = KMeans(n_clusters=len(lists.centres), n_init=1, random_state=0).fit(vectors)
    assert ours <= 1.1 * reference.inertia_


def test_equal_vectors_stand_in_one_list_and_leave_others_empty() -> None:
    vectors = np.repeat(normal(4), 100, axis=0)
    lists = InvertedLists.build(vectors)
    sizes = np.diff(lists.starts)
    assert sorted(sizes[sizes > 0].tolist()) == [100] * 4
    runs = nearest_runs(vectors[250], lists.starts, lists.centres, lists.spreads, 150)
    assert len(runs) == 2
    rows = {int(row) for start, end in runs for row in lists.order[start:end]}
    assert 250 in rows


@given(st.integers(0, 20), st.integers(1, 400))
def test_the_lists_that_promise_most_are_chosen_and_no_more_than_needed(
    seed: int, n_rows: int
) -> None:
    lists = lists_of(400, seed % 3)
    query = normal(1, seed=seed + 100)[0]
    length = np.linalg.norm(query)
    promises = lists.centres @ query + 0.3 * length * lists.spreads
    sizes = np.diff(lists.starts)
    order = [number for number in np.argsort(-promises, kind="stable") if sizes[number]]
    held = np.cumsum(sizes[order])
    needed = order[: int((held < n_rows).sum()) + 1]
    expected = sorted((lists.starts[one], lists.starts[one + 1]) for one in needed)
    arguments = query, lists.starts, lists.centres, lists.spreads, n_rows
    assert nearest_runs(*arguments).tolist() == [list(map(int, run)) for run in expected]
    assert nearest_runs.py_func(*arguments).tolist() == nearest_runs(*arguments).tolist()
