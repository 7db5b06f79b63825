"""Bodies that nobody sends who means well, to every route that takes one: each gets a 4xx.

    python benchmarks/hostile_bodies.py [--bodies 10000 --url postgresql://...]

A server of its own process, as `nextcall serve` runs it, over a catalogue of one operation, with
A/B tests in SQLite (a new file) or ``--url``; raw sockets. Kinds of bodies, by turns, each drawn
anew: see ``KINDS``. Right are 400, 408, 409, 413 and 422, of a batch also 200 where no item
succeeded, and nothing at all where the sender hung up. After
each thousand, and at the end, the service must say that it is well and answer a good request. Given
are how often each kind got which status, all that was wrong, and the server's memory before and at
its most. Prints JSON, or writes it to ``--output``.
"""

import argparse
import asyncio
import contextlib
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import httpx
from json_output import give, parser_of

from nextcall.catalog import Catalog, describe_operation
from nextcall.serve.app import create_app
from nextcall.serve.loading import open_stores
from nextcall.serve.predictor import Predictor
from nextcall.serve.server import address, bind, loading_for_good, run
from nextcall.serve.settings import load_settings
from nextcall.training.opening import open_index

_TESTS: Final = "/api/ab-testing/tests"
_RIGHT: Final = {400, 408, 409, 413, 422}
_DEEP: Final = 100_000
_LARGEST: Final = 10 * 1024 * 1024
_GOOD: Final = {"prompt": "get a user", "history": [{"api_call": "getUser"}]}
_PLAN: Final[dict[str, Any]] = {
    "test_name": "ranker",
    "test_type": "model",
    "variants": [
        {
            "variant_id": each,
            "variant_name": f"ranker {each}",
            "configuration": {"model": each},
            "traffic_percentage": 50,
        }
        for each in "AB"
    ],
    "control_variant_id": "A",
    "primary_metric": "taken",
    "min_sample_size": 20,
    "planned_sample_size": 100,
    "better": "higher",
    "mean_over": "events",
    "confidence_level": 0.95,
}
_CALL: Final = {"api_call": "getUser", "method": "GET", "timestamp": "2026-05-01T12:00:00Z"}
_ASKED: Final = {"prompt": "get a user", "history": [_CALL], "max_predictions": 3}
_RECORD: Final = {"user_id": "u", "variant_id": "A", "metrics": {"taken": 1}, "event_id": "e"}

