from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.sessions.call import Call
from nextcall.sessions.idle_gaps import cut_sessions, http_outcome, mark_retries

_NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)

logged = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob"]),
        st.builds(
            lambda minutes, operation_id: Call(
                operation_id=operation_id, time=_NOON + timedelta(minutes=minutes)
            ),
            st.integers(0, 300),
            st.sampled_from("abc"),
        ),
    ),
    max_size=25,
)


@given(logged, st.integers(1, 60))
def test_sessions_partition_the_calls_at_the_idle_gaps(
    calls: list[tuple[str, Call]], minutes: int
) -> None:
    idle = timedelta(minutes=minutes)
    sessions = cut_sessions(calls, idle=idle)
    flat = [(session.user_id, call) for session in sessions for call in session.calls]
    assert sorted(map(repr, flat)) == sorted(map(repr, calls))
    assert len({session.session_id for session in sessions}) == len(sessions)
    last: dict[str, datetime] = {}
    for session in sessions:
        times = [call.time for call in session.calls if call.time]
        assert all(timedelta(0) <= b - a <= idle for a, b in pairwise(times))
        if session.user_id in last:
            assert times[0] - last[session.user_id] > idle
        last[session.user_id] = times[-1]


def test_a_pause_of_just_the_gap_does_not_cut() -> None:
    calls = [
        ("ann", Call(operation_id="a", time=_NOON + timedelta(minutes=at))) for at in (0, 30, 61)
    ]
    assert [len(session.calls) for session in cut_sessions(calls)] == [2, 1]


def test_only_what_worked_right_after_its_own_failure_is_a_retry() -> None:
    outcomes = [
        ("a", "error"),
        ("a", "error"),
        ("a", "ok"),
        ("a", "ok"),
        ("a", "error"),
        ("b", "ok"),
    ]
    calls = [Call(operation_id=name, outcome=outcome) for name, outcome in outcomes]
    assert [call.outcome for call in mark_retries(calls)] == [
        "error", "error", "retry", "ok", "error", "ok",
    ]  # fmt: skip
    assert mark_retries([]) == []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0, "abandoned"),
        (201, "ok"),
        (304, "ok"),
        (400, "error"),
        (499, "abandoned"),
        (500, "error"),
    ],
)
def test_http_outcome(status: int, outcome: str) -> None:
    assert http_outcome(status) == outcome


def test_refusals() -> None:
    with pytest.raises(ValueError, match="idle must be above 0, got 0:00:00"):
        cut_sessions([], idle=timedelta(0))
    with pytest.raises(ValueError, match="calls must have a time, 'a' has none"):
        cut_sessions([("ann", Call(operation_id="a"))])
