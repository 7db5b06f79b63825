"""The application as a whole."""

import re
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from nextcall.access.permissions import UNLISTED, route_of
from nextcall.resilience.breakers import Breakers
from nextcall.serve.app import create_app
from nextcall.serve.assistant.service_assistant import open_assistant
from nextcall.serve.jobs.service_jobs import open_jobs
from nextcall.serve.loading import open_stores
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings, load_settings


def test_production_is_not_built_without_a_door(predictor: Predictor) -> None:
    with pytest.raises(ValueError, match=r"^door must be given in production"):
        create_app(predictor, settings=load_settings(environment="production"))


@pytest.mark.parametrize("kept", [False, True])
def test_every_reference_of_the_description_leads_somewhere(
    predictor: Predictor, settings: Settings, tmp_path: Path, *, kept: bool
) -> None:
    with open_stores(load_settings(database_url=f"sqlite:///{tmp_path}/a.db")) as stores:
        app = create_app(
            predictor,
            settings=settings,
            parts=Parts(
                trials=stores.trials if kept else None, feedback=stores.feedback if kept else None
            ),
        )
    description = app.openapi()

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(references, value.values()))
        if isinstance(value, list):
            return set().union(*map(references, value))
        return set()

    known = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}
    assert references(description) <= known
    tests = "/api/ab-testing/tests"
    of_tests = {tests, f"{tests}/{{test_id}}"}
    steps = ("assign", "record", "start", "stop", "archive", "analyze", "history")
    of_tests |= {f"{tests}/{{test_id}}/{step}" for step in steps}
    others = {"/predict", "/predict/batch", "/health", "/metrics", "/api/admin/clear-cache"}
    others.add("/cost-analytics")
    others |= {f"/performance/{name}" for name in ("metrics", "health", "test", "benchmarks")}
    assert set(description["paths"]) == (others | of_tests | {"/feedback"} if kept else others)


def test_jobs_and_models_have_paths_of_their_own(
    predictor: Predictor, settings: Settings, tmp_path: Path
) -> None:
    own = load_settings(database_url=f"sqlite:///{tmp_path}/a.db", data_dir=tmp_path)
    bare = create_app(predictor, settings=settings).openapi()["paths"]
    with (
        open_stores(own) as stores,
        open_jobs(own, stores.database, predictor.pinned()) as jobs,
    ):
        app = create_app(predictor, settings=settings, parts=Parts(jobs=jobs))
    paths = {"/train", "/generate-data", "/jobs", "/jobs/{job_id}", "/jobs/{job_id}/cancel"}
    described = app.openapi()["paths"]
    assert set(described) - set(bare) == {*paths, "/api/admin/rollback-model"}
    asked = {(method.upper(), path) for path in paths for method in described[path]}
    assert not {each for each in asked if route_of(*each)[1] == UNLISTED}


def test_an_assistant_has_a_path_of_its_own(
    predictor: Predictor, settings: Settings, tmp_path: Path
) -> None:
    bare = create_app(predictor, settings=settings).openapi()["paths"]
    with open_stores(load_settings(database_url=f"sqlite:///{tmp_path}/a.db")) as stores:
        assistant = open_assistant(settings, stores.ledger, breakers=Breakers(), environment={})
        app = create_app(predictor, settings=settings, parts=Parts(assistant=assistant))
    assert set(app.openapi()["paths"]) - set(bare) == {"/api/run"}
    assert route_of("POST", "/api/run")[1] != UNLISTED


def test_only_so_many_requests_are_computed_side_by_side(predictor: Predictor) -> None:
    app = create_app(predictor, settings=load_settings(threads=3))

    @app.get("/threads")
    async def threads() -> float:
        return anyio.to_thread.current_default_thread_limiter().total_tokens

    with TestClient(app) as asking:
        assert asking.get("/threads").json() == 3


def test_an_application_has_no_state_but_its_own(predictor: Predictor, settings: Settings) -> None:
    one, other = (create_app(predictor, settings=settings) for _ in range(2))
    assert isinstance(one, FastAPI)
    assert one is not other


def test_every_route_says_what_it_asks_for(
    predictor: Predictor, settings: Settings, tmp_path: Path
) -> None:
    with open_stores(load_settings(database_url=f"sqlite:///{tmp_path}/a.db")) as stores:
        app = create_app(
            predictor,
            settings=settings,
            parts=Parts(trials=stores.trials, feedback=stores.feedback),
        )
    asked = {
        (method.upper(), re.sub(r"\{\w+\}", "7", path))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    asked |= {("GET", page) for page in ("/", "/dashboard", "/docs", "/redoc", "/openapi.json")}
    asked.add(("POST", "/api/ab-testing/tests/7/analyze"))
    assert {("PUT", "/api/ab-testing/tests/7"), ("POST", "/feedback")} <= asked
    assert not {each for each in asked if route_of(*each)[1] == UNLISTED}
