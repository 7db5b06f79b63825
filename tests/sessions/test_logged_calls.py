from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.sessions.logged_calls import LoggedCall, gather_sessions

_NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def _parse(entry: str) -> LoggedCall:
    if entry == "!":
        raise ValueError("place: rule.")
    return LoggedCall(
        user_id="ann",
        name=entry,
        operation_id=entry if entry.islower() else None,
        time=_NOON,
        outcome="ok",
    )


@given(st.lists(st.sampled_from("abXYZ!")).filter(lambda row: set(row) - {"!"}))
def test_every_entry_is_counted_once(entries: list[str]) -> None:
    sessions, report = gather_sessions(entries, _parse, path=Path("log"), idle=timedelta(minutes=1))
    lower = [entry for entry in entries if entry.islower()]
    upper = [entry for entry in entries if entry.isupper()]
    assert [call.operation_id for session in sessions for call in session.calls] == lower
    assert report.lines == len(entries) == report.matched + report.unmatched + report.malformed
    assert report.matched_share == len(lower) / (len(lower) + len(upper))
    assert dict(report.common_unmatched) == {name: upper.count(name) for name in upper}
    assert report.first_malformed == ("place: rule." if "!" in entries else "")


@pytest.mark.parametrize(("entries", "message"), [("!!", "place: rule"), ("", "log: must tell of")])
def test_a_log_that_tells_nothing_is_refused(entries: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gather_sessions(entries, _parse, path=Path("log"), idle=timedelta(minutes=1))
