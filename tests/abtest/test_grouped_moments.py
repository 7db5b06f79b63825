"""Moments of groups beside those of each group's rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.abtest import grouped_moments
from nextcall.abtest.grouped_moments import group_moments, with_cubes
from nextcall.abtest.moments import Moments


def check(columns: list[NDArray[np.float64]], groups: NDArray[np.int64], n_groups: int) -> None:
    found = group_moments(columns, groups, n_groups)
    rows = np.column_stack(columns)
    for group in range(n_groups):
        own = rows[groups == group]
        whole = own[np.isfinite(own).all(axis=1)]
        expected = Moments.of(whole)
        assert found.moments[group].n == expected.n
        assert found.missing[group] == len(own) - len(whole)
        np.testing.assert_allclose(found.moments[group].mean, expected.mean, rtol=1e-12)
        scale = np.sqrt(np.outer(np.diag(expected.products), np.diag(expected.products)))
        off = np.abs(found.moments[group].products - expected.products)
        assert (off <= 1e-9 * scale).all()
        cubed = with_cubes(found, columns, groups).moments[group]
        if len(groups) <= 200_000 and expected.n > 2:
            assert cubed.skewness == pytest.approx(expected.skewness, abs=1e-5)
        else:
            assert np.isnan(cubed.skewness) or expected.n <= 2


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(0, 1500),
    n_groups=st.integers(1, 5),
    seed=st.integers(0, 999),
    offset=st.sampled_from([0.0, 1e8, -1e6]),
    gaps=st.booleans(),
)
def test_groups_get_what_their_rows_say(
    n: int, n_groups: int, seed: int, offset: float, *, gaps: bool
) -> None:
    rng = np.random.default_rng(seed)
    columns = [rng.normal(size=n) + offset for _ in range(3)]
    columns[2] += columns[0]
    if gaps:
        columns[1][rng.random(n) < 0.1] = np.nan
    check(columns, rng.integers(-1, n_groups, n), n_groups)


def test_a_mean_that_wanders_costs_no_digits() -> None:
    n = 4 * grouped_moments._PART + 5
    drift = np.linspace(0, 1e6, n)
    rng = np.random.default_rng(0)
    check([drift + rng.normal(size=n), rng.normal(size=n) + 1e8], rng.integers(0, 2, n), 2)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32, np.bool_])
def test_numbers_of_any_kind_are_taken(dtype: type) -> None:
    values: NDArray[Any] = np.arange(100).astype(dtype)
    strided = np.column_stack([values, values])[:, 1]
    groups = (np.arange(100) % 2).astype(np.int8)
    found = group_moments([values, strided], groups, 2).moments[1]
    np.testing.assert_allclose(found.mean[0], values[1::2].astype(float).mean())
    np.testing.assert_allclose(found.products[0, 1], found.products[0, 0])


def test_an_infinite_value_is_refused_with_its_place() -> None:
    values = np.zeros(10)
    values[7] = -np.inf
    columns, groups = [np.full(10, np.nan), values], np.zeros(10, dtype=np.int64)
    with pytest.raises(ValueError, match="column 1 must be finite or missing, got -inf in row 7"):
        group_moments(columns, groups, 1)
    with pytest.raises(ValueError, match="cost must be finite"):
        group_moments(columns, groups, 1, names=["gain", "cost"])
    with pytest.raises(ValueError, match="cost must have finite squares"):
        group_moments(
            [np.zeros(2), np.array([1e200, 3e200])], groups[:2], 1, names=["gain", "cost"]
        )
    with pytest.raises(ValueError, match="column 0 must have finite squares"):
        group_moments([np.array([1e200, 3e200])], groups[:2], 1)
    left_out = np.where(np.arange(10) == 7, -1, 0)
    assert group_moments([values], left_out, 1).moments[0].n == 9


def test_compiled_and_plain_python_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    columns, groups = [rng.normal(size=1300), rng.normal(size=1300)], rng.integers(-1, 3, 1300)
    columns[0][5] = np.nan
    expected = group_moments(columns, groups, 3)
    for name in ("add_rows", "sort_block", "add_block", "merge"):
        monkeypatch.setattr(grouped_moments, name, getattr(grouped_moments, name).py_func)
    found = group_moments(columns, groups, 3)
    assert found.missing == expected.missing
    for one, other in zip(found.moments, expected.moments, strict=True):
        np.testing.assert_allclose(one.products, other.products, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-160, 1e-300])
def test_spreads_whose_squares_are_lost_are_refused(scale: float) -> None:
    groups = np.array([0, 0, 0, 1, 1, 1, -1])
    alike = np.array([3.0, 3.0, np.nan, 2.0, 2.0, 2.0, 7.0]) * scale
    found = group_moments([alike], groups, 3)
    assert [each.products[0, 0] for each in found.moments] == [0.0, 0.0, 0.0]
    differ = np.array([3.0, 3.0, np.nan, 2.0, 2.0, 5.0, 7.0]) * scale
    with pytest.raises(ValueError, match="spent must have squares that are floats: scale"):
        group_moments([differ], groups, 2, names=["spent"])
    with pytest.raises(ValueError, match="column 1 must have squares that are floats"):
        group_moments([np.arange(7.0), differ], groups, 2)


def test_cubes_may_be_beyond_floats() -> None:
    columns, groups = [np.array([0.0, 0.0, 1.0, 5.0]) * 1e140], np.zeros(4, dtype=np.int64)
    found = with_cubes(group_moments(columns, groups, 1), columns, groups)
    assert np.isnan(found.moments[0].skewness)
