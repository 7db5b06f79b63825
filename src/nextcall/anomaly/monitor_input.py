"""Values, times and keys as the monitor takes them, one by one or in a frame."""

from datetime import UTC, datetime, timedelta
from math import inf, nan
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
    """Seconds since 1970 in UTC, ``nan`` where unknown."""


def check_key(key: tuple[object, object, object]) -> None:
    """Refuse a key that is not made of text.

    Raises
    ------
    TypeError
        Where metric is no text, or entity or behavior neither text nor None.
    """
    for name, part in zip(KEY_COLUMNS, key, strict=True):
        allowed = str if name == "metric" else str | None
        if not isinstance(part, allowed):
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
    times = _read_times(frame["time"]) if "time" in frame else np.full(len(frame), nan)
    return Points(keys, key_of, values, times)


def _read_keys(frame: pd.DataFrame) -> tuple[list[Key], NDArray[np.int64]]:
    code = np.zeros(len(frame), dtype=np.int64)
    for name in KEY_COLUMNS:
        if name in frame:
            codes, names = pd.factorize(frame[name])
            code = code * (len(names) + 1) + codes + 1
            code, _ = pd.factorize(code)  # so that the product of three columns cannot overflow
    key_of, found = pd.factorize(code)
    first = np.full(len(found), -1, dtype=np.int64)
    first[key_of[::-1]] = np.arange(len(frame))[::-1]
    columns = [
        [None if pd.isna(part) else part for part in frame[name].iloc[first].tolist()]
        if name in frame
        else [None] * len(found)
        for name in KEY_COLUMNS
    ]
    keys: list[Key] = list(zip(*columns, strict=True))
    for key, row in zip(keys, first, strict=True):
        try:
            check_key(key)
        except TypeError as error:
            raise ValueError(f"row {row}: {error}") from None
    return keys, key_of.astype(np.int64)


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
