"""Times as instants and as the clock on the wall shows them, for seasons that people make."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta, tzinfo
from math import floor, isfinite
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.anomaly.monitor_input import seconds

_DAY: Final = 86_400.0
_FIRST: Final = date(1970, 1, 1).toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR: Final = 3600.0
_WEEK_HOURS: Final = 168
_EARLIEST, _LATEST = -6e10, 2.5e11  # years 68 and 9892, between which a datetime may be


def instant_and_wall(time: Any) -> tuple[float, float]:
    """Give the seconds since 1970 in UTC, and those that the wall clock of the time shows.

    A number of seconds is a time in UTC. Both are ``nan`` for None and NaT.

    Raises
    ------
    TypeError
        Where it is neither a number of seconds nor a datetime.
    ValueError
        Where it is a datetime without a time zone.

    Examples
    --------
    >>> from datetime import UTC
    >>> instant_and_wall(datetime(1970, 1, 1, 6, tzinfo=UTC))
    (21600.0, 21600.0)
    """
    instant = seconds(time)
    if not isinstance(time, datetime) or not isfinite(instant):
        return instant, instant
    ahead = time.utcoffset() or timedelta()
    return instant, instant + float(ahead // _MICROSECOND) / 1e6


def instants_and_walls(times: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Do `instant_and_wall` with many times: a column with a zone, numbers, or any sequence.

    Raises
    ------
    TypeError, ValueError
        As `instant_and_wall`.
    """
    column = times if isinstance(times, pd.Series) else pd.Series(times)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        instant = _micro(column.dt.tz_convert("UTC").dt.tz_localize(None))
        wall = _micro(column.dt.tz_localize(None))
        return instant / 1e6, instant / 1e6 + (wall - instant) / 1e6
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        numbers = column.to_numpy(dtype=np.float64)
        return numbers, numbers
    both = np.array([instant_and_wall(time) for time in column.tolist()], dtype=np.float64)
    both = both.reshape(-1, 2)
    return both[:, 0].copy(), both[:, 1].copy()


def time_zone(name: str) -> tzinfo:
    """Give a zone of the IANA database by its name.

    Raises
    ------
    ValueError
        Where there is none.

    Examples
    --------
    >>> time_zone("UTC") is UTC
    True
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, TypeError, ValueError):
        raise ValueError(
            f"zone must be the name of a time zone, such as 'Europe/Berlin', got {name!r}."
        ) from None


def hour_of_week(start: float, length: float, zone: tzinfo) -> int:
    """Give the hour of the week, below 168, that a wall clock shows in the middle of a span.

    Of spans longer than an hour it is the first of as many, counted from Thursday, the day of the
    week on which 1970 began: a span has the same number in summer and in winter.

    Examples
    --------
    >>> hour_of_week(7200.0, 3600.0, UTC), hour_of_week(86_400.0, 86_400.0, UTC)
    (2, 24)
    >>> hour_of_week(7200.0, 3600.0, ZoneInfo("Asia/Tokyo"))
    11
    """
    middle = start + 0.5 * length
    if zone is not UTC:
        near = min(max(middle, _EARLIEST), _LATEST)
        ahead = datetime.fromtimestamp(near, zone).utcoffset() or timedelta()
        middle += ahead.total_seconds()
    step = max(length, _HOUR)
    return floor(floor(middle / step) * step / _HOUR) % _WEEK_HOURS


def day_numbers(days: Collection[date]) -> frozenset[int]:
    """Give dates as days since 1970."""
    return frozenset(day.toordinal() - _FIRST for day in days)


def day_number(wall: float) -> int:
    """Give the day since 1970 that a wall clock shows; -1 where it shows none.

    Examples
    --------
    >>> day_number(86_400.0)
    1
    """
    return floor(wall / _DAY) if isfinite(wall) else -1


def _micro(column: "pd.Series[Any]") -> NDArray[np.float64]:
    stamps = column.to_numpy().astype("datetime64[us]")
    micro: NDArray[np.float64] = stamps.astype(np.int64).astype(np.float64)
    micro[np.isnat(stamps)] = np.nan
    return micro
