import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.locations import shared_dir
from nextcall.sessions.call import OUTCOMES, Call, Query, Session
from nextcall.sessions.jsonl import (
    TASKS,
    Prediction,
    read_predictions,
    read_queries,
    read_sessions_jsonl,
    write_predictions,
    write_queries,
    write_sessions_jsonl,
)

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
calls = st.builds(
    Call,
    operation_id=names,
    time=st.none() | st.datetimes(timezones=st.just(UTC)),
    outcome=st.sampled_from(OUTCOMES),
    prompt=texts,
)
ids = st.lists(names, max_size=3).map(tuple)
queries = st.builds(
    Query,
    query_id=names,
    prompt=texts,
    history=st.lists(calls, max_size=3).map(tuple),
    relevant=ids,
    task=st.sampled_from(TASKS),
    source=texts,
    session_id=texts,
    step=st.integers(0, 99),
    remaining=ids,
    context=ids,
)
sessions = st.builds(
    Session,
    session_id=names,
    user_id=names,
    calls=st.lists(calls, min_size=1, max_size=3).map(tuple),
)
predictions = st.integers(0, 3).flatmap(
    lambda size: st.builds(
        Prediction,
        query_id=names,
        ranking=st.lists(names, min_size=size, max_size=size, unique=True).map(tuple),
        confidence=st.just(()) | st.lists(st.floats(0, 1), min_size=size, max_size=size).map(tuple),
        none_probability=st.none() | st.floats(0, 1),
    )
)


def _file(path: Path, *rows: object) -> Path:
    path.write_text(
        "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows),
        encoding="utf-8",
    )
    return path


@settings(max_examples=30)
@given(st.lists(queries, max_size=3, unique_by=lambda query: query.query_id))
def test_queries_come_back_as_they_were_written(rows: list[Query]) -> None:
    with TemporaryDirectory() as folder:
        write_queries(rows, Path(folder, "q.jsonl"))
        assert read_queries(Path(folder, "q.jsonl")) == rows


@settings(max_examples=30)
@given(st.lists(sessions, max_size=3, unique_by=lambda session: session.session_id))
def test_sessions_come_back_as_they_were_written(rows: list[Session]) -> None:
    with TemporaryDirectory() as folder:
        write_sessions_jsonl(rows, Path(folder, "s.jsonl"))
        assert read_sessions_jsonl(Path(folder, "s.jsonl")) == rows


@settings(max_examples=30)
@given(st.lists(predictions, max_size=3, unique_by=lambda row: row.query_id))
def test_predictions_come_back_as_they_were_written(rows: list[Prediction]) -> None:
    with TemporaryDirectory() as folder:
        write_predictions(rows, Path(folder, "p.jsonl"))
        assert read_predictions(Path(folder, "p.jsonl")) == rows


def test_every_shared_query_is_read() -> None:
    files = sorted(shared_dir().glob("data/ranking/*/queries.jsonl"))
    if not files:
        pytest.skip("the shared evaluation data is not here; NEXTCALL_SHARED names its folder")
    for file in files:
        raw = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        read = read_queries(file)
        assert [query.query_id for query in read] == [row["query_id"] for row in raw]
        assert [[call.operation_id for call in query.history] for query in read] == [
            row["history"] for row in raw
        ]
        assert [list(query.relevant) for query in read] == [row["relevant"] for row in raw]
        assert [list(query.remaining) for query in read] == [
            row.get("remaining", []) for row in raw
        ]


def test_history_has_every_form(tmp_path: Path) -> None:
    history = [
        "list",
        {"api_call": "/users/{id}", "method": "get", "timestamp": "2024-05-01T12:00:00+02:00"},
        {"operation_id": "save", "method": "POST", "time": "2024-05-01T12:00:00"},
        {"operation_id": 7, "outcome": "error", "prompt": "Do it", "timestamp": None},
    ]
    file = _file(tmp_path / "q.jsonl", "", {"prompt": "Next?", "history": history, "step": None})
    (query,) = read_queries(file)
    assert query.query_id == "2"  # the line
    assert query.relevant == ()
    assert query.history == (
        Call(operation_id="list"),
        Call(
            operation_id="GET /users/{id}",
            time=datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))),
        ),
        Call(operation_id="save", time=datetime(2024, 5, 1, 12, tzinfo=UTC)),
        Call(operation_id="7", outcome="error", prompt="Do it"),
    )
    assert query.history[1].time is not None
    assert query.history[1].time.tzinfo is UTC


