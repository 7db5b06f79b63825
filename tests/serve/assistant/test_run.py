"""`POST /api/run`: what a language model proposes, and what of it leaves."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from nextcall.access.permissions import role_allows, route_of
from nextcall.serve.assistant.schemas import RunAnswer
from nextcall.serve.found import shortened
from nextcall.serve.predictor import Predictor

from .conftest import KEY, Saying, Serving, call, table_of

PROMPT = "make a queue named orders"
FIRST = "sqs:CreateQueue"


def ranked(asking: TestClient, prompt: str = PROMPT, *, k: int = 3) -> list[dict[str, Any]]:
    asked = {"prompt": prompt, "max_predictions": k}
    found: list[dict[str, Any]] = asking.post("/predict", json=asked).json()["predictions"]
    return found


def test_a_model_proposes_calls_with_arguments(
    serving: Serving, saying: Saying, predictor: Predictor
) -> None:
    saying.will_say(call(FIRST, "a queue is wanted", QueueName="orders"), answer="One queue.")
    with serving() as service:
        told = service.run(PROMPT)
        found = ranked(service.client, k=5)
    assert RunAnswer.model_validate(told).model_dump(mode="json") == told
    (first,) = (each for each in found if each["operation_id"] == FIRST)
    operation = predictor.index.catalog[FIRST]
    needed = [each.name for each in operation.parameters if each.required]
    assert needed == ["QueueName"]
    usage = told.pop("usage")
    assert told.pop("processing_time_ms") >= usage.pop("llm_latency_ms") > 0
    assert len(told.pop("run_id")) == 36
    assert told == {
        "answer": "One queue.",
        "calls": [
            {
                "api_call": operation.api_call,
                "operation_id": FIRST,
                "method": "POST",
                "description": shortened(operation.summary),
                "arguments": {"QueueName": "orders"},
                "missing_parameters": [],
                "unknown_arguments": [],
                "reason": "a queue is wanted",
                "confidence": first["confidence"],
                "rank": first["rank"],
            }
        ],
        "shown": [each["operation_id"] for each in found],
        "dropped": 0,
        "processing_method": "llm",
        "fallback": None,
        "safety_flags": [],
    }
    assert usage == {
        "provider": "here",
        "model": "small",
        "tier": "low",
        "input_tokens": 100,
        "output_tokens": 20,
        "cost_usd": (100 * 10 + 20 * 50) / 1e6,
    }


def test_what_was_not_shown_is_dropped_and_what_lacks_is_named(
    serving: Serving, saying: Saying
) -> None:
    saying.will_say(
        call("iam:DeleteUser"), call(FIRST, Colour="red"), call("sqs:NoSuchThing"), call("", "")
    )
    with serving() as service:
        told = service.run(PROMPT)
    (one,) = told["calls"]
    assert (one["operation_id"], told["dropped"]) == (FIRST, 3)
    assert one["arguments"] == {}
    assert one["missing_parameters"] == ["QueueName"]
    assert one["unknown_arguments"] == ["Colour"]


def test_a_model_reads_what_the_ranker_found_and_what_was_called(
    serving: Serving, saying: Saying
) -> None:
    history = [
        {"api_call": "sqs:ListQueues"},
        {"api_call": "/no/such/call/mail/anna@example.com"},
        {"api_call": "s3:CreateBucket", "timestamp": "2026-01-05T10:00:00Z"},
    ]
    asked: dict[str, Any] = {"shown": 2, "max_calls": 1, "temperature": 0.25, "complexity": "high"}
    with serving() as service:
        told = service.run(PROMPT, history=history, **asked)
    operations, rest = saying.read.split("\n\nCalls so far:")
    ids = [line[2:].split(": ")[0] for line in operations.splitlines()[1:]]
    assert ids == told["shown"]
    assert len(ids) == 2
    assert rest == f'\n- sqs:ListQueues\n- s3:CreateBucket\n\nRequest: "{PROMPT}"'
    assert saying.body["temperature"] == 0.25
    schema = saying.body["response_format"]["json_schema"]
    assert schema["strict"] is True
    calls = schema["schema"]["properties"]["calls"]
    assert calls["maxItems"] == 1
    assert calls["items"]["properties"]["operation_id"]["enum"] == ids
    assert told["usage"]["tier"] == "high"


def test_a_model_may_propose_nothing(serving: Serving, saying: Saying) -> None:
    saying.will_say(answer="Nothing fits.")
    with serving() as service:
        told = service.run(PROMPT)
    assert (told["calls"], told["answer"]) == ([], "Nothing fits.")
    assert (told["processing_method"], told["fallback"]) == ("llm", None)


def test_what_a_run_did_is_counted(serving: Serving, saying: Saying) -> None:
    with serving() as service:
        service.run(PROMPT)
        saying.ended = "length"
        service.run(PROMPT)
        saying.status = 500
        service.run(PROMPT)
        metrics = service.client.get("/performance/metrics").json()
        text = service.client.get("/metrics").text
        costs = service.client.get("/cost-analytics").json()
    assert metrics["parts"]["llm"]["count"] == 3
    assert metrics["parts"]["llm"]["errors"] == 1
    assert metrics["provider_availability"] == {"here": pytest.approx(2 / 3)}
    assert metrics["endpoints"]["POST /api/run"]["count"] == 3
    assert 'llm_calls_total{model="small",outcome="ok",provider="here"} 1.0' in text
    assert 'function_calls_total{function="ranking",outcome="ok"} 3.0' in text
    assert costs["cost_analytics"]["predictions_today"] == 1
    assert costs["model_usage"]["low"] == 3


def test_a_run_that_waits_for_a_model_keeps_nobody_waiting(
    serving: Serving, saying: Saying
) -> None:
    saying.go.clear()
    given = {"threads": 1, "llm_seconds": 3600, "prediction_seconds": 3600}
    with serving(**given) as service, ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(service.run, PROMPT) for _ in range(3)]
        until = time.monotonic() + 50  # the server waits for a minute
        while len(saying.sent) < len(waiting):
            assert time.monotonic() < until
            time.sleep(0.01)
        assert len(ranked(service.client)) == 3
        assert not any(each.done() for each in waiting)
        saying.go.set()
        assert [each.result()["fallback"] for each in waiting] == [None] * 3


def test_a_key_is_told_nowhere(serving: Serving, saying: Saying, tmp_path: Any) -> None:
    saying.status = 401
    with serving(log_level="debug") as service:
        told = service.run(PROMPT)
        health = service.client.get("/health").text
    assert KEY not in str(told) + health
    assert KEY not in "".join(each.read_text() for each in (tmp_path / "log").iterdir())


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"prompt": " "}, "prompt"),
        ({"prompt": "x" * 4097}, "prompt"),
        ({"prompt": "x", "max_calls": 0}, "max_calls"),
        ({"prompt": "x", "max_calls": 6}, "max_calls"),
        ({"prompt": "x", "shown": 21}, "shown"),
        ({"prompt": "x", "shown": 2.5}, "shown"),
        ({"prompt": "x", "complexity": "huge"}, "complexity"),
        ({"prompt": "x", "temperature": 1.1}, "temperature"),
        ({"prompt": "x", "history": [{}]}, "history.0.api_call"),
        ({"prompt": "x", "max_predictions": 3}, "max_predictions"),
        ([], "body"),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused_and_nobody_asked(
    serving: Serving, saying: Saying, asked: Any, field: str
) -> None:
    with serving() as service:
        answer = service.client.post("/api/run", json=asked)
    assert answer.status_code == 422
    assert answer.json()["details"][0]["field"] == field
    assert saying.sent == []


def test_limits_that_are_set_hold(serving: Serving) -> None:
    with serving(max_prompt_characters=10, max_body_bytes=1024) as service:
        assert service.run("x" * 11, status=422)["details"][0]["field"] == "prompt"
        assert service.run("x" * 2000, status=413)
        described = service.client.get("/openapi.json").json()["components"]["schemas"]["RunAsked"]
    assert described["properties"]["prompt"]["maxLength"] == 10


def test_who_may_use_the_service_may_run() -> None:
    route, permission = route_of("POST", "/api/run")
    assert route == "/api/run"
    assert permission is not None
    may = {role: role_allows(role, permission) for role in ("admin", "developer", "user")}
    assert all(may.values())
    assert not role_allows("guest", permission)
    assert not role_allows("readonly", permission)


def test_a_table_may_leave_a_tier_to_the_ranker(serving: Serving, saying: Saying) -> None:
    with serving(table=table_of(saying.url, lacking=("low",))) as service:
        assert service.run(PROMPT)["fallback"] == {"reason": "no_model"}
        assert service.run(PROMPT, complexity="high")["fallback"] is None
