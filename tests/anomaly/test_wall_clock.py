"""Wall clocks beside pandas and datetime, one time at a time and many at once."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.anomaly.wall_clock import (
    day_number,
    day_numbers,
    hour_of_week,
    instant_and_wall,
    instants_and_walls,
    time_zone,
)

BERLIN = ZoneInfo("Europe/Berlin")


@given(st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1), timezones=st.just(BERLIN)))  # noqa: DTZ001  # the strategy adds the zone
def test_the_wall_shows_what_the_datetime_says(time: datetime) -> None:
    instant, wall = instant_and_wall(time)
    assert instant == pytest.approx(time.timestamp(), abs=1e-5)
    shown = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=wall)
    assert abs(shown - time.replace(tzinfo=UTC)) < timedelta(milliseconds=1)
    assert day_number(wall) in day_numbers([time.date()])


def test_many_at_once_are_the_same_as_one_by_one() -> None:
    column = pd.Series(pd.date_range("2026-03-28", periods=200, freq="17min", tz="Europe/Berlin"))
    column = column.where(column.index != 5)
    single = np.array([instant_and_wall(time) for time in column])
    mixed: list[Any] = column.astype(object).tolist()
    mixed[5] = None
    mixed[7] = column[7].astimezone(timezone(timedelta(hours=5)))
    forms: list[Any] = [column, pd.DatetimeIndex(column), mixed, column.astype(object)]
    for form in forms:
        instants, walls = instants_and_walls(form)
        np.testing.assert_array_equal(instants, single[:, 0])
        other = np.arange(200) != 7
        np.testing.assert_array_equal(walls[other], single[other, 1])
    instants, walls = instants_and_walls([0.0, 90.5])
    np.testing.assert_array_equal(instants, walls)
    assert [part.shape for part in instants_and_walls([])] == [(0,), (0,)]


def test_what_is_no_time() -> None:
    assert np.isnan(instant_and_wall(None)).all()
    assert np.isnan(instant_and_wall(pd.NaT)).all()
    assert instant_and_wall(5) == (5.0, 5.0)
    assert day_number(float("nan")) == -1
    assert day_numbers([date(1970, 1, 3)]) == {2}
    with pytest.raises(ValueError, match="time must have a time zone"):
        instant_and_wall(datetime(2026, 1, 1))  # noqa: DTZ001  # wrong on purpose
    with pytest.raises(TypeError, match="time must be seconds or a datetime"):
        instants_and_walls(["noon"])


@pytest.mark.parametrize(
    "name", ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]
)
def test_the_hour_of_the_week_is_that_of_pandas(name: str) -> None:
    """1970 began on a Thursday, the fourth day of pandas' weeks."""
    starts = pd.date_range("2026-01-01", "2026-12-31", freq="h", tz="UTC", unit="s")
    middles = (starts + pd.Timedelta("30min")).tz_convert(name)
    expected = (middles.day_of_week - 3) % 7 * 24 + middles.hour
    zone = time_zone(name)
    found = [hour_of_week(float(start), 3600.0, zone) for start in starts.astype("int64")]
    assert found == expected.tolist()


@pytest.mark.parametrize("length", [7200.0, 14_400.0, 86_400.0])
@pytest.mark.parametrize("name", ["UTC", "America/New_York", "Atlantic/Azores", "Pacific/Auckland"])
def test_long_spans_of_winter_are_those_of_summer(name: str, length: float) -> None:
    """A week of each has every number once."""
    zone, week = time_zone(name), 604_800.0
    numbers = [
        [
            hour_of_week(first * week + place * length, length, zone)
            for place in range(int(week / length))
        ]
        for first in (2924, 2950)  # of January and of July 2026
    ]
    expected = [place * int(length / 3600) for place in range(int(week / length))]
    assert [sorted(each) for each in numbers] == [expected, expected]


def test_spans_before_and_after_all_datetimes_have_an_hour() -> None:
    assert {hour_of_week(start, 3600.0, BERLIN) < 168 for start in (-1e11, 3e11)} == {True}


@pytest.mark.parametrize("name", ["", "Europe", "Nowhere/Land", "../etc", None])
def test_a_zone_that_is_none_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="zone must be the name of a time zone"):
        time_zone(name)
