"""What is answered from memory is what the application said to the same request lately."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from nextcall.cache.cache import Cache
from nextcall.serve.caching.http_cache import HttpCache

POLICIES: dict[str, dict[str, str]] = {
    "/plain": {},
    "/vary": {"vary": "Accept-Language"},
    "/vary-all": {"vary": "accept, *"},
    "/no-store": {"cache-control": "no-store"},
    "/private": {"cache-control": "max-age=60, private"},
    "/no-cache": {"cache-control": 'no-cache="x"'},
    "/short": {"cache-control": "max-age=10"},
    "/long": {"cache-control": "max-age=100000000000000000000000"},
    "/public": {"cache-control": "public", "vary": "X-Unit"},
    "/shared": {"cache-control": "max-age=0, s-maxage=20"},
    "/none": {"cache-control": "max-age=0"},
    "/aged": {"cache-control": "max-age=60", "age": "50"},
    "/unread": {"cache-control": "max-age=soon"},
    "/cookie": {"set-cookie": "a=b"},
    "/expires": {"expires": "Thu, 01 Jan 2099 00:00:00 GMT"},
    "/dated": {"expires": "Thu, 01 Jan 2099 00:00:00 GMT", "cache-control": "max-age=60"},
}
NEVER = {"/vary-all", "/no-store", "/private", "/no-cache", "/none", "/unread", "/cookie"}
NEVER |= {"/expires"}
FRESH = {"/short": 10, "/shared": 20, "/aged": 10, "/dated": 60}


class World:
    """An application that says what it was asked, and how often it was."""

    def __init__(self, **options: Any) -> None:
        self.asked, self.now, self.status = 0, 0.0, 200
        methods = ["GET", "HEAD", "POST", "DELETE"]
        routes = [Route(path, self.answer, methods=methods) for path in POLICIES]
        routes.append(Route("/stream", self.stream))
        self.cache = HttpCache(Starlette(routes=routes), clock=lambda: self.now, **options)
        self.client = TestClient(self.cache)
        self.get: Callable[..., Any] = self.client.get

    async def answer(self, request: Request) -> Response:
        self.asked += 1
        said = {
            "number": self.asked,
            "path": request.url.path,
            "query": request.url.query,
            "language": request.headers.get("accept-language"),
            "unit": request.headers.get("x-unit"),
            "who": request.headers.get("authorization") or request.headers.get("x-api-key"),
            "at": self.now,
        }
        headers = POLICIES[request.url.path]
        return JSONResponse(said, headers=headers, status_code=self.status)

    async def stream(self, request: Request) -> Response:
        self.asked += 1
        n = int(request.query_params["n"])

        async def parts() -> Any:
            for number in range(n):
                await asyncio.sleep(0)
                yield f"{number}," * 10

        return StreamingResponse(parts())


def served(response: Any) -> tuple[str, int]:
    return response.headers["x-cache"], response.json()["number"]


STEP = st.tuples(
    st.sampled_from(sorted(POLICIES)),
    st.sampled_from(["GET", "GET", "GET", "GET", "HEAD", "POST"]),
    st.sampled_from(["", "a=1"]),
    st.fixed_dictionaries(
        {},
        optional={
            "accept-language": st.sampled_from(["en", "de"]),
            "x-unit": st.sampled_from(["1", "2"]),
            "authorization": st.sampled_from(["Bearer a", "Bearer b"]),
            "x-api-key": st.just("key"),
            "cache-control": st.sampled_from(["no-cache", "no-store", "max-age=0"]),
            "range": st.just("bytes=0-1"),
        },
    ),
    st.sampled_from([0.0, 5.0, 100.0]),
)


@given(st.lists(STEP, min_size=2, max_size=25))
def test_a_hit_is_what_was_said_to_the_same_request_lately(steps: list[Any]) -> None:
    world = World()
    changed: dict[tuple[str, str], int] = {}
    for path, method, query, headers, seconds in steps:
        world.now += seconds
        before = world.asked
        response = world.client.request(method, f"{path}?{query}", headers=headers)
        assert response.status_code == 200
        if method != "GET":
            assert "x-cache" not in response.headers
            assert world.asked == before + 1
            if method == "POST":
                changed[path, query] = world.asked
            continue
        said, told = response.json(), response.headers["x-cache"]
        assert (world.asked == before) == (told == "HIT")
        assert (said["path"], said["query"]) == (path, query)
        who = headers.get("authorization") or headers.get("x-api-key")
        if told != "HIT":
            assert (said["who"], said["at"]) == (who, world.now)
            continue
        assert path not in NEVER
        assert not {"cache-control", "range"} & set(headers)
        if path == "/vary":
            assert said["language"] == headers.get("accept-language")
        if path == "/public":
            assert said["unit"] == headers.get("x-unit")
        if path not in {"/public", "/shared"}:
            assert who is said["who"] is None
        assert said["number"] > changed.get((path, query), 0)
        assert 0 <= world.now - said["at"] < FRESH.get(path, 300)
        aged = int(POLICIES[path].get("age", "0"))
        assert response.headers["age"] == str(int(world.now - said["at"]) + aged)
        for name, value in POLICIES[path].items():
            assert name == "age" or response.headers[name] == value


def test_an_answer_is_kept_for_five_minutes() -> None:
    world = World()
    assert served(world.get("/plain")) == ("MISS", 1)
    world.now = 299.9
    hit = world.get("/plain")
    assert served(hit) == ("HIT", 1)
    assert (hit.headers["age"], hit.headers["content-type"]) == ("299", "application/json")
    assert world.cache.answers.stats.hit_rate == 0.5
    world.now = 300.0
    assert served(world.get("/plain")) == ("MISS", 2)


@pytest.mark.parametrize("path", sorted(set(POLICIES) - NEVER))
def test_what_may_be_kept_is(path: str) -> None:
    world = World()
    assert [served(world.get(path)) for _ in range(2)] == [("MISS", 1), ("HIT", 1)]


@pytest.mark.parametrize("path", sorted(NEVER))
def test_what_must_not_be_kept_is_not(path: str) -> None:
    world = World()
    assert [served(world.get(path)) for _ in range(2)] == [("BYPASS", 1), ("BYPASS", 2)]


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "cookie"])
def test_who_shows_a_credential_gets_only_what_is_public(name: str) -> None:
    world = World()
    shown = {name: "secret"}
    assert served(world.get("/plain", headers=shown)) == ("BYPASS", 1)
    assert served(world.get("/plain")) == ("MISS", 2)
    assert served(world.get("/plain", headers=shown)) == ("BYPASS", 3)
    assert served(world.get("/plain")) == ("HIT", 2)
    assert served(world.get("/public", headers=shown)) == ("MISS", 4)
    assert served(world.get("/public")) == ("HIT", 4)
    assert served(world.get("/public", headers={name: "another"})) == ("HIT", 4)


def test_another_status_is_not_kept() -> None:
    world = World()
    for world.status in (201, 203, 301, 404, 500):
        assert world.get("/plain", follow_redirects=False).headers["x-cache"] == "BYPASS"
    world.status = 200
    assert served(world.get("/plain")) == ("MISS", 6)


def test_a_change_is_forgotten_with_all_its_variants_and_a_refused_one_changes_nothing() -> None:
    world = World()
    for language in ("en", "de"):
        world.get("/vary", headers={"accept-language": language})
    world.status = 409
    world.client.delete("/vary")
    assert served(world.get("/vary", headers={"accept-language": "de"})) == ("HIT", 2)
    world.status = 200
    world.client.delete("/vary")
    assert served(world.get("/vary", headers={"accept-language": "en"})) == ("MISS", 5)
    assert served(world.get("/vary", headers={"accept-language": "de"})) == ("MISS", 6)


def test_what_was_asked_before_a_change_and_answered_after_it_is_not_kept() -> None:
    world = World()

    async def changed_meanwhile(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "GET" and not world.asked:
            await original_app({**scope, "method": "POST"}, receive, ignore)
            await world.cache({**scope, "method": "POST"}, receive, ignore)
        await original_app(scope, receive, send)

    async def ignore(_: Message) -> None:
        pass

    original_app, world.cache.app = world.cache.app, changed_meanwhile
    assert served(world.get("/plain")) == ("MISS", 3)
    assert served(world.get("/plain")) == ("MISS", 4)
    assert served(world.get("/plain")) == ("HIT", 4)


def test_bodies_in_parts_are_kept_whole_unless_they_are_too_large() -> None:
    world = World(largest=200)
    first, second = world.get("/stream?n=9"), world.get("/stream?n=9")
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
    assert first.content == second.content == b"".join(f"{n},".encode() * 10 for n in range(9))
    large = [world.get("/stream?n=11").headers["x-cache"] for _ in range(2)]
    assert large == ["MISS", "MISS"]
    assert world.cache.answers.stats.entries == 1


def test_what_takes_more_than_all_may_goes() -> None:
    world = World(max_bytes=3000)
    for number in range(20):
        world.get(f"/plain?{number}")
    stats = world.cache.answers.stats
    assert stats.size_bytes <= 3000
    assert stats.evicted == 20 - stats.entries > 10
    assert served(world.get("/plain?19")) == ("HIT", 20)


@pytest.mark.parametrize(
    "messages",
    [
        [{"type": "http.response.start", "status": 200, "headers": []}],
        [
            {"type": "http.response.start", "status": 200, "headers": []},
            {"type": "http.response.body", "body": b"a", "more_body": True},
        ],
        [
            {"type": "http.response.start", "status": 200, "headers": []},
            {"type": "http.response.pathsend", "path": "/a"},
        ],
        [
            {"type": "http.response.start", "status": 200, "headers": [], "trailers": True},
            {"type": "http.response.body", "body": b"a"},
        ],
    ],
)
def test_an_answer_that_is_not_there_as_a_whole_is_not_kept(messages: list[Message]) -> None:
    sent: list[Message] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    cache = HttpCache(app)
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "query_string": b""}
    scope["headers"] = []
    asyncio.run(cache(scope, receive, send))
    assert [message["type"] for message in sent] == [message["type"] for message in messages]
    assert len(cache.answers) == 0


def test_hosts_and_schemes_are_told_apart_and_paths_may_be_skipped() -> None:
    world = World(skipped=["/short", "/long"])
    assert served(world.get("/plain", headers={"host": "a"})) == ("MISS", 1)
    assert served(world.get("/plain", headers={"host": "b"})) == ("MISS", 2)
    assert served(world.get("https://a/plain")) == ("MISS", 3)
    assert served(world.get("/plain", headers={"host": "A"})) == ("HIT", 1)
    assert [served(world.get("/short"))[0] for _ in range(2)] == ["BYPASS", "BYPASS"]
    with_body = world.client.request("GET", "/plain", headers={"host": "a"}, content=b"x")
    assert served(with_body) == ("BYPASS", 6)
    old = world.get("/plain", headers={"host": "a", "pragma": "no-cache"})
    assert served(old) == ("MISS", 7)
    assert served(world.get("/plain", headers={"host": "a"})) == ("HIT", 7)


def test_some_share_where_they_keep_answers_and_no_answer() -> None:
    shared = Cache[object](ttl=3600, entries=100, clock=lambda: one.now)
    one, other = World(answers=shared), World(answers=shared)
    assert [served(one.get("/vary")) for _ in range(2)] == [("MISS", 1), ("HIT", 1)]
    other.asked = 7
    assert [served(other.get("/vary")) for _ in range(2)] == [("MISS", 8), ("HIT", 8)]
    assert len(shared) == 2
    one.now = 300.0  # less than what the place where they are kept allows
    assert served(one.get("/vary")) == ("MISS", 2)
    shared.clear()
    assert served(one.get("/vary")) == ("MISS", 3)


def test_where_answers_are_kept_for_less_they_are() -> None:
    shared = Cache[object](ttl=60, entries=100, clock=lambda: world.now)
    world = World(answers=shared)
    assert served(world.get("/plain")) == ("MISS", 1)
    world.now = 60.0
    assert served(world.get("/plain")) == ("MISS", 2)


def test_what_was_forgotten_while_it_was_answered_is_not_kept() -> None:
    world = World()

    async def forgotten_meanwhile(scope: Scope, receive: Receive, send: Send) -> None:
        await original_app(scope, receive, send if world.asked else clearing(send))

    def clearing(send: Send) -> Send:
        async def clear(message: Message) -> None:
            if message["type"] == "http.response.start":
                world.cache.answers.clear()
            await send(message)

        return clear

    original_app, world.cache.app = world.cache.app, forgotten_meanwhile
    assert [served(world.get("/plain")) for _ in range(3)] == [("MISS", 1), ("MISS", 2), ("HIT", 2)]


def test_what_is_no_request_is_passed_on() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> Any:
        raise AssertionError

    asyncio.run(HttpCache(app)({"type": "lifespan"}, nothing, nothing))
    assert seen == ["lifespan"]
    with pytest.raises(ValueError, match="largest must be above 0, got 0"):
        HttpCache(app, largest=0)
