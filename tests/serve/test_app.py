"""The application as a whole."""

from typing import Any

import anyio.to_thread
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from nextcall.serve.app import create_app
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings, load_settings


def test_production_is_not_built(predictor: Predictor) -> None:
    with pytest.raises(ValueError, match="refuses to run without authentication"):
        create_app(predictor, settings=load_settings(environment="production"))


def test_every_reference_of_the_description_leads_somewhere(client: TestClient) -> None:
    description = client.get("/openapi.json").json()

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(references, value.values()))
        if isinstance(value, list):
            return set().union(*map(references, value))
        return set()

    known = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}
    assert references(description) <= known
    assert set(description["paths"]) == {"/predict", "/predict/batch", "/health"}


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
