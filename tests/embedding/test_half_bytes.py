"""Half bytes beside numpy's products."""

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from nextcall.embedding.half_bytes import rounded, rows_near, to_halves
from nextcall.embedding.half_products import SCANNED_DIMENSIONS, product


def packed_levels(seed: int, n: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Vectors of half bytes, and the same as whole numbers."""
    levels = np.random.default_rng(seed).integers(16, size=(n, SCANNED_DIMENSIONS))
    low, high = np.split(levels.astype(np.uint8), 2, axis=1)
    return low | high * np.uint8(16), levels


def test_halves_are_within_half_a_step_of_what_lies_near_the_mean() -> None:
    vectors = np.random.default_rng(1).normal(size=(500, 6)).astype(np.float32) + 2
    vectors[:, 3] = 5
    packed, steps = to_halves(vectors)
    assert packed.shape == (500, 3)
    levels = np.hstack([packed & 15, packed >> 4])
    mean, deviation = vectors.mean(axis=0), vectors.std(axis=0)
    near = np.abs(vectors - mean) <= 3 * deviation
    assert not near.all()
    error = np.abs((levels - 7.5) * steps + mean - vectors)
    assert (error <= 0.5001 * steps)[near].all()
    far = np.where(vectors > mean, 15, 0)
    assert (levels == far)[~near].all()


@pytest.mark.parametrize("size", [0.0, 1e-3, 1.0, 1e6])
def test_a_query_is_rounded_to_bytes(size: float) -> None:
    rng = np.random.default_rng(2)
    query = (size * rng.normal(size=SCANNED_DIMENSIONS)).astype(np.float32)
    steps = rng.random(SCANNED_DIMENSIONS).astype(np.float32)
    whole = rounded(query, steps)
    assert whole.dtype == np.int8
    np.testing.assert_array_equal(whole, rounded.py_func(query, steps))
    unit = np.abs(query * steps).max() / 127
    assert np.abs(whole * unit - query * steps).max() <= 0.51 * unit


@pytest.mark.parametrize(("n", "n_least"), [(900, 1), (900, 20), (900, 900), (3_000, 5)])
@pytest.mark.parametrize("compiled", [True, False])
def test_rows_near_are_those_with_the_highest_products(
    n: int, n_least: int, *, compiled: bool
) -> None:
    packed, levels = packed_levels(4, n)
    query = np.random.default_rng(5).integers(-127, 128, size=SCANNED_DIMENSIONS).astype(np.int8)
    scores = levels @ query.astype(np.int64)
    near = rows_near if compiled else rows_near.py_func
    found = near(packed, np.array([[0, n]]), query, n_least)
    assert found.tolist() == np.flatnonzero(scores >= scores[found].min()).tolist()
    assert n_least <= len(found) <= n_least + 10


def test_rows_near_are_found_in_some_runs_alone() -> None:
    packed, levels = packed_levels(6, 9_000)
    query = np.random.default_rng(7).integers(-127, 128, size=SCANNED_DIMENSIONS).astype(np.int8)
    runs = np.array([[7_000, 9_000], [50, 50], [100, 4_000]])
    scores = levels @ query.astype(np.int64)
    among = np.concatenate([np.arange(7_000, 9_000), np.arange(100, 4_000)])
    found = rows_near(packed, runs, query, 60)
    assert found.tolist() == among[scores[among] >= scores[found].min()].tolist()
    np.testing.assert_array_equal(found, rows_near.py_func(packed, runs, query, 60))
    assert 60 <= len(found) <= 70


def test_a_sample_that_misleads_costs_time_and_nothing_else() -> None:
    """Every sixteenth row is looked at first; here only these are high, and they are few."""
    levels = np.zeros((9_000, SCANNED_DIMENSIONS // 2), dtype=np.uint8)
    levels[::16] = 255
    ones = np.ones(SCANNED_DIMENSIONS, dtype=np.int8)
    runs = np.array([[0, 9_000]])
    for near in (rows_near, rows_near.py_func):
        assert near(levels, runs, ones, 562).tolist() == list(range(0, 9_000, 16))
        assert near(levels, runs, ones, 564).tolist() == list(range(9_000))


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_products_do_not_overflow(sign: int) -> None:
    packed = np.array([[0], [255]], dtype=np.uint8).repeat(SCANNED_DIMENSIONS // 2, axis=1)
    ones = np.ones(SCANNED_DIMENSIONS, dtype=np.float32)
    whole = rounded(sign * ones, ones)
    assert whole.tolist() == [sign * 127] * SCANNED_DIMENSIONS
    highest = 1 if sign > 0 else 0
    assert rows_near(packed, np.array([[0, 2]]), whole, 1).tolist() == [highest]


def test_the_compiled_product_is_the_plain_one() -> None:
    packed, levels = packed_levels(8, 50)
    compiled = njit(lambda flat, start, query: product(flat, start, query))  # noqa: PLW0108  # a call
    runs = np.array([[0, 50]])
    for seed in range(20):
        query = np.random.default_rng(seed).integers(-128, 128, size=SCANNED_DIMENSIONS)
        whole = query.astype(np.int8)
        plain = [
            product(packed.reshape(-1), np.uint64(row * SCANNED_DIMENSIONS // 2), whole)
            for row in range(50)
        ]
        assert plain == (levels @ query).tolist()
        assert plain == [
            compiled(packed.reshape(-1), np.uint64(row * SCANNED_DIMENSIONS // 2), whole)
            for row in range(50)
        ]
        for n_least in (1, 5, 25):
            found = rows_near(packed, runs, whole, n_least)
            assert min(plain[row] for row in found) >= sorted(plain)[-len(found)]
