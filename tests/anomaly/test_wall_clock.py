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
    instant_and_wall,
    instants_and_walls,
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
