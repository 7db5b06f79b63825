"""What is noted of requests and answers, and what is told of it."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import SupportsIndex

import pytest
from starlette.testclient import TestClient

from nextcall.serve.app import create_app
from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.observer import Observer, open_observer
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings, load_settings
from nextcall.serve.watching import drained
from nextcall.telemetry.families import (
    CACHE_HITS,
    CACHE_MISSES,
    COLD_STARTS,
    ERRORS,
    FUNCTION_CALLS,
    FUNCTION_SECONDS,
    GUARD_VALIDATIONS,
    GUARD_VIOLATIONS,
    HTTP_ACTIVE,
    HTTP_REQUESTS,
)

SECRET = "Zaphod Beeblebrox"  # noqa: S105  # words of a prompt that must appear nowhere
ATTACK = {"prompt": f"{SECRET}'; DROP TABLE users; --"}


def client_of(predictor: Predictor, settings: Settings, observer: Observer | None) -> TestClient:
    own = Predictor(predictor.index, ranker=predictor.ranker, card=predictor.card)
    app = create_app(
        own, settings=settings, parts=Parts(caches=ServiceCaches(settings, own), observer=observer)
    )
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def observer() -> Observer:
    return Observer()


@pytest.fixture
def asking(predictor: Predictor, settings: Settings, observer: Observer) -> TestClient:
    return client_of(predictor, settings, observer)


def test_each_request_is_counted_by_its_template(asking: TestClient, observer: Observer) -> None:
    for _ in range(2):
        asking.post("/predict", json={"prompt": "list the queues"})
    asking.post("/predict", json=ATTACK)
    asking.get("/health")
    asking.get(f"/{SECRET}")
    asking.request("BREW", "/health")
    assert observer.metrics.totals(HTTP_REQUESTS) == {
        ("POST", "/predict", "200"): (2.0,),
        ("POST", "/predict", "400"): (1.0,),
        ("GET", "/health", "200"): (1.0,),
        ("GET", "*", "404"): (1.0,),
        ("*", "*", "405"): (1.0,),
    }
    assert observer.metrics.totals(HTTP_ACTIVE).get((), (0.0,)) == (0.0,)
    told = observer.latencies.told()
    assert told["POST /predict"].count == 3
    assert (told["cache_hit"].count, told["cache_miss"].count, told["ranking"].count) == (1, 1, 1)
    assert observer.metrics.totals(CACHE_HITS) == {("answers",): (1.0,)}
    assert observer.metrics.totals(CACHE_MISSES) == {("answers",): (1.0,)}


def test_the_guard_and_cold_starts_are_counted(asking: TestClient, observer: Observer) -> None:
    for _ in range(2):
        asking.post("/predict", json={"prompt": "list the queues"})
    asking.post("/predict", json=ATTACK)
    assert observer.metrics.totals(GUARD_VALIDATIONS) == {("passed",): (2.0,), ("blocked",): (1.0,)}
    assert observer.metrics.totals(GUARD_VIOLATIONS) == {("sqli",): (1.0,)}
    ((level, _),) = observer.metrics.totals(COLD_STARTS)
    assert level == "prompt_only"
    told = asking.get("/performance/metrics").json()
    assert told["cold_start_metrics"]["total_cold_start_predictions"] == 2
    assert 0 <= told["cold_start_metrics"]["average_cold_start_confidence"] <= 1
    assert told["guardrails_metrics"]["blocked_rate"] == pytest.approx(1 / 3)


def test_each_part_of_a_prediction_is_counted(asking: TestClient, observer: Observer) -> None:
    for _ in range(2):  # the second is known
        asking.post("/predict", json={"prompt": "list the queues"})
    asking.post("/predict?detail=full", json={"prompt": "create a bucket"})
    asking.post("/predict", json=ATTACK)
    told = observer.metrics.told()
    called = {labels: value for labels, (value,) in told[FUNCTION_CALLS].items() if value}
    assert called == {
        ("guard", "ok"): 2,
        ("guard", "refused"): 1,
        ("embedding", "ok"): 2,
        ("ranking", "ok"): 2,
        ("filter", "ok"): 2,
    }
    took = {part: sum(numbers[:-1]) for (part,), numbers in told[FUNCTION_SECONDS].items()}
    assert took == {"guard": 3, "embedding": 2, "ranking": 2, "filter": 2}
    assert all(numbers[-1] > 0 for numbers in told[FUNCTION_SECONDS].values())


def test_parts_are_counted_when_it_is_told(observer: Observer) -> None:
    watch = observer.watch()
    with watch("filter"):
        pass
    with pytest.raises(KeyError), watch("ranking"):
        raise KeyError
    counted = observer.metrics.totals(FUNCTION_CALLS)
    assert (counted["filter", "ok"], counted["ranking", "failed"]) == ((0.0,), (0.0,))
    for _ in range(2):  # each is counted once
        watch.count()
        counted = observer.metrics.totals(FUNCTION_CALLS)
        assert (counted["filter", "ok"], counted["ranking", "failed"]) == ((1.0,), (1.0,))


class _Contended(list[int]):
    """A list of which another thread takes the last item, just before it is taken here."""

    def pop(self, index: SupportsIndex = -1) -> int:
        if len(self) == 1:
            self.clear()
        return super().pop(index)


def test_what_another_thread_takes_first_is_left_to_it() -> None:
    assert list(drained(_Contended([1, 2, 3]))) == [3, 2]


def test_a_fault_is_an_error(
    asking: TestClient, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(Predictor, "outcome", fail)
    answer = asking.post("/predict", json={"prompt": "list the queues"})
    assert answer.status_code == 500
    assert observer.metrics.totals(ERRORS) == {("server",): (1.0,)}
    assert observer.metrics.totals(FUNCTION_CALLS)["ranking", "failed"] == (1.0,)
    assert observer.latencies.told()["POST /predict"].errors == 1


def test_performance_has_every_part(asking: TestClient) -> None:
    asking.post("/predict", json={"prompt": "list the queues"})
    told = asking.get("/performance/metrics").json()
    assert set(told["endpoints"]) == {"POST /predict"}
    assert told["endpoints"]["POST /predict"]["count"] == 1
    assert 0 < told["endpoints"]["POST /predict"]["p50_ms"] < 60_000
    assert set(told["parts"]) == {"ranking", "cache_miss"}
    assert told["cache"]["query"]["entries"] == 1
    assert told["ml_layer"]["is_trained"] is True
    assert (told["online"], told["cost"]) == (None, None)
    text = asking.get("/metrics").text
    assert 'http_requests_total{endpoint="/predict",method="POST",status="200"} 1.0' in text
    assert "nextcall_guard_requests_total" in text


def test_the_ranker_tells_how_good_it_was(predictor: Predictor, settings: Settings) -> None:
    assert predictor.card is not None
    for name in ("validation.ndcg@10", "held_out.ndcg@10"):
        card = replace(predictor.card, metrics={name: 0.75})
        own = Predictor(predictor.index, ranker=predictor.ranker, card=card)
        told = TestClient(create_app(own, settings=settings)).get("/performance/metrics").json()
        assert told["ml_layer"]["validation_ndcg"] == 0.75


def test_without_an_observer_its_numbers_are_null(client: TestClient) -> None:
    told = client.get("/performance/metrics").json()
    assert (told["endpoints"], told["parts"], told["cache"]) == ({}, {}, None)
    assert (told["guardrails_metrics"], told["cold_start_metrics"]) == (None, None)
    assert client.get("/performance/health").json()["status"] in {"met", "missed"}  # of memory


def test_a_missed_promise_says_that_it_is_not_ready(
    predictor: Predictor, settings: Settings
) -> None:
    strict = settings.model_copy(
        update={"service_level": {"prediction_p95_seconds": 1e-9, "memory_bytes": 1e12}}
    )
    asking = client_of(predictor, strict, Observer())
    assert asking.get("/performance/health").status_code == 200  # of too few nothing is said
    for _ in range(20):
        asking.post("/predict", json={"prompt": "list the queues"})
    answer = asking.get("/performance/health")
    assert answer.status_code == 503
    missed = [one["name"] for one in answer.json()["targets"] if one["status"] == "missed"]
    assert missed == ["prediction_p95"]


def test_lines_tell_requests_and_no_prompt(
    predictor: Predictor, settings: Settings, tmp_path: Path
) -> None:
    logging_too = settings.model_copy(update={"log_dir": tmp_path, "log_level": "info"})
    with open_observer(logging_too) as observer:
        asking = client_of(predictor, logging_too, observer)
        asking.post("/predict?x=1", json=ATTACK, headers={"X-Request-ID": "mine"})
        asking.get(f"/{SECRET}")
    text = (tmp_path / "nextcall.jsonl").read_text(encoding="utf-8")
    first, second = (
        line for line in map(json.loads, text.splitlines()) if line["message"] == "request"
    )
    assert first["request_id"] == "mine"
    context = first["context"]
    assert (context["method"], context["route"], context["status"]) == ("POST", "/predict", 400)
    assert second["context"]["route"] == "*"
    assert len(second["request_id"]) == 32
    assert not any(word in text for word in SECRET.split())


def test_warnings_only_have_no_line_a_request(
    predictor: Predictor, settings: Settings, tmp_path: Path
) -> None:
    quiet = settings.model_copy(update={"log_dir": tmp_path, "log_level": "warning"})
    with open_observer(quiet) as observer:
        client_of(predictor, quiet, observer).get("/health")
        logging.getLogger("nextcall.test").warning("told")
    lines = (tmp_path / "nextcall.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["told"]


def test_nothing_is_opened_where_nothing_is_to_be_noted(settings: Settings) -> None:
    with open_observer(settings.model_copy(update={"telemetry_enabled": False})) as observer:
        assert observer is None


def test_the_level_of_the_log_is_that_of_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().log_level == "warning"
    monkeypatch.setenv("NEXTCALL_SECRET", "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93")
    assert load_settings(environment="production").log_level == "info"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "must be JSON"),
        ("[]", "must be an object"),
        ('{"speed": 1}', r"\['speed'\] are none"),
        ('{"hit_rate": "high"}', r"otherwise of \['hit_rate'\]"),
        ('{"hit_rate": 2}', "hit_rate must be above 0 and at most 1"),
    ],
)
def test_a_promise_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv("NEXTCALL_SERVICE_LEVEL", value)
    with pytest.raises(ValueError, match=f"NEXTCALL_SERVICE_LEVEL: .*{message}"):
        load_settings()


def test_promises_are_as_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTCALL_SERVICE_LEVEL", '{"hit_rate": 0.5, "least_count": 3}')
    targets = load_settings().targets()
    assert (targets.hit_rate, targets.least_count, targets.llm_seconds) == (0.5, 3, 0.5)
