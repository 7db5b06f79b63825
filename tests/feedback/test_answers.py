"""Answers are read back as they were given, and become prompts to learn from."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from nextcall.feedback.answers import answer_queries, read_answers
from nextcall.feedback.feedback import Feedback
from nextcall.sessions.jsonl import read_queries, write_queries
from nextcall.storage.database import Database

from .conftest import NOW, MakeShown


def give(
    feedback: Feedback, make_shown: MakeShown, name: str, minutes: float, **shown: object
) -> None:
    at = NOW + timedelta(minutes=minutes)
    feedback.shown.remember(name, make_shown(at=at, **shown))
    user = shown.get("user", "u")
    assert user is None or isinstance(user, str)
    feedback.give(name, "get", at=at, user=user)


def test_answers_are_read_as_they_were_given(
    feedback: Feedback, database: Database, make_shown: MakeShown, now: datetime
) -> None:
    give(feedback, make_shown, "p", 0, trial="t", variant="A")
    give(feedback, make_shown, "q", 10)
    feedback.give("q", None, at=now + timedelta(hours=2), user="u")
    first, second = read_answers(database)
    shown = make_shown(trial="t", variant="A")
    for name in shown.__slots__:
        assert getattr(first, "shown_at" if name == "at" else name) == getattr(shown, name)
    assert (first.chosen, first.rank, first.given_at) == ("get", 2, now)
    assert (second.chosen, second.rank) == (None, None)
    ten = now + timedelta(minutes=10)
    assert [each.prediction_id for each in read_answers(database, since=ten)] == ["q"]
    assert [each.prediction_id for each in read_answers(database, until=ten)] == ["p"]


def test_prompts_with_a_choice_are_learned_from(
    feedback: Feedback, database: Database, make_shown: MakeShown, now: datetime, tmp_path: Path
) -> None:
    give(feedback, make_shown, "p", 0)
    give(feedback, make_shown, "unkept", 1, prompt=None)
    give(feedback, make_shown, "none", 2)
    feedback.give("none", None, at=now, user="u")
    (query,) = queries = answer_queries(read_answers(database))
    assert (query.query_id, query.prompt, query.relevant) == ("p", "what is there?", ("get",))
    assert ([call.operation_id for call in query.history], query.time) == (["create"], now)
    write_queries(queries, tmp_path / "queries.jsonl")
    (again,) = read_queries(tmp_path / "queries.jsonl")
    assert (again.prompt, again.relevant, again.session_id) == (query.prompt, ("get",), "p")


def test_what_a_user_asks_without_a_pause_is_one_session(
    feedback: Feedback, database: Database, make_shown: MakeShown
) -> None:
    asked = {
        "a1": ("a", 0, ()),
        "b1": ("b", 1, ("x",)),
        "a2": ("a", 10, ("x",)),
        "a3": ("a", 39, ("x", "y")),
        "a4": ("a", 40, ()),  # anew
        "a5": ("a", 71, ("z",)),  # after more than half an hour
        "n1": (None, 3, ("x",)),
        "n2": (None, 4, ("x",)),
    }
    rng = np.random.default_rng(0)
    for name in rng.permutation(list(asked)).tolist():
        user, minutes, history = asked[name]
        give(feedback, make_shown, name, minutes, user=user, history=history)
    queries = answer_queries(read_answers(database))
    sessions = {each.query_id: each.session_id for each in queries}
    assert sessions == {
        "a1": "a1",
        "a2": "a1",
        "a3": "a1",
        "a4": "a4",
        "a5": "a5",
        "b1": "b1",
        "n1": "n1",
        "n2": "n2",
    }
    assert [each.query_id for each in queries if each.query_id[0] == "a"] == [
        f"a{number}" for number in range(1, 6)
    ]
