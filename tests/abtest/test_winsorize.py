"""Cuts beside numpy's quantiles and clipping of whole columns."""

from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from nextcall.abtest.grouped_moments import group_moments
from nextcall.abtest.winsorize import cut_points, winsorized_moments

LIMITS = st.tuples(st.floats(0, 0.49), st.floats(0.5, 1))


@given(
    values=npst.arrays(
        np.float64, st.integers(1, 60), elements=st.floats(-1e300, 1e300, allow_subnormal=True)
    ),
    limits=LIMITS,
)
def test_cuts_are_numpys_quantiles(values: np.ndarray, limits: tuple[float, float]) -> None:
    found = cut_points(values, limits)
    scale = np.abs(values).max()
    assert np.array(found) == pytest.approx(
        np.quantile(values, limits), rel=1e-9, abs=1e-14 * scale
    )


@given(values=npst.arrays(np.int32, 50), limits=LIMITS)
def test_cuts_of_whole_numbers_leave_rows_out(
    values: np.ndarray, limits: tuple[float, float]
) -> None:
    groups = np.arange(50) % 4 - 1
    found = cut_points(values, limits, groups=groups)
    assert found == pytest.approx(np.quantile(values[groups >= 0].astype(float), limits))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_moments_are_those_of_clipped_columns(dtype: type) -> None:
    rng = np.random.default_rng(0)
    n = 600_000  # three blocks
    values: np.ndarray = (1_000 * rng.pareto(2.0, n)).astype(dtype)
    other = rng.normal(size=n)
    other[::1000] = nan
    groups = rng.integers(-1, 2, n)
    low, high = np.quantile(values[groups >= 0].astype(float), (0.01, 0.99))
    known = group_moments([np.clip(values.astype(float), low, high), other], groups, 2)
    found = winsorized_moments([values, other], groups, 2, limits=(0.01, 0.99))
    assert found.missing == known.missing
    for one, another in zip(found.moments, known.moments, strict=True):
        assert one.n == another.n
        assert one.mean == pytest.approx(another.mean)
        assert one.products == pytest.approx(another.products, rel=1e-9)


def test_nothing_has_no_cuts() -> None:
    assert all(map(isnan, cut_points(np.array([nan, nan]), (0.0, 0.9))))
    found = winsorized_moments([np.array([nan])], np.array([0]), 1, limits=(0.0, 0.9))
    assert (found.moments[0].n, found.missing) == (0, (1,))


def test_infinite_values_are_refused_before_they_are_cut() -> None:
    column = np.array([1.0, 2.0, inf, 3.0])
    with pytest.raises(ValueError, match="revenue must be finite or missing, got inf in row 2"):
        winsorized_moments([column], np.zeros(4, int), 1, limits=(0, 0.5), names=["revenue"])
    with pytest.raises(ValueError, match="column 0 must be finite"):
        winsorized_moments([column], np.zeros(4, int), 1, limits=(0, 0.5))
    left_out = winsorized_moments([column], np.array([0, 0, -1, 0]), 1, limits=(0, 0.5))
    assert left_out.moments[0].mean.tolist() == [pytest.approx(5 / 3)]


@pytest.mark.parametrize("limits", [(0.5, 0.5), (-0.1, 0.9), (0.0, 1.1), (nan, 1.0)])
def test_limits_that_do_not_rise_are_refused(limits: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="limits must rise"):
        cut_points(np.ones(3), limits)
