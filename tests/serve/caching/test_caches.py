"""The caches of a service: what is kept, what workers share, what keeps them apart."""

import asyncio
import re
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient
from tests.serve.caching.conftest import again, app_of, ask

from nextcall.serve.caching.answer_cache import AnswerCache
from nextcall.serve.caching.caches import (
    ServiceCaches,
    open_caches,
    read_requests,
    shared_scope,
)
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings, load_settings

ATTACK = {"prompt": "x'; DROP TABLE users; --"}


def without_moment(answer: dict[str, Any]) -> dict[str, Any]:
    once = ("prediction_id", "processing_time_ms")
    return {name: value for name, value in answer.items() if name not in once}


def test_the_second_answer_is_the_first_under_another_id(asking: TestClient) -> None:
    body = {"prompt": "create a bucket", "history": [{"api_call": "s3:ListBuckets"}]}
    (first, one), (second, other) = ask(asking, body), ask(asking, body)
    assert (first, second) == ("MISS", "HIT")
    assert without_moment(one) == without_moment(other)
    assert one["prediction_id"] != other["prediction_id"]
    spelled = {**body, "temperature": 0.2, "max_predictions": 3}
    assert ask(asking, spelled)[0] == "HIT"  # other bytes that ask the same


def test_a_full_answer_says_that_it_was_kept(asking: TestClient) -> None:
    path = "/predict?detail=full"
    told = [
        ask(asking, {"prompt": "create a bucket"}, path)[1]["metadata"]["performance_metrics"]
        for _ in range(2)
    ]
    assert [one["cache_hit"] for one in told] == [False, True]
    assert [one["ml_scoring_latency_ms"] is None for one in told] == [False, True]
    assert ask(asking, {"prompt": "create a bucket"})[0] == "MISS"  # a short one was not asked for


def test_without_caches_nothing_is_said_of_them(client: TestClient) -> None:
    answers = [client.post("/predict?detail=full", json={"prompt": "list"}) for _ in range(2)]
    for answer in answers:
        assert "x-cache" not in answer.headers
        assert answer.json()["metadata"]["performance_metrics"]["cache_hit"] is None


def test_a_prompt_that_means_the_same_has_the_answer(asking: TestClient) -> None:
    assert ask(asking, {"prompt": "list all the queues"})[0] == "MISS"
    assert ask(asking, {"prompt": "List all queues."})[0] == "HIT"
    assert ask(asking, {"prompt": "delete all the queues"})[0] == "MISS"
    called = {"prompt": "list all queues", "history": [{"api_call": "sqs:CreateQueue"}]}
    assert ask(asking, called)[0] == "MISS"
    assert ask(asking, {"prompt": "zxqv wqxz"})[0] == "MISS"  # words that no encoder knows


def test_meaning_is_asked_only_where_that_is_set(predictor: Predictor, settings: Settings) -> None:
    changed = again(settings, semantic_cache_enabled=False)
    client = TestClient(app_of(predictor, changed, ServiceCaches(changed, predictor)))
    assert ask(client, {"prompt": "list all the queues"})[0] == "MISS"
    assert ask(client, {"prompt": "List all queues."})[0] == "MISS"


def test_a_call_with_a_time_is_known_while_it_is_about_as_old(asking: TestClient) -> None:
    timed = {"api_call": "s3:ListBuckets", "timestamp": "2020-05-01T10:00:00Z"}
    body = {"prompt": "create a bucket", "history": [timed]}
    assert [ask(asking, body)[0] for _ in range(2)] == ["MISS", "HIT"]


def test_a_refusal_is_counted_each_time(asking: TestClient) -> None:
    for _ in range(3):
        assert asking.post("/predict", json=ATTACK).status_code == 400
    assert ask(asking, {"prompt": "list all the queues"})[0] == "MISS"
    assert ask(asking, {"prompt": "list all the queues"})[0] == "HIT"
    told = asking.get("/performance/metrics").json()["guardrails_metrics"]
    assert (told["total_validations"], told["blocked_requests"]) == (5, 3)
    guard = asking.get("/health").json()["components"]["guard"]
    assert (guard["total"], guard["blocked"]) == (5, 3)


