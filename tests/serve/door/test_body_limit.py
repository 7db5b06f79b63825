"""A body that is too large is refused, whether it says so or not; and one that comes too slowly."""

import asyncio
import json
from collections.abc import Coroutine, Iterator, MutableMapping
from typing import Any, cast

import pytest
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from nextcall.serve.app import create_app
from nextcall.serve.bodies import too_large
from nextcall.serve.door import body_limit
from nextcall.serve.door.body_limit import BodyLimit
from nextcall.serve.errors import add_error_handlers
from nextcall.serve.predictor import Predictor
from nextcall.serve.problems import RefusedError
from nextcall.serve.settings import load_settings

MOST = 2048


HASTY = 0.05  # seconds, where somebody is to be late


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "_LINGER_SECONDS", 0.01)


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


class Sender:
    """Sends a body in pieces, and keeps what is answered."""

    def __init__(self, *pieces: bytes, then: str = "wait") -> None:
        self._messages = [
            {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
        ]
        self.then = then
        self.answered: list[MutableMapping[str, Any]] = []
        self.waited = asyncio.Event()

    async def receive(self) -> MutableMapping[str, Any]:
        if self._messages:
            return self._messages.pop(0)
        if self.then == "end":
            return {"type": "http.request", "body": b"", "more_body": False}
        if self.then == "hang up":
            return {"type": "http.disconnect"}
        self.waited.set()
        await asyncio.sleep(60)
        raise AssertionError("nobody waits so long")

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.answered.append(message)

    def ask(self, *, most: int = 10, seconds: float = 60, stated: bytes = b"") -> str:
        """Give the status, and what is said of the connection."""
        app = FastAPI()
        add_error_handlers(app)

        @app.post("/")
        async def length(request: Request) -> int:
            return len(await request.body())

        headers = [(b"content-length", stated)] if stated else []
        scope = {
            "type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"",
            "headers": headers, "http_version": "1.1", "scheme": "http", "root_path": "",
            "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2),
        }  # fmt: skip
        limited = BodyLimit(app, most=most, seconds=seconds)
        asyncio.run(limited(scope, self.receive, self.send))
        said = dict(self.answered[0]["headers"]).get(b"connection", b"open").decode()
        assert not self.answered[-1].get("more_body", False)
        return f"{self.answered[0]['status']} {said}"


def test_a_body_that_does_not_end_in_time_is_refused_and_the_connection_closed() -> None:
    sender = Sender(b"[", b"1")
    assert sender.ask(seconds=HASTY) == "408 close"
    assert json.loads(sender.answered[1]["body"]) == {
        "error": "Request body is too slow",
        "details": [{"field": "body", "rule": "Should come within 0.05 seconds", "got": "2 bytes"}],
    }


def test_one_limit_may_stand_behind_another() -> None:
    class Outside(Sender):
        async def receive(self) -> MutableMapping[str, Any]:
            if self.answered:
                raise too_large(1, 2)
            return await super().receive()

    sender = Outside(b"123456", b"123456")
    assert sender.ask() == "413 close"
    assert sender.answered[-1] == {"type": "http.response.body"}


def test_time_runs_for_the_whole_body_not_for_each_piece() -> None:
    class Dripping(Sender):
        async def receive(self) -> MutableMapping[str, Any]:
            await asyncio.sleep(0.02)
            return {"type": "http.request", "body": b"", "more_body": True}

    assert Dripping().ask(seconds=HASTY) == "408 close"


def test_a_body_that_comes_in_time_has_no_more_to_fear() -> None:
    assert Sender(b"[", b"1", b"]", then="end").ask() == "200 open"

    class Late(Sender):
        async def receive(self) -> MutableMapping[str, Any]:
            await asyncio.sleep(0)
            return await super().receive()

    assert Late(b"[", b"1", b"]", then="end").ask() == "200 open"
    assert Late(b"[", then="hang up").ask() == "400 open"


def test_who_waits_for_the_end_of_an_answer_may_wait_long() -> None:
    sender = Sender(b"[]")
    sender._messages[0]["more_body"] = False
    left: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await receive()
        waiting = asyncio.create_task(cast("Coroutine[Any, Any, Any]", receive()))
        await sender.waited.wait()
        await asyncio.sleep(0.03)
        left.append(waiting.done())
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    scope = {"type": "http", "headers": []}
    asyncio.run(BodyLimit(app, most=10, seconds=0.01)(scope, sender.receive, sender.send))
    assert left == [False]


def test_a_fault_of_the_connection_is_told_to_who_reads() -> None:
    class Broken(Sender):
        async def receive(self) -> MutableMapping[str, Any]:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError as cancelled:
                raise ClientDisconnect from cancelled
            raise AssertionError

    assert Broken().ask(seconds=HASTY) == "400 open"


LENGTH: list[tuple[bytes, bytes]] = [(b"content-length", b"6")]
CHUNKED: list[tuple[bytes, bytes]] = [(b"transfer-encoding", b"chunked")]
ASKED_FOR: list[tuple[bytes, bytes]] = [*LENGTH, (b"expect", b"100-continue")]


def answered_unread(sender: Sender, headers: list[tuple[bytes, bytes]]) -> str:
    """Answer without reading, then read; give what is said of the connection, and the body."""

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 401})
        if sender.then == "end":
            read.append((await receive())["body"])
        await send({"type": "http.response.body"})

    read: list[bytes] = []
    scope = {"type": "http", "headers": headers}
    asyncio.run(BodyLimit(app, most=10)(scope, sender.receive, sender.send))
    assert not sender.answered[-1].get("more_body", False)
    said = dict(sender.answered[0].get("headers", [])).get(b"connection", b"open").decode()
    return f"{said} {b''.join(read).decode()}".strip()


