"""A service that is killed while it trains: when it is back, the job is done, and its model serves.

All of it is the command `nextcall serve`, its processes and its files; nothing stands in for them.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.sessions import Query
from nextcall.sessions.jsonl import write_queries

LONG = 240.0  # seconds after which the test is given up
NOUNS = ("User", "Order", "Invoice", "Basket", "Parcel", "Coupon")
VERBS = {"List": "list all the {}s", "Get": "show me one {}", "Create": "make a new {}"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], tuple["subprocess.Popen[bytes]", str]]]:
    """Start the command over a small catalogue, in a folder that stays."""
    data = tmp_path / "data"
    named = [(verb, noun) for noun in NOUNS for verb in VERBS]
    operations = tuple(
        describe_operation(
            operation_id=f"{verb}{noun}", method="POST", path=f"/{noun}/{verb}", service=noun
        )
        for verb, noun in named
    )
    Catalog("shop", operations).save(data / "catalogs" / "shop.parquet")
    queries = [
        Query(
            query_id=f"{verb}{noun}",
            prompt=VERBS[verb].format(noun.lower()),
            relevant=(f"{verb}{noun}",),
            task="next_call",
            session_id=noun,
        )
        for verb, noun in named
    ]
    write_queries(queries, data / "queries.jsonl")
    own = {name: value for name, value in os.environ.items() if not name.startswith("NEXTCALL_")}
    own |= {"NEXTCALL_DATA_DIR": "data", "NEXTCALL_CACHE_DIR": "cache", "NEXTCALL_MODEL": "none"}
    command = [sys.executable, "-m", "nextcall.cli.main", "serve", "--port", "0"]
    command += ["--catalog", "data/catalogs/shop.parquet"]
    started: list[subprocess.Popen[bytes]] = []

    def one() -> tuple["subprocess.Popen[bytes]", str]:
        log = tmp_path / f"log{len(started)}.txt"
        with log.open("wb") as said:
            process = subprocess.Popen(command, cwd=tmp_path, env=own, stderr=said)
        started.append(process)
        until = time.monotonic() + LONG
        while (found := re.search(r"at (http\S+) \(documentation", log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until
            time.sleep(0.1)
        return process, found[1]

    yield one
    for process in started:
        process.kill()
        process.wait(LONG)


def wait_for(ask: Callable[[], Any], is_so: Callable[[Any], bool]) -> Any:
    until = time.monotonic() + LONG
    while True:
        try:
            found = ask()
        except httpx.TransportError:  # it is about to listen
            found = None
        if found is not None and is_so(found):
            return found
        assert time.monotonic() < until, found
        time.sleep(0.2)


def test_a_job_outlives_its_service(
    start: Callable[[], tuple["subprocess.Popen[bytes]", str]], tmp_path: Path
) -> None:
    first, url = start()
    body = {"queries": "queries.jsonl", "trees": 5, "simulated": 0, "encoder": "minilm"}
    with httpx.Client(base_url=url, timeout=LONG) as client:
        health = wait_for(lambda: client.get("/health").json(), bool)
        assert health["components"]["ranker"]["status"] == "fallback"
        job = client.post("/train", json=body).json()["href"]
        wait_for(lambda: client.get(f"/{job}").json(), lambda told: told["status"] == "running")
        first.send_signal(signal.SIGKILL)
        assert first.wait(LONG) == -signal.SIGKILL
    _, url = start()
    with httpx.Client(base_url=url, timeout=LONG) as client:
        end = wait_for(
            lambda: client.get(f"/{job}").json(),
            lambda told: told["status"] not in {"queued", "running"},
        )
        assert (end["status"], end["attempt"], end["reason"]) == ("done", 2, None)
        answer = client.post("/predict", json={"prompt": "make a new coupon"}).json()
        assert answer["metadata"]["model_version"] == end["result"]["model_version"]
    folder = tmp_path / "data" / "jobs"
    assert wait_for(lambda: list(folder.iterdir()), lambda left: left == []) == []
    third, url = start()
    with httpx.Client(base_url=url, timeout=LONG) as client:
        health = wait_for(lambda: client.get("/health").json(), bool)
        told = health["components"]["ranker"]
        assert (told["status"], told["model_version"]) == ("ok", end["result"]["model_version"])
    third.terminate()
    assert third.wait(LONG) in {0, 128 + signal.SIGTERM}