def test_items_of_a_batch_are_kept_too(asking: TestClient) -> None:
    items = [{"prompt": "list all the queues"}, ATTACK, {"prompt": "list all the queues"}, 3]
    first = asking.post("/predict/batch", json=items).json()
    assert [item["answer"] is None for item in first["results"]] == [False, True, False, True]
    assert (first["succeeded"], first["failed"]) == (2, 2)
    assert ask(asking, {"prompt": "list all the queues"})[0] == "HIT"
    one, other = first["results"][0]["answer"], first["results"][2]["answer"]
    assert without_moment(one) == without_moment(other)


def test_what_a_failing_guard_let_pass_is_not_kept(
    asking: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a model is gone")

    with monkeypatch.context() as broken:
        broken.setattr("nextcall.guard.guard.Guard.detect", fail)
        assert ask(asking, {"prompt": "list all the queues"})[0] == "MISS"
        assert ask(asking, {"prompt": "list all the queues"})[0] == "MISS"
    assert ask(asking, {"prompt": "list all the queues"})[0] == "MISS"
    assert ask(asking, {"prompt": "list all the queues"})[0] == "HIT"


def test_what_a_failing_guard_let_pass_reaches_no_worker_and_keeps_no_loop_waiting(
    predictor: Predictor, settings: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[bool] = []  # whether on a loop
    whole = AnswerCache.forget

    def forget(cache: AnswerCache, key: str) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            forgotten.append(False)
        else:
            forgotten.append(True)
        whole(cache, key)

    def fail(*_: object) -> None:
        raise RuntimeError("a model is gone")

    monkeypatch.setattr(AnswerCache, "forget", forget)
    shared = again(settings, redis_url=SecretStr(redis_url))
    body = {"prompt": "list all the queues"}
    with open_caches(shared, predictor) as kept, open_caches(shared, predictor) as others:
        assert kept is not None
        assert others is not None
        one, other = (TestClient(app_of(predictor, shared, each)) for each in (kept, others))
        with monkeypatch.context() as broken:
            broken.setattr("nextcall.guard.guard.Guard.detect", fail)
            assert ask(one, body)[0] == "MISS"
            assert one.post("/predict/batch", json=[body]).json()["succeeded"] == 1
            assert kept.stats()["query"].entries == 0  # nor was it there for a moment
            assert kept.stats()["query"].invalidated == 0
        assert forgotten == [False, False]
        assert ask(other, body)[0] == "MISS"
        assert ask(one, body)[0] == "HIT"


def test_no_prompt_is_kept(asking: TestClient, caches: ServiceCaches) -> None:
    ask(asking, {"prompt": "list the queues of Zaphod Beeblebrox"})
    for name in caches.layers:
        kept = repr(caches.layers[name].__dict__)
        assert "Zaphod" not in kept


def test_settings_that_change_answers_keep_workers_apart(
    predictor: Predictor, settings: Settings
) -> None:
    one = shared_scope(settings, predictor)
    assert one == shared_scope(again(settings, port=1), predictor)
    assert one != shared_scope(again(settings, guard_threshold=0.7), predictor)
    bare = Predictor(predictor.index, fallback_reason="there is none.")
    assert one != shared_scope(settings, bare)
    shorter = Predictor(predictor.index, ranker=predictor.ranker, max_history=5)
    assert one != shared_scope(settings, shorter)


def test_nothing_is_opened_where_nothing_is_to_be_kept(
    predictor: Predictor, settings: Settings
) -> None:
    with open_caches(again(settings, cache_enabled=False), predictor) as caches:
        assert caches is None


def test_workers_share_answers_and_forget_them_together(
    predictor: Predictor,
    settings: Settings,
    redis: tuple[SecretStr, "subprocess.Popen[bytes]"],
) -> None:
    url, process = redis
    shared = again(settings, redis_url=url, semantic_cache_enabled=False)
    with open_caches(shared, predictor) as one, open_caches(shared, predictor) as other:
        assert one is not None
        assert other is not None
        first, second = (TestClient(app_of(predictor, settings, each)) for each in (one, other))
        body = {"prompt": "list all the queues"}
        assert ask(first, body)[0] == "MISS"
        assert [ask(second, body)[0] for _ in range(3)] == ["HIT"] * 3
        state = other.shared()
        assert state is not None
        assert (state.shared_hits, state.degraded) == (1, False)
        assert first.post("/api/admin/clear-cache").json()["cleared"] >= 1
        assert ask(first, body)[0] == "MISS"
        process.kill()
        process.wait()
        assert ask(first, {"prompt": "create a topic"})[0] == "MISS"
        assert ask(first, {"prompt": "create a topic"})[0] == "HIT"


def test_what_another_worker_cleared_is_not_found_by_its_meaning(
    predictor: Predictor,
    settings: Settings,
    redis: tuple[SecretStr, "subprocess.Popen[bytes]"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = again(settings, redis_url=redis[0])
    with open_caches(shared, predictor) as one, open_caches(shared, predictor) as other:
        assert one is not None
        assert other is not None
        assert other.semantic is not None
        assert other.tiers is not None
        first, second = (TestClient(app_of(predictor, settings, each)) for each in (one, other))
        assert ask(second, {"prompt": "list all the queues"})[0] == "MISS"
        assert ask(second, {"prompt": "List all queues."})[0] == "HIT"
        assert len(other.semantic) == 1
        assert first.post("/api/admin/clear-cache").json()["category"] is None
        monkeypatch.setattr(other.tiers, "_look_at", 0.0)  # so that it hears of it now
        assert ask(second, {"prompt": "list all queues"})[0] == "MISS"


def test_layers_are_as_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTCALL_CACHE_SECONDS", '{"query": 5}')
    monkeypatch.setenv("NEXTCALL_CACHE_ENTRIES", '{"embedding": 7}')
    layers = {layer.category: layer for layer in load_settings().layers()}
    assert (layers["query"].ttl, layers["query"].entries) == (5, 5000)
    assert (layers["embedding"].ttl, layers["embedding"].entries) == (86_400, 7)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "must be JSON"),
        ("[]", "must be an object"),
        ('{"all": 1}', r"\['all'\] are none"),
        ('{"query": 0}', r"otherwise of \['query'\]"),
        ('{"query": "long"}', r"otherwise of \['query'\]"),
    ],
)
def test_a_layer_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv("NEXTCALL_CACHE_SECONDS", value)
    with pytest.raises(ValueError, match=f"NEXTCALL_CACHE_SECONDS: .*{message}"):
        load_settings()


def test_requests_of_a_file_are_read(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text('{"prompt": "a"}\n\n{"prompt": "b"}\n', encoding="utf-8")
    assert read_requests(file) == [b'{"prompt": "a"}', b'{"prompt": "b"}']
    with pytest.raises(ValueError, match="cache_warm_up must be a file"):
        read_requests(tmp_path / "none")


def test_a_file_of_requests_is_answered_before_anyone_asks(
    predictor: Predictor, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(
        '{"prompt": "list the queues"}\n{"prompt": 3}\n'
        '{"prompt": "x\'; DROP TABLE users; --"}\n{"prompt": "create a topic"}\n',
        encoding="utf-8",
    )
    warmed = again(settings, cache_warm_up=file)
    with TestClient(app_of(predictor, warmed, ServiceCaches(warmed, predictor))) as client:
        assert ask(client, {"prompt": "list the queues"})[0] == "HIT"
        assert ask(client, {"prompt": "create a topic"})[0] == "HIT"
        assert ask(client, {"prompt": "create a bucket"})[0] == "MISS"
    with pytest.raises(ValueError, match="cache_warm_up must be a file"):
        app_of(predictor, again(settings, cache_warm_up=tmp_path / "none"), None)


def test_pages_and_descriptions_are_kept_and_what_tells_of_now_is_not(asking: TestClient) -> None:
    told = [asking.get("/openapi.json") for _ in range(2)]
    assert [answer.headers["x-cache"] for answer in told] == ["MISS", "HIT"]
    assert told[0].json() == told[1].json()
    of_now = ("/health", "/metrics", "/performance/metrics", "/performance/health")
    for path in (*of_now, "/cost-analytics"):
        assert [asking.get(path).headers.get("x-cache") for _ in range(2)] == ["BYPASS"] * 2


def test_a_redis_that_goes_is_told_and_comes_back(
    predictor: Predictor,
    settings: Settings,
    start_redis: Callable[[Path], "subprocess.Popen[bytes]"],
) -> None:
    """Nothing is limited here: only answers are shared."""

    def told() -> tuple[str, str, str]:
        health = at_it.get("/health").json()
        cache = health["components"]["cache"]
        return health["status"], cache["status"], cache["answers"]

    def number(name: str) -> float:
        (found,) = re.findall(
            rf"^{re.escape(name)} (\S+)$", at_it.get("/metrics").text, re.MULTILINE
        )
        return float(found)

    def comes(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.1)

    def ended(server: "subprocess.Popen[bytes]") -> None:
        server.kill()
        server.wait(60)

    with TemporaryDirectory(prefix="nextcall-redis-") as folder, ExitStack() as stack:
        url = SecretStr(f"unix://{folder}/s")
        server = start_redis(Path(folder, "s"))
        stack.callback(ended, server)
        shared = again(settings, redis_url=url)
        kept = stack.enter_context(open_caches(shared, predictor))
        at_it = TestClient(app_of(predictor, shared, kept))
        comes(lambda: told() == ("ok", "ok", "redis"))
        comes(lambda: number("nextcall_answer_store_degraded") == 0)
        before = number("nextcall_answer_store_failures_total")
        ask(at_it, {"prompt": "create a bucket"})
        assert number('cache_layer_events_total{event="misses",layer="redis"}') >= 1
        ended(server)
        Path(folder, "s").unlink()
        comes(lambda: told() == ("degraded", "degraded", "memory, for Redis is away"))
        comes(lambda: number("nextcall_answer_store_degraded") == 1)
        assert number("nextcall_answer_store_failures_total") > before
        assert ask(at_it, {"prompt": "create a bucket"})[0] == "HIT"
        stack.callback(ended, start_redis(Path(folder, "s")))
        comes(lambda: told() == ("ok", "ok", "redis"))
        comes(lambda: number("nextcall_answer_store_degraded") == 0)


def test_what_is_kept_in_memory_alone_is_well(asking: TestClient, client: TestClient) -> None:
    components = asking.get("/health").json()["components"]
    assert components["cache"] == {"status": "ok", "answers": "memory"}
    assert "nextcall_answer_store" not in asking.get("/metrics").text
    assert client.get("/health").json()["components"]["cache"] is None


def test_what_is_known_of_a_prompt_alone_serves_after_other_calls(
    asking: TestClient, caches: ServiceCaches
) -> None:
    bodies = [
        {"prompt": "create a bucket", "history": [{"api_call": "s3:ListBuckets"}] * calls}
        for calls in range(3)
    ]
    assert [ask(asking, body)[0] for body in bodies] == ["MISS"] * 3
    stats = caches.stats()["prompt"]
    # What it finds, and that it is harmless; nothing is kept of a prompt that comes once.
    assert (stats.entries, stats.hits, stats.misses) == (2, 2, 2)
    assert asking.post("/api/admin/clear-cache?category=prompt").json()["cleared"] == 2
    assert ask(asking, {**bodies[2], "max_predictions": 5})[0] == "MISS"
    assert caches.stats()["prompt"].misses == 4