def test_a_session_without_user_is_its_own(tmp_path: Path) -> None:
    file = _file(tmp_path / "s.jsonl", {"session_id": 3, "calls": ["a", "b"]})
    (session,) = read_sessions_jsonl(file)
    assert (session.session_id, session.user_id) == ("3", "3")


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("{", r"q.jsonl:2: must be a JSON object in UTF-8"),
        ([1], r"q.jsonl:2: must be a JSON object, got a list"),
        ({}, r"q.jsonl:2: 'prompt' must be text, got nothing"),
        ({"prompt": 3}, r"'prompt' must be text, got 3"),
        ({"prompt": "p", "query_id": "first"}, r"'query_id' must be unique, got 'first'"),
        ({"prompt": "p", "query_id": ""}, r"'query_id' must be a text that is not empty"),
        ({"prompt": "p", "query_id": True}, r"'query_id' must be a text .* got True"),
        ({"prompt": "p", "task": "guess"}, r"'task' must be one of retrieval, next_call"),
        ({"prompt": "p", "step": -1}, r"'step' must be a whole number of at least 0, got -1"),
        ({"prompt": "p", "step": 1.5}, r"'step' must be a whole number of at least 0, got 1.5"),
        ({"prompt": "p", "relevant": "a"}, r"'relevant' must be a list, got 'a'"),
        ({"prompt": "p", "relevant": ["a", 1]}, r"'relevant\[1\]' must be text, got 1"),
        ({"prompt": "p", "relevant": "a" * 99}, r"must be a list, got 'a{76}\.\.\.\."),
        ({"prompt": "p", "history": [""]}, r"'history\[0\]' must be an operation id or an object"),
        ({"prompt": "p", "history": [{}]}, r"history\[0\]: 'operation_id' must be a text"),
        (
            {"prompt": "p", "history": [{"api_call": "a", "timestamp": "noon"}]},
            r"history\[0\]: 'timestamp' must be an ISO 8601 time, got 'noon'",
        ),
        (
            {"prompt": "p", "history": [{"api_call": "a", "outcome": "late"}]},
            r"'outcome' must be one of ok, error, retry, abandoned, got 'late'",
        ),
    ],
)
def test_read_queries_names_line_key_and_rule(tmp_path: Path, row: Any, rule: str) -> None:
    file = _file(tmp_path / "q.jsonl", {"query_id": "first", "prompt": "p"}, row)
    with pytest.raises(ValueError, match=rule):
        read_queries(file)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_bytes('{"prompt": "café"}'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"q.jsonl:1: must be a JSON object in UTF-8"):
        read_queries(file)


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"session_id": "s", "calls": ["a"]}, r"s.jsonl:2: 'session_id' must be unique, got 's'"),
        ({"session_id": "t"}, r"'calls' must hold at least one call, got nothing"),
        ({"calls": ["a"]}, r"'session_id' must be a text that is not empty"),
    ],
)
def test_read_sessions_names_line_key_and_rule(tmp_path: Path, row: Any, rule: str) -> None:
    file = _file(tmp_path / "s.jsonl", {"session_id": "s", "calls": ["a"]}, row)
    with pytest.raises(ValueError, match=rule):
        read_sessions_jsonl(file)


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"query_id": "q", "ranking": []}, r"p.jsonl:2: 'query_id' must be unique, got 'q'"),
        ({"query_id": "r", "ranking": ["a", "a"]}, r"'ranking' must name each operation once"),
        (
            {"query_id": "r", "ranking": ["a"], "confidence": [0.5, 0.1]},
            r"'confidence' must have 1 entries as ranking has",
        ),
        (
            {"query_id": "r", "ranking": ["a"], "confidence": [1.5]},
            r"'confidence\[0\]' must be a number from 0 to 1, got 1.5",
        ),
        (
            {"query_id": "r", "ranking": ["a"], "confidence": ["high"]},
            r"'confidence\[0\]' must be a number from 0 to 1, got 'high'",
        ),
        (
            {"query_id": "r", "ranking": ["a"], "none_probability": -0.1},
            r"'none_probability' must be a number from 0 to 1, got -0.1",
        ),
    ],
)
def test_read_predictions_names_line_key_and_rule(tmp_path: Path, row: Any, rule: str) -> None:
    file = _file(tmp_path / "p.jsonl", {"query_id": "q", "ranking": ["a"]}, row)
    with pytest.raises(ValueError, match=rule):
        read_predictions(file)
