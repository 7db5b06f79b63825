"""What becomes of requests that no route answers."""

from collections.abc import MutableMapping
from typing import Any

import anyio
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from nextcall.serve.app import create_app
from nextcall.serve.errors import add_error_handlers
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings


@pytest.mark.parametrize("path", ["/predictions", "/static/none.js", "/" + "x" * 5000])
def test_an_unknown_path_is_404(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    detail = answer.json()["details"][0]
    assert detail["field"] == "path"
    assert len(detail["got"]) <= 100
    assert path.startswith(detail["got"].removesuffix("..."))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/predict", "POST"), ("PUT", "/predict/batch", "POST"), ("POST", "/health", "GET")],
)
def test_a_wrong_verb_is_405(client: TestClient, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert answer.json() == {
        "error": "Method not allowed",
        "details": [
            {"field": "method", "rule": f"Should be {allowed} at this path", "got": method}
        ],
    }


def test_all_methods_of_a_path_are_told_whichever_route_has_them() -> None:
    first, second = APIRouter(), APIRouter()
    first.add_api_route("/a/{name}", lambda: None, methods=["POST"])
    second.add_api_route("/a/{name}", lambda: None, methods=["PUT", "GET"])
    second.add_api_route("/b", lambda: None)
    app = FastAPI()
    app.include_router(first)
    app.include_router(second)
    app.mount("/static", StaticFiles(directory="."))
    add_error_handlers(app)
    client = TestClient(app)
    answer = client.delete("/a/x")
    assert answer.headers["allow"] == "GET, POST, PUT"
    assert answer.json()["details"][0]["rule"] == "Should be GET, POST, PUT at this path"
    answer = client.delete("/static/a.css")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_fault_is_answered_without_its_inside() -> None:
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/fault")
    def fault() -> None:
        raise RuntimeError("the inside")

    @app.get("/teapot")
    def teapot() -> None:
        raise HTTPException(418, "short and stout")

    asking = TestClient(app, raise_server_exceptions=False)
    answer = asking.get("/fault")
    assert (answer.status_code, answer.json()) == (500, {"error": "Internal error", "details": []})
    assert asking.get("/teapot").json() == {"error": "short and stout", "details": []}


def test_who_hangs_up_while_sending_leaves_no_fault(
    predictor: Predictor, settings: Settings
) -> None:
    app = create_app(predictor, settings=settings)
    scope = {
        "type": "http", "method": "POST", "path": "/predict", "raw_path": b"/predict",
        "query_string": b"", "headers": [], "http_version": "1.1", "scheme": "http",
        "root_path": "", "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2),
    }  # fmt: skip
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    anyio.run(app, scope, receive, send)
    assert sent[0]["status"] == 400