_Values = tuple[object, ...]
_TEXT: Final[_Values] = (7, 1.5, True, None, [], {}, ["x"], {"x": "y"})
_OPTIONAL_TEXT: Final[_Values] = (7, 1.5, True, [], {}, ["x"], {"x": "y"})
_COUNT: Final[_Values] = ("1", "x", 1.5, True, [], {}, [1], None, 10**400, -(10**400), 10**4000)
_OPTIONAL_COUNT: Final[_Values] = tuple(value for value in _COUNT if value is not None)
_NUMBER: Final[_Values] = ("1", "x", True, [], {}, [1], None, 10**400, -(10**308))
_OBJECT: Final[_Values] = (7, 1.5, True, None, "x", [], ["x"])
_LIST: Final[_Values] = (7, 1.5, True, None, "x", {}, {"x": "y"})
_CHOICE: Final[_Values] = (*_TEXT, "", "x", "MODEL ")
_WRONG: Final[Mapping[str, _Values]] = {  # by field: what it cannot be
    "prompt": (*_TEXT, "", " \n"),
    "history": (*_LIST, [None], [7], [[]], [{}], ["x"], [{"api_call": ""}], [{**_CALL, "x": 1}]),
    "api_call": (*_TEXT, ""),
    "method": (*_OPTIONAL_TEXT, "", "FETCH"),
    "timestamp": (True, [], {}, "", "yesterday", 10**400, -(10**300), "9999-99-99"),
    "max_predictions": (*_COUNT, 0, -1, 21),
    "temperature": (*_NUMBER, -0.1, 1.1),
    "test_name": (*_TEXT, "", "x" * 257),
    "test_type": _CHOICE,
    "variants": (*_LIST, [], [None], [{}], _PLAN["variants"][:1], _PLAN["variants"] * 2),
    "variant_id": (*_TEXT, ""),
    "variant_name": (*_TEXT, "", "x" * 257),
    "configuration": (*_OBJECT, {"x": "y" * 70_000}),
    "traffic_percentage": (*_NUMBER, 0, -50, 49.999, 51),
    "control_variant_id": (*_TEXT, "C"),
    "primary_metric": (*_TEXT, ""),
    "min_sample_size": (*_COUNT, 1, 0, -1),
    "planned_sample_size": (*_OPTIONAL_COUNT, 19, 0),
    "better": _CHOICE,
    "mean_over": _CHOICE,
    "confidence_level": (*_NUMBER, 0, 1, 2, -1),
    "version": _COUNT,
    "user_id": (*_TEXT, "", "x" * 257),
    "metrics": (*_OBJECT, {}, {"x": None}, {"x": "y"}, {"": 1}, {"x": 1e300}, {"x": [1]}),
    "event_id": (*_OPTIONAL_TEXT, "", "x" * 129),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What takes a body, and one that it would take."""

    method: str
    path: str
    body: Any
    empty: bool = False
    """Whether no body will do too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """What is sent: pieces, with a pause after each."""

    pieces: list[bytes]
    headers: bytes | None = None
    """Instead of the length of the pieces."""
    pause: float = 0.0
    hangs_up: bool = False


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the way to each field, outer ones first."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*place, name)
            if name not in {"configuration", "metrics"}:
                yield from _places(inner, (*place, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(inner, (*place, number))


def _with(value: Any, place: tuple[Any, ...], new: object) -> Any:
    """Give a copy with another value at a place."""
    if not place:
        return new
    copied = value.copy()
    copied[place[0]] = _with(value[place[0]], place[1:], new)
    return copied


def _wrong(route: Route, name: str) -> tuple[object, ...]:
    """Give what a field cannot be; where no body will do, no value will do too."""
    values = _WRONG[name]
    return tuple(value for value in values if value is not None) if route.empty else values


_HERE: Final = "PLACE OF WHAT IS RAW"


def _planted(route: Route, rng: random.Random, raw: bytes) -> bytes:
    """Write the route's body with raw bytes where a value was."""
    places = list(_places(route.body))
    return _json(_with(route.body, rng.choice(places), _HERE)).replace(_json(_HERE), raw)


def _deep(route: Route, rng: random.Random) -> Hostile:
    begin, middle, end = rng.choice(
        [(b"[", b"", b"]"), (b'{"a":', b"1", b"}"), (b'[{"":', b"[]", b"}]"), (b"[", b"", b"")]
    )
    value = begin * _DEEP + middle + end * _DEEP
    return Hostile(pieces=[value if rng.random() < 0.5 else _planted(route, rng, value)])


def _huge(route: Route, rng: random.Random) -> Hostile:
    raw = rng.choice(
        [b"1e400", b"-1e400", b"9" * 5000, b"-" + b"9" * 5000, b"1" * 10**6, b"1e" + b"9" * 50]
    )
    return Hostile(pieces=[_planted(route, rng, raw)])


def _no_number(route: Route, rng: random.Random) -> Hostile:
    raw = rng.choice(
        [b"NaN", b"Infinity", b"-Infinity", b"nan", b"inf", b"0x10", b"01", b"+1", b"1."]
    )
    return Hostile(pieces=[_planted(route, rng, raw)])


def _surrogates(route: Route, rng: random.Random) -> Hostile:
    raw = rng.choice(
        [
            rb'"\ud800"',
            rb'"a\udfffb"',
            rb'"\ud800\ud800"',
            rb'"\udc00\ud800"',
            b'"\xed\xa0\x80"',
            b'"\xed\xbf\xbf"',
        ]
    )
    return Hostile(pieces=[_planted(route, rng, raw)])


def _nulls(route: Route, rng: random.Random) -> Hostile:
    raw = rng.choice(
        [rb'"\u0000"', rb'"a\u0000b"', rb'"\\\u0000"', b'"a\0b"', b"\0", b'"\0"', b'{"\\u0000": 1}']
    )
    return Hostile(pieces=[_planted(route, rng, raw)])


def _truncated(route: Route, rng: random.Random) -> Hostile:
    body = _json(route.body)
    return Hostile(pieces=[body[: rng.randrange(1, len(body))]])


def _no_json(route: Route, rng: random.Random) -> Hostile:
    body = _json(route.body)
    made = [
        b"{" + rng.randbytes(rng.randrange(1, 2000)),
        b"'" + body + b"'",
        body + body,
        body + b"}",
        body.replace(b'"', b"'"),
        body.replace(b": ", b" "),
        body.replace(b"}", b",}"),
        b"<xml/>",
        b"prompt=get+a+user",
        b"%7B%7D",
        b"undefined",
        b"/**/" + body,
        b" " * 1000,
        b"\x1f\x8b\x08\x00" + rng.randbytes(30),
    ]
    return Hostile(pieces=[rng.choice(made)])


def _no_utf8(route: Route, rng: random.Random) -> Hostile:
    raw = rng.choice(
        [b"\xff", b"\xc0\x80", b"\xf8\x88\x80\x80\x80", b"\x80", b"\xf4\x90\x80\x80", b"a\xe2\x82"]
    )
    return Hostile(pieces=[_planted(route, rng, b'"' + raw + b'"')])


def _wrong_type(route: Route, rng: random.Random) -> Hostile:
    if isinstance(route.body, list) or rng.random() < 0.1:  # a batch tells of its items each
        value: object = rng.choice(
            [7, 1.5, True, None, "x", [[]], {"x": 1}]
            if isinstance(route.body, dict)
            else [7, 1.5, True, None, "x", {}, [], route.body * 101]
        )
        return Hostile(pieces=[_json(value)])
    place = rng.choice([each for each in _places(route.body) if each[-1] in _WRONG])
    value = _with(route.body, place, rng.choice(_wrong(route, place[-1])))
    if rng.random() < 0.2:
        value = {**route.body, "x" * rng.randrange(1, 2000): 1}
    return Hostile(pieces=[_json(value)])


def _twice(route: Route, rng: random.Random) -> Hostile:
    """A field twice, the second time wrong; or a thousand times."""
    body = _json(route.body)
    if isinstance(route.body, list):
        return Hostile(pieces=[body[:-1] + b", " * rng.randrange(2, 9) + b"]"])
    name = rng.choice(list(route.body))
    again = b", %b: %b" % (_json(name), _json(rng.choice(_wrong(route, name))))
    return Hostile(pieces=[body[:-1] + again * rng.choice([1, 1000]) + b"}"])


def _marked(route: Route, rng: random.Random) -> Hostile:
    """Not UTF-8, or with a byte order mark."""
    text = json.dumps(route.body)
    marks = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"]
    encoding = rng.choice(marks)
    body = b"+/v8-" + text.encode() if encoding == "utf-7" else text.encode(encoding)
    return Hostile(pieces=[body])


def _too_large(route: Route, rng: random.Random) -> Hostile:
    """10 MB and a byte: declared and sent, declared only, or in chunks."""
    filled = _json(route.body).ljust(_LARGEST + 1)
    way = rng.randrange(3)
    if way == 0:
        return Hostile(pieces=[filled])
    if way == 1:
        return Hostile(pieces=[filled[:1000]], headers=b"content-length: %d" % len(filled))
    size = rng.choice([1 << 12, 1 << 16, 1 << 20])
    chunks = [filled[start : start + size] for start in range(0, len(filled), size)]
    pieces = [b"%x\r\n%b\r\n" % (len(each), each) for each in chunks]
    return Hostile(pieces=[b"".join(pieces), b"0\r\n\r\n"], headers=b"transfer-encoding: chunked")


def _wide(_: Route, rng: random.Random) -> Hostile:
    """Nearly 10 MB of little things."""
    item = rng.choice([b"0,", b"[],", b"{},", b'"",', b'{"a":1},'])
    begin = rng.choice([b"[", b'{"history":[', b'{"user_id":['])
    end = b"0]" if begin == b"[" else b"0]}"
    room = (_LARGEST - 100) // len(item)
    return Hostile(pieces=[begin + item * room + end])


def _false_length(route: Route, rng: random.Random) -> Hostile:
    body = _json(route.body)
    said = rng.choice(
        [
            b"content-length: %d" % (len(body) // 2),
            b"content-length: -1",
            b"content-length: many",
            b"content-length: 1e3",
            b"content-length: 0x10",
            b"content-length: " + b"9" * 30,
            b"content-length: " + b"9" * 5000,
            b"content-length: %d\r\ncontent-length: 1" % len(body),
            b"content-length: %d\r\ntransfer-encoding: chunked" % len(body),
            b"content-length: %d, %d" % (len(body), len(body)),
            b"content-length: 18446744073709551616",
            b"transfer-encoding: chunked",
            b"transfer-encoding: gzip, chunked",
        ]
    )
    return Hostile(pieces=[body], headers=said)


def _false_chunks(route: Route, rng: random.Random) -> Hostile:
    body = _json(route.body)
    sent = rng.choice(
        [
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 1, body),
            b"-1\r\n%b\r\n0\r\n\r\n" % body,
            b"zz\r\n%b\r\n0\r\n\r\n" % body,
            b"%b\r\n" % (b"f" * 40) + body,
            b"%x\n%b\n0\n\n" % (len(body), body),
            b"\r\n" * 10 + body,
        ]
    )
    return Hostile(pieces=[sent], headers=b"transfer-encoding: chunked")


def _slow(route: Route, rng: random.Random) -> Hostile:
    """A byte a second; or all but one, and nothing more."""
    body = _json(route.body)
    length = b"content-length: %d" % len(body)
    if rng.random() < 0.5:
        return Hostile(pieces=[body[n : n + 1] for n in range(len(body))], headers=length, pause=1)
    return Hostile(pieces=[body[:-1], b""], headers=length, pause=60)


def _hangs_up(route: Route, rng: random.Random) -> Hostile:
    body = _json(route.body)
    sent = [body[: rng.randrange(len(body))]]
    if rng.random() < 0.5:
        return Hostile(pieces=sent, headers=b"content-length: %d" % len(body), hangs_up=True)
    sent = [b"%x\r\n%b" % (len(body), sent[0])]
    return Hostile(pieces=sent, headers=b"transfer-encoding: chunked", hangs_up=True)


KINDS: Final[Mapping[str, tuple[int, Callable[[Route, random.Random], Hostile]]]] = {
    # how often, of 100
    "100,000 deep": (6, _deep),
    "huge numbers": (10, _huge),
    "NaN, Infinity and other no numbers": (8, _no_number),
    "lone surrogates": (8, _surrogates),
    "null bytes and characters": (8, _nulls),
    "truncated": (8, _truncated),
    "no JSON": (8, _no_json),
    "no UTF-8": (6, _no_utf8),
    "wrong types, names and values": (18, _wrong_type),
    "fields twice": (5, _twice),
    "byte order marks, UTF-16 and 32": (3, _marked),
    "10 MB and a byte": (1, _too_large),
    "10 MB of little things": (1, _wide),
    "false length": (4, _false_length),
    "false chunks": (2, _false_chunks),
    "a byte a second, or none": (2, _slow),
    "hung up in the middle": (2, _hangs_up),
}


def main() -> None:
    """Ask, or be the server."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--bodies", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="that a body may take")
    parser.add_argument("--side-by-side", type=int, default=16, help="connections")
    parser.add_argument("--url", help="of PostgreSQL; SQLite where none is given")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        _serve(arguments.serve, arguments.url, arguments.seconds)
        return
    with TemporaryDirectory() as folder, _server(folder, arguments.url, arguments.seconds) as place:
        result = _Attack(*place, random.Random(arguments.seed)).run(
            arguments.bodies, side_by_side=arguments.side_by_side, seconds=arguments.seconds
        )
    give({"benchmark": "hostile_bodies", "seed": arguments.seed, **result}, arguments.output)


def _serve(folder: Path, url: str, seconds: float) -> None:
    settings = load_settings(database_url=url, cache_dir=folder, body_seconds=seconds)
    operation = describe_operation(operation_id="getUser", method="GET", path="/users/{id}")
    with loading_for_good():
        index = open_index(Catalog(name="one", operations=(operation,)), cache=folder)
        predictor = Predictor(index, fallback_reason="there is none.")
    with open_stores(settings) as kept, bind("127.0.0.1", 0) as listening:
        app = create_app(predictor, settings=settings, trials=kept.trials, door=kept.door)
        print(address(listening), flush=True)
        run(app, listening)


@contextlib.contextmanager
def _server(folder: str, url: str | None, seconds: float) -> Iterator[tuple[str, int]]:
    """Run it as a process of its own; give where it listens, and its number."""
    database = url or f"sqlite:///{folder}/trials.db"
    options = ["--serve", folder, "--url", database, "--seconds", str(seconds)]
    log = Path(folder, "log")
    with log.open("w") as said:  # no pipe: nobody would empty it
        process = subprocess.Popen(
            [sys.executable, __file__, *options], stdout=subprocess.PIPE, stderr=said, text=True
        )
    try:
        if process.stdout is None:
            raise SystemExit("error: the server has no pipe")
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.terminate()
        process.communicate(timeout=30)
        if "Traceback" in (told := log.read_text()):
            print(told[-10_000:], file=sys.stderr)
            raise SystemExit("error: the server tells of a fault")


class _Attack:
    """What is asked of one server."""

    def __init__(self, place: str, process: int, rng: random.Random) -> None:
        self._process, self._rng = process, rng
        self._host, _, self._port = place.removeprefix("http://").partition(":")
        transport = httpx.HTTPTransport(retries=8)
        self._asking = httpx.Client(base_url=place, transport=transport, timeout=30)
        draft, going = (self._made() for _ in range(2))
        self._asking.post(f"{_TESTS}/{going}/start").raise_for_status()
        self._routes = [
            Route(method="POST", path="/predict", body=_ASKED),
            Route(method="POST", path="/predict/batch", body=[_ASKED]),
            Route(method="POST", path=_TESTS, body=_PLAN),
            Route(method="PUT", path=f"{_TESTS}/{draft}", body={**_PLAN, "version": 1}),
            Route(method="POST", path=f"{_TESTS}/{going}/assign", body={"user_id": "u"}),
            Route(method="POST", path=f"{_TESTS}/{going}/record", body=_RECORD),
            Route(method="POST", path=f"{_TESTS}/{draft}/start", body={"version": 1}, empty=True),
            Route(method="POST", path=f"{_TESTS}/{going}/stop", body={"version": 2}, empty=True),
            Route(method="POST", path=f"{_TESTS}/{draft}/archive", body={"version": 1}, empty=True),
        ]
        self._found = {kind: Counter[str]() for kind in KINDS}
        self._faults = list[dict[str, str]]()

    def run(self, bodies: int, *, side_by_side: int, seconds: float) -> dict[str, object]:
        """Ask, a thousand at a time."""
        before = self._memory("VmRSS")
        begin = time.perf_counter()
        for start in range(0, bodies, 1000):
            asyncio.run(self._some(min(1000, bodies - start), side_by_side, seconds))
            self._well()
        return {
            "bodies": bodies,
            "seconds": round(time.perf_counter() - begin, 1),
            "answers": {kind: dict(sorted(each.items())) for kind, each in self._found.items()},
            "faults": self._faults,
            "memory_mb_before": before,
            "memory_mb_at_most": self._memory("VmHWM"),
            "memory_mb_after": self._memory("VmRSS"),
        }

    async def _some(self, bodies: int, side_by_side: int, seconds: float) -> None:
        kinds = list(KINDS)
        drawn = self._rng.choices(kinds, [KINDS[kind][0] for kind in kinds], k=bodies)
        free, slow = asyncio.Semaphore(side_by_side), asyncio.Semaphore(1000)

        async def one(kind: str) -> None:
            async with slow if kind == "a byte a second, or none" else free:
                route = self._rng.choice(self._routes)
                sent = KINDS[kind][1](route, self._rng)
                try:
                    async with asyncio.timeout(seconds + 60):
                        status = await self._answer(route, sent)
                except (OSError, TimeoutError) as error:
                    status = f"{type(error).__name__}: {error}"
                self._count(kind, route, sent, status)

        await asyncio.gather(*map(one, drawn))

    async def _answer(self, route: Route, sent: Hostile) -> str:
        """Send it, and give the status."""
        loop = asyncio.get_running_loop()
        length = b"content-length: %d" % sum(map(len, sent.pieces))
        head = f"{route.method} {route.path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        head += "content-type: application/json\r\n"
        transport, sender = await loop.create_connection(_Sender, self._host, int(self._port))
        transport.write(head.encode() + (sent.headers or length) + b"\r\n\r\n")
        sending = asyncio.create_task(sender.send(sent))
        try:
            if sent.hangs_up:
                await sending
                return "none, hung up"
            answer = await sender.answered
        finally:
            sending.cancel()
            sender.answered.cancel()
            transport.abort()
        none = b'"succeeded":0,' in answer
        return answer.split()[1].decode() + ", none of a batch" * none

    def _count(self, kind: str, route: Route, sent: Hostile, status: str) -> None:
        self._found[kind][status] += 1
        right = status in {"none, hung up", "200, none of a batch"}
        if not right and not (status.isdigit() and int(status) in _RIGHT):
            body = b"".join(sent.pieces)
            self._faults.append(
                {
                    "kind": kind,
                    "route": f"{route.method} {route.path}",
                    "headers": repr(sent.headers)[:100],
                    "body": f"{len(body)} bytes: {body[:200]!r}",
                    "status": status,
                }
            )

    def _well(self) -> None:
        """Ask what a good client would."""
        health = self._asking.get("/health").json()["components"]["database"]["status"]
        answer = self._asking.post("/predict", json=_GOOD)
        named = answer.json()["predictions"][0]["operation_id"]
        seen = self._asking.post(self._routes[4].path, json={"user_id": "good"}).status_code
        if (health, answer.status_code, named, seen) != ("ok", 200, "getUser", 200):
            raise SystemExit(f"error: the service is not well: {health}, {answer.text}, {seen}")

    def _made(self) -> str:
        return str(self._asking.post(_TESTS, json=_PLAN).raise_for_status().json()["test_id"])

    def _memory(self, name: str) -> int:
        lines = Path(f"/proc/{self._process}/status").read_text().splitlines()
        (line,) = (each for each in lines if each.startswith(name))
        return int(line.split()[1]) // 1024


class _Sender(asyncio.Protocol):
    """One connection; an answer counts although the server closes while we still send."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.answered: asyncio.Future[bytes] = loop.create_future()
        self._answer = b""
        self._may_write = asyncio.Event()
        self._may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep the answer."""
        self._answer += data

    def connection_lost(self, error: Exception | None) -> None:
        """Give the answer, if it has a status."""
        if self.answered.done():
            return
        if self._answer.count(b" ") > 1:
            self.answered.set_result(self._answer)
        else:
            self.answered.set_exception(error or ConnectionError("no answer"))

    def pause_writing(self) -> None:
        """Wait."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._may_write.set()

    async def send(self, sent: Hostile) -> None:
        """Send all pieces, unless the connection ends before."""
        for piece in sent.pieces:
            self._transport.write(piece)
            await self._may_write.wait()
            await asyncio.sleep(sent.pause)


if __name__ == "__main__":
    main()
