"""Scans beside numpy's products."""

import numpy as np
import pytest

from nextcall.embedding.scan import (
    SCANNED_DIMENSIONS,
    dots_among_rows,
    dots_of_rows,
    scan_bytes,
    to_bytes,
)


def test_bytes_are_within_half_a_step_of_the_vectors() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    vectors[:, 3] = 0
    rows, steps = to_bytes(vectors)
    assert rows.dtype == np.int8
    assert (np.abs(rows * steps - vectors) <= 0.5001 * steps).all()
    assert (np.abs(rows).max(axis=0) == np.where(np.arange(7) == 3, 0, 127)).all()


@pytest.mark.parametrize("size", [0.0, 1e-3, 1.0, 1e6])
def test_a_scan_of_bytes_is_the_product_of_what_they_stand_for(size: float) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(300, SCANNED_DIMENSIONS)).astype(np.float32)
    query = (size * rng.normal(size=SCANNED_DIMENSIONS)).astype(np.float32)
    rows, steps = to_bytes(vectors)
    scores = scan_bytes(rows, steps, query)
    np.testing.assert_array_equal(scores, scan_bytes.py_func(rows, steps, query))
    exact = (rows * steps) @ query
    if size == 0:
        assert not scores.any()
    else:
        unit = np.abs(query * steps).max() / 32_767
        error = 0.51 * unit * np.abs(rows.astype(np.int64)).sum(axis=1) + 1e-5 * np.abs(exact)
        assert (np.abs(scores * unit - exact) <= error).all()


def test_the_largest_products_do_not_overflow() -> None:
    rows = np.full((1, SCANNED_DIMENSIONS), 127, dtype=np.int8)
    ones = np.ones(SCANNED_DIMENSIONS, dtype=np.float32)
    assert scan_bytes(rows, ones, ones).tolist() == [127 * 32_767 * SCANNED_DIMENSIONS]


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
