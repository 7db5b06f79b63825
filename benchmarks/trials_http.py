"""Requests a second to assign users and to record what they did, beside a route that keeps nothing.

    python benchmarks/trials_http.py [--url postgresql://...]

Two servers, each a process of its own with the settings of `nextcall serve`: the whole service
(over a catalogue of one operation) with its database (SQLite in a new file of ``--folder``: WAL,
synchronous FULL; or ``--url``), and a bare FastAPI application whose routes take the same bodies
and answer the same without doing anything. Connections are kept open; each asks, waits for the
answer, asks again. A ``record`` is answered when it is on disk. By turns: users that are new, users
that were seen, records of one value with an event id of their own. Ratios are of each round; given
are medians. Where others use the machine too, what a server computes for a request says more than
how many it answers: ``times_bare_by_cpu``. At the end all that was acknowledged must be found in
the database. Prints JSON, or writes it to ``--output``.
"""

import argparse
import asyncio
import copy
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

import httpx
import uvloop
from fastapi import FastAPI
from json_output import give, parser_of, rounded

from nextcall.catalog import Catalog, describe_operation
from nextcall.serve.app import create_app
from nextcall.serve.loading import open_stores
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.server import address, bind, loading_for_good, run
from nextcall.serve.settings import load_settings
from nextcall.serve.trials.answers import AssignAnswer, RecordAnswer
from nextcall.serve.trials.schemas import AssignAsked, RecordAsked
from nextcall.training.opening import open_index

_TESTS: Final = "/api/ab-testing/tests"
_SEEN: Final = 200  # users that are asked for again and again
_PLAN: Final = {
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
}


def main() -> None:
    """Measure, or be one of the servers."""
    parser = parser_of(__doc__)
    parser.add_argument("--url", help="of PostgreSQL; SQLite where none is given")
    parser.add_argument("--folder", type=Path, default=Path(), help="for SQLite's file: its disk")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", choices=["bare", "trials"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve == "bare":
        _listen(_bare())
    elif arguments.serve == "trials":
        _serve_trials(arguments.url, arguments.folder)
    else:
        with TemporaryDirectory(dir=arguments.folder) as folder:
            url = arguments.url or f"sqlite:///{folder}/trials.db"
            with server_of("bare", url, folder) as bare, server_of("trials", url, folder) as trials:
                load = _Load(
                    bare, trials, connections=arguments.connections, seconds=arguments.seconds
                )
                result = load.measure(arguments.rounds)
        give({"benchmark": "trials_http", **result}, arguments.output)


def _bare() -> FastAPI:
    app = FastAPI()

    @app.post(_TESTS + "/{test_id}/assign")
    async def assign(test_id: str, asked: AssignAsked) -> AssignAnswer:
        return AssignAnswer(
            test_id=test_id,
            user_id=asked.user_id,
            variant_id="A",
            variant_name="ranker A",
            configuration={"model": "A"},
        )

    @app.post(_TESTS + "/{test_id}/record")
    async def record(test_id: str, asked: RecordAsked) -> RecordAnswer:
        return RecordAnswer(test_id=test_id, recorded=len(asked.metrics), repeated=0)

    return app


def _serve_trials(url: str, folder: Path) -> None:
    settings = load_settings(database_url=url, cache_dir=folder)
    operation = describe_operation(operation_id="getUser")
    with loading_for_good():
        index = open_index(Catalog(name="one", operations=(operation,)), cache=folder)
        predictor = Predictor(index, fallback_reason="there is none.")
    with open_stores(settings) as kept:
        _listen(
            create_app(
                predictor, settings=settings, parts=Parts(trials=kept.trials, door=kept.door)
            )
        )


def _listen(app: FastAPI) -> None:
    with bind("127.0.0.1", 0) as listening:
        print(address(listening), flush=True)
        run(app, listening)


@contextmanager
def server_of(kind: str, url: str, folder: str) -> Iterator[tuple[str, int]]:
    """Run a server as a process of its own; give where it listens, and its number."""
    command = [sys.executable, __file__, "--serve", kind, "--url", url, "--folder", folder]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101  # it was asked for
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.terminate()
        process.wait(30)


class _Connection(asyncio.Protocol):
    """One connection: asks, waits, asks again, until the time is up."""

    def __init__(self, requests: Iterator[bytes], until: float) -> None:
        self._requests, self._until = requests, until
        self._buffer = b""
        self.answered = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask first."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's own is no subclass
        self._transport.write(next(self._requests))

    def connection_lost(self, error: Exception | None) -> None:
        """Tell of a server that hung up."""
        if not self.done.done():
            self.done.set_exception(error or ConnectionError(self._buffer.decode()))

    def data_received(self, data: bytes) -> None:
        """Count an answer that is whole, and ask again."""
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200 "):
            self._transport.close()
            self.done.set_exception(RuntimeError(self._buffer.decode()))
            return
        self._buffer = b""
        self.answered += 1
        if time.perf_counter() < self._until:
            self._transport.write(next(self._requests))
        else:
            self._transport.close()
            self.done.set_result(None)


