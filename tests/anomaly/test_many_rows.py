"""Checks of many rows: what is not told row by row is refused."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nextcall.anomaly.many_rows import (
    check_as_many,
    finite_or_nan,
    keys_of,
    one_dimension,
    times_of,
)


def test_values_come_as_one_run_of_floats() -> None:
    for values in ([1, 2], (True, 3.0), np.arange(4.0)[::2], []):
        found = one_dimension(values)
        assert found.dtype == np.float64
        assert found.flags.c_contiguous
        assert found.tolist() == list(values)


@pytest.mark.parametrize("values", [1.0, [[1.0]], np.zeros((2, 2, 2))])
def test_another_number_of_dimensions_is_named(values: Any) -> None:
    with pytest.raises(ValueError, match=f"one dimension, got {np.ndim(values)}"):
        one_dimension(values)


def test_what_is_no_number_is_named_and_none_is_missing() -> None:
    gaps: tuple[Any, ...] = (
        [None, Decimal("2.5"), 10**400],
        pd.Series([None, 2.5, np.inf], dtype="Float64"),
        np.array([pd.NA, 2.5, np.inf], dtype=object),
    )
    for values in gaps:
        np.testing.assert_array_equal(one_dimension(values), [np.nan, 2.5, np.inf])
    for odd in ("2.5", b"2", 1j, [1.0], np.datetime64("2026-01-01")):
        wrong = np.empty(2, dtype=object)
        wrong[:] = [1.0, odd]
        with pytest.raises(TypeError, match=r"values must be numbers, got .* at 1"):
            one_dimension(wrong)
    columns: tuple[Any, ...] = (["2.5", "3"], [1.0, "2"], pd.Series(["2.5"], dtype="string"))
    for texts in columns:
        with pytest.raises(TypeError, match=r"values must be numbers, got .* at 0"):
            one_dimension(texts)


def test_an_infinity_is_named_and_nan_is_not() -> None:
    assert np.isnan(finite_or_nan([1.0, np.nan])[1])
    with pytest.raises(ValueError, match="finite or NaN, got an infinity at 2"):
        finite_or_nan([1.0, np.nan, -np.inf, np.inf])


def test_there_is_a_key_a_value() -> None:
    assert keys_of(2, None) == ["", ""]
    assert keys_of(2, iter(["a", 1])) == ["a", 1]
    with pytest.raises(ValueError, match="keys must be as many as values, 2, got 1"):
        keys_of(2, ["a"])
    with pytest.raises(ValueError, match="times must be as many as values, 0, got 1"):
        check_as_many("times", [0.0], 0)


def test_there_is_a_time_a_value_or_none_is_known() -> None:
    assert np.isnan(times_of(3, None)).all()
    found = times_of(2, np.arange(4.0)[::2])
    assert found.tolist() == [0, 2]
    assert found.flags.c_contiguous
    with pytest.raises(ValueError, match="times must be as many as values, 2, got 1"):
        times_of(2, [0.0])
