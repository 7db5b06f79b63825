"""Scans beside numpy's products."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.embedding.scan import (
    FIRST_DIMENSIONS,
    SCANNED_DIMENSIONS,
    _first_product,
    _other_product,
    dots_among_rows,
    dots_of_rows,
    projected,
    rounded,
    rows_near,
    to_bytes,
)


def test_bytes_are_within_half_a_step_of_the_vectors() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    vectors[:, 3] = 0
    rows, steps = to_bytes(vectors)
    assert rows.dtype == np.int8
    assert (np.abs(rows * steps - vectors) <= 0.5001 * steps).all()
    assert (np.abs(rows).max(axis=0) == np.where(np.arange(7) == 3, 0, 127)).all()


def split(rows: NDArray[np.int8]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    first, others = np.split(rows, [FIRST_DIMENSIONS], axis=1)
    return np.ascontiguousarray(first), np.ascontiguousarray(others)


@pytest.mark.parametrize("size", [0.0, 1e-3, 1.0, 1e6])
def test_products_of_bytes_are_those_of_what_they_stand_for(size: float) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(300, SCANNED_DIMENSIONS)).astype(np.float32)
    query = (size * rng.normal(size=SCANNED_DIMENSIONS)).astype(np.float32)
    rows, steps = to_bytes(vectors)
    whole = rounded(query, steps)
    np.testing.assert_array_equal(whole, rounded.py_func(query, steps))
    first, others = split(rows)
    products = [
        _first_product.py_func(first.reshape(-1), row, whole)
        + _other_product.py_func(others.reshape(-1), row, whole)
        for row in range(300)
    ]
    assert products == (rows.astype(np.int64) @ whole).tolist()
    exact = (rows * steps) @ query
    if size == 0:
        assert not any(products)
    else:
        unit = np.abs(query * steps).max() / 32_767
        error = 0.51 * unit * np.abs(rows.astype(np.int64)).sum(axis=1) + 1e-5 * np.abs(exact)
        assert (np.abs(np.array(products) * unit - exact) <= error).all()


@pytest.mark.parametrize("n_rough", [60, 300, 900])
def test_rows_near_are_the_highest_of_those_that_are_high_by_the_first_dimensions(
    n_rough: int,
) -> None:
    rng = np.random.default_rng(4)
    rows = rng.integers(-127, 128, size=(900, SCANNED_DIMENSIONS)).astype(np.int8)
    query = rng.integers(-9_000, 9_000, size=SCANNED_DIMENSIONS).astype(np.int16)
    query[FIRST_DIMENSIONS:] //= 8  # as where the first dimensions hold the most
    scores = rows.astype(np.int64) @ query
    first, others = split(rows)
    found = rows_near(first, others, query, n_rough, 20)
    np.testing.assert_array_equal(found, rows_near.py_func(first, others, query, n_rough, 20))
    assert (np.diff(found) > 0).all()
    assert 20 <= len(found) <= 40
    best = np.argsort(-scores)[:20]
    assert np.isin(best, found).mean() >= (0.7 if n_rough == 60 else 1)


def test_a_sample_that_misleads_loses_nothing() -> None:
    """Every eighth row is looked at first; here these alone are high."""
    rows = np.full((800, SCANNED_DIMENSIONS), -9, dtype=np.int8)
    rows[::8] = np.arange(100, dtype=np.int8)[:, None]
    query = np.ones(SCANNED_DIMENSIONS, dtype=np.int16)
    for kernel in (rows_near, rows_near.py_func):
        assert len(kernel(*split(rows), query, 101, 101)) == 800
        assert kernel(*split(rows), query, 101, 30).tolist() == list(range(70 * 8, 800, 8))


def test_the_largest_products_do_not_overflow() -> None:
    rows = np.full((1, SCANNED_DIMENSIONS), 127, dtype=np.int8)
    ones = np.ones(SCANNED_DIMENSIONS, dtype=np.float32)
    whole = rounded(ones, ones)
    assert whole.tolist() == [32_767] * SCANNED_DIMENSIONS
    assert int(rows.astype(np.int64)[0] @ whole) < 2**30
    first, others = split(rows)
    assert rows_near(first, others, whole, 1, 1).tolist() == [0]
    assert rows_near(first, others, -whole, 1, 1).tolist() == [0]


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
