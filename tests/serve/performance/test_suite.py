"""The suite on a real service: what it measures, what it leaves alone, what it refuses."""

import multiprocessing
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from nextcall.performance.history import RunHistory
from nextcall.performance.prompts import fresh_prompts
from nextcall.performance.repeating import Budget
from nextcall.performance.run import PerformanceRun
from nextcall.serve.app import create_app
from nextcall.serve.caching.caches import open_caches
from nextcall.serve.observer import Observer
from nextcall.serve.parts import Parts
from nextcall.serve.performance.measuring import Measuring
from nextcall.serve.performance.suite import ServiceParts, count_parts, measure_parts
from nextcall.serve.performance.suite_runs import measure_here, measure_there
from nextcall.serve.performance.suite_service import service_process
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.server import bind
from nextcall.serve.safety.safety import Safety
from nextcall.serve.settings import Settings
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.telemetry.service_level import ServiceLevelTargets

PARTS = ["guard", "vector", "candidates", "ranking", "prediction", "kept"]
USERS = ["users_new", "users_same"]


@pytest.fixture
def history(tmp_path: Path) -> Iterator[RunHistory]:
    with Database(f"sqlite:///{tmp_path}/runs.db") as database:
        migrate(database)
        yield RunHistory(database)


@pytest.fixture
def observer() -> Observer:
    return Observer()


@pytest.fixture
def asking(
    predictor: Predictor, settings: Settings, history: RunHistory, observer: Observer
) -> Iterator[TestClient]:
    roomy = settings.model_copy(update={"performance_seconds": 60.0})  # for what is counted
    with open_caches(roomy, predictor) as caches:
        app = create_app(
            predictor,
            settings=roomy,
            parts=Parts(caches=caches, observer=observer, history=history),
        )
        with TestClient(app) as client:
            yield client
        predictor.vectors = predictor.views = None


def names_of(parts: ServiceParts) -> list[str]:
    async def main() -> list[str]:
        prompts = fresh_prompts(np.random.default_rng(0))
        return list(await measure_parts(parts, prompts, repeats=1, budget=Budget(None, 6)))

    found = anyio.run(main)
    assert len(found) == count_parts(parts)
    return found


def test_a_part_that_the_service_has_not_is_left_out(
    predictor: Predictor, fallback: Predictor, settings: Settings
) -> None:
    def parts(of: Predictor, **changed: Any) -> list[str]:
        given = settings.model_copy(update=changed)
        return names_of(ServiceParts.of(of, Safety(given, of.index.catalog), given))

    assert parts(predictor) == PARTS
    assert parts(fallback) == [name for name in PARTS if name != "ranking"]
    assert parts(predictor, cache_enabled=False) == PARTS[:-1]
    assert parts(predictor, guard_enabled=False) == PARTS[1:]


def test_the_route_measures_every_part_and_keeps_the_figures(asking: TestClient) -> None:
    answer = asking.post("/performance/test", params={"repeats": 3})
    assert answer.status_code == 200
    run = answer.json()
    assert list(run["parts"]) == [*PARTS, *USERS]
    for part in run["parts"].values():
        assert (part["count"], part["errors"], len(part["samples_ms"])) == (3, 0, 3)
        assert 0 < part["p50"] <= part["p95"] <= part["p99"] <= part["longest"]
    assert (run["source"], run["kept"]) == ("route", True)
    (kept,) = asking.get("/performance/benchmarks").json()["runs"]
    assert kept["at"] == run["at"]
    assert kept["promises"] == run["promises"]
    assert kept["parts"]["kept"] == {**run["parts"]["kept"], "samples_ms": None}
    asking.post("/performance/test", params={"repeats": 1})
    assert len(asking.get("/performance/benchmarks").json()["runs"]) == 2
    assert len(asking.get("/performance/benchmarks?limit=1").json()["runs"]) == 1


def test_a_run_changes_no_number_of_the_service(asking: TestClient, observer: Observer) -> None:
    asking.post("/predict", json={"prompt": "list the queues"})
    before = asking.get("/performance/metrics").json()
    asking.post("/performance/test", params={"repeats": 2})
    after = asking.get("/performance/metrics").json()
    for name in ("cache", "guardrails_metrics", "cold_start_metrics", "parts"):
        assert after[name] == before[name], name
    assert after["endpoints"]["POST /predict"] == before["endpoints"]["POST /predict"]
    assert observer.latencies.told()["POST /performance/test"].count == 1


def test_the_time_that_is_set_bounds_a_run(
    predictor: Predictor, settings: Settings, history: RunHistory
) -> None:
    roomy = {"memory_bytes": 1e12}  # a process of tests is larger than a service
    short = settings.model_copy(update={"performance_seconds": 1e-6, "service_level": roomy})
    with TestClient(create_app(predictor, settings=short, parts=Parts(history=history))) as asking:
        run = asking.post("/performance/test").json()
    assert {part["count"] for part in run["parts"].values()} == {1}
    assert run["status"] == "met"  # of memory; of one call nothing is said
    timed = [one["status"] for one in run["promises"] if one["part"] != "service"]
    assert set(timed) == {"unknown"}


