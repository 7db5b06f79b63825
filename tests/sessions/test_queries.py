import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.locations import shared_dir
from nextcall.sessions.call import Call, Query, Session, calls_of
from nextcall.sessions.jsonl import read_queries
from nextcall.sessions.queries import next_call_queries, observed_sessions, session_groups

calls = st.builds(
    Call,
    operation_id=st.sampled_from("abc"),
    outcome=st.sampled_from(["ok", "error"]),
    prompt=st.sampled_from(["", "first", "second"]),
)
sessions = st.lists(st.lists(calls, min_size=1, max_size=5), max_size=4).map(
    lambda rows: [
        Session(session_id=f"s{i}", user_id="u", calls=tuple(row)) for i, row in enumerate(rows)
    ]
)


@given(sessions)
def test_every_call_is_asked_for_once_after_all_before_it(rows: list[Session]) -> None:
    queries = next_call_queries(rows, source="here")
    assert len({query.query_id for query in queries}) == len(queries)
    asked = [(query.session_id, query.step, query.relevant[0]) for query in queries]
    assert asked == [
        (session.session_id, step, call.operation_id)
        for session in rows
        for step, call in enumerate(session.calls)
    ]
    by_id = {session.session_id: session for session in rows}
    for query in queries:
        session = by_id[query.session_id]
        assert query.task == "next_call"
        assert query.source == "here"
        assert query.history == session.calls[: query.step]
        assert query.remaining == tuple(call.operation_id for call in session.calls[query.step :])
        known = [call.prompt for call in session.calls[: query.step + 1] if call.prompt]
        assert query.prompt == (known[-1] if known else "")
        assert set(query.context) == set(known) - {query.prompt}


@given(sessions)
def test_sessions_are_put_together_again(rows: list[Session]) -> None:
    again = observed_sessions(next_call_queries(rows))
    assert [
        (session.session_id, [call.operation_id for call in session.calls]) for session in again
    ] == [(session.session_id, [call.operation_id for call in session.calls]) for session in rows]
    for session, old in zip(again, rows, strict=True):
        prompt = ""
        for call, was in zip(session.calls, old.calls, strict=True):
            prompt = was.prompt or prompt
            assert call.prompt == prompt


def test_queries_that_show_no_order_are_passed_over() -> None:
    queries = [
        Query(query_id="1", prompt="p", task="retrieval", session_id="s", relevant=("a", "b")),
        Query(query_id="2", prompt="p", task="next_call", relevant=("a",)),
        Query(query_id="3", prompt="p", task="next_call", session_id="t"),
        Query(
            query_id="4",
            prompt="p",
            task="next_call",
            session_id="u",
            history=calls_of("a"),
            relevant=("b", "c"),
        ),
    ]
    (session,) = observed_sessions(queries)
    assert session.user_id == "u"
    assert session.calls == (Call(operation_id="a"), Call(operation_id="b", prompt="p"))


def test_shared_sessions_are_whole() -> None:
    file = shared_dir() / "data/ranking/restbench_tmdb/queries.jsonl"
    if not file.exists():
        pytest.skip("the shared evaluation data is not here; NEXTCALL_SHARED names its folder")
    queries = [query for query in read_queries(file) if query.task == "next_call"]
    sessions = observed_sessions(queries)
    assert sum(len(session.calls) for session in sessions) == len(queries)


def test_queries_without_a_session_stand_alone() -> None:
    queries = [Query(query_id="a", prompt="x"), Query(query_id="b", prompt="x")]
    assert len(set(session_groups(queries))) == 2
