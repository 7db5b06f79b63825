"""Every request has an id and an address; an address that floods is refused."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Send

from nextcall.access.address_rates import AddressRates
from nextcall.access.identifiers import networks
from nextcall.serve.door.gate import Gate
from nextcall.serve.observer import Observer
from nextcall.telemetry.families import HTTP_REQUESTS


async def answer(request: Request) -> Response:
    return JSONResponse({"id": request.state.request_id, "address": request.state.address})


def client(*, per_minute: int | None = None, peer: str = "192.0.2.1") -> TestClient:
    rates = None if per_minute is None else AddressRates(per_minute, clock=lambda: 0.0)
    app = Starlette(routes=[Route("/", answer)])
    return TestClient(Gate(app, rates=rates, trusted=networks(["10.0.0.0/8"])), client=(peer, 1))


def test_each_request_has_an_id_of_its_own_which_the_answer_repeats() -> None:
    asking = client()
    answers = [asking.get("/") for _ in range(50)]
    ids = [each.json()["id"] for each in answers]
    assert ids == [each.headers["x-request-id"] for each in answers]
    assert len(set(ids)) == 50
    assert {len(each) for each in ids} == {32}


@pytest.mark.parametrize(
    ("given", "kept"),
    [("job-7_a.B", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("", False),
     ("a\tb", False), ("é", False)],
)  # fmt: skip
def test_an_id_that_came_is_kept_where_it_is_one(given: str, *, kept: bool) -> None:
    told = client().get("/", headers={b"X-Request-ID": given.encode("latin-1")}).json()["id"]
    assert (told == given) is kept


def test_the_address_is_seen_through_proxies_that_are_trusted() -> None:
    headers = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "198.51.100.7")]
    told = client(peer="10.0.0.1").get("/", headers=headers).json()["address"]
    assert told == "198.51.100.7"
    assert client().get("/", headers=headers).json()["address"] == "192.0.2.1"


def test_an_address_that_floods_is_refused_whoever_asks() -> None:
    asking = client(per_minute=3)
    codes = [asking.get("/", headers={"X-API-Key": str(n)}).status_code for n in range(5)]
    assert codes == [200] * 3 + [429] * 2
    refused = asking.get("/")
    told = {"error": "Too many requests from this address", "retry_after": 20, "limits": {}}
    assert refused.json() == told
    assert refused.headers["retry-after"] == "20"
    assert len(refused.headers["x-request-id"]) == 32
    with asking:  # the lifespan of the application passes
        assert asking.get("/").status_code == 429


@pytest.mark.parametrize("watched", [True, False])
def test_an_error_that_nobody_answers_is_answered_and_raised_again(*, watched: bool) -> None:
    async def fail(*_: object) -> None:
        raise KeyError("inside")

    observer = Observer() if watched else None
    gate = Gate(fail, observer=observer)
    with pytest.raises(KeyError, match="inside"):  # for whoever logs it
        TestClient(gate).get("/health")
    told = TestClient(gate, raise_server_exceptions=False).get("/health")
    assert (told.status_code, told.json()) == (500, {"error": "Internal error", "details": []})
    assert len(told.headers["x-request-id"]) == 32
    if observer is not None:
        counted = observer.metrics.totals(HTTP_REQUESTS)
        assert counted == {("GET", "/health", "500"): (2.0,)}


def test_an_answer_that_breaks_off_is_no_second_one() -> None:
    async def break_off(_: object, __: object, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError("inside")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "client": ("a", 1)}
    with pytest.raises(KeyError, match="inside"):
        asyncio.run(Gate(break_off)(scope, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start"]
