"""Rows of an experiment as arrays: variants as codes, columns of numbers, units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pandas.api.types import is_complex_dtype, is_numeric_dtype

from nextcall.abtest.grouped_moments import Column

_NUMBERS: Final = "biuf"  # kinds of numpy's dtypes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """What an analysis reads of the data.

    Parameters
    ----------
    variants : tuple of str
    codes : array of shape (n_rows,)
        Each row's place in `variants`.
    columns : mapping of str to array of shape (n_rows,)
        Missing is ``nan``.
    units : array of shape (n_rows,), optional
        Each row's unit, from 0; None where each row is a unit of its own.
    """

    variants: tuple[str, ...]
    codes: NDArray[np.integer[Any]]
    columns: Mapping[str, Column]
    units: NDArray[np.int64] | None = None


def read_rows(data: Any, *, variant: str, columns: Sequence[str], unit: str | None = None) -> Rows:
    """Read columns of a frame or an Arrow table; nothing is copied that need not be.

    Parameters
    ----------
    data : pandas.DataFrame or pyarrow.Table
    variant, unit : str
        Columns; without `unit` each row is a unit.
    columns : sequence of str
        Of numbers, or true and false.

    Raises
    ------
    TypeError
        Where the data is neither.
    ValueError
        Where a column is missing or holds no numbers, where a row has no variant or no unit, or
        where a unit is in two variants.

    Examples
    --------
    >>> frame = pd.DataFrame({"variant": ["A", "B", "A"], "revenue": [1.0, 2.0, 3.0]})
    >>> rows = read_rows(frame, variant="variant", columns=["revenue"])
    >>> rows.variants, rows.codes.tolist()
    (('A', 'B'), [0, 1, 0])
    """
    if not isinstance(data, pd.DataFrame | pa.Table):
        raise TypeError(
            f"data must be a pandas frame or an Arrow table, got {type(data).__name__}."
        )
    wanted = list(dict.fromkeys([variant, *([unit] if unit is not None else []), *columns]))
    series = {name: read_column(data, name) for name in wanted}
    codes, variants = _variants(series[variant], variant)
    units = None if unit is None else _units(series[unit], unit, codes, variants)
    return Rows(
        variants=variants,
        codes=codes,
        columns={name: _numbers(series[name], name) for name in dict.fromkeys(columns)},
        units=units,
    )


def read_column(data: Any, name: str) -> "pd.Series[Any]":
    """Give a column of a frame or an Arrow table; nothing is copied that need not be.

    Raises
    ------
    ValueError
        Where there is none of this name.
    """
    names = data.column_names if isinstance(data, pa.Table) else list(data.columns)
    if name not in names:
        raise ValueError(f"data must have a column {name!r}, got {names}.")
    if isinstance(data, pa.Table):
        column = data.column(name)
        if pa.types.is_dictionary(column.type) or not pa.types.is_primitive(column.type):
            return pd.Series(column.to_pandas(), name=name)
        return pd.Series(column.to_numpy(zero_copy_only=False), name=name, copy=False)
    frame: pd.DataFrame = data
    return frame[name]


def _variants(
    series: "pd.Series[Any]", name: str
) -> tuple[NDArray[np.integer[Any]], tuple[str, ...]]:
    codes: NDArray[np.integer[Any]]
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes, found = series.cat.codes.to_numpy(), series.cat.categories
    else:
        codes, found = pd.factorize(series, sort=True)
    if len(codes) and codes.min() < 0:
        row = int(np.flatnonzero(codes < 0)[0])
        raise ValueError(f"{name} must be known for each row, got none in row {row}.")
    variants = tuple(str(each) for each in found)
    if len(set(variants)) < len(variants):
        raise ValueError(f"{name} must hold values of one kind, got {list(found)}.")
    return codes, variants


def _units(
    series: "pd.Series[Any]",
    name: str,
    codes: NDArray[np.integer[Any]],
    variants: tuple[str, ...],
) -> NDArray[np.int64] | None:
    """Number the units; None where none has two rows."""
    if series.hasnans:
        row = int(np.flatnonzero(series.isna())[0])
        raise ValueError(f"{name} must be known for each row, got none in row {row}.")
    if series.is_unique:
        return None
    numbers, names = pd.factorize(series)
    units = numbers.astype(np.int64)
    first = np.empty(len(names), dtype=codes.dtype)
    first[units[::-1]] = codes[::-1]
    crossed = np.flatnonzero(first[units] != codes)
    if len(crossed):
        row = int(crossed[0])
        both = sorted({variants[first[units[row]]], variants[codes[row]]})
        count = len(np.unique(units[crossed]))
        raise ValueError(
            f"{name} must be in one variant each; {count} are in two, such as "
            f"{str(series.iloc[row])!r} in {both[0]!r} and {both[1]!r}."
        )
    return units


def _numbers(series: "pd.Series[Any]", name: str) -> Column:
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in _NUMBERS:
        return series.to_numpy()
    if is_numeric_dtype(dtype) and not is_complex_dtype(dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    values = np.full(len(series), np.nan)
    for row, value in enumerate(series.tolist()):
        if dtype == np.object_ and isinstance(value, Real | Decimal | np.bool_):
            values[row] = float(value)
        elif not (value is None or value is pd.NA):
            raise ValueError(f"{name} must hold numbers, got {value!r} in row {row}.")
    return values