async def ask(place: str, requests: Iterator[bytes], *, connections: int, seconds: float) -> int:
    """Ask for some seconds over so many connections; give the number of answers."""
    host, _, port = place.removeprefix("http://").partition(":")
    loop = asyncio.get_running_loop()
    until = time.perf_counter() + seconds
    made = [
        await loop.create_connection(lambda: _Connection(requests, until), host, int(port))
        for _ in range(connections)
    ]
    await asyncio.gather(*(one.done for _, one in made))
    return sum(one.answered for _, one in made)


def cpu_seconds(process: int) -> float:
    """Give what all threads of a process have computed for so far."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


Found = dict[str, dict[str, list[float]]]
"""Figures of each round, by what was asked and of which server."""


def medians(found: Found) -> dict[str, dict[str, float]]:
    """Give the medians of the rounds."""
    return {
        kind: {name: float(f"{statistics.median(own):.3g}") for name, own in each.items()}
        for kind, each in found.items()
    }


def ratios(found: Found, one: str, other: str) -> dict[str, float]:
    """Give the medians of the ratios of each round."""
    return {
        kind: round(
            statistics.median(a / b for a, b in zip(each[one], each[other], strict=True)), 2
        )
        for kind, each in found.items()
    }


class _Load:
    """What is asked of both servers."""

    def __init__(
        self,
        bare: tuple[str, int],
        trials: tuple[str, int],
        *,
        connections: int,
        seconds: float,
    ) -> None:
        self._servers = {"bare": bare, "trials": trials}
        self._connections, self._seconds = connections, seconds
        self._numbers = itertools.count()
        self._expected = {"users": _SEEN, "events": 0}
        with httpx.Client(base_url=trials[0], transport=httpx.HTTPTransport(retries=8)) as asking:
            self._test_id = asking.post(_TESTS, json=_PLAN).json()["test_id"]
            asking.post(f"{_TESTS}/{self._test_id}/start").raise_for_status()
            self._variants = [
                asking.post(
                    f"{_TESTS}/{self._test_id}/assign", json={"user_id": f"seen-{n}"}
                ).json()["variant_id"]
                for n in range(_SEEN)
            ]

    def measure(self, rounds: int) -> dict[str, object]:
        """Ask by turns; hold what was answered against what is kept."""
        kinds = {"assign, new": self._new, "assign, seen": self._seen, "record": self._record}
        rates: Found = {kind: {name: [] for name in self._servers} for kind in kinds}
        costs = copy.deepcopy(rates)
        for _ in range(rounds):
            for kind, requests in kinds.items():
                for name, (place, process) in self._servers.items():
                    before, begin = cpu_seconds(process), time.perf_counter()
                    asked = ask(
                        place, requests(), connections=self._connections, seconds=self._seconds
                    )
                    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                        answered = runner.run(asked)
                    rates[kind][name].append(answered / (time.perf_counter() - begin))
                    costs[kind][name].append((cpu_seconds(process) - before) / answered)
                    if name == "trials":
                        self._expected["users"] += answered * (kind == "assign, new")
                        self._expected["events"] += answered * (kind == "record")
        self._compare()
        return {
            "connections": self._connections,
            "kept": self._expected,
            "requests_a_second": medians(rates),
            "times_bare": ratios(rates, "trials", "bare"),
            "cpu_seconds_a_request": medians(costs),
            "times_bare_by_cpu": ratios(costs, "bare", "trials"),
            "samples": rounded({"requests_a_second": rates, "cpu_seconds_a_request": costs}),
        }

    def _compare(self) -> None:
        """Hold what was answered against what is kept."""
        at = f"{self._servers['trials'][0]}{_TESTS}/{self._test_id}/analyze"
        own = httpx.get(at, timeout=60).json()["variant_results"]
        kept = {
            "users": sum(each["units"] for each in own),
            "events": sum(each["events"] for each in own),
        }
        if kept != self._expected:
            raise SystemExit(f"error: {self._expected} were acknowledged, {kept} are kept")

    def _new(self) -> Iterator[bytes]:
        for number in self._numbers:
            yield self._request("assign", b'{"user_id": "new-%d"}' % number)

    def _seen(self) -> Iterator[bytes]:
        for number in self._numbers:
            yield self._request("assign", b'{"user_id": "seen-%d"}' % (number % _SEEN))

    def _record(self) -> Iterator[bytes]:
        for number in self._numbers:
            user = number % _SEEN
            yield self._request(
                "record",
                b'{"user_id": "seen-%d", "variant_id": "%s", "metrics": {"taken": %d}, '
                b'"event_id": "event-%d"}'
                % (user, self._variants[user].encode(), number % 7, number),
            )

    def _request(self, what: str, body: bytes) -> bytes:
        head = (
            f"POST {_TESTS}/{self._test_id}/{what} HTTP/1.1\r\nhost: localhost\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


if __name__ == "__main__":
    main()
