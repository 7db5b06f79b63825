"""The table of outside calls says what the code does, and the documentation what the table says."""

import inspect
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from nextcall.access.redis_rates import RedisRates
from nextcall.cache.redis_tier import RedisTier
from nextcall.resilience.outside_call import outside_table
from nextcall.serve.app import create_app
from nextcall.serve.outside_calls import OUTSIDE_CALLS, PROVIDER
from nextcall.serve.predictor import Predictor
from nextcall.serve.routes import health
from nextcall.serve.settings import Settings
from nextcall.storage.database import Database
from nextcall.telemetry import traces

DOCUMENT = Path(__file__).parents[2] / "docs" / "service.md"


def test_times_are_those_of_the_code() -> None:
    seconds = {(call.name, call.purpose): call.seconds for call in OUTSIDE_CALLS}
    assert len(seconds) == len(OUTSIDE_CALLS)
    patience = {"Redis, limits": RedisRates, "Redis, answers": RedisTier, "database": Database}
    for (name, purpose), told in seconds.items():
        if "/health" in purpose:
            assert told == health._DATABASE_SECONDS
        elif (made := patience.get(name)) is not None:
            assert told == inspect.signature(made).parameters["patience"].default
        elif name == "trace collector":
            assert told == traces._TIMEOUT


def test_who_is_asked_twice_is_done_before_a_request_has_waited_for_long() -> None:
    assert [call for call in OUTSIDE_CALLS if call.tries > 1] == [PROVIDER]
    assert PROVIDER.longest_seconds <= 5.0


def test_calls_of_one_side_agree_on_how_long_it_is_left_alone() -> None:
    of_sides: dict[str, set[float | None]] = {}
    for call in OUTSIDE_CALLS:
        of_sides.setdefault(call.name, set()).add(call.open_seconds)
    assert {len(told) for told in of_sides.values()} == {1}


def test_the_documentation_has_the_table() -> None:
    if not DOCUMENT.exists():
        pytest.skip("the documentation lies in the project's folder only")
    assert outside_table(OUTSIDE_CALLS) in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_an_answer_that_takes_too_long_is_given_up(
    predictor: Predictor, settings: Settings, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    app = create_app(predictor, settings=settings.model_copy(update={"prediction_seconds": 0.05}))
    asked = {"prompt": "list the queues"}
    with monkeypatch.context() as slow:
        slow.setattr(Predictor, "outcome", lambda *_, **__: time.sleep(1))
        with TestClient(app) as asking:
            answer = asking.post(path, json=asked if path == "/predict" else [asked, asked])
    assert answer.status_code == 503
    assert answer.json() == {"error": "The answer took too long", "details": []}
    assert int(answer.headers["retry-after"]) > 0