def test_without_a_database_a_run_is_told_once(client: TestClient) -> None:
    run = client.post("/performance/test", params={"repeats": 1}).json()
    assert run["kept"] is False
    assert client.get("/performance/benchmarks").json() == {"runs": []}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/performance/test?repeats=0"),
        ("POST", "/performance/test?repeats=101"),
        ("POST", "/performance/test?repeats=many"),
        ("GET", "/performance/benchmarks?limit=0"),
        ("GET", "/performance/benchmarks?limit=201"),
    ],
)
def test_parameters_that_break_their_rule_are_refused(
    client: TestClient, method: str, path: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 422
    assert answer.json()["error"] == "Request failed validation"


def test_a_second_run_is_refused_while_one_is_under_way_and_others_are_answered(
    predictor: Predictor, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    measure = Measuring._measure

    def held(self: Measuring, repeats: int) -> PerformanceRun:
        begun.set()
        assert may_end.wait(60)
        return measure(self, repeats)

    monkeypatch.setattr(Measuring, "_measure", held)
    with TestClient(create_app(predictor, settings=settings)) as asking:
        first = threading.Thread(target=lambda: asking.post("/performance/test?repeats=1"))
        first.start()
        try:
            assert begun.wait(60)
            second = asking.post("/performance/test?repeats=1")
            assert second.status_code == 409
            assert second.json()["error"].startswith("A run is under way")
            assert asking.post("/predict", json={"prompt": "list queues"}).status_code == 200
        finally:
            may_end.set()
            first.join()
        assert asking.post("/performance/test?repeats=1").status_code == 200


def test_a_service_that_is_started_for_it_is_measured_over_http(
    predictor: Predictor, settings: Settings
) -> None:
    run = measure_here(settings, rng=np.random.default_rng(), repeats=3)
    assert list(run.parts) == [*PARTS, *USERS]
    assert {(one.count, one.errors) for one in run.parts.values()} == {(3, 0)}
    assert run.model_version == predictor.model_version
    (memory,) = (one.target for one in run.promises if one.part == "service")
    assert memory.value > 1e8
    assert abs((run.at - datetime.now(UTC)).total_seconds()) < 600


def test_a_service_that_cannot_start_is_told(settings: Settings, tmp_path: Path) -> None:
    nowhere = settings.model_copy(update={"catalog": tmp_path / "none.parquet"})
    with (
        bind("127.0.0.1", 0) as listening,
        service_process(nowhere, listening) as service,
        pytest.raises(RuntimeError, match=r"^The service ended before it was started\.$"),
    ):
        service.wait()


def test_a_service_that_does_not_answer_is_told(settings: Settings) -> None:
    with (
        bind("127.0.0.1", 0) as listening,
        service_process(settings, listening) as service,
        pytest.raises(RuntimeError, match=r"^The service did not answer within 0\.01 seconds\.$"),
    ):
        service.wait(0.01)


def test_the_memory_of_a_started_service_is_that_of_its_process(settings: Settings) -> None:
    with bind("127.0.0.1", 0) as listening, service_process(settings, listening) as service:
        service.wait()
        (child,) = multiprocessing.active_children()
        status = Path(f"/proc/{child.pid}/status").read_text()
        (resident,) = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert service.memory_bytes() == pytest.approx(int(resident) * 1024, rel=0.05)


def test_a_service_that_runs_is_measured_by_its_address(
    app: FastAPI, serving: Callable[[FastAPI], AbstractContextManager[Any]]
) -> None:
    with serving(app) as service:
        run = measure_there(
            service.at, targets=ServiceLevelTargets(), rng=np.random.default_rng(), repeats=4
        )
    assert {name: one.count for name, one in run.parts.items()} == dict.fromkeys(USERS, 4)
    assert run.model_version is None
    assert "memory" not in {each.target.name for each in run.promises}


def test_a_key_is_sent_and_one_is_asked_for(production: tuple[Any, dict[str, str]]) -> None:
    service, keys = production

    def measured(key: str | None) -> PerformanceRun:
        rng = np.random.default_rng()
        targets = ServiceLevelTargets()
        return measure_there(service.at, key=key, targets=targets, rng=rng, repeats=1)

    run = measured(keys["user"])
    assert {one.errors for one in run.parts.values()} == {0}
    with pytest.raises(ValueError, match=r"^key must be one that may predict, got status 401"):
        measured(None)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://a", "http://", "http://a:port"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url must be such as http://127.0.0.1:8000, got"):
        measure_there(url, targets=ServiceLevelTargets(), rng=np.random.default_rng())
