"""Who waits for an answer that another worker computes hears how that failed, if it failed for all.

The other worker computes what it is told to; the one that waits answers over HTTP.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx2 import Response
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from redis import Redis
from starlette.testclient import TestClient
from tests.serve.caching.conftest import again, app_of

from nextcall.cache.failures import SharedFailureError
from nextcall.resilience.deadline import DeadlineExceededError
from nextcall.serve.caching.answer_cache import request_key
from nextcall.serve.caching.answer_failures import AnswerFailures
from nextcall.serve.caching.caches import ServiceCaches, open_caches
from nextcall.serve.caching.kept_answer import KeptAnswer
from nextcall.serve.predictor import Predictor
from nextcall.serve.problems import Problem, RefusedError, UnsafeError
from nextcall.serve.schemas import PredictRequest
from nextcall.serve.settings import Settings

SOON = 60.0  # seconds after which a test hangs
PLAIN = {"prompt": "list all the queues of Zaphod"}
ATTACK = {"prompt": "x'; DROP TABLE zaphod; --"}
BROKEN = [("prompt", "Should not look like a towel"), ("history.0.api_call", "Should be shorter")]


class Workers:
    """One that computes, and one that waits."""

    def __init__(self, computes: ServiceCaches, waits: ServiceCaches, client: TestClient) -> None:
        self.computes, self.client, self.looks = computes, client, 0
        tiers = waits.tiers
        assert tiers is not None
        read = tiers.shared.read

        def counted(key: str, *, waiting_for: bytes = b"") -> object:
            self.looks += 1
            return read(key, waiting_for=waiting_for)

        tiers.shared.read = counted  # type: ignore[method-assign, assignment]

    def asked_while(self, error: Exception, body: dict[str, str], path: str) -> Response:
        """Ask the one that waits, while the other one computes what fails."""
        begun, let_go = threading.Event(), threading.Event()
        asked = ("short", "block", self.client.app.state.identity)  # type: ignore[attr-defined]
        key = request_key(
            PredictRequest(prompt=body["prompt"], max_predictions=3), asked, now=datetime.now(UTC)
        )

        def fail() -> KeptAnswer:
            begun.set()
            assert let_go.wait(SOON)
            raise error

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(self.computes.answers.get_or_compute, key, fail)
            assert begun.wait(SOON)
            sent: Any = [body] if path.endswith("batch") else body
            second = pool.submit(self.client.post, path, json=sent)
            wait_for(lambda: self.looks >= 3)
            let_go.set()
            assert first.exception(SOON) is error
            return second.result(SOON)

    def guard(self) -> tuple[int, int]:
        told = self.client.get("/health").json()["components"]["guard"]
        return told["total"], told["blocked"]


def wait_for(condition: Callable[[], bool]) -> None:
    pause, passed = threading.Event(), 0
    while not condition():
        pause.wait(0.002)
        passed += 1
        assert passed < SOON * 500


@pytest.fixture
def workers(predictor: Predictor, settings: Settings, redis_url: str) -> Iterator[Workers]:
    shared = again(settings, redis_url=SecretStr(redis_url), semantic_cache_enabled=False)
    with open_caches(shared, predictor) as computes, open_caches(shared, predictor) as waits:
        assert computes is not None
        assert waits is not None
        app = app_of(predictor, shared, waits)
        app.state.identity = predictor.identity
        yield Workers(computes, waits, TestClient(app, raise_server_exceptions=False))


def test_what_the_guard_refused_is_refused_for_the_same_reasons(workers: Workers) -> None:
    """The guard of the one that waits would let it pass."""
    answer = workers.asked_while(UnsafeError(BROKEN), PLAIN, "/predict")
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "Input failed safety validation",
        "reasons": [f"{place}: {rule}" for place, rule in BROKEN],
    }


def test_an_attack_is_counted_by_who_waited(workers: Workers) -> None:
    answer = workers.asked_while(UnsafeError(BROKEN), ATTACK, "/predict")
    assert answer.status_code == 400
    assert answer.json()["reasons"] == ["prompt: Should not look like sqli"]
    assert workers.guard() == (1, 1)


def test_so_is_an_item_of_a_batch(workers: Workers) -> None:
    answer = workers.asked_while(UnsafeError(BROKEN), PLAIN, "/predict/batch")
    (item,) = answer.json()["results"]
    assert item["answer"] is None
    told = [(each["field"], each["rule"]) for each in item["problem"]["details"]]
    assert told == BROKEN


def test_a_fault_is_a_fault_for_who_waited_and_not_tried_again(workers: Workers) -> None:
    answer = workers.asked_while(KeyError("Zaphod"), PLAIN, "/predict")
    assert (answer.status_code, answer.json()["error"]) == (500, "Internal error")
    assert workers.guard() == (0, 0)  # it did not compute
    later = workers.client.post("/predict", json=PLAIN)
    assert (later.status_code, later.headers["x-cache"]) == (200, "MISS")


@pytest.mark.parametrize(
    "error",
    [
        DeadlineExceededError("must end within 30 seconds."),
        MemoryError(),
        RefusedError(Problem(error="Request failed validation")),
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_who_waited_computes_where_it_failed_for_the_first_alone(
    workers: Workers, error: Exception, path: str
) -> None:
    answer = workers.asked_while(error, PLAIN, path)
    assert answer.status_code == 200
    if path == "/predict":
        assert answer.headers["x-cache"] == "MISS"
    assert workers.guard() == (1, 0)


@pytest.mark.parametrize("error", [UnsafeError(BROKEN), KeyError(PLAIN["prompt"])])
def test_nothing_of_a_prompt_reaches_redis(
    workers: Workers, redis_url: str, error: Exception
) -> None:
    workers.asked_while(error, PLAIN, "/predict")
    with Redis.from_url(redis_url) as client:
        failed = [name for name in client.scan_iter() if b":failed:" in name]
        told = b"".join(client.get(name) or b"" for name in failed)
    assert len(failed) == 1
    assert told.startswith((b"unsafe [[", b"fault"))
    assert b"Zaphod" not in told


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=25))
def test_a_refusal_is_told_whole(broken: list[tuple[str, str]]) -> None:
    failures, error = AnswerFailures(), UnsafeError(broken)
    told = failures.told(error)
    assert told is not None
    heard = failures.heard(told)
    assert isinstance(heard, UnsafeError)
    assert (heard.refusal, heard.problem) == (error.refusal, error.problem)


@pytest.mark.parametrize("pairs", ["", "{", "3", "[]", "[3]", '["abc"]', "null", "[[1, 2, 3]]"])
def test_what_nobody_tells_is_a_fault(pairs: str) -> None:
    for told in (f"unsafe {pairs}", pairs):
        assert isinstance(AnswerFailures().heard(told), SharedFailureError)
