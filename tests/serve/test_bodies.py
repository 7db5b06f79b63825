"""What is JSON to the service, and how much of it is read on the loop."""

import asyncio
import json
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Response
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient
from starlette.types import Message

from nextcall.serve.bodies import LARGEST_AT_ONCE, BodyRoute, parsed_body
from nextcall.serve.errors import add_error_handlers
from nextcall.serve.problems import RefusedError

PIECES = st.sampled_from(["\\", "\0", "u0000", '"', "a", "\\u0000", "\n"])
TEXTS = st.lists(PIECES, max_size=6).map("".join)
VALUES = st.recursive(
    TEXTS | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)


def _has_null(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(map(_has_null, [*value, *value.values()]))
    return isinstance(value, list) and any(map(_has_null, value))


@given(VALUES)
def test_json_is_read_unless_a_text_in_it_holds_a_null_character(value: Any) -> None:
    body = json.dumps(value).encode()
    if _has_null(value):
        with pytest.raises(RefusedError) as refused:
            parsed_body(body)
        assert refused.value.refusal.details[0].rule == "Should hold no null character"
    else:
        assert parsed_body(body) == value


@pytest.mark.parametrize(
    "body", [b"", b"NaN", rb'"\ud800"', b"[" * 100_000, b'"\xff"', b"9" * 5000, b"\xef\xbb\xbf{}"]
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        parsed_body(body)
    (detail,) = refused.value.refusal.details
    assert detail.rule.startswith("Should be JSON: ")
    assert detail.got == f"{len(body)} bytes"


@pytest.mark.parametrize("included", [True, False])
def test_what_is_parsed_on_the_loop_is_small(*, included: bool) -> None:
    router = APIRouter(route_class=BodyRoute)

    @router.post("/{name}")
    async def length(name: str, body: bytes) -> Response:
        return Response(f"{name} {len(body)}")

    app = FastAPI()
    if included:
        app.include_router(router)
    else:
        app.router.routes.extend(router.routes)
    add_error_handlers(app)
    client = TestClient(app)
    assert client.post("/a", content=b" " * LARGEST_AT_ONCE).text == "a 65536"
    assert client.post("/a", content=iter([b"ab", b"", b"c"])).text == "a 3"
    assert client.get("/a").status_code == 405
    answer = client.post("/a", content=b" " * (LARGEST_AT_ONCE + 1))
    assert answer.status_code == 413
    assert answer.json()["details"] == [
        {"field": "body", "rule": "Should have at most 65536 bytes", "got": 65537}
    ]


def test_a_body_whose_sender_hung_up_is_none() -> None:
    messages = [{"type": "http.request", "body": b"a", "more_body": True}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        raise AssertionError

    async def answer(body: bytes) -> Response:
        raise AssertionError(body)

    route = BodyRoute("/", answer)

    async def ask() -> None:
        await route.app({"type": "http", "path_params": {}}, receive, send)

    with pytest.raises(ClientDisconnect):
        asyncio.run(ask())