def test_a_body_that_nobody_reads_may_come_late_once() -> None:
    whole = Sender(b"123456", then="end")
    whole._messages[0]["more_body"] = False
    assert answered_unread(whole, LENGTH) == "open 123456"
    assert answered_unread(Sender(b"123", then="end"), CHUNKED) == "close 123"
    assert answered_unread(Sender(b"123"), LENGTH) == "close"
    assert answered_unread(Sender(), CHUNKED) == "close"
    asked_for = Sender(b"123456", then="hang up")
    assert answered_unread(asked_for, ASKED_FOR) == "close"
    assert answered_unread(Sender(), [(b"content-length", b"0")]) == "open"
    assert answered_unread(Sender(), []) == "open"


@pytest.mark.parametrize("then", ["end", "hang up"])
def test_what_still_comes_of_a_body_that_is_refused_is_thrown_away(then: str) -> None:
    sender = Sender(*[b"123456"] * 5, then=then)
    assert sender.ask() == "413 close"
    assert not sender._messages
    assert [one["type"] for one in sender.answered] == [
        "http.response.start", "http.response.body", "http.response.body",
    ]  # fmt: skip


def test_a_refusal_may_be_told_in_pieces() -> None:
    sender = Sender(b"123456", b"123456", b"123456", then="end")

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(RefusedError):
            [await receive() for _ in range(3)]
        await send({"type": "http.response.start", "status": 413})
        for piece in (b"too ", b"large"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    scope = {"type": "http", "headers": []}
    asyncio.run(BodyLimit(app, most=10)(scope, sender.receive, sender.send))
    assert sender.answered[0]["headers"] == [(b"connection", b"close")]
    assert b"".join(one.get("body", b"") for one in sender.answered[1:]) == b"too large"
    assert not sender._messages


def test_nobody_waits_long_for_the_rest_of_it() -> None:
    assert Sender(b"123456", b"123456").ask() == "413 close"
    assert Sender().ask(stated=b"11") == "413 close"


def test_a_length_beyond_all_numbers_is_too_large() -> None:
    sender = Sender(then="hang up")
    assert sender.ask(stated=b"9" * 5000) == "413 close"


def test_limits_must_be_above_0() -> None:
    with pytest.raises(ValueError, match=r"^seconds must be above 0, got 0\.$"):
        BodyLimit(FastAPI(), most=1, seconds=0)
