"""`POST /predict` and `POST /predict/batch` from outside."""

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from nextcall.cache.computing import ComputingCache
from nextcall.catalog import Catalog, describe_operation
from nextcall.ranking.cold_start import ColdStartLevel
from nextcall.serve.answers import Answer, BatchAnswer, FullAnswer
from nextcall.serve.app import create_app
from nextcall.serve.caching.caches import open_caches
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.schemas import PredictRequest
from nextcall.serve.settings import Settings, load_settings
from nextcall.training.opening import open_index

SECRET = "Zaphod Beeblebrox"  # noqa: S105  # words of a prompt that must appear nowhere

METHODS = (
    "Input should be 'CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT' "
    "or 'TRACE'"
)
LATEST = b'{"api_call": "/", "timestamp": "9999-12-31T23:59:59-12:00"}'  # beyond 9999 in UTC

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["prompt", "history", "max_predictions", "api_call", "method", "timestamp"]
            )
            | st.text(),
            inner,
            max_size=4,
        )
    ),
)


def _ask(client: TestClient, body: Any, path: str = "/predict") -> Any:
    return client.post(path, json=body).json()


def _detail(client: TestClient, body: Any) -> dict[str, Any]:
    answer = client.post("/predict", json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["error"] == "Request failed validation"
    (detail,) = problem["details"]
    return dict(detail)


def test_the_default_answer_is_small(client: TestClient) -> None:
    answer = client.post("/predict", json={"prompt": "create a bucket"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == [
        "prediction_id", "predictions", "confidence_scores", "metadata", "processing_time_ms",
    ]  # fmt: skip
    assert len(body["predictions"]) == 3
    for place, one in enumerate(body["predictions"], start=1):
        assert list(one) == [
            "api_call", "operation_id", "method", "description", "parameters", "confidence", "rank",
        ]  # fmt: skip
        assert one["rank"] == place
    assert list(body["metadata"]) == [
        "model_version", "processing_method", "fallback_method", "none_probability",
        "none_of_these", "safety_flags", "interleaved",
    ]  # fmt: skip
    assert body["confidence_scores"] == [one["confidence"] for one in body["predictions"]]


def test_the_full_answer_has_every_field(client: TestClient) -> None:
    body = _ask(client, {"prompt": "create a bucket"}, "/predict?detail=full")
    assert FullAnswer.model_validate(body).model_dump(mode="json") == body
    assert set(body["predictions"][0]) == {
        "api_call", "operation_id", "method", "description", "parameters", "confidence",
        "ml_ranking_score", "semantic_similarity", "ml_features", "reasoning", "ai_provider",
        "cold_start_prediction", "safety_validated", "safety_flags", "rank",
    }  # fmt: skip
    assert set(body["metadata"]) == {
        "model_version", "processing_method", "fallback_method", "none_probability",
        "none_of_these", "safety_flags", "interleaved", "ai_provider",
        "semantic_similarity_enabled", "ml_ranking_enabled", "candidates_generated",
        "candidates_ranked", "k_plus_buffer", "context_events_used", "total_endpoints_considered",
        "filtered_endpoints_used", "cold_start_analysis", "safety_validation",
        "cost_aware_routing", "performance_metrics",
    }  # fmt: skip
    assert set(body["metadata"]["safety_validation"]) == {
        "input_validated", "output_filtered", "blocked_predictions", "filtered_by_safety",
        "security_checks_passed", "guardrails_version", "flags", "risk",
    }  # fmt: skip
    assert set(body["metadata"]["cost_aware_routing"]) == {
        "model_tier", "model_name", "estimated_cost_usd", "daily_budget_usd",
        "budget_utilization", "cost_optimization_enabled",
    }  # fmt: skip
    assert set(body["metadata"]["performance_metrics"]) == {
        "llm_latency_ms", "ml_scoring_latency_ms", "safety_filtering_latency_ms", "cache_hit",
        "memory_usage_mb",
    }  # fmt: skip


def test_a_history_may_name_calls_in_every_form(client: TestClient) -> None:
    history = [
        {"api_call": "s3:CreateBucket"},
        {"api_call": "PUT /my-bucket?versioning"},
        {"api_call": "/{Bucket}?versioning", "method": "get", "timestamp": "2026-05-01T10:00:00Z"},
        {"api_call": "https://s3.amazonaws.com/logs?versioning", "timestamp": 1777629600},
        {"api_call": "nobody:KnowsThis"},
    ]
    body = _ask(client, {"prompt": "and now?", "history": history}, "/predict?detail=full")
    assert body["metadata"]["context_events_used"] == 5
    assert body["metadata"]["cold_start_analysis"]["history_events_used"] == 4
    assert body["predictions"][0]["ml_features"]["time_since_last"] is None  # the last has no time


def test_every_level_of_the_cold_start_is_reached(
    client: TestClient,
    fallback_client: TestClient,
    predictor: Predictor,
    settings: Settings,
    tmp_path: Path,
) -> None:
    functions = tuple(
        describe_operation(operation_id=name, summary=name)
        for name in ("listFriends", "deleteFriend", "makeFriend")
    )
    bare = Predictor(open_index(Catalog("functions", functions), cache=tmp_path))
    foreign = Predictor(predictor.index, ranker=predictor.ranker)
    asked = {
        "none": (client, "list all", ["s3:CreateBucket"]),
        "prompt_only": (client, "list all", []),
        "zero_shot": (TestClient(create_app(foreign, settings=settings)), "list all", []),
        "fused_retrieval": (fallback_client, "list all", []),
        "rest_conventions": (fallback_client, "!!!", ["s3:CreateBucket"]),
        "generic_crud": (TestClient(create_app(bare, settings=settings)), "!!!", []),
    }
    assert list(asked) == list(ColdStartLevel)
    for level, (asking, prompt, calls) in asked.items():
        history = [{"api_call": call} for call in calls]
        body = _ask(asking, {"prompt": prompt, "history": history})
        assert body["metadata"]["fallback_method"] == level
        assert len(body["predictions"]) == 3
        full = _ask(asking, {"prompt": prompt, "history": history}, "/predict?detail=full")
        cold = full["metadata"]["cold_start_analysis"]
        assert cold["fallback_method"] == level
        assert cold["fallback_order"] == list(asked)
        assert {one["cold_start_prediction"] for one in full["predictions"]} == {level != "none"}
    assert body["predictions"][0]["operation_id"] == "makeFriend"  # create comes first


def test_without_a_ranker_it_still_answers(fallback_client: TestClient) -> None:
    body = _ask(fallback_client, {"prompt": "create a bucket", "max_predictions": 2})
    assert body["metadata"]["fallback_method"] == "fused_retrieval"
    assert body["confidence_scores"] == [None, None]
    full = _ask(fallback_client, {"prompt": "create a bucket"}, "/predict?detail=full")
    assert full["metadata"]["ml_ranking_enabled"] is False


@pytest.mark.parametrize(
    ("body", "field", "rule", "got"),
    [
        ({"prompt": ""}, "prompt", "String should hold more than white space", ""),
        ({}, "prompt", "Field required", None),
        ([], "body", "Should be an object", "[]"),
        (
            {"prompt": "x", "max_predictions": 0},
            "max_predictions",
            "Input should be greater than or equal to 1",
            0,
        ),
        (
            {"prompt": "x", "history": [{"api_call": "/", "method": "FETCH"}]},
            "history.0.method",
            METHODS,
            "FETCH",
        ),
        ({"prompt": "x", "k": True}, "k", "Field is not known", True),
    ],
)
def test_a_refusal_names_field_rule_and_what_came(
    client: TestClient, body: Any, field: str, rule: str, got: Any
) -> None:
    assert _detail(client, body) == {"field": field, "rule": rule, "got": got}


def test_an_over_long_prompt_is_never_repeated(client: TestClient) -> None:
    prompt = "".join(f"{number} " for number in range(2000))
    detail = _detail(client, {"prompt": prompt})
    assert detail["rule"] == "String should have at most 4096 characters"
    assert detail["got"] == prompt[:97] + "..."


def test_an_unknown_detail_is_refused(client: TestClient) -> None:
    answer = client.post("/predict?detail=all", json={"prompt": "x"})
    assert answer.status_code == 422
    assert answer.json()["details"] == [
        {"field": "query.detail", "rule": "Input should be 'short' or 'full'", "got": "all"}
    ]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"prompt=x",
        b"\xff\xfe{\x00}\x00",
        b'{"prompt": "\xff"}',
        b'{"prompt": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"prompt": NaN}',
        b'{"prompt": "x", "temperature": Infinity}',
        b'{"prompt": "x", "temperature": 1e999}',
        b'{"prompt": "x", "max_predictions": ' + b"9" * 5000 + b"}",
        b'{"prompt": "x", "max_predictions": 1e400}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100 + b"]" * 100,
        b'{"prompt": ' + b"[" * 150 + b"]" * 150 + b"}",
        b'{"prompt": "x", "history": [{"api_call": "/", "timestamp": 1e300}]}',
        b'{"prompt": "x", "history": [' + LATEST + b"]}",
        b"[" + b"1," * 1_000_000 + b"1]",
        b'{"prompt": "x", "history": [' + b"1," * 1_000_000 + b"1]}",
        b"{" + b",".join(b'"%d":1' % key for key in range(100_000)) + b"}",
        b'{"' + b"k" * 1_000_000 + b'": 1, "prompt": "x"}',
        b'"' + b"p" * 1_000_000 + b'"',
        b'{"prompt": "a\\u0000b"}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_hostile_body_is_refused_shortly(client: TestClient, path: str, body: bytes) -> None:
    answer = client.post(path, content=body)
    assert len(answer.content) < 5000
    if answer.status_code == 200:  # a list of one item, which is no request
        assert path == "/predict/batch"
        (result,) = answer.json()["results"]
        assert result["problem"]["details"]
    else:
        assert answer.status_code == 422
        assert answer.json()["details"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"prompt": "\\ud83d\\ude00"}',
        b'{"prompt": "first", "prompt": "last"}',
        b'{"prompt": "x", "history": [{"api_call": "/' + b"a/" * 900 + b'"}]}',
        b'{"prompt": "x", "history": [{"api_call": "GET /%ff//a b?a=%25"}]}',
        b'{"prompt": "x", "history": [{"api_call": "/", "timestamp": "9999-12-31T23:59:59Z"}]}',
        b'{"prompt": "' + "\U0001f4a3".encode() * 4096 + b'"}',
        b' \n{"prompt": "x", "temperature": 1, "max_predictions": 20} ',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_strange_body_is_answered(client: TestClient, body: bytes) -> None:
    assert client.post("/predict?detail=full", content=body).status_code == 200


@settings(max_examples=40)  # four requests each
@given(JSON, st.sampled_from(["/predict", "/predict/batch", "/predict?detail=full"]))
def test_no_body_breaks_the_service(client: TestClient, value: object, path: str) -> None:
    for body in (value, {"prompt": value}, {"prompt": "x", "history": value}, [{"prompt": value}]):
        content = json.dumps(body).encode()
        assert client.post(path, content=content).status_code in {200, 400, 422}


def test_a_batch_answers_each_request_by_itself(client: TestClient) -> None:
    requests: list[Any] = [
        {"prompt": "list the queues", "max_predictions": 2},
        {"prompt": ""},
        "no object",
        {"prompt": "create a topic", "history": [{"api_call": "sns:ListTopics"}]},
    ]
    body = _ask(client, requests, "/predict/batch")
    assert BatchAnswer.model_validate(body).model_dump(mode="json") == body
    assert (body["succeeded"], body["failed"]) == (2, 2)
    for asked, result in zip(requests, body["results"], strict=True):
        alone = client.post("/predict", json=asked)
        if alone.status_code == 200:
            assert result["problem"] is None
            assert result["answer"]["predictions"] == alone.json()["predictions"]
        else:
            assert result == {"answer": None, "problem": alone.json()}


def test_a_full_batch_is_full(client: TestClient) -> None:
    body = _ask(client, [{"prompt": "list"}] * 2, "/predict/batch?detail=full")
    for result in body["results"]:
        assert FullAnswer.model_validate(result["answer"]).metadata.ml_ranking_enabled


@pytest.mark.parametrize(("size", "status"), [(0, 422), (1, 200), (100, 200), (101, 422)])
def test_a_batch_holds_1_to_100(client: TestClient, size: int, status: int) -> None:
    answer = client.post("/predict/batch", json=[{"prompt": ""}] * size)
    assert answer.status_code == status
    if status == 422:
        (detail,) = answer.json()["details"]
        assert detail["rule"] == "Should hold 1 to 100 requests"
        assert detail["got"] == f"{size} requests"


def test_limits_are_settings(predictor: Predictor) -> None:
    narrow = load_settings(
        max_prompt_characters=9,
        max_predictions=2,
        default_predictions=1,
        max_batch=1,
        max_history=1,
    )
    asking = TestClient(create_app(predictor, settings=narrow))
    assert len(_ask(asking, {"prompt": "list"})["predictions"]) == 1
    assert _detail(asking, {"prompt": "list queues"})["rule"].endswith("at most 9 characters")
    assert _detail(asking, {"prompt": "x", "max_predictions": 3})["field"] == "max_predictions"
    assert asking.post("/predict/batch", json=[{"prompt": "x"}] * 2).status_code == 422
    described = asking.get("/openapi.json").json()["components"]["schemas"]["PredictRequest"]
    assert described["properties"]["prompt"]["maxLength"] == 9
    assert described["properties"]["max_predictions"]["default"] == 1
    assert described["required"] == ["prompt"]


def test_no_prompt_is_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for path in ("/predict", "/predict?detail=full"):
            assert client.post(path, json={"prompt": SECRET}).status_code == 200
        assert client.post("/predict", json={"prompt": SECRET * 500}).status_code == 422
        assert client.post("/predict", content=f'{{"prompt": "{SECRET}'.encode()).status_code == 422
        assert client.post("/predict/batch", json=[{"prompt": SECRET}]).status_code == 200
    assert SECRET not in caplog.text


def test_the_described_answer_is_the_one_given(client: TestClient) -> None:
    Answer.model_validate(_ask(client, {"prompt": "list the keys"}), strict=False, extra="forbid")


def test_a_batch_that_waits_for_an_answer_keeps_no_thread_from_it(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(threads=1, prediction_seconds=20)
    own, begun, may_end = predictor.pinned(), threading.Event(), threading.Event()
    make = Predictor.predict_fully

    def predict_fully(self: Predictor, request: PredictRequest, **options: Any) -> FullAnswer:
        if request.prompt == "list queues":
            begun.set()
            assert may_end.wait(20)
        return make(self, request, **options)

    monkeypatch.setattr(Predictor, "predict_fully", predict_fully)
    with open_caches(settings, own) as caches, ThreadPoolExecutor(2) as users:
        assert caches is not None
        assert isinstance(caches.answers.computing, ComputingCache)
        flight = caches.answers.computing.flight
        with TestClient(create_app(own, settings=settings, parts=Parts(caches=caches))) as asking:
            asked = [{"prompt": "list queues"}, {"prompt": "create a topic"}]
            batch = users.submit(asking.post, "/predict/batch?detail=full", json=asked)
            assert begun.wait(20)
            alone = users.submit(asking.post, "/predict?detail=full", json=asked[1])
            while not alone.done() and len(flight._flights) < 2:  # it waits there
                time.sleep(0.001)
            may_end.set()
            assert alone.result().status_code == 200
            assert batch.result().json()["succeeded"] == 2
