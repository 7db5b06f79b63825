"""What is JSON to the service, and how much of it is read on the loop."""

import json
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Response
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

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


def test_what_is_parsed_on_the_loop_is_small() -> None:
    router = APIRouter(route_class=BodyRoute)

    @router.post("/{name}")
    async def length(name: str, body: bytes) -> Response:
        return Response(f"{name} {len(body)}")

    app = FastAPI()
    app.include_router(router)
    add_error_handlers(app)
    client = TestClient(app)
    assert client.post("/a", content=b" " * LARGEST_AT_ONCE).text == "a 65536"
    answer = client.post("/a", content=b" " * (LARGEST_AT_ONCE + 1))
    assert answer.status_code == 413
    assert answer.json()["details"] == [
        {"field": "body", "rule": "Should have at most 65536 bytes", "got": 65537}
    ]
