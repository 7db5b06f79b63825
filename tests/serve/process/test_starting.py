"""A service of several workers: they share work, answer for one another, come back."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from nextcall.serve.predictor import Predictor
from nextcall.serve.process.starting import opened_app
from nextcall.serve.settings import Settings
from nextcall.telemetry.workers import locked

from .test_server import place, started_with

PREDICT = {"prompt": "list the queues", "max_predictions": 2}
ATTACK = {"prompt": "x'; DROP TABLE users; --"}
EVENTS = ("misses", "hits")
LONG = 60.0


@pytest.fixture
def variables(predictor: Predictor, settings: Settings, tmp_path: Path) -> dict[str, str]:
    """Tell where the catalogue and the model lie, and the log."""
    assert predictor.ranker is not None
    return {
        **os.environ,
        "NEXTCALL_MODEL": str(settings.model),
        "NEXTCALL_CATALOG": str(settings.catalog),
        "NEXTCALL_CACHE_DIR": str(settings.cache_dir),
        "NEXTCALL_DATABASE_URL": f"sqlite:///{tmp_path}/kept/a.db",
        "NEXTCALL_LOG_DIR": str(tmp_path / "log"),
        "NEXTCALL_LOG_LEVEL": "info",
    }


@pytest.fixture
def workers(variables: dict[str, str]) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start two, and wait until both answer."""
    with started_with(variables, "--workers", "2") as process:
        at = place(process)
        until(lambda: len(children(process)) == 2)
        until(lambda: len(asked(at, 20)) == 20)
        yield process, at


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while True:
        try:
            if condition():
                return
        except httpx.TransportError:  # of a worker that begins or ended
            pass
        assert time.monotonic() < end
        time.sleep(0.05)


def children(process: "subprocess.Popen[str]") -> set[int]:
    told = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return {int(pid) for pid in told.split()}


def asked(at: str, n: int) -> list[str]:
    """Ask over so many connections at once, so that both workers take some; give the ids."""
    with ExitStack() as opened:
        clients = [opened.enter_context(httpx.Client(base_url=at, timeout=LONG)) for _ in range(n)]
        for client in clients:
            client.get("/health").raise_for_status()  # its connection is a worker's now
        answers = [client.post("/predict", json=PREDICT) for client in clients]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json()["prediction_id"] for answer in answers]


def test_feedback_reaches_whoever_showed_the_prediction(
    workers: tuple["subprocess.Popen[str]", str],
) -> None:
    _, at = workers
    ids = asked(at, 12)
    with httpx.Client(base_url=at, timeout=LONG) as one:  # of one worker
        for prediction_id in ids:
            given = one.post("/feedback", json={"prediction_id": prediction_id, "chosen": None})
            assert given.status_code == 200, given.text
        unknown = {"prediction_id": "0" * 36, "chosen": None}
        assert one.post("/feedback", json=unknown).status_code == 404


def test_counts_are_of_all_workers_and_each_answers(
    workers: tuple["subprocess.Popen[str]", str], tmp_path: Path
) -> None:
    process, at = workers
    before = counted(at)
    asked(at, 30)
    until(lambda: counted(at) == before + 30)
    log = tmp_path / "log/nextcall.jsonl"
    until(lambda: sum(told(line) for line in log.read_text().splitlines()) == before + 30)
    assert len(children(process)) == 2


def told(line: str) -> bool:
    context: dict[str, object] = json.loads(line)["context"]
    return context.get("route") == "/predict"


def counted(at: str) -> int:
    metrics = httpx.get(f"{at}/metrics", timeout=LONG).text
    (number,) = re.findall(
        r'http_requests_total\{endpoint="/predict".*,status="200"\} (\d+)', metrics
    )
    return int(number)


def test_whoever_is_asked_tells_what_all_counted_the_dead_too(
    workers: tuple["subprocess.Popen[str]", str],
) -> None:
    process, at = workers
    with ExitStack() as opened:
        clients = [opened.enter_context(httpx.Client(base_url=at, timeout=LONG)) for _ in range(12)]
        answers = [client.post("/predict", json=ATTACK) for client in clients]
    assert {answer.status_code for answer in answers} == {400}
    refused = 'nextcall_guard_requests_total{outcome="blocked"}'
    assert {numbers(at)[refused] for _ in range(12)} == {12}
    guards = [
        httpx.get(f"{at}/health", timeout=LONG).json()["components"]["guard"] for _ in range(12)
    ]
    assert {(guard["blocked"], guard["status"]) for guard in guards} == {(12, "ok")}
    told = [httpx.get(f"{at}/performance/metrics", timeout=LONG).json() for _ in range(12)]
    assert {one["guardrails_metrics"]["blocked_requests"] for one in told} == {12}

    memory = {f'process_resident_memory_bytes{{worker="{number}"}}' for number in (0, 1)}
    until(lambda: memory <= numbers(at).keys())
    assert {numbers(at)["nextcall_credentials_fresh"] for _ in range(12)} == {1}
    # Whichever worker is asked knows at once what the caches of all counted.
    made, kept = (f'cache_layer_events_total{{event="{each}",layer="query"}}' for each in EVENTS)
    until(lambda: all_agree(at, made, least=1) and all_agree(at, kept, least=1))
    until(lambda: {asked_lately(at) for _ in range(12)} == {answered(at)})
    before = numbers(at)

    killed = min(children(process))
    os.kill(killed, signal.SIGKILL)
    until(lambda: len(children(process) - {killed}) == 2)
    until(lambda: len(asked(at, 20)) == 20)
    assert {numbers(at)[refused] for _ in range(12)} == {12}
    until(lambda: memory <= numbers(at).keys())
    assert len([name for name in numbers(at) if name.startswith(min(memory)[:29])]) == 2
    assert all(numbers(at)[name] >= before[name] for name in (made, kept))


