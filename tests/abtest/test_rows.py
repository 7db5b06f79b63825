"""Rows are read as they stand in frames and tables; what cannot be says where."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nextcall.abtest.rows import read_rows


def read(data: Any = None, **columns: Any) -> Any:
    frame = pd.DataFrame(columns) if data is None else data
    unit = "u" if "u" in columns else None
    return read_rows(frame, variant="v", columns=["x"], unit=unit)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1, 2], dtype=np.int8), [1, 2]),
        ([True, False], [1, 0]),
        (pd.array([1, None], dtype="Int64"), [1, np.nan]),
        (pd.array([True, None], dtype="boolean"), [1, np.nan]),
        (pd.array([1.5, None], dtype="double[pyarrow]"), [1.5, np.nan]),
        ([Decimal("1.5"), None], [1.5, np.nan]),
        (np.array([np.bool_(1), pd.NA], dtype=object), [1, np.nan]),
    ],
)
def test_numbers_are_read_and_missing_ones_are_nan(values: Any, expected: list[float]) -> None:
    np.testing.assert_array_equal(read(v=["a", "b"], x=values).columns["x"], expected)


def test_floats_are_not_copied() -> None:
    frame = pd.DataFrame({"v": ["a", "b"], "x": [1.0, 2.0]})
    assert np.shares_memory(read(frame).columns["x"], frame["x"].to_numpy())


@pytest.mark.parametrize(
    "values",
    [
        ["1", "2"],
        [1, "q"],
        pd.Categorical([1, 2]),
        [datetime(2020, 1, 1, tzinfo=UTC)] * 2,
        [timedelta(1)] * 2,
        [1 + 2j, 1],
    ],
)
def test_what_is_no_number_is_refused_with_its_row(values: Any) -> None:
    with pytest.raises(ValueError, match=r"x must hold numbers, got .* in row [01]\."):
        read(v=["a", "b"], x=values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["b", "a", "b"], ("a", "b")),
        (pd.Categorical(["b", "a", "b"], categories=["b", "a"]), ("b", "a")),
        ([1, 0, 1], ("0", "1")),
        ([True, False, True], ("False", "True")),
    ],
)
def test_variants_of_any_kind_have_names(values: Any, expected: tuple[str, ...]) -> None:
    rows = read(v=values, x=[1, 2, 3])
    assert rows.variants == expected
    assert [rows.variants[code] for code in rows.codes] == [str(each) for each in values]


def test_arrow_tables_say_what_frames_say() -> None:
    table = pa.table({"v": ["b", "a", "b"], "x": pa.array([1, None, 3]), "u": ["p", "q", "p"]})
    for each in (table, table.set_column(0, "v", table.column("v").dictionary_encode())):
        rows = read(each, u=True)
        np.testing.assert_array_equal(rows.columns["x"], [1, np.nan, 3])
        assert [rows.variants[code] for code in rows.codes] == ["b", "a", "b"]
        assert rows.units.tolist() == [0, 1, 0]
    decimals = pa.table({"v": ["a"], "x": pa.array([Decimal("1.50")])})
    assert read(decimals).columns["x"].tolist() == [1.5]
    times = pa.table({"v": ["a"], "x": pa.array([datetime(2020, 1, 1, tzinfo=UTC)])})
    with pytest.raises(ValueError, match="x must hold numbers"):
        read(times)


def test_units_with_one_row_each_need_no_numbers() -> None:
    assert read(v=["a", "b"], x=[1, 2], u=["p", "q"]).units is None
    assert read(v=["a", "a", "b"], x=[1, 2, 3], u=[7, 7, 5]).units.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"v": ["a", None], "x": [1, 2]}, "v must be known for each row, got none in row 1"),
        ({"v": [1, "1"], "x": [1, 2]}, "v must hold values of one kind"),
        ({"w": ["a"], "x": [1]}, "data must have a column 'v', got .'w', 'x'."),
        ({"v": ["a", "b"], "x": [1, 2], "u": ["p", None]}, "u must be known for each row"),
        (
            {"v": ["a", "b", "a", "a"], "x": [1, 2, 3, 4], "u": ["p", "p", "p", "q"]},
            "u must be in one variant each; 1 are in two, such as 'p' in 'a' and 'b'",
        ),
    ],
)
def test_rows_that_cannot_be_are_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(**columns)


def test_other_data_is_refused() -> None:
    with pytest.raises(TypeError, match=r"must be a pandas frame or an Arrow table, got list\."):
        read([1, 2])
