"""The verb `bench serve`: what it writes and keeps, and what it refuses."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nextcall.cli.main import app, main
from nextcall.performance.history import RunHistory
from nextcall.storage.database import Database


class Answers(BaseHTTPRequestHandler):
    """Answers whoever has the key."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # the server's name for it
        self.rfile.read(int(self.headers["content-length"]))
        known = self.path == "/predict" and self.headers["X-API-Key"] == "known"
        self.send_response(200 if known else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Has room for all who come at once: who finds none comes again after a second."""

    request_queue_size = 64


@pytest.fixture
def url() -> Iterator[str]:
    with Server(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("NEXTCALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    roomy = dict.fromkeys(("prediction_p50_seconds", "prediction_p95_seconds"), 60.0)
    monkeypatch.setenv("NEXTCALL_SERVICE_LEVEL", json.dumps(roomy | {"deadline_seconds": 60.0}))
    return monkeypatch


def run(url: str, *options: str, code: int = 0) -> str:
    arguments = ["bench", "serve", "--url", url, "--key", "known", *options]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_figures_are_shown_written_and_kept(
    url: str, bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = ("prediction_p50", "prediction_p95", "cache_hit", "deadline")
    slow = {f"{name}_seconds": 1e6 for name in names}  # whatever else the machine does
    bare.setenv("NEXTCALL_SERVICE_LEVEL", json.dumps(slow))
    files = ("--output", "made/a.json", "--report", "made/a.md")
    kept_in = f"sqlite:///{tmp_path}/runs.db"
    shown = run(url, "--repeats", "25", *files, "--keep", "--database", kept_in)
    assert "users_new, 20 at once: 25 in " in shown
    told = json.loads((tmp_path / "made/a.json").read_text(), parse_constant=pytest.fail)
    assert {len(part["samples_ms"]) for part in told["parts"].values()} == {25}
    assert "| users_same | 25 | 0 |" in (tmp_path / "made/a.md").read_text()
    with Database(kept_in) as database:
        (run_kept,) = RunHistory(database).newest()
    assert run_kept["promises"] == told["promises"]
    again = ["bench", "compare", "made/a.json", "made/a.json"]
    assert CliRunner().invoke(app, again).exit_code == 0


def test_a_missed_promise_ends_with_1(url: str, bare: pytest.MonkeyPatch) -> None:
    bare.setenv("NEXTCALL_SERVICE_LEVEL", '{"prediction_p50_seconds": 1e-9}')
    assert "users_new: prediction_p50 is " in run(url, "--repeats", "20", code=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--url", "somewhere"), "url must be such as http://127.0.0.1:8000, got 'somewhere'"),
        (("--url", "http://127.0.0.1:1"), "url must be of a service that runs, got none"),
        (("--key", "k"), "key must come with url"),
        (("--url", "http://a", "--catalog", "a"), "catalog, model and encoder must not come with"),
        (("--catalog", "a.csv"), "a.csv: a catalogue must be a .parquet file"),
    ],
)
def test_bad_input_is_exit_code_2(
    bare: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    bare.setattr(sys, "argv", ["nextcall", "bench", "serve", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"error: {message}" in capsys.readouterr().err.splitlines()[-1]


def test_a_key_that_is_refused_is_exit_code_2(
    url: str, bare: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare.setattr(sys, "argv", ["nextcall", "bench", "serve", "--url", url, "--key", "other"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "error: key must be one that may predict, got status 401" in capsys.readouterr().err
