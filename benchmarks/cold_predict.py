"""What a new prompt takes besides its embedding: `POST /predict`, one at a time.

    python benchmarks/cold_predict.py [--operations 1000 --encoder minilm]

The service is a process of its own, set up as `nextcall serve` does in development (caches, guard,
feedback, metrics, log), over some operations of AWS. It tells how long the encoder took for each
prompt, so that of the same request is known what all else took: ``besides``. Prompts are titles of
the AWS command line's examples, each asked once, alone and after two calls, over one connection
that stays open; the client is a bare socket. Milliseconds on the wall and of the service's CPU.
Prints JSON, or writes it to ``--output``.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Self

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the libraries load
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from cold_rank import part_of
from json_output import give, parser_of, rounded
from numpy.typing import NDArray
from trials_http import cpu_seconds

from nextcall.catalog import Catalog
from nextcall.catalog.aws import read_aws
from nextcall.embedding import Embedder
from nextcall.locations import cache_dir
from nextcall.progress import Progress, silent
from nextcall.serve.app import create_app
from nextcall.serve.caching.caches import open_caches
from nextcall.serve.loading import load_predictor, open_stores
from nextcall.serve.observer import open_observer
from nextcall.serve.parts import Parts
from nextcall.serve.process.server import address, bind, loading_for_good, run
from nextcall.serve.settings import load_settings
from nextcall.sessions.awscli_examples import read_awscli_examples, with_history

_FIRST = 20  # are asked, but not counted
_KEPT = ("request", "besides", "cpu_besides")  # what is told one by one


def main() -> None:
    """Measure, or be the service."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--operations", type=int, default=1_000)
    parser.add_argument("--encoder", default="minilm", help="as `nextcall serve` takes it")
    parser.add_argument("--prompts", type=int, default=300, help="of each kind")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        _serve(arguments.serve, arguments.encoder)
        return
    catalog = read_aws()
    examples = read_awscli_examples(catalog)
    by_prompt = {query.prompt: query for query in examples}
    part = part_of(catalog, arguments.operations)
    rng = np.random.default_rng(arguments.seed)
    count = 2 * (arguments.prompts + _FIRST)
    names = rng.permutation(sorted(by_prompt))[:count].tolist()
    queries = with_history([by_prompt[name] for name in names], catalog, rng=rng)
    alone: list[dict[str, object]] = [{"prompt": query.prompt} for query in queries[: count // 2]]
    after: list[dict[str, object]] = [
        {
            "prompt": query.prompt,
            "history": [{"api_call": call.operation_id} for call in query.history],
        }
        for query in queries[count // 2 :]
    ]
    kinds = {"alone": alone, "after_two_calls": after}
    with TemporaryDirectory() as folder:
        found = _measure(part, arguments.encoder, kinds, Path(folder))
    give(
        {
            "benchmark": "cold_predict",
            "operations": len(part),
            "encoder": arguments.encoder,
            "prompts": arguments.prompts,
            "milliseconds": {kind: _summary(taken) for kind, taken in found.items()},
            "samples": {
                "milliseconds": {
                    kind: {name: {"p50": rounded(taken[name])} for name in _KEPT}
                    for kind, taken in found.items()
                }
            },
        },
        arguments.output,
    )


class _Told:
    """An encoder that writes down how long it took, on the wall and of its thread's CPU."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.name, self.dimensions = embedder.name, embedder.dimensions

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
        """Encode, and tell."""
        begin, cpu = time.perf_counter(), time.thread_time()
        vectors = self._embedder.encode(texts, progress=progress)
        print(time.perf_counter() - begin, time.thread_time() - cpu, flush=True)
        return vectors


def _serve(folder: Path, encoder: str) -> None:
    settings = load_settings(
        catalog=folder / "catalog.parquet",
        encoder=encoder,
        cache_dir=cache_dir(),
        database_url=f"sqlite:///{folder}/a.db",
        log_dir=folder / "log",
    )
    with bind("127.0.0.1", 0) as listening, loading_for_good():
        predictor = load_predictor(settings)
        predictor.warm()
        with (
            open_stores(settings) as kept,
            open_caches(settings, predictor) as caches,
            open_observer(settings) as observer,
        ):
            predictor.index.embedder = _Told(predictor.index.embedder)
            app = create_app(
                predictor,
                settings=settings,
                parts=Parts(
                    trials=kept.trials,
                    door=kept.door,
                    caches=caches,
                    observer=observer,
                    feedback=kept.feedback,
                ),
            )
            print(address(listening), flush=True)
            run(app, listening)


def _measure(
    catalog: Catalog, encoder: str, kinds: dict[str, list[dict[str, object]]], folder: Path
) -> dict[str, dict[str, list[float]]]:
    catalog.save(folder / "catalog.parquet")
    options = ["--serve", str(folder), "--encoder", encoder]
    process = subprocess.Popen(
        [sys.executable, __file__, *options], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None  # noqa: S101  # it was asked for
        place = process.stdout.readline().strip()
        with _Connection(place) as connection:
            return {
                name: _ask_all(connection, asked, process.stdout, process.pid)
                for name, asked in kinds.items()
            }
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


def _ask_all(
    connection: "_Connection",
    asked: Sequence[dict[str, object]],
    told: IO[str],
    process: int,
) -> dict[str, list[float]]:
    """Ask each once; give milliseconds of what was told of it."""
    rows: list[dict[str, float]] = []
    for body in asked:
        computed, begin = cpu_seconds(process), time.perf_counter()
        connection.ask(json.dumps(body).encode())
        taken = time.perf_counter() - begin
        used = cpu_seconds(process) - computed
        wall, cpu = map(float, told.readline().split())
        rows.append(
            {
                "request": taken,
                "embedding": wall,
                "besides": taken - wall,
                "cpu": used,
                "cpu_embedding": cpu,
                "cpu_besides": used - cpu,
            }
        )
    counted = rows[_FIRST:]
    return {name: [1_000 * row[name] for row in counted] for name in counted[0]}


def _summary(taken: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    return {
        name: {
            "p50": round(statistics.median(each), 3),
            "p95": round(float(np.quantile(each, 0.95)), 3),
            "min": round(min(each), 3),
        }
        for name, each in taken.items()
    }


class _Connection:
    """A socket that stays open."""

    def __init__(self, place: str) -> None:
        host, _, port = place.removeprefix("http://").partition(":")
        self._host = host
        until = time.perf_counter() + 30
        while True:
            try:
                self._socket = socket.create_connection((host, int(port)), timeout=60)
                break
            except ConnectionRefusedError:  # it is bound, and not yet listening
                if time.perf_counter() > until:
                    raise
                time.sleep(0.05)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, body: bytes) -> bytes:
        """Send a request to `POST /predict`, and give the body of its answer."""
        head = (
            f"POST /predict HTTP/1.1\r\nhost: {self._host}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)
        came = b""
        while b"\r\n\r\n" not in came:
            came += self._some()
        told, _, answer = came.partition(b"\r\n\r\n")
        length = int(told.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(answer) < length:
            answer += self._some()
        if not told.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"error: {told.decode()} {answer.decode()}")
        if b"x-cache: miss" not in told.lower():
            raise SystemExit(f"error: an answer was kept: {body.decode()}")
        return answer

    def _some(self) -> bytes:
        came = self._socket.recv(65_536)
        if not came:
            raise SystemExit("error: the service hung up")
        return came


if __name__ == "__main__":
    main()
