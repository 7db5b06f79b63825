"""Queries, sessions and predictions as JSON lines."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

from nextcall.files import atomic_path
from nextcall.sessions.call import OUTCOMES, Call, Query, Session
from nextcall.sessions.fields import Fields, json_objects

TASKS: Final = ("retrieval", "next_call")
"""What a query may ask for."""

_NONE: Final = "none_probability"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A ranker's answer to one query."""

    query_id: str
    ranking: tuple[str, ...]
    """Operation ids, best first."""
    confidence: tuple[float, ...] = ()
    """Probability that each operation of the ranking is right, in [0, 1]; empty where not known."""
    none_probability: float | None = None
    """Probability that no operation of the catalogue is, in [0, 1]; None where not known."""


def read_queries(path: Path) -> list[Query]:
    """Read one query a line.

    ``prompt`` is the one key that every line must have. A line without ``query_id`` gets its line
    number; one without ``relevant`` can be answered but not scored. An entry of ``history`` is an
    operation id, or an object with ``operation_id`` or ``api_call``, and if known ``method``,
    ``timestamp`` or ``time`` (ISO 8601; UTC where no zone is stated), ``outcome`` and ``prompt``.
    Where ``api_call`` is a path, ``method`` is put before it, as in ``GET /users/{id}``.

    Raises
    ------
    ValueError
        Where a line is no such query, or two have the same id; the message names file, line, key
        and rule.
    OSError
        Where the file cannot be read.
    """
    queries: list[Query] = []
    seen: set[str] = set()
    for row in json_objects(path):
        query = _query(row)
        if query.query_id in seen:
            raise row.error("query_id", "must be unique", query.query_id)
        seen.add(query.query_id)
        queries.append(query)
    return queries


def write_queries(queries: Iterable[Query], path: Path) -> None:
    """Write one query a line, in the form that `read_queries` reads."""
    _write(path, (_query_values(query) for query in queries))


def read_sessions_jsonl(path: Path) -> list[Session]:
    """Read one session a line: ``session_id``, ``user_id`` and ``calls``.

    An entry of ``calls`` has the form of an entry of a query's history. A session without
    ``user_id`` is its own user.

    Raises
    ------
    ValueError
        Where a line is no such session, has no calls, or repeats an id; the message names file,
        line, key and rule.
    OSError
        Where the file cannot be read.
    """
    sessions: list[Session] = []
    seen: set[str] = set()
    for row in json_objects(path):
        session_id = row.identifier("session_id")
        if session_id in seen:
            raise row.error("session_id", "must be unique", session_id)
        seen.add(session_id)
        calls = _calls(row, "calls")
        if not calls:
            raise row.error("calls", "must hold at least one call", None)
        user_id = row.identifier("user_id", session_id)
        sessions.append(Session(session_id=session_id, user_id=user_id, calls=calls))
    return sessions


def write_sessions_jsonl(sessions: Iterable[Session], path: Path) -> None:
    """Write one session a line, in the form that `read_sessions_jsonl` reads."""
    _write(
        path,
        (
            {
                "session_id": session.session_id,
                "user_id": session.user_id,
                "calls": [_call_value(call) for call in session.calls],
            }
            for session in sessions
        ),
    )


def read_predictions(path: Path) -> list[Prediction]:
    """Read one prediction a line.

    Keys are ``query_id``, ``ranking`` and, if known, ``confidence`` and ``none_probability``.

    Raises
    ------
    ValueError
        Where a line is no prediction, repeats an id, or ranks an operation twice; the message
        names file, line, key and rule.
    OSError
        Where the file cannot be read.
    """
    predictions: list[Prediction] = []
    seen: set[str] = set()
    for row in json_objects(path):
        query_id = row.identifier("query_id")
        if query_id in seen:
            raise row.error("query_id", "must be unique", query_id)
        seen.add(query_id)
        ranking = row.texts("ranking")
        if len(set(ranking)) != len(ranking):
            raise row.error("ranking", "must name each operation once", list(ranking))
        confidence = _confidence(row, len(ranking))
        none = row.values.get(_NONE)
        predictions.append(
            Prediction(
                query_id=query_id,
                ranking=ranking,
                confidence=confidence,
                none_probability=None if none is None else _probability(row, _NONE, none),
            )
        )
    return predictions


