"""Scans beside numpy's products."""

import numpy as np
import pytest

from nextcall.embedding.scan import dots_among_rows, dots_of_rows, projected, to_bytes


def test_bytes_are_within_half_a_step_of_the_vectors() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    vectors[:, 3] = 0
    rows, steps = to_bytes(vectors)
    assert rows.dtype == np.int8
    assert (np.abs(rows * steps - vectors) <= 0.5001 * steps).all()
    assert (np.abs(rows).max(axis=0) == np.where(np.arange(7) == 3, 0, 127)).all()


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