def asked_lately(at: str) -> int:
    told = httpx.get(f"{at}/performance/metrics", timeout=LONG).json()
    return int(told["endpoints"]["POST /predict"]["count"])


def answered(at: str) -> int:
    of = 'http_requests_total{endpoint="/predict",method="POST"'
    return round(sum(value for name, value in numbers(at).items() if name.startswith(of)))


def all_agree(at: str, name: str, *, least: float) -> bool:
    found = {numbers(at).get(name, 0.0) for _ in range(12)}
    return len(found) == 1 and min(found) >= least


def numbers(at: str) -> dict[str, float]:
    lines = httpx.get(f"{at}/metrics", timeout=LONG).text.splitlines()
    rows = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in rows}


def test_one_that_is_killed_is_replaced_and_what_was_acknowledged_stays(
    workers: tuple["subprocess.Popen[str]", str],
) -> None:
    process, at = workers
    ids = asked(at, 6)
    for prediction_id in ids:
        body = {"prediction_id": prediction_id, "chosen": None}
        assert httpx.post(f"{at}/feedback", json=body, timeout=LONG).status_code == 200
    before = counted(at)
    killed = min(children(process))
    os.kill(killed, signal.SIGKILL)
    until(lambda: len(children(process) - {killed}) == 2)
    until(lambda: len(asked(at, 20)) == 20)
    until(lambda: counted(at) >= before + 20)  # what the dead one had counted, too
    for prediction_id in ids:
        body = {"prediction_id": prediction_id, "chosen": None}
        given = httpx.post(f"{at}/feedback", json=body, timeout=LONG)
        assert (given.status_code, given.json()["repeated"]) == (200, True)


def test_those_that_are_killed_are_replaced_while_another_process_holds_the_metrics(
    variables: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "metrics"
    own = {**variables, "NEXTCALL_METRICS_DIR": str(folder)}
    with started_with(own, "--workers", "2") as process:
        at = place(process)
        until(lambda: len(asked(at, 4)) == 4)
        before = counted(at)
        killed = children(process)
        with locked(folder):  # by a process that hangs, say
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            until(lambda: len(children(process) - killed) == 2)
            until(lambda: len(asked(at, 4)) == 4)
        until(lambda: counted(at) >= before + 4)


def test_sigterm_ends_all_and_leaves_nothing(
    workers: tuple["subprocess.Popen[str]", str],
) -> None:
    process, _ = workers
    ended = children(process)
    maps = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in ended)
    (folder,) = set(re.findall(r"(/\S+/nextcall-[^/\s]+)/metrics/", maps))
    assert Path(folder).stat().st_mode & 0o077 == 0  # nobody else may ask at the sockets
    process.terminate()
    assert process.wait(LONG) == 143
    assert not [pid for pid in ended if Path(f"/proc/{pid}").exists()]
    assert not Path(folder).exists()


def test_requests_of_a_file_are_answered_before_anyone_asks(
    variables: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(json.dumps(PREDICT) + "\n", encoding="utf-8")
    with started_with(variables, "--warm-up", str(file)) as process:
        at = place(process)
        until(lambda: httpx.get(f"{at}/health", timeout=LONG).is_success)
        for body, found in ((PREDICT, "HIT"), ({**PREDICT, "max_predictions": 3}, "MISS")):
            answer = httpx.post(f"{at}/predict", json=body, timeout=LONG)
            assert (answer.status_code, answer.headers["x-cache"]) == (200, found)


def test_a_count_that_cannot_be_is_refused(variables: dict[str, str]) -> None:
    with started_with(variables, "--workers", "0") as process:
        _, said = process.communicate(timeout=LONG)
    assert process.returncode == 2
    assert "NEXTCALL_WORKERS" in said


def test_sides_before_which_a_breaker_stands_are_told(
    predictor: Predictor, settings: Settings, tmp_path: Path
) -> None:
    given = {
        "data_dir": tmp_path,
        "database_url": f"sqlite:///{tmp_path}/kept.db",
        "log_dir": tmp_path / "log",
        "model_versions": tmp_path / "versions",
        "oidc_issuer": "https://issuer.example",
    }
    own = settings.model_copy(update=given)
    with opened_app(predictor, own, tell=print) as app, TestClient(app) as asking:
        told = asking.get("/health").json()["components"]["outside"]
        numbers = asking.get("/metrics").text.splitlines()
    assert [(side["side"], side["status"]) for side in told] == [
        ("OpenID provider", "closed"),
        ("database", "closed"),
    ]
    for side in told:
        assert f'breakers_open{{side="{side["side"]}"}} 0.0' in numbers
        assert f'breaker_openings_total{{side="{side["side"]}"}} 0.0' in numbers
