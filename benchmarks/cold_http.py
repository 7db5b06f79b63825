"""What the service adds to a ranking: `POST /predict` of prompts that it never saw, one at a time.

    python benchmarks/cold_http.py --catalog data/catalogs/aws.parquet --model data/models/aws

`nextcall serve` runs in a process of its own, as in development; this one asks over one connection
that is kept open, by a bare socket, and ranks the same prompts itself (`Predictor.predict`, as the
service does), by turns, so that both have been idle as long. Prompts are titles of the AWS command
line's examples, each asked once. ``added`` is the median difference of a prompt's two times in
milliseconds; ``guard`` of that is what the checks of the prompt take here. Where others use the
machine too, ``computed_ms`` says more: of the processor, in the mean, for the service and for the
ranking here. Megabytes and seconds are of the service: its memory after the last answer, and from
its start to the first. Prints JSON, or writes it to ``--output``.
"""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the libraries load
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import httpx
from json_output import give, parser_of, rounded
from trials_http import cpu_seconds

from nextcall.guard.guard import Guard
from nextcall.serve.loading import load_predictor
from nextcall.serve.schemas import PredictRequest
from nextcall.serve.settings import load_settings
from nextcall.sessions.awscli_examples import read_awscli_examples

_HEAD: Final = (
    b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n"
)
_MOST: Final = 1 << 16  # bytes read at once
_WARMING: Final = 20  # questions that are not counted
_COMMAND = "from nextcall.cli.main import main; main()"


def main() -> None:
    """Measure, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--catalog", type=Path, default=Path("data/catalogs/aws.parquet"))
    parser.add_argument("--model", type=Path, default=Path("data/models/aws"))
    parser.add_argument("--questions", type=int, default=300)
    arguments = parser.parse_args()
    settings = load_settings(catalog=arguments.catalog, model=arguments.model)
    predictor = load_predictor(settings)
    predictor.warm()
    guard = Guard()
    prompts = sorted({query.prompt for query in read_awscli_examples(predictor.index.catalog)})
    rows: list[dict[str, float]] = []
    served = ranked = 0.0
    with (
        service(arguments.catalog, arguments.model) as (at, process, started),
        closing(connected(at)) as asking,
    ):
        for number, prompt in enumerate(prompts[:: len(prompts) // arguments.questions]):
            if number == _WARMING:
                served, ranked = cpu_seconds(process), 0.0
            http = _milliseconds(lambda: ask(asking, {"prompt": prompt}))  # noqa: B023  # asked now
            begin = time.thread_time()
            rank = _milliseconds(
                lambda: predictor.predict(
                    PredictRequest(prompt=prompt, max_predictions=3)  # noqa: B023
                )
            )
            ranked += time.thread_time() - begin
            checked = _milliseconds(lambda: guard.detect(prompt))  # noqa: B023
            if number >= _WARMING:
                row = {"http": http, "rank": rank, "guard": checked, "added": http - rank}
                rows.append(row)
        served = cpu_seconds(process) - served
        health = httpx.get(f"{at}/health").json()
    computed = {"service": 1000 * served / len(rows), "rank": 1000 * ranked / len(rows)}
    computed["added"] = computed["service"] - computed["rank"]
    medians = {name: round(statistics.median(row[name] for row in rows), 3) for name in rows[0]}
    give(
        {
            "benchmark": "cold_http",
            "questions": len(rows),
            "operations": len(predictor.index),
            "encoder": predictor.index.embedder.name,
            "milliseconds": medians,
            "computed_ms": {name: round(value, 3) for name, value in computed.items()},
            "seconds_to_first_answer": round(started, 2),
            "memory_mb": health["memory_usage_mb"],
            "samples": {
                "milliseconds": rounded({name: [row[name] for row in rows] for name in medians})
            },
        },
        arguments.output,
    )


@contextmanager
def service(catalog: Path, model: Path, **variables: str) -> Iterator[tuple[str, int, float]]:
    """Start `nextcall serve`; give its address, its process, and seconds to its first answer."""
    with TemporaryDirectory() as folder:
        options = ["--catalog", str(catalog), "--model", str(model), "--port", "0"]
        command = [sys.executable, "-c", _COMMAND, "serve", *options]
        begin = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--database", f"sqlite:///{folder}/a.db"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
        )
        try:
            assert process.stderr is not None  # noqa: S101  # it was asked for
            said = ""
            while (found := re.search(r"at (http://\S+:\d+) ", said)) is None:
                said = process.stderr.readline()
            with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=60) as asking:
                asking.post(f"{found[1]}/predict", content=json.dumps({"prompt": "begin"}))
            yield found[1], process.pid, time.perf_counter() - begin
        finally:
            process.terminate()
            process.wait(30)


def connected(at: str) -> socket.socket:
    """Open a connection to a service, which stays open."""
    place = urlsplit(at)
    made = socket.create_connection((place.hostname, place.port), timeout=60)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def ask(asking: socket.socket, request: Mapping[str, object]) -> bytes:
    """Ask `POST /predict`, and give the head of the answer, which must be 200."""
    body = json.dumps(request).encode()
    asking.sendall(_HEAD % len(body) + body)
    head, _, answered = asking.recv(_MOST).partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    if length is None or not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"The service must answer 200, got {head!r}.")
    left = int(length[1]) - len(answered)
    while left > 0:
        left -= len(asking.recv(_MOST))
    return head


def _milliseconds(call: Any) -> float:
    begin = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
