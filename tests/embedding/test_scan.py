"""Scans beside numpy's products."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.embedding.scan import (
    SCANNED_DIMENSIONS,
    dots_among_rows,
    dots_of_rows,
    projected,
    rounded,
    rows_near,
    to_bytes,
    to_halves,
)


def test_bytes_are_within_half_a_step_of_the_vectors() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    vectors[:, 3] = 0
    rows, steps = to_bytes(vectors)
    assert rows.dtype == np.int8
    assert (np.abs(rows * steps - vectors) <= 0.5001 * steps).all()
    assert (np.abs(rows).max(axis=0) == np.where(np.arange(7) == 3, 0, 127)).all()


def test_halves_are_within_half_a_step_of_the_vectors() -> None:
    vectors = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)
    vectors[:, 3] = 0
    packed, steps = to_halves(vectors)
    assert packed.shape == (50, 3)
    levels = np.hstack([packed & 15, packed >> 4])
    assert (np.abs((levels - 7.5) * steps - vectors) <= 0.5001 * steps).all()
    assert {levels[:, d].min() == 0 or levels[:, d].max() == 15 for d in (0, 1, 2, 4, 5)} == {True}


@pytest.mark.parametrize("size", [0.0, 1e-3, 1.0, 1e6])
def test_a_query_is_rounded_to_16_bits(size: float) -> None:
    rng = np.random.default_rng(2)
    query = (size * rng.normal(size=SCANNED_DIMENSIONS)).astype(np.float32)
    steps = rng.random(SCANNED_DIMENSIONS).astype(np.float32)
    whole = rounded(query, steps)
    np.testing.assert_array_equal(whole, rounded.py_func(query, steps))
    unit = np.abs(query * steps).max() / 32_767
    assert np.abs(whole * unit - query * steps).max() <= 0.51 * unit


@pytest.mark.parametrize("n_least", [1, 20, 900])
def test_rows_near_are_those_with_the_highest_products(n_least: int) -> None:
    rng = np.random.default_rng(4)
    levels = rng.integers(16, size=(900, SCANNED_DIMENSIONS))
    low, high = np.split(levels.astype(np.uint8), 2, axis=1)
    query = rng.integers(-32_767, 32_768, size=SCANNED_DIMENSIONS).astype(np.int16)
    scores = levels @ query.astype(np.int64)
    packed: NDArray[np.uint8] = low | high * np.uint8(16)
    found = rows_near(packed, query, n_least)
    np.testing.assert_array_equal(found, rows_near.py_func(packed, query, n_least))
    assert found.tolist() == np.flatnonzero(scores >= scores[found].min()).tolist()
    assert n_least <= len(found) <= n_least + 10


def test_the_largest_products_do_not_overflow() -> None:
    packed = np.array([[0], [255]], dtype=np.uint8).repeat(SCANNED_DIMENSIONS // 2, axis=1)
    ones = np.ones(SCANNED_DIMENSIONS, dtype=np.float32)
    whole = rounded(ones, ones)
    assert whole.tolist() == [32_767] * SCANNED_DIMENSIONS
    assert rows_near(packed, whole, 1).tolist() == [1]
    assert rows_near(packed, -whole, 1).tolist() == [0]


@pytest.mark.parametrize("dimensions", [1, 5, 384])
def test_products_of_rows_are_numpys(dimensions: int) -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(40, dimensions)).astype(np.float32)
    query = rng.normal(size=dimensions).astype(np.float32)
    rows = np.array([3, 39, 3, 0])
    expected = vectors[rows].astype(np.float64) @ query
    for kernel in (dots_of_rows, dots_of_rows.py_func):
        np.testing.assert_allclose(kernel(vectors, rows, query), expected, atol=2e-5)
    assert len(dots_of_rows(vectors, rows[:0], query)) == 0


@pytest.mark.parametrize("dimensions", [1, 5, 384])
def test_products_among_rows_are_numpys(dimensions: int) -> None:
    vectors = np.random.default_rng(3).normal(size=(40, dimensions)).astype(np.float32)
    rows, others = np.array([3, 39, 3, 0]), np.array([7, 3])
    expected = vectors[rows].astype(np.float64) @ vectors[others].T
    for kernel in (dots_among_rows, dots_among_rows.py_func):
        np.testing.assert_allclose(kernel(vectors, rows, others), expected, rtol=1e-5, atol=2e-5)


def test_a_query_is_projected_on_rounded_axes() -> None:
    rng = np.random.default_rng(5)
    axes = rng.integers(-127, 128, size=(9, 384)).astype(np.int8)
    steps, query = rng.random(9).astype(np.float32), rng.normal(size=384).astype(np.float32)
    expected = (axes.astype(np.float64) @ query) * steps
    for kernel in (projected, projected.py_func):
        np.testing.assert_allclose(kernel(query, axes, steps), expected, rtol=1e-4, atol=1e-2)
