"""Bodies that nobody sends who means well, to every route that takes one: each gets a 4xx.

    python benchmarks/hostile_bodies.py [--bodies 10000 --url postgresql://...]

A server of its own process, as `nextcall serve` runs it, over a catalogue of one operation, with
A/B tests in SQLite (a new file) or ``--url``; raw sockets. Kinds of bodies are drawn at random, and
each body anew (``hostile/kinds.py``). Right are 400, 408, 409, 413 and 422 (of a path that is not
there, 404), of a batch also 200 where no item succeeded, and nothing at all where the sender hung
up; and the connection is closed. After each thousand, and at the end, the service must say that it
is well and answer a good request. Given are how often each kind got which status, all that was
wrong, and the server's memory before and at its most. Prints JSON, or writes it to ``--output``.
"""

import argparse
import asyncio
import contextlib
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

import httpx
from hostile.kinds import ASKED, KINDS, PLAN, RECORD, Hostile, Route
from json_output import give, parser_of

from nextcall.catalog import Catalog, describe_operation
from nextcall.serve.app import create_app
from nextcall.serve.loading import open_stores
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.server import address, bind, loading_for_good, run
from nextcall.serve.settings import load_settings
from nextcall.training.opening import open_index

_TESTS: Final = "/api/ab-testing/tests"
_RIGHT: Final = {400, 404, 408, 409, 413, 422}
_GOOD: Final = {"prompt": "get a user", "history": [{"api_call": "getUser"}]}


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
        app = create_app(
            predictor, settings=settings, parts=Parts(trials=kept.trials, door=kept.door)
        )
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
        self._asking = httpx.Client(base_url=place, transport=transport, timeout=120)
        draft, going = (self._made() for _ in range(2))
        self._asking.post(f"{_TESTS}/{going}/start").raise_for_status()
        self._routes = [
            Route(method="POST", path="/predict", body=ASKED),
            Route(method="POST", path="/nowhere", body=ASKED),
            Route(method="POST", path="/predict/batch", body=[ASKED]),
            Route(method="POST", path=_TESTS, body=PLAN),
            Route(method="PUT", path=f"{_TESTS}/{draft}", body={**PLAN, "version": 1}),
            Route(method="POST", path=f"{_TESTS}/{going}/assign", body={"user_id": "u"}),
            Route(method="POST", path=f"{_TESTS}/{going}/record", body=RECORD),
            Route(method="POST", path=f"{_TESTS}/{draft}/start", body={"version": 1}, empty=True),
            Route(method="POST", path=f"{_TESTS}/{going}/stop", body={"version": 2}, empty=True),
            Route(method="POST", path=f"{_TESTS}/{draft}/archive", body={"version": 1}, empty=True),
        ]
        self._found = {kind: Counter[str]() for kind in KINDS}
        self._faults = list[dict[str, str]]()

    def run(self, bodies: int, *, side_by_side: int, seconds: float) -> dict[str, object]:
        """Ask, a thousand at a time."""
        self._well()  # the first answer compiles, where nobody has
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
        seeds = [self._rng.random() for _ in drawn]  # whichever connection is free first
        free, slow = asyncio.Semaphore(side_by_side), asyncio.Semaphore(1000)

        async def one(kind: str, seed: float) -> None:
            async with slow if kind == "a byte a second, or none" else free:
                rng = random.Random(seed)
                route = rng.choice(self._routes)
                sent = KINDS[kind][1](route, rng)
                try:
                    async with asyncio.timeout(seconds + 60):
                        status = await self._answer(route, sent)
                except (OSError, TimeoutError) as error:
                    status = f"{type(error).__name__}: {error}"
                self._count(kind, route, sent, status)

        await asyncio.gather(*map(one, drawn, seeds))

    async def _answer(self, route: Route, sent: Hostile) -> str:
        """Send it, and give the status."""
        loop = asyncio.get_running_loop()
        length = b"content-length: %d" % sum(map(len, sent.pieces))
        head = f"{route.method} {route.path} HTTP/1.1\r\nhost: x\r\n"
        head += "content-type: application/json\r\n"
        if not sent.pause:  # else the server must close it of its own accord
            head += "connection: close\r\n"
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
        seen = self._asking.post(self._routes[5].path, json={"user_id": "good"}).status_code
        if (health, answer.status_code, named, seen) != ("ok", 200, "getUser", 200):
            raise SystemExit(f"error: the service is not well: {health}, {answer.text}, {seen}")

    def _made(self) -> str:
        return str(self._asking.post(_TESTS, json=PLAN).raise_for_status().json()["test_id"])

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
