"""`POST /api/run` where no language model answers: the ranker's first, and why."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from nextcall.serve.loading import Stores
from nextcall.serve.predictor import Predictor

from .conftest import Assisted, Saying, Serving, table_of

PROMPT = "make a queue named orders"


def check_fallback(service: Assisted, told: dict[str, Any], *, reason: str, calls: int = 3) -> None:
    """Hold an answer against what the ranker alone says."""
    asked = {"prompt": PROMPT, "max_predictions": calls}
    found = service.client.post("/predict", json=asked).json()["predictions"]
    assert told["fallback"] == {"reason": reason}
    assert (told["processing_method"], told["answer"], told["dropped"]) == ("ranking", None, 0)
    same = ("api_call", "operation_id", "method", "description", "confidence", "rank")
    assert [{name: each[name] for name in same} for each in told["calls"]] == [
        {name: each[name] for name in same} for each in found
    ]
    for each, prediction in zip(told["calls"], found, strict=True):
        hints = prediction["parameters"].items()
        assert each["missing_parameters"] == [n for n, hint in hints if hint.endswith("required")]
        assert (each["arguments"], each["unknown_arguments"], each["reason"]) == ({}, [], None)


def test_without_a_key_the_ranker_answers(serving: Serving, saying: Saying) -> None:
    with serving(key=None) as service:
        check_fallback(service, service.run(PROMPT), reason="no_model")
        health = service.client.get("/health").json()
    assert health["status"] == "ok"
    assert health["components"]["llm"] == {
        "status": "off",
        "reason": "no provider can be asked: here lacks SAYING_KEY",
        "providers": {},
        "left_out": {"here": "SAYING_KEY"},
    }
    assert saying.sent == []


def test_models_may_be_turned_off(serving: Serving, saying: Saying) -> None:
    with serving(llm_enabled=False) as service:
        check_fallback(service, service.run(PROMPT), reason="no_model")
        llm = service.client.get("/health").json()["components"]["llm"]
    assert (llm["status"], llm["reason"]) == ("off", "it is turned off")
    assert saying.sent == []


def test_as_many_as_are_asked_for(serving: Serving) -> None:
    with serving(key=None) as service:
        told = service.run(PROMPT, max_calls=5, shown=2)
        check_fallback(service, told, reason="no_model", calls=5)
    assert told["shown"] == [each["operation_id"] for each in told["calls"]][:2]


@pytest.mark.parametrize(
    ("content", "ended", "reason"),
    [
        ('{"calls": [', "length", "cut_off"),
        ('{"calls": [], "answer": ""}', "content_filter", "refused"),
        ("I would call sqs:CreateQueue.", "stop", "not_json"),
        ('{"answer": "calls are for others"}', "stop", "other_form"),
    ],
)
def test_an_answer_of_no_use_costs_what_it_costs(
    serving: Serving, saying: Saying, content: str, ended: str, reason: str
) -> None:
    saying.content, saying.ended = content, ended
    with serving() as service:
        told = service.run(PROMPT)
        check_fallback(service, told, reason=reason)
    assert told["usage"]["cost_usd"] == 0.002
    assert content not in str(told)


def test_a_provider_that_is_down_is_told(serving: Serving) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and nobody listens there
        table = table_of(f"http://127.0.0.1:{unused.getsockname()[1]}/v1")
        with serving(table=table) as service:
            for _ in range(6):
                told = service.run(PROMPT)
                check_fallback(service, told, reason="failed")
            health = service.client.get("/health").json()
    assert told["usage"] is None
    assert health["status"] == "degraded"
    assert health["components"]["llm"]["status"] == "failing"
    assert health["components"]["llm"]["providers"] == {"here": "failing"}


def test_a_key_that_is_refused_is_told(serving: Serving, saying: Saying) -> None:
    saying.status = 401
    with serving() as service:
        check_fallback(service, service.run(PROMPT), reason="failed")
        assert service.client.get("/health").json()["components"]["llm"]["status"] == "failing"
        saying.status = 200
        assert service.run(PROMPT)["fallback"] is None
        assert service.client.get("/health").json()["components"]["llm"]["status"] == "ok"


def test_one_that_hangs_is_given_up_in_its_time(serving: Serving, saying: Saying) -> None:
    saying.go.clear()
    with serving(llm_seconds=0.2) as service:
        check_fallback(service, service.run(PROMPT), reason="failed")


def test_whoever_waits_is_answered_in_their_time(serving: Serving, saying: Saying) -> None:
    saying.go.clear()
    with serving(llm_seconds=3600, prediction_seconds=5) as service:
        check_fallback(service, service.run(PROMPT), reason="deadline")
        health = service.client.get("/health").json()
        until = time.monotonic() + 60
        while (costs := service.client.get("/cost-analytics").json())["models"][0]["unsettled"]:
            assert time.monotonic() < until
            time.sleep(0.02)
    assert costs["models"][0]["answered"] == 0
    assert costs["cost_analytics"]["daily_spent_usd"] > 0  # nobody knows whether it is counted
    assert health["components"]["llm"]["status"] == "ok"  # nothing is known of it


def test_nothing_is_asked_over_the_budget(serving: Serving, saying: Saying) -> None:
    with serving(llm_daily_usd=0.001) as service:
        told = service.run(PROMPT)
        check_fallback(service, told, reason="over_budget")
    assert (told["usage"], saying.sent) == (None, [])


def break_down(stores: Stores) -> None:
    """Put the database out of reach: nothing can be opened in its place."""
    stores.database.close()
    file = Path(str(stores.database.engine.url.database))
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()
    file.mkdir()


def test_nothing_is_asked_that_cannot_be_accounted_for(serving: Serving, saying: Saying) -> None:
    with serving() as service:
        break_down(service.stores)
        check_fallback(service, service.run(PROMPT), reason="no_ledger")
    assert saying.sent == []


def test_what_is_longer_than_a_model_is_asked_is_left_to_the_ranker(
    serving: Serving, saying: Saying
) -> None:
    with serving(max_prompt_characters=200_000) as service:
        told = service.run("queue " * 16_600)
    assert told["fallback"] == {"reason": "too_long"}
    assert len(told["calls"]) == 3
    assert saying.sent == []


def test_a_ranking_that_fails_is_no_answer(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    with serving() as service:
        monkeypatch.setattr(Predictor, "outcome", fail)
        assert service.run(PROMPT, status=500) == {"error": "Internal error", "details": []}
