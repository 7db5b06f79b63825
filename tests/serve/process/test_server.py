"""The service as a process of its own, asked over a real connection."""

import gc
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from nextcall.cli.serve import serve
from nextcall.serve.loading import open_stores
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.server import address, bind, loading_for_good, running
from nextcall.serve.schemas import PredictRequest
from nextcall.serve.settings import Settings, load_settings

COMMAND = "from nextcall.cli.main import main; main()"
SECRET = "Slartibartfast"  # noqa: S105  # a word of a prompt that must appear nowhere


@pytest.fixture
def variables(predictor: Predictor, settings: Settings, tmp_path: Path) -> dict[str, str]:
    """Tell where the catalogue and the model lie."""
    assert predictor.ranker is not None
    return {
        **os.environ,
        "NEXTCALL_MODEL": str(settings.model),
        "NEXTCALL_CATALOG": str(settings.catalog),
        "NEXTCALL_CACHE_DIR": str(settings.cache_dir),
        "NEXTCALL_DATABASE_URL": f"sqlite:///{tmp_path}/kept/a.db",
    }


@contextmanager
def started_with(variables: dict[str, str], *options: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "serve", "--port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
        env=variables,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


@pytest.fixture
def process(variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Start the command on a free port."""
    with started_with(variables) as started:
        yield started


def place(process: subprocess.Popen[str], *, production: bool = False) -> str:
    """Read what the command says until it says where it listens."""
    assert process.stderr is not None
    said = ""
    while (found := re.search(r"at (http://\S+:\d+) ", said)) is None:
        line = process.stderr.readline()
        assert line, said
        said += line
    assert "warning" not in said
    if not production:
        assert process.stderr.readline().startswith("DEVELOPMENT MODE: no key is asked for")
    return found[1]


def client_of(at: str) -> httpx.Client:
    transport = httpx.HTTPTransport(retries=8)  # the port is bound a moment before it listens
    return httpx.Client(base_url=at, transport=transport, timeout=60)


def test_the_command_answers_over_http(
    process: subprocess.Popen[str], predictor: Predictor, settings: Settings
) -> None:
    at = place(process)
    with client_of(at) as asking:
        answer = asking.post("/predict", json={"prompt": f"list the queues of {SECRET}"})
        assert answer.status_code == 200
        here = predictor.predict(
            PredictRequest(prompt=f"list the queues of {SECRET}", max_predictions=3)
        )
        assert [one["operation_id"] for one in answer.json()["predictions"]] == [
            one.operation_id for one in here.predictions
        ]
        health = asking.get("/health").json()
        assert (health["status"], health["components"]["catalog"]["name"]) == ("ok", "aws")

        def without_end() -> Iterator[bytes]:
            for _ in range(settings.max_body_bytes // 65536 + 2):
                yield b" " * 65536

        assert asking.post("/predict", content=without_end()).status_code == 413
        assert asking.get("/health").status_code == 200
    with socket.create_connection(("127.0.0.1", int(at.rpartition(":")[2]))) as raw:
        raw.sendall(b"POST /predict HTTP/1.1\r\nContent-Length: many\r\n\r\n")
        assert b" 400 " in raw.recv(1024)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert SECRET not in rest
    assert "Traceback" not in rest


def test_a_test_lives_on_after_the_service(
    process: subprocess.Popen[str], settings: Settings, tmp_path: Path
) -> None:
    assert settings.catalog.exists()
    with client_of(place(process)) as asking:
        tests = "/api/ab-testing/tests"
        halves = [
            {"variant_id": each, "variant_name": each, "traffic_percentage": 50} for each in "AB"
        ]
        planned = {
            "test_name": "ranker",
            "test_type": "model",
            "variants": halves,
            "control_variant_id": "A",
            "primary_metric": "taken",
        }
        test_id = asking.post(tests, json=planned).json()["test_id"]
        assert asking.post(f"{tests}/{test_id}/start").json()["status"] == "running"
        seen = asking.post(f"{tests}/{test_id}/assign", json={"user_id": "u"}).json()
        record = {"user_id": "u", "variant_id": seen["variant_id"], "metrics": {"taken": 1}}
        assert asking.post(f"{tests}/{test_id}/record", json=record).json()["recorded"] == 1
        health = asking.get("/health").json()["components"]["database"]
        assert health == {"status": "ok", "backend": "sqlite", "running_tests": 1}
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in rest
    file = tmp_path / "kept" / "a.db"
    assert [each.name for each in file.parent.iterdir()] == [file.name]  # closed: no log is left
    with open_stores(load_settings(database_url=f"sqlite:///{file}")) as stores:
        trials = stores.trials
        (kept,) = trials.find()
        assert (kept.test_id, kept.status) == (test_id, "running")
        events = [each.events for each in trials.analyze(test_id).variant_results]
        assert sorted(events) == [0, 1]


def test_in_production_a_key_opens_until_it_is_revoked(variables: dict[str, str]) -> None:
    variables |= {
        "NEXTCALL_ENVIRONMENT": "production",
        "NEXTCALL_RATE_ADAPTIVE": "false",  # a machine may have other work
        "NEXTCALL_SECRET": "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93",
    }

    def command(*arguments: str) -> str:
        whole = [sys.executable, "-c", COMMAND, *arguments]
        done = subprocess.run(whole, env=variables, capture_output=True, text=True, check=True)
        return done.stdout

    key = command("keys", "create", "portal", "--role", "user").strip()
    (key_id,) = re.findall(r"^\S+", command("keys", "list").splitlines()[-1])
    prompt = {"prompt": f"list the queues of {SECRET}"}
    with (
        started_with(variables, "--host", "127.0.0.1") as process,
        client_of(place(process, production=True)) as asking,
    ):
        assert asking.post("/predict", json=prompt).status_code == 401
        asking.headers["X-API-Key"] = key
        answer = asking.post("/predict", json=prompt)
        assert (answer.status_code, answer.headers["x-ratelimit-limit-minute"]) == (200, "60")
        later = command("keys", "create", "agent", "--role", "user").strip()

        def comes(holds: Callable[[httpx.Response], bool], *, of: str) -> None:
            end = time.monotonic() + 60
            while not holds(asking.post("/predict", json=prompt, headers={"X-API-Key": of})):
                assert time.monotonic() < end
                time.sleep(0.2)

        comes(lambda answer: answer.is_success, of=later)
        command("keys", "revoke", key_id)
        comes(lambda answer: answer.status_code == 401, of=key)
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=60)
    assert SECRET not in rest
    assert key not in rest
    told = command("audit", "search")
    for action in ("service started", "service stopped", "revoked", "refused"):
        assert action in told
    assert SECRET not in told
    assert key not in told
    command("audit", "verify")  # which would end with another code


def test_a_database_that_cannot_be_opened_is_told(
    predictor: Predictor, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert predictor.ranker is not None
    monkeypatch.setenv("NEXTCALL_CACHE_DIR", str(settings.cache_dir))
    (tmp_path / "a.db").mkdir()
    with pytest.raises(ValueError, match=r"database must be one that can be opened, got .*a\.db"):
        serve(catalog=settings.catalog, database=f"sqlite:///{tmp_path}/a.db", port=0)
    gc.unfreeze()


def test_without_a_model_it_warns_and_serves(
    predictor: Predictor,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert predictor.ranker is not None  # the catalogue and its vectors are there
    monkeypatch.setenv("NEXTCALL_CACHE_DIR", str(settings.cache_dir))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    with closing(bind("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.chdir(tmp_path)
    answers, ended = list[httpx.Response](), threading.Event()

    def ask_and_interrupt() -> None:
        url, end = f"http://127.0.0.1:{port}/predict", time.monotonic() + 60
        while not ended.wait(0.05) and not answers:
            try:
                answer = httpx.post(url, json={"prompt": "list the queues"}, timeout=60)
            except httpx.ConnectError:  # it is being loaded
                assert time.monotonic() < end
            else:
                answers.append(answer)
                os.kill(os.getpid(), signal.SIGINT)

    other = threading.Thread(target=ask_and_interrupt)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            serve(model=tmp_path / "none", catalog=settings.catalog, port=port)
    finally:  # nobody else is interrupted
        ended.set()
        other.join()
    (answer,) = answers
    assert answer.json()["metadata"]["fallback_method"] == "fused_retrieval"
    gc.unfreeze()  # the process of the tests lives on
    assert (tmp_path / "data" / "nextcall.db").exists()
    said = capsys.readouterr().err
    assert f"warning: no trained ranker in {tmp_path / 'none'}, fused retrieval answers" in said


def test_what_is_loaded_for_good_is_never_collected_again() -> None:
    before = gc.get_freeze_count()
    with loading_for_good():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > before
    gc.unfreeze()


def test_an_address_is_taken_once() -> None:
    with closing(bind("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert address(taken) == f"http://127.0.0.1:{port}"
        taken.listen()
        with pytest.raises(ValueError, match=rf"free to listen on, got 127\.0\.0\.1 and {port}: "):
            bind("127.0.0.1", port)


def test_an_address_may_be_of_version_6() -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    try:
        taken = bind("::1", 0)
    except ValueError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    with closing(taken):
        assert address(taken) == f"http://[::1]:{taken.getsockname()[1]}"


def test_an_unknown_host_is_told() -> None:
    with pytest.raises(ValueError, match=r"free to listen on, got no\.such\.host\.invalid and 1: "):
        bind("no.such.host.invalid", 1)


def test_an_application_that_does_not_start_is_told() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": f"{scope['type']}.startup.failed", "message": "no"})

    with (
        bind("127.0.0.1", 0) as listening,
        pytest.raises(RuntimeError, match=r"^The application ended before it was started\.$"),
        running(broken, listening),
    ):
        pytest.fail("it did not start")


def test_the_server_believes_nobody_who_says_for_whom_he_asks() -> None:
    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await JSONResponse([scope["client"][0], scope["scheme"]])(scope, receive, send)
        else:
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})

    said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    with bind("127.0.0.1", 0) as listening, running(told, listening) as place:
        assert httpx.get(place, headers=said).json() == ["127.0.0.1", "http"]
