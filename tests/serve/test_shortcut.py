"""The shortcut answers as the application would, errors too."""

import pytest
from starlette.testclient import TestClient

from nextcall.serve.fronted_app import FrontedApp
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings
from nextcall.serve.shortcut import Shortcut


def test_one_path_is_handed_over() -> None:
    app = FrontedApp()

    @app.get("/a")
    @app.post("/b")
    def usual() -> str:
        return "usual"

    @app.post("/a")
    def far() -> str:
        return "far"

    async def short(*_: object) -> None:
        raise KeyError("short")

    @app.exception_handler(KeyError)
    async def handled(_: object, error: KeyError) -> object:
        from starlette.responses import JSONResponse  # noqa: PLC0415  # of this test

        return JSONResponse(error.args[0], 418)

    app.put_before(
        Shortcut, method="POST", path="/a", answer=short, handlers=app.exception_handlers
    )
    client = TestClient(app)
    assert (client.post("/a").status_code, client.post("/a").json()) == (418, "short")
    assert [client.get("/a").json(), client.post("/b").json()] == ["usual", "usual"]
    with TestClient(app) as living:  # the lifespan passes
        assert living.get("/a").json() == "usual"


@pytest.mark.parametrize(
    ("body", "query", "status"),
    [
        (b'{"prompt": "list the queues"}', "", 200),
        (b'{"prompt": "list the queues"}', "?detail=full", 200),
        (b'{"prompt": "list the queues"}', "?detail=short&detail=full", 200),
        (b'{"prompt": "list the queues"}', "?detail=long", 422),
        (b'{"prompt": "list the queues"}', "?detail=", 422),
        (b'{"prompt": "list the queues"}', "?other=1", 200),
        (b"{", "", 422),
        (b'{"prompt": ""}', "", 422),
        (b'{"prompt": "x\'; DROP TABLE users; --"}', "", 400),
        (b" " * 70_000 + b'{"prompt": "list the queues"}', "", 200),
    ],
)
def test_below_a_prefix_the_route_answers_the_same(
    predictor: Predictor, settings: Settings, body: bytes, query: str, status: int
) -> None:
    from nextcall.serve.app import create_app  # noqa: PLC0415  # after the fixtures

    app = create_app(predictor, settings=settings)
    client = TestClient(app)
    below = TestClient(app, root_path="/proxy")
    near = client.post(f"/predict{query}", content=body)
    far = below.post(f"/proxy/predict{query}", content=body)
    assert (near.status_code, far.status_code) == (status, status)
    once = ("prediction_id", "processing_time_ms", "metadata")
    near_told, far_told = (
        {name: value for name, value in answer.json().items() if name not in once}
        for answer in (near, far)
    )
    assert near_told == far_told
    assert near.headers["content-type"] == far.headers["content-type"] == "application/json"
