"""Answers a second of `POST /predict`, kept ones, through the whole service; beside a bare route.

    python benchmarks/predict_http.py [--redis redis://...]

Two servers, each a process of its own with the settings of `nextcall serve`: the whole service in
production (key, rate limits, guard, caches, metrics, a line of the log a request; over a small
catalogue and the packaged ranker), and a bare FastAPI application whose routes take the same body
and answer the same, in short and in full detail, without doing anything. Connections are kept open;
each asks, waits for the answer, asks again. By turns:
one request again and again, a hundred of them, and the same in full detail. Ratios are of each
round; given are medians. Where others use the machine too, what a server computes for a request
says more than how many it answers: ``times_bare_by_cpu``. Prints JSON, or writes it to
``--output``.
"""

import argparse
import asyncio
import copy
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import uvloop
from fastapi import FastAPI
from json_output import give, parser_of, rounded
from trials_http import ask, cpu_seconds, medians, ratios

from nextcall.access.keys import create_key
from nextcall.catalog import Catalog, describe_operation
from nextcall.locations import packaged_model
from nextcall.ranking.model_files import load_ranker
from nextcall.serve.answers import Answer, FullAnswer
from nextcall.serve.app import create_app
from nextcall.serve.caching.caches import open_caches
from nextcall.serve.loading import open_stores
from nextcall.serve.observer import open_observer
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.server import address, bind, loading_for_good, run
from nextcall.serve.schemas import PredictRequest
from nextcall.serve.settings import load_settings
from nextcall.storage.opening import open_database
from nextcall.training.opening import open_index

_SECRET: Final = "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"  # noqa: S105  # of this run
_VERBS: Final = ("list", "create", "get", "update", "delete")
_THINGS: Final = ("user", "order", "invoice", "bucket", "queue", "table", "role", "key", "alarm")
_HISTORY: Final = [{"api_call": "listUsers"}, {"api_call": "getUser"}]


def main() -> None:
    """Measure, or be one of the servers."""
    parser = parser_of(__doc__)
    parser.add_argument("--redis", help="where limits and answers are shared; memory otherwise")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", choices=["bare", "whole"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve == "bare":
        _serve_bare()
    elif arguments.serve == "whole":
        with whole_service(arguments.folder, arguments.redis) as app:
            _listen(app)
    else:
        with TemporaryDirectory() as folder:
            key = _new_key(Path(folder))
            redis = [] if arguments.redis is None else ["--redis", arguments.redis]
            with (
                _server_of("bare", folder) as bare,
                _server_of("whole", folder, *redis) as whole,
            ):
                load = _Load(
                    {"bare": bare, "whole": whole},
                    key,
                    connections=arguments.connections,
                    seconds=arguments.seconds,
                )
                result = load.measure(arguments.rounds)
        give({"benchmark": "predict_http", **result}, arguments.output)


def _serve_bare() -> None:
    app = FastAPI()
    answers: list[tuple[Answer, FullAnswer]] = []

    @app.post("/given")
    async def given(short: Answer, full: FullAnswer) -> None:
        answers.append((short, full))

    @app.post("/predict")
    async def predict(_: PredictRequest) -> Answer:
        return answers[-1][0]

    @app.post("/predict/full")
    async def predict_fully(_: PredictRequest) -> FullAnswer:
        return answers[-1][1]

    _listen(app)


@contextmanager
def whole_service(folder: Path, redis: str | None) -> Iterator[FastAPI]:
    """Build the service of production over a small catalogue, its database in a folder."""
    os.environ["NEXTCALL_SECRET"] = _SECRET
    settings = load_settings(
        environment="production",
        host="127.0.0.1",
        database_url=f"sqlite:///{folder}/a.db",
        cache_dir=folder,
        rate_per_minute=10**7,
        rate_per_hour=10**8,
        rate_per_day=10**9,
        address_per_minute=10**8,
        redis_url=redis,
        log_dir=folder / "log",
    )
    operations = tuple(
        describe_operation(operation_id=f"{verb}{thing.title()}", summary=f"{verb} a {thing}")
        for verb in _VERBS
        for thing in _THINGS
    )
    with loading_for_good():
        index = open_index(Catalog(name="small", operations=operations), cache=folder)
        ranker, card = load_ranker(packaged_model())
        predictor = Predictor(index, ranker=ranker, card=card)
        predictor.warm()
    with (
        open_stores(settings) as kept,
        open_caches(settings, predictor) as caches,
        open_observer(settings) as observer,
    ):
        yield create_app(
            predictor,
            settings=settings,
            parts=Parts(trials=kept.trials, door=kept.door, caches=caches, observer=observer),
        )


