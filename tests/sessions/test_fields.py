from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.sessions.fields import Fields, json_objects, utc


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), st.integers(-1439, 1439))  # noqa: DTZ001  # hypothesis wants naive bounds
def test_a_time_in_any_zone_is_the_same_moment_in_utc(moment: datetime, minutes: int) -> None:
    local = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert utc(local) == local
    assert utc(local).tzinfo is UTC
    assert Fields("here", {"time": local.isoformat()}).time("time") == local


def test_a_time_beyond_the_calendar_is_refused() -> None:
    fields = Fields("here", {"time": "0001-01-01T00:00:00+12:00"})
    with pytest.raises(ValueError, match="here: 'time' must be an ISO 8601 time, got '0001"):
        fields.time("time")


def test_null_is_as_good_as_missing() -> None:
    fields = Fields("here", dict.fromkeys("abcdef"))
    assert fields.text("a", "x") == "x"
    assert fields.identifier("b", "") == ""
    assert fields.integer("c", 4) == 4
    assert fields.texts("d") == ()
    assert fields.child("e") == Fields("here: 'e'", {})
    assert fields.time("f") is None


def test_blank_lines_count_as_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('\ufeff{"a": 1}\r\n\n  \n{"a": 2}', encoding="utf-8")
    assert [row.place for row in json_objects(file)] == [f"{file}:1", f"{file}:4"]
