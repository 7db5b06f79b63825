"""A body that is too large is refused, whether it says so or not."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from nextcall.serve.app import create_app
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import load_settings

MOST = 2048


@pytest.fixture
def narrow(predictor: Predictor) -> Iterator[TestClient]:
    """Ask an application that takes 2 kB."""
    with TestClient(create_app(predictor, settings=load_settings(max_body_bytes=MOST))) as asking:
        yield asking


def _body(size: int) -> bytes:
    start = b'{"prompt": "list queues"'
    return start + b" " * (size - len(start) - 1) + b"}"


def _pieces(body: bytes) -> Iterator[bytes]:
    yield from (body[start : start + 100] for start in range(0, len(body), 100))


def test_the_most_is_taken(narrow: TestClient) -> None:
    assert narrow.post("/predict", content=_body(MOST)).status_code == 200
    assert narrow.post("/predict", content=_pieces(_body(MOST))).status_code == 200


def test_one_byte_more_is_refused_before_it_is_read(narrow: TestClient) -> None:
    answer = narrow.post("/predict", content=_body(MOST + 1))
    assert answer.status_code == 413
    assert answer.json() == {
        "error": "Request body is too large",
        "details": [{"field": "body", "rule": "Should have at most 2048 bytes", "got": MOST + 1}],
    }


def test_one_byte_more_without_a_stated_length_is_refused(narrow: TestClient) -> None:
    answer = narrow.post("/predict", content=_pieces(_body(MOST + 1)))
    assert answer.status_code == 413
    assert answer.json()["details"][0]["got"] > MOST


def test_a_length_that_is_none_is_counted(narrow: TestClient) -> None:
    headers = {"content-length": "many"}
    answer = narrow.post("/predict", content=_body(MOST + 1), headers=headers)
    assert answer.status_code == 413


def test_what_is_no_request_passes(narrow: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), narrow.websocket_connect("/predict"):
        pass