def _listen(app: FastAPI) -> None:
    with bind("127.0.0.1", 0) as listening:
        print(address(listening), flush=True)
        run(app, listening)


def _new_key(folder: Path) -> str:
    with open_database(f"sqlite:///{folder}/a.db") as database:
        return create_key(database, "load", role="user", now=datetime.now(UTC))[0]


@contextmanager
def _server_of(kind: str, folder: str, *more: str) -> Iterator[tuple[str, int]]:
    command = [sys.executable, __file__, "--serve", kind, "--folder", folder, *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101  # it was asked for
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.terminate()
        process.wait(30)


class _Load:
    """What is asked of both servers."""

    def __init__(
        self,
        servers: dict[str, tuple[str, int]],
        key: str,
        *,
        connections: int,
        seconds: float,
    ) -> None:
        self._servers, self._key = servers, key
        self._connections, self._seconds = connections, seconds
        self._bodies = [
            json.dumps(
                {"prompt": f"show me the {thing} number {number}", "history": _HISTORY}
            ).encode()
            for number, thing in zip(range(100), itertools.cycle(_THINGS), strict=False)
        ]
        headers = {"x-api-key": key}
        whole, bare = servers["whole"][0], servers["bare"][0]
        with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=60) as asking:
            for path in ("/predict", "/predict?detail=full"):
                for body in self._bodies:
                    answer = asking.post(f"{whole}{path}", content=body, headers=headers)
                    answer.raise_for_status()
            short, full = (
                asking.post(f"{whole}/predict{query}", content=self._bodies[0], headers=headers)
                for query in ("", "?detail=full")
            )
            self.cache = short.headers["x-cache"]
            given = {"short": short.json(), "full": full.json()}
            asking.post(f"{bare}/given", json=given).raise_for_status()

    def measure(self, rounds: int) -> dict[str, Any]:
        """Ask by turns."""
        every = [self._request("/predict", body) for body in self._bodies]
        full = {
            "bare": [self._request("/predict/full", body) for body in self._bodies],
            "whole": [self._request("/predict?detail=full", body) for body in self._bodies],
        }
        kinds = {
            "one request": dict.fromkeys(self._servers, every[:1]),
            "a hundred requests": dict.fromkeys(self._servers, every),
            "a hundred in full": full,
        }
        rates: dict[str, dict[str, list[float]]] = {
            kind: {name: [] for name in self._servers} for kind in kinds
        }
        costs = copy.deepcopy(rates)
        for _ in range(rounds):
            for kind, requests in kinds.items():
                for name, (place, process) in self._servers.items():
                    before, begin = cpu_seconds(process), time.perf_counter()
                    asked = ask(
                        place,
                        itertools.cycle(requests[name]),
                        connections=self._connections,
                        seconds=self._seconds,
                    )
                    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                        answered = runner.run(asked)
                    rates[kind][name].append(answered / (time.perf_counter() - begin))
                    costs[kind][name].append((cpu_seconds(process) - before) / answered)
        return {
            "connections": self._connections,
            "x-cache": self.cache,
            "requests_a_second": medians(rates),
            "times_bare": ratios(rates, "whole", "bare"),
            "cpu_seconds_a_request": medians(costs),
            "times_bare_by_cpu": ratios(costs, "bare", "whole"),
            "samples": rounded({"requests_a_second": rates, "cpu_seconds_a_request": costs}),
        }

    def _request(self, path: str, body: bytes) -> bytes:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {self._key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


if __name__ == "__main__":
    main()
