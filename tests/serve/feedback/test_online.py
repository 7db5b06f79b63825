"""Accuracy of the last day: read from feedback, seldom, and null where nothing can be read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from nextcall.feedback.feedback import Feedback
from nextcall.feedback.shown import Shown, ShownPredictions
from nextcall.resilience.deadline import remaining
from nextcall.serve.answers import OnlineMetrics
from nextcall.serve.app import create_app
from nextcall.serve.feedback.online import OnlineReading
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OPERATIONS = ("list", "get", "delete", "put")
NONE_YET = OnlineMetrics(hit_at_1=None, hit_at_3=None, mrr=None, answers=0)


@pytest.fixture
def feedback(tmp_path: Path) -> Iterator[Feedback]:
    with Database(f"sqlite:///{tmp_path}/a.db", patience=0.1) as database:
        migrate(database)
        with Feedback(database, ShownPredictions()) as opened:
            yield opened


def give(feedback: Feedback, name: str, chosen: str | None, at: datetime = NOW) -> None:
    shown = Shown(
        at=at,
        user=None,
        model_version=f"of {name}",
        catalog_hash="c",
        operations=OPERATIONS,
        confidences=(None,) * len(OPERATIONS),
    )
    feedback.shown.remember(name, shown)
    feedback.give(name, chosen, at=at)


def test_all_answers_of_the_last_day_count(feedback: Feedback) -> None:
    give(feedback, "old", "put", at=NOW - timedelta(days=1, seconds=1))
    for name, chosen in (("a", "list"), ("b", "delete"), ("c", "put"), ("d", None)):
        give(feedback, name, chosen)
    told = OnlineReading(feedback.database, now=lambda: NOW)()
    assert told is not None
    assert (told.hit_at_1, told.hit_at_3, told.answers) == (1 / 4, 2 / 4, 4)
    assert told.mrr == pytest.approx((1 + 1 / 3 + 1 / 4 + 0) / 4)


def test_it_is_read_again_after_ten_seconds(feedback: Feedback) -> None:
    clock = [0.0]
    reading = OnlineReading(feedback.database, clock=lambda: clock[0], now=lambda: NOW)
    assert reading() == NONE_YET
    give(feedback, "a", "list")
    clock[0] = 9.9
    assert reading() == NONE_YET
    clock[0] = 10.0
    told = reading()
    assert told is not None
    assert told.answers == 1


def test_a_database_out_of_reach_is_null(feedback: Feedback) -> None:
    database = feedback.database
    database.close()
    file = Path(str(database.engine.url.database))
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()
    file.mkdir()  # no database can be opened there
    assert OnlineReading(database, now=lambda: NOW)() is None


def test_the_route_tells_it_and_null_where_feedback_is_off(
    predictor: Predictor, settings: Settings, feedback: Feedback
) -> None:
    give(feedback, "a", "get", at=datetime.now(UTC))
    with TestClient(
        create_app(predictor, settings=settings, parts=Parts(feedback=feedback))
    ) as asking:
        told = asking.get("/performance/metrics").json()["online"]
    assert told == {"hit_at_1": 0.0, "hit_at_3": 1.0, "mrr": 0.5, "answers": 1}
    with TestClient(create_app(predictor, settings=settings)) as asking:
        assert asking.get("/performance/metrics").json()["online"] is None


def test_a_request_waits_no_longer_for_it_than_for_a_transaction(
    feedback: Feedback, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list[float | None]()

    def noted(*_: object, **__: object) -> list[object]:
        left.append(remaining())
        return []

    monkeypatch.setattr("nextcall.feedback.accuracy.online_accuracy", noted)
    assert OnlineReading(feedback.database, now=lambda: NOW)() == NONE_YET
    (seconds,) = left
    assert seconds is not None
    assert seconds <= feedback.database.patience
