"""Values, times and keys as the monitor takes them, one by one or in a frame."""

from datetime import UTC, datetime, timedelta
from math import inf, nan
from typing import Any, Final, NamedTuple, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from nextcall.compiling import compiled

Key = tuple[str, str | None, str | None]
"""Metric, entity and behavior."""

KEY_COLUMNS: Final = ("metric", "entity", "behavior")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Points(NamedTuple):
    """Points of a frame."""

    keys: list[Key]
    """Those that occur, in the order in which they come."""
    key_of: NDArray[np.int64]
    """Number of each point's key."""
    values: NDArray[np.float64]
    times: NDArray[np.float64]
    """Seconds since 1970 in UTC, ``nan`` where unknown; none at all where no point has one."""


def check_key(key: tuple[object, object, object]) -> None:
    """Refuse a key that is not made of text.

    Raises
    ------
    TypeError
        Where metric is no text, or entity or behavior neither text nor None.
    """
    for name, part in zip(KEY_COLUMNS, key, strict=True):
        check_name(name, part)


def check_name(name: str, part: object) -> None:
    """Refuse a part of a key that is no text; None is one too, but for the metric.

    Raises
    ------
    TypeError
        Where it is refused.
    """
    if not (isinstance(part, str) or (part is None and name != "metric")):
        rule = "text" if name == "metric" else "text or None"
        raise TypeError(f"{name} must be {rule}, got {part!r}.")


def number(value: Any) -> float:
    """Give a number as a float: ``nan`` for None or NA, infinity beyond the floats.

    Raises
    ------
    TypeError
        Where it is text or no number at all.
    """
    if value is None or value is pd.NA:
        return nan
    if isinstance(value, str | bytes):
        raise TypeError(f"value must be a number, got {value!r}.")
    try:
        return float(value)
    except OverflowError:
        return inf
    except (TypeError, ValueError):
        raise TypeError(f"value must be a number, got {value!r}.") from None


def seconds(time: Any) -> float:
    """Give a time as seconds since 1970 in UTC, to the microsecond; ``nan`` for None and NaT.

    Raises
    ------
    TypeError
        Where it is neither a number of seconds nor a datetime.
    ValueError
        Where it is a datetime without a time zone.
    """
    if time is None or time is pd.NaT:
        return nan
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise ValueError(f"time must have a time zone, got {time!r}.")
        return float((time - _EPOCH) // _MICROSECOND) / 1e6
    try:
        return number(time)
    except TypeError:
        raise TypeError(f"time must be seconds or a datetime, got {time!r}.") from None


def moment(seconds: float) -> datetime | None:
    """Give the time of seconds since 1970, in UTC; None beyond the years that a datetime knows."""
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None


def read_points(frame: pd.DataFrame) -> Points:
    """Read the columns ``metric``, ``value`` and, where there, ``entity``, ``behavior``, ``time``.

    Raises
    ------
    ValueError
        Where a column is missing or a cell is not what it should be; it says which.
    """
    for column in ("metric", "value"):
        if column not in frame:
            raise ValueError(f"frame must have a column {column!r}, got {list(frame.columns)}.")
    keys, key_of = _read_keys(frame)
    values = _read_column(frame["value"], number)
    times = _read_times(frame["time"]) if "time" in frame else np.empty(0)
    return Points(keys, key_of, values, times)


def _read_keys(frame: pd.DataFrame) -> tuple[list[Key], NDArray[np.int64]]:
    code = np.zeros(len(frame), dtype=np.int64)
    combinations = 1
    columns: list[tuple[NDArray[np.integer[Any]], list[str | None]]] = []
    for name in KEY_COLUMNS:
        codes, names = _read_names(frame, name)
        columns.append((codes, names))
        if len(names) > 1:
            code = code * len(names) + codes
            combinations *= len(names)
        if combinations > 2 * len(frame):  # the next product might pass what an integer holds
            code, found = pd.factorize(code)
            combinations = len(found)
    key_of, first = number_combinations(code, combinations)
    parts = [[names[each] for each in codes[first].tolist()] for codes, names in columns]
    return list(zip(*cast("list[list[str]]", parts), strict=True)), key_of


def _read_names(
    frame: pd.DataFrame, name: str
) -> tuple[NDArray[np.integer[Any]], list[str | None]]:
    """Give the number of each row's name, and the names."""
    if name not in frame or frame.empty:
        return np.zeros(len(frame), dtype=np.int8), [None]
    column = frame[name]
    codes: NDArray[np.integer[Any]]
    if isinstance(column.dtype, pd.StringDtype):
        codes, names = _read_text(column)
    elif isinstance(column.dtype, pd.CategoricalDtype):
        codes, names = column.cat.codes.to_numpy(), column.cat.categories.tolist()
    else:
        codes, found = pd.factorize(column)
        names = found.tolist()
    if codes.min() < 0:
        codes = np.where(codes < 0, len(names), codes)
        names.append(None)
    wrong = [code for code, each in enumerate(names) if not isinstance(each, str)]
    for row in np.flatnonzero(np.isin(codes, wrong)) if wrong else ():
        try:
            check_name(name, names[codes[row]])
        except TypeError as error:
            raise ValueError(f"row {row}: {error}") from None
    return codes, names


def _read_text(
    column: "pd.Series[Any]",
) -> tuple[NDArray[np.integer[Any]], list[str | None]]:
    """Do what `pandas.factorize` does with text, in half the time and less where all is equal."""
    cells = column.array.__arrow_array__()
    if isinstance(cells, pa.ChunkedArray):
        cells = cells.chunk(0) if cells.num_chunks == 1 else cells.combine_chunks()
    if compute.all(compute.equal(cells, cells[0]), skip_nulls=False).as_py():
        return np.zeros(len(column), dtype=np.int8), [cells[0].as_py()]
    encoded = cells.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, encoded.dictionary.to_pylist()


@compiled()
def number_combinations(
    code: NDArray[np.int64], combinations: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number codes in the order in which they come.

    Returns
    -------
    number : array of shape (n_codes,)
    first : array of shape (n_different,)
        Place of each number's first code.
    """
    known = np.full(combinations, -1, dtype=np.int64)
    number, first = np.empty(len(code), dtype=np.int64), np.empty(len(code), dtype=np.int64)
    count = 0
    for place in range(len(code)):
        if known[code[place]] < 0:
            known[code[place]] = count
            first[count] = place
            count += 1
        number[place] = known[code[place]]
    return number, first[:count]


def _read_times(column: "pd.Series[Any]") -> NDArray[np.float64]:
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        return _read_column(column, seconds)
    micro = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    times: NDArray[np.float64] = micro.astype(np.int64).astype(np.float64) / 1e6
    times[np.isnat(micro)] = nan
    return times


def _read_column(column: "pd.Series[Any]", read: Any) -> NDArray[np.float64]:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return column.to_numpy(dtype=np.float64)
    values = np.empty(len(column))
    for row, value in enumerate(column.tolist()):
        try:
            values[row] = read(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"row {row}: {error}") from None
    return values
