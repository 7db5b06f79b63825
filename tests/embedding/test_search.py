"""Nearest vectors against an exact search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.embedding.search import VectorSearch, _best_of, _nearest, _nearest_listed, top_rows

Floats = NDArray[np.float32]


def unit_vectors(n: int, dimensions: int = 384, *, seed: int = 0) -> Floats:
    """Directions that differ in weight, as those of a language model do."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, dimensions)) / np.arange(1, dimensions + 1) ** 0.4
    unit: Floats = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    return unit


def test_a_few_vectors_are_searched_exactly() -> None:
    vectors = unit_vectors(400)
    search = VectorSearch(vectors)
    assert not search.is_reduced
    for query in unit_vectors(20, seed=1):
        rows, scores = search.top(query, 15)
        exact = vectors @ query
        assert rows.tolist() == np.argsort(-exact, kind="stable")[:15].tolist()
        np.testing.assert_allclose(scores, exact[rows], atol=1e-6)


def test_many_vectors_keep_their_nearest_and_exact_scores() -> None:
    vectors = unit_vectors(8_000)
    search = VectorSearch(vectors)
    assert search.is_reduced
    kept = []
    for query in unit_vectors(50, seed=1):
        rows, scores = search.top(query, 100)
        exact = vectors @ query
        assert len(rows) == len(set(rows.tolist())) == 100
        np.testing.assert_allclose(scores, exact[rows], atol=1e-6)
        assert (np.diff(scores) <= 0).all()
        kept.append(np.isin(top_rows(exact, 100), rows).mean())
    assert np.mean(kept) >= 0.99
    assert np.mean(kept) < 1  # it is an approximation: fewer dimensions are read


def test_a_block_is_scanned_as_its_queries_alone() -> None:
    for n in (400, 8_000):
        search = VectorSearch(unit_vectors(n))
        queries = unit_vectors(5, seed=2)
        block = search.scan(queries)
        assert block.shape == (5, n)
        for query, scanned in zip(queries, block, strict=True):
            np.testing.assert_allclose(scanned, search.scan(query), atol=1e-6)
            alone, given_scan = search.top(query, 30), search.top(query, 30, scanned=scanned)
            assert set(alone[0].tolist()) == set(given_scan[0].tolist())


def clustered(n: int, n_clusters: int = 300, *, seed: int = 0) -> Floats:
    """Vectors about centres, as the operations of some thousand APIs stand."""
    rng = np.random.default_rng(seed)
    centres = unit_vectors(n_clusters, seed=99)[rng.integers(n_clusters, size=n)]
    values = centres + 0.7 * unit_vectors(n, seed=seed)
    unit: Floats = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    return unit


def test_size_chooses_the_way() -> None:
    assert [
        (search.is_reduced, search.is_indexed)
        for search in (
            VectorSearch(unit_vectors(4_999)),
            VectorSearch(unit_vectors(5_000)),
            VectorSearch(unit_vectors(6_000), indexed_from=6_001),
            VectorSearch(unit_vectors(6_000), indexed_from=6_000),
            VectorSearch(unit_vectors(100, 129), indexed_from=100),
        )
    ] == [(False, False), (True, False), (True, False), (True, True), (False, False)]
    many = np.broadcast_to(unit_vectors(1), (100_000, 384))  # of one row: none is scored here
    assert VectorSearch(many).is_indexed
    assert not VectorSearch(many[1:]).is_indexed


def test_lists_keep_the_nearest_of_clustered_vectors() -> None:
    vectors = clustered(20_000)
    search = VectorSearch(vectors, indexed_from=20_000)
    kept = []
    for query in clustered(50, seed=1):
        rows, scores = search.top(query, 100)
        exact = vectors @ query
        assert len(rows) == len(set(rows.tolist())) == 100
        np.testing.assert_allclose(scores, exact[rows], atol=1e-6)
        assert (np.diff(scores) <= 0).all()
        kept.append(np.isin(top_rows(exact, 100), rows).mean())
    assert np.mean(kept) >= 0.99


def test_an_index_is_the_same_each_time_it_is_made() -> None:
    vectors = clustered(6_000)
    one, other = (VectorSearch(vectors, indexed_from=0) for _ in range(2))
    for query in clustered(20, seed=2):
        for left, right in zip(one.top(query, 50), other.top(query, 50), strict=True):
            np.testing.assert_array_equal(left, right)


def test_the_kernels_say_the_same_without_compiling() -> None:
    vectors = clustered(5_000)
    flat, listed = VectorSearch(vectors), VectorSearch(vectors, indexed_from=0)
    query = clustered(1, seed=3)[0]
    for kernel, arguments in (
        (_best_of, (vectors, np.arange(7, 5_000, 100), query, 9)),
        (_nearest, (vectors, *flat._halves, query, 40, 9)),
        (_nearest_listed, (vectors, *listed._halves, listed._lists, query, (900, 40, 9))),
    ):
        rows, scores = kernel(*arguments)
        plain_rows, plain_scores = kernel.py_func(*arguments)
        assert rows.tolist() == plain_rows.tolist()
        np.testing.assert_allclose(scores, plain_scores, atol=1e-6)


@pytest.mark.parametrize("indexed_from", [0, 100_000])
def test_ties_stand_by_row(indexed_from: int) -> None:
    vectors = clustered(6_000)
    twins = [5_801, 17, 3_333, 2_090]
    vectors[twins] = vectors[twins[0]]
    search = VectorSearch(vectors, indexed_from=indexed_from)
    rows, scores = search.top(vectors[17], 10)
    assert rows[:4].tolist() == sorted(twins)
    assert len(set(scores[:4].tolist())) == 1
    assert search.top(vectors[17], 2)[0].tolist() == sorted(twins)[:2]


def test_vectors_of_few_dimensions_are_not_reduced() -> None:
    assert not VectorSearch(unit_vectors(8_000, 64)).is_reduced


@pytest.mark.parametrize(("n", "indexed_from"), [(3, 0), (6_000, 100_000), (6_000, 0)])
def test_more_than_there_are_gives_all(n: int, indexed_from: int) -> None:
    vectors = unit_vectors(n)
    rows, _ = VectorSearch(vectors, indexed_from=indexed_from).top(vectors[2], n + 5)
    assert rows[0] == 2
    assert sorted(rows.tolist()) == list(range(n))


@settings(max_examples=200)
@given(
    scores=st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=30),
    k=st.integers(1, 40),
)
def test_top_rows_are_the_first_of_a_stable_sort(scores: list[float], k: int) -> None:
    expected = sorted(range(len(scores)), key=lambda row: -scores[row])[:k]
    assert top_rows(np.array(scores, dtype=np.float32), k).tolist() == expected
