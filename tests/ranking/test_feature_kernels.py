"""Loops over features say the same compiled and as plain Python; their columns stand in a row."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.ranking.feature_kernels import (
    FLOW_FEATURES,
    HISTORY_FEATURES,
    RETRIEVAL_FEATURES,
    SERVICE_FEATURES,
    WORD_FEATURES,
    fill_flow,
    fill_history,
    fill_retrieval,
    fill_services,
    fill_words,
    numbers_above,
)
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.index import STATIC_FEATURES
from nextcall.ranking.index_arrays import Facts, Words

N_ROWS, N_TERMS = 30, 40
FIRST = 2  # columns before those that are filled


@pytest.mark.parametrize(
    "names",
    [
        *(RETRIEVAL_FEATURES, WORD_FEATURES, SERVICE_FEATURES),
        *(STATIC_FEATURES, FLOW_FEATURES, HISTORY_FEATURES),
    ],
    ids=lambda names: str(names[0]),
)
def test_columns_stand_side_by_side_in_the_table(names: Sequence[str]) -> None:
    first = FEATURE_NAMES.index(names[0])
    assert FEATURE_NAMES[first : first + len(names)] == tuple(names)


def filled(kernel: Callable[..., None], width: int, *arguments: object) -> NDArray[np.float32]:
    values = np.full((12, FIRST + width + 1), 77, dtype=np.float32)
    kernel(values, FIRST, *arguments)
    assert (values[:, [0, 1, -1]] == 77).all()
    return values[:, FIRST:-1]


def assert_same(kernel: Any, names: Sequence[str], *arguments: object) -> NDArray[np.float32]:
    fast = filled(kernel, len(names), *arguments)
    np.testing.assert_array_equal(fast, filled(kernel.py_func, len(names), *arguments))
    assert not (fast == 77).any()
    return fast


def floats(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return rng.random(shape).astype(np.float32)


def words(rng: np.random.Generator) -> Words:
    weights = np.append(floats(rng, N_TERMS), np.float32(0))
    bounds = np.array([0, 3, 5, 6, 16, 20])
    ids = rng.integers(N_TERMS + 1, size=(N_ROWS, 20)).astype(np.int32)
    field_weights = floats(rng, N_ROWS, 5)
    field_weights[3] = 0
    bigrams = rng.integers(6, size=(N_ROWS, 4)).astype(np.int32)
    return Words(weights, ids, bounds, field_weights, bigrams, floats(rng, N_ROWS) * 3)


def facts(rng: np.random.Generator) -> Facts:
    def codes() -> NDArray[np.int32]:
        return rng.integers(3, size=N_ROWS).astype(np.int32)

    plural = rng.integers(2, size=N_ROWS).astype(np.float32)
    return Facts(codes().astype(np.int8), codes(), codes(), codes(), plural)


@pytest.mark.parametrize("n_words", [0, 7])
def test_retrieval(n_words: int) -> None:
    rng = np.random.default_rng(n_words)
    scores, ranks = tuple(floats(rng, 4, 12)), tuple(floats(rng, 4, 12))
    best = (1.5, 2.0, 0.0, 3.0)
    fused, text, norms = floats(rng, 12), floats(rng, 12), floats(rng, 12)
    values = assert_same(
        fill_retrieval, RETRIEVAL_FEATURES, scores, best, ranks, fused, text, norms, n_words
    )
    gap = values[:, RETRIEVAL_FEATURES.index("label_similarity_gap")]
    np.testing.assert_allclose(gap, np.max(values[:, 4]) - values[:, 4])
    assert values[:, 6].any() == bool(n_words)


@pytest.mark.parametrize("code", [-1, 1])
def test_words(code: int) -> None:
    rng = np.random.default_rng(2)
    asked = np.array([3, 17, 20], dtype=np.int32), np.array([1, 4], dtype=np.int32)
    rows = rng.permutation(N_ROWS)[:12]
    index = words(rng)
    codes = code, code, 4
    values = assert_same(fill_words, WORD_FEATURES, index, facts(rng), rows, asked, 2.5, codes, 0.5)
    bigrams = np.isin(index.bigrams[rows], asked[1]).sum(axis=1)
    np.testing.assert_array_equal(values[:, WORD_FEATURES.index("name_bigrams")], bigrams)
    assert np.isnan(values[:, 11:13]).all() == (code < 0)


def test_services() -> None:
    rng = np.random.default_rng(3)
    rows = rng.permutation(N_ROWS)[:12]
    service = rng.integers(5, size=N_ROWS).astype(np.int32)
    values = assert_same(fill_services, SERVICE_FEATURES, service, rows, floats(rng, 12) - 0.5)
    votes = np.bincount(service[rows], weights=1 / (np.arange(12) + 5))
    np.testing.assert_allclose(values[:, 0], (votes / votes.sum())[service[rows]], rtol=1e-6)


@pytest.mark.parametrize("n_calls", [1, 14])
def test_history(n_calls: int) -> None:
    rng = np.random.default_rng(n_calls)
    rows = rng.permutation(N_ROWS)[:12]
    called = np.append(rng.integers(N_ROWS, size=n_calls - 1), rows[4])
    similar = floats(rng, 12, min(n_calls, 10))
    steps = floats(rng, 3, 3), floats(rng, 3, 3), floats(rng, 3, 3)
    known = facts(rng)
    values = assert_same(
        fill_history, HISTORY_FEATURES, words(rng), known, rows, called, similar, steps
    )
    times = (rows[:, None] == called).sum(axis=1)
    np.testing.assert_array_equal(values[:, HISTORY_FEATURES.index("times_called")], times)
    assert np.flatnonzero(values[:, -1]).tolist() == [4]
    relation = values[:, HISTORY_FEATURES.index("last_service")]
    assert relation.tolist() == (known.service[rows] == known.service[rows[4]]).tolist()


@pytest.mark.parametrize("n_calls", [0, 1, 14])
def test_flow(n_calls: int) -> None:
    rng = np.random.default_rng(n_calls)
    rows = rng.permutation(N_ROWS)[:12]
    called = rng.integers(N_ROWS, size=n_calls)

    def terms(width: int) -> NDArray[np.int32]:
        return rng.integers(N_TERMS + 1, size=(N_ROWS, width)).astype(np.int32)

    needs = terms(4), floats(rng, N_ROWS, 4), floats(rng, N_ROWS, 4), floats(rng, N_ROWS, 4)
    yields = terms(3), floats(rng, N_ROWS, 3) * (rng.random((N_ROWS, 1)) < 0.5).astype(np.float32)
    weights = floats(rng, 12)
    asked = (needs, yields, rows, called, weights, N_TERMS, 100)
    fast, slow = (filled(each, 4, *asked) for each in (fill_flow, fill_flow.py_func))
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-6)
    assert (fast[:, 0] == 77).all() == (n_calls == 0)
    feeds, ranks = fast[:, 2], fast[:, 3]
    assert 0 < (feeds == 0).sum() < 12
    assert (ranks[feeds == 0] == 100).all()
    above = [float((feeds > each).sum()) for each in feeds[feeds > 0]]
    assert ranks[feeds > 0].tolist() == above


def test_numbers_above_count_what_is_higher() -> None:
    values = np.random.default_rng(0).integers(5, size=40).astype(np.float32)
    expected = [sum(other > value for other in values) for value in values]
    for kernel in (numbers_above, numbers_above.py_func):
        assert kernel(values).tolist() == expected
