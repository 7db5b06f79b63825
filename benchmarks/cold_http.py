"""What the service adds to a ranking: `POST /predict` of prompts that it never saw, one at a time.

    python benchmarks/cold_http.py --catalog data/catalogs/aws.parquet --model data/models/aws

`nextcall serve` runs in a process of its own, as in development; this one asks over one connection
that is kept open, and ranks the same prompts itself (`CallRanker.answer` by the same index), by
turns. Prompts are titles of the AWS command line's examples, each asked once. ``added`` is the
median difference of a prompt's two times in milliseconds; ``guard`` of that is what the checks of
the prompt take here. Megabytes and seconds are of the service: its memory after the last answer,
and from its start to the first. Prints JSON, or writes it to ``--output``.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the libraries load
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import httpx
from json_output import give, parser_of

from nextcall.guard.guard import Guard
from nextcall.serve.loading import load_predictor
from nextcall.serve.schemas import PredictRequest
from nextcall.serve.settings import load_settings
from nextcall.sessions.awscli_examples import read_awscli_examples

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
    with (
        _service(arguments.catalog, arguments.model) as (at, started),
        httpx.Client(base_url=at, timeout=60) as asking,
    ):
        for number, prompt in enumerate(prompts[:: len(prompts) // arguments.questions]):
            row = {
                "http": _milliseconds(lambda: _ask(asking, prompt)),  # noqa: B023  # asked now
                "rank": _milliseconds(
                    lambda: predictor.predict(
                        PredictRequest(prompt=prompt, max_predictions=3)  # noqa: B023
                    )
                ),
                "guard": _milliseconds(lambda: guard.detect(prompt)),  # noqa: B023
            }
            if number >= 10:
                rows.append(row)
        health = asking.get("/health").json()
    medians = {name: round(statistics.median(row[name] for row in rows), 3) for name in rows[0]}
    give(
        {
            "benchmark": "cold_http",
            "questions": len(rows),
            "operations": len(predictor.index),
            "encoder": predictor.index.embedder.name,
            "milliseconds": medians,
            "added": round(statistics.median(row["http"] - row["rank"] for row in rows), 3),
            "seconds_to_first_answer": round(started, 2),
            "megabytes": health["memory_usage_mb"],
        },
        arguments.output,
    )


@contextmanager
def _service(catalog: Path, model: Path) -> Iterator[tuple[str, float]]:
    with TemporaryDirectory() as folder:
        options = ["--catalog", str(catalog), "--model", str(model), "--port", "0"]
        command = [sys.executable, "-c", _COMMAND, "serve", *options]
        begin = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--database", f"sqlite:///{folder}/a.db"], stderr=subprocess.PIPE, text=True
        )
        try:
            assert process.stderr is not None  # noqa: S101  # it was asked for
            said = ""
            while (found := re.search(r"at (http://\S+:\d+) ", said)) is None:
                said = process.stderr.readline()
            with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=60) as asking:
                asking.post(f"{found[1]}/predict", content=json.dumps({"prompt": "begin"}))
            yield found[1], time.perf_counter() - begin
        finally:
            process.terminate()
            process.wait(30)


def _ask(asking: httpx.Client, prompt: str) -> None:
    asking.post("/predict", content=json.dumps({"prompt": prompt})).raise_for_status()


def _milliseconds(call: Any) -> float:
    begin = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
