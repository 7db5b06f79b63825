"""Moments beside numpy's covariances; merging is what all rows together give."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextcall.abtest.moments import Moments


def rows(n: int, *, seed: int = 0, offset: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)) @ rng.normal(size=(3, 3)) + offset


@pytest.mark.parametrize("offset", [0.0, 1e8, -1e12])
def test_covariances_are_numpys_at_any_offset(offset: float) -> None:
    values = np.round(rows(500) * 4096) / 4096 + offset  # exact at this offset
    found = Moments.of(values)
    np.testing.assert_allclose(
        found.covariance(), np.cov(values - offset, rowvar=False), rtol=1e-12
    )
    np.testing.assert_allclose(found.mean, offset + (values - offset).mean(axis=0), rtol=1e-12)


@given(cuts=st.lists(st.integers(0, 60), max_size=5), seed=st.integers(0, 99))
def test_parts_merge_into_the_whole(cuts: list[int], seed: int) -> None:
    values = rows(60, seed=seed, offset=1e8)
    places = [0, *sorted(cuts), 60]
    merged = Moments.empty(3)
    for begin, end in pairwise(places):
        merged = merged + Moments.of(values[begin:end])
    whole = Moments.of(values)
    assert merged.n == whole.n
    centred = values[:, 0] - values[:, 0].mean()
    assert merged.skewness == pytest.approx(stats.skew(centred), abs=1e-5)
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-15)
    np.testing.assert_allclose(merged.products, whole.products, rtol=1e-6)


def test_combinations_are_those_of_the_rows() -> None:
    values, weights = rows(40), np.array([[1.0, -2.0, 0.5], [0.0, 1.0, 1.0]])
    found = Moments.of(values).combined(weights, shift=[3.0, 0.0])
    expected = Moments.of(values @ weights.T + [3.0, 0.0])
    np.testing.assert_allclose(found.mean, expected.mean)
    np.testing.assert_allclose(found.products, expected.products)


def test_columns_are_kept_in_the_order_asked_for() -> None:
    values = rows(40)
    found, expected = Moments.of(values).columns([2, 0]), Moments.of(values[:, [2, 0]])
    np.testing.assert_allclose(found.products, expected.products)
    np.testing.assert_allclose(found.mean, expected.mean)


def test_one_row_and_none_have_no_covariance() -> None:
    assert np.isnan(Moments.of([[1.0, 2.0]]).covariance()).all()
    none = Moments.of(np.empty((0, 2)))
    assert none.n == 0
    assert np.isnan(none.covariance()).all()
    assert (none + none).n == 0
    assert np.isnan(none.skewness)
    assert np.isnan(Moments.of([3.0, 3.0]).skewness)


def test_the_skewness_goes_with_the_first_column() -> None:
    found = Moments.of(rows(40))
    assert found.columns([0]).skewness == found.skewness
    assert np.isnan(found.columns([1]).skewness)
    assert Moments.of(np.empty((3, 0))).cubes == 0.0


def test_what_is_not_finite_or_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="values must be finite, got nan in row 1, column 0"):
        Moments.of([1.0, np.nan])
    with pytest.raises(ValueError, match=r"values must have finite squares, got 1e\+200"):
        Moments.of([1e200, 3.0])
    with pytest.raises(ValueError, match="one or two dimensions, got 3"):
        Moments.of(np.zeros((1, 1, 1)))


@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.7e30, 1e8 + 1 / 3])
@pytest.mark.parametrize("n", [3, 7, 10, 203])
def test_equal_rows_have_no_spread(value: float, n: int) -> None:
    whole = Moments.of(np.full(n, value)) + Moments.of(np.full(n + 2, value))
    assert (whole.mean.tolist(), whole.products.tolist()) == ([value], [[0.0]])


@pytest.mark.parametrize("scale", [1e-160, 1e-300, 5e-324])
def test_spreads_whose_squares_are_lost_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match=r"differ by more than .*, whose square is no float"):
        Moments.of([1 * scale, 3 * scale, 2 * scale])
    assert Moments.of([3 * scale] * 3).products[0, 0] == 0.0


@pytest.mark.parametrize("scale", [1e-140, 1e-60, 1.0, 1e60, 1e140])
def test_the_skewness_goes_with_no_scale(scale: float) -> None:
    values = np.array([0.0, 0.0, 1.0, 5.0])
    found = (Moments.of(values * scale) + Moments.of(values * scale)).skewness
    expected = stats.skew(values) if 1e-100 < scale < 1e100 else np.nan
    assert found == pytest.approx(expected, nan_ok=True)