def write_predictions(predictions: Iterable[Prediction], path: Path) -> None:
    """Write one prediction a line; ``confidence`` and ``none_probability`` where they are known."""
    _write(path, (_prediction_values(prediction) for prediction in predictions))


def _query(row: Fields) -> Query:
    line = row.place.rsplit(":", 1)[-1]
    task = row.text("task", "retrieval")
    if task not in TASKS:
        raise row.error("task", f"must be one of {', '.join(TASKS)}", task)
    return Query(
        query_id=row.identifier("query_id", line),
        prompt=row.text("prompt"),
        history=_calls(row, "history"),
        relevant=row.texts("relevant"),
        task=task,
        source=row.text("source", ""),
        session_id=row.identifier("session_id", ""),
        step=row.integer("step", 0),
        remaining=row.texts("remaining"),
        context=row.texts("context"),
    )


def _calls(row: Fields, key: str) -> tuple[Call, ...]:
    return tuple(
        _call(row, f"{key}[{position}]", value) for position, value in enumerate(row.items(key))
    )


def _call(row: Fields, key: str, value: object) -> Call:
    if isinstance(value, str) and value:
        return Call(operation_id=value)
    if not isinstance(value, dict):
        raise row.error(key, "must be an operation id or an object", value)
    fields = Fields(f"{row.place}: {key}", value)
    named = next((name for name in ("operation_id", "api_call") if name in value), "operation_id")
    operation_id = fields.identifier(named)
    method = fields.text("method", "")
    if method and operation_id.startswith("/"):
        operation_id = f"{method.upper()} {operation_id}"
    outcome = fields.text("outcome", "ok")
    if outcome not in OUTCOMES:
        raise fields.error("outcome", f"must be one of {', '.join(OUTCOMES)}", outcome)
    return Call(
        operation_id=operation_id,
        time=fields.time("timestamp") or fields.time("time"),
        outcome=outcome,
        prompt=fields.text("prompt", ""),
    )


def _confidence(row: Fields, length: int) -> tuple[float, ...]:
    values = row.items("confidence")
    if len(values) not in {0, length}:
        raise row.error("confidence", f"must have {length} entries as ranking has", values)
    return tuple(
        _probability(row, f"confidence[{position}]", value) for position, value in enumerate(values)
    )


def _probability(row: Fields, key: str, value: object) -> float:
    number = float(value) if isinstance(value, (int, float)) else float("nan")
    if not (isfinite(number) and 0 <= number <= 1):
        raise row.error(key, "must be a number from 0 to 1", value)
    return number


def _prediction_values(prediction: Prediction) -> dict[str, Any]:
    values: dict[str, Any] = {
        "query_id": prediction.query_id,
        "ranking": list(prediction.ranking),
    }
    if prediction.confidence:
        values["confidence"] = list(prediction.confidence)
    if prediction.none_probability is not None:
        values[_NONE] = prediction.none_probability
    return values


def _query_values(query: Query) -> dict[str, Any]:
    return {
        "query_id": query.query_id,
        "prompt": query.prompt,
        "history": [_call_value(call) for call in query.history],
        "relevant": list(query.relevant),
        "task": query.task,
        "source": query.source,
        "session_id": query.session_id,
        "step": query.step,
        "remaining": list(query.remaining),
        "context": list(query.context),
    }


def _call_value(call: Call) -> str | dict[str, str]:
    if call == Call(operation_id=call.operation_id):
        return call.operation_id
    values = {"operation_id": call.operation_id}
    if call.time is not None:
        values["timestamp"] = call.time.isoformat()
    if call.outcome != "ok":
        values["outcome"] = call.outcome
    if call.prompt:
        values["prompt"] = call.prompt
    return values


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
