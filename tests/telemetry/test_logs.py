"""Lines of JSON of the service, of libraries and of a real server, with secrets planted in all."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from nextcall.telemetry.log_entries import request_of
from nextcall.telemetry.logs import Level, Logs, LogSettings, open_logs

NOW = 1_790_000_000.12345
PROMPT = "drop every bucket of the finance team"
KEY = "nc_0123456789abcdefghijklmnopqrstuvwxyzABCD"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"  # noqa: S105  # nobody's


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    with open_logs(LogSettings(folder=tmp_path / "logs"), clock=lambda: NOW) as opened:
        yield opened


def lines(tmp_path: Path) -> list[dict[str, Any]]:
    text = (tmp_path / "logs" / "nextcall.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_an_event_is_told_with_all_that_belongs_to_it(logs: Logs, tmp_path: Path) -> None:
    logs.logger("nextcall.serve").warning("model loaded", seconds=1.5, catalog="aws")
    (line,) = lines(tmp_path)
    assert list(line.items()) == [
        ("timestamp", "2026-09-21T14:13:20.123Z"),
        ("level", "warning"),
        ("logger", "nextcall.serve"),
        ("message", "model loaded"),
        ("context", {"seconds": 1.5, "catalog": "aws"}),
        ("thread", threading.current_thread().name),
        ("process", os.getpid()),
        ("request_id", None),
    ]
    assert datetime.fromisoformat(line["timestamp"]) == datetime(
        2026, 9, 21, 14, 13, 20, 123_000, UTC
    )


def test_libraries_are_told_in_the_same_form(logs: Logs, tmp_path: Path) -> None:
    logs.logger("any").error("any")
    logging.getLogger("nextcall.any").error("guard check failed: %s", "pii", extra={"count": 2})
    ours, theirs = lines(tmp_path)
    assert list(ours) == list(theirs)
    assert theirs["message"] == "guard check failed: pii"
    assert theirs["context"] == {"count": 2}
    assert (theirs["level"], theirs["logger"]) == ("error", "nextcall.any")


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_levels_below_the_one_that_was_asked_for_are_not_told(level: Level, tmp_path: Path) -> None:
    levels: list[Level] = ["debug", "info", "warning", "error"]
    with open_logs(LogSettings(folder=tmp_path / "logs", level=level)) as logs:
        for each in levels:
            getattr(logs.logger("nextcall"), each)("ours")
            getattr(logging.getLogger("nextcall.any"), each)("theirs")
            getattr(logging.getLogger("library"), each)("others")
    told = [(line["level"], line["message"]) for line in lines(tmp_path)]
    expected = [
        (each, whose)
        for each in levels
        for whose in ("ours", "theirs", "others")
        if levels.index(each) >= (levels.index(level) if whose != "others" else 2)
    ]
    assert told == expected


def test_nothing_tells_a_prompt_or_a_secret(logs: Logs, tmp_path: Path) -> None:
    log, ours = logs.logger("nextcall.serve"), logging.getLogger("nextcall.any")
    library = logging.getLogger("library")
    refused = f"refused {KEY}"
    with request_of(KEY):
        log.error(refused, prompt=PROMPT, reason=f"Bearer {TOKEN}", query=PROMPT)
    try:
        _fail()
    except ValueError:
        log.exception("prediction failed", rule=TOKEN)
        ours.exception("prediction failed")
        library.error("it failed", exc_info=True, stack_info=True)
    ours.error("header %s", f"Authorization: Basic {PROMPT}", extra={"prompt": PROMPT})
    library.warning("asked %s", PROMPT)
    library.warning("asked %(prompt)s", {"prompt": PROMPT})
    library.warning("key %s of", KEY, extra={"prompt": PROMPT, "reason": f"password={KEY}"})
    library.warning("token %s", TOKEN)
    library.warning(ValueError(f"secret={KEY}"))
    text = (tmp_path / "logs" / "nextcall.jsonl").read_text()
    assert len(text.splitlines()) == 10
    assert logs.lost == 0
    for secret in (PROMPT, KEY, TOKEN, "0123456789", "eyJ", "finance"):
        assert secret not in text
    failed = lines(tmp_path)[1]
    assert [each["type"] for each in failed["exception"]] == ["ValueError", "KeyError"]
    assert failed["exception"][0]["places"][0].startswith("test_logs.py:")
    assert failed["context"] == {"rule": "[removed]"}


def _fail() -> None:
    try:
        json.loads("{}")[PROMPT]
    except KeyError as error:
        raise ValueError(f"{PROMPT} {KEY}") from error


def test_lines_are_one_line_whatever_they_say(logs: Logs, tmp_path: Path) -> None:
    logs.logger("a\nb").info('x"\n{"level": "forged"}\r\u2028\ud800', reason="a\nb\0")
    (line,) = lines(tmp_path)
    assert line["message"] == 'x"\n{"level": "forged"}\r\u2028\ud800'
    assert line["context"] == {"reason": "a\nb\0"}


def test_a_request_is_named_in_its_tasks_and_threads(logs: Logs, tmp_path: Path) -> None:
    log = logs.logger("nextcall")

    async def answer(name: str) -> None:
        with request_of(name):
            await asyncio.sleep(0)
            log.info(name)
            await asyncio.to_thread(log.info, name)
        log.info("after")

    async def both() -> None:
        await asyncio.gather(answer("a" * 32), answer("f00" * 10))

    asyncio.run(both())
    told = [(line["message"], line["request_id"]) for line in lines(tmp_path)]
    assert len(told) == 6
    assert all(of == (None if message == "after" else message) for message, of in told)


def test_a_line_that_cannot_be_made_is_counted_and_breaks_nothing(
    logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        def __str__(self) -> str:
            raise RuntimeError(PROMPT)

    logs.logger("nextcall").info(Silent())  # type: ignore[arg-type]  # as somebody may
    with monkeypatch.context() as patched:
        patched.setattr(logging.getLogger(), "handlers", [logs._handler])  # without pytest's
        logging.getLogger("nextcall").error("%s", Silent())
        logging.getLogger("nextcall").error("%d", "no number")
    logs.logger("nextcall").info("after")
    assert [line["message"] for line in lines(tmp_path)] == ["after"]
    assert logs.lost == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_costs_lines_and_breaks_no_request(tmp_path: Path) -> None:
    (tmp_path / "nextcall.jsonl").symlink_to("/dev/full")
    with open_logs(LogSettings(folder=tmp_path)) as logs:
        for _ in range(3):
            logs.logger("nextcall").info("request")
            logging.getLogger("uvicorn.error").error("failed")
        assert logs.lost == 6


def test_without_a_folder_lines_go_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with open_logs(LogSettings()) as logs:
        logs.logger("nextcall").info("here", count=1)
    line = json.loads(capfd.readouterr().err)
    assert (line["message"], line["context"]) == ("here", {"count": 1})


def test_the_loggers_are_left_as_they_were(tmp_path: Path) -> None:
    names = ("", "nextcall", "uvicorn", "uvicorn.access", "uvicorn.error")
    handler = logging.NullHandler()
    logging.getLogger("uvicorn").addHandler(handler)
    logging.getLogger("uvicorn").propagate = False

    def state() -> list[tuple[int, list[logging.Handler], bool]]:
        each = [logging.getLogger(name) for name in names]
        return [(one.level, list(one.handlers), one.propagate) for one in each]

    before = state()
    logs = open_logs(LogSettings(folder=tmp_path))
    assert state() != before
    logs.close()
    logs.close()
    assert state() == before
    logging.getLogger("uvicorn").removeHandler(handler)
    logging.getLogger("uvicorn").propagate = True


def test_nothing_is_set_up_by_an_import() -> None:
    script = """
import logging, structlog
import nextcall.telemetry.logs
assert logging.getLogger().handlers == []
assert logging.getLogger().level == logging.WARNING
assert not structlog.is_configured()
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def _failing(request: Request) -> None:
    raise ValueError(request.query_params["prompt"])


def test_a_real_server_tells_what_it_does_and_no_prompt(logs: Logs, tmp_path: Path) -> None:
    app = Starlette(routes=[Route("/run", _failing)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, log_level="info"))
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", f"/run?prompt={PROMPT.replace(' ', '+')}&key={KEY}")
        assert connection.getresponse().status == 500
    server.should_exit = True
    thread.join()
    told = lines(tmp_path)
    by_logger = {line["logger"]: line for line in told}
    assert by_logger["uvicorn.access"]["message"] == "request"
    assert by_logger["uvicorn.access"]["context"] == {
        "method": "GET",
        "route": "/run",
        "status": 500,
    }
    (failed,) = [line for line in told if "exception" in line]
    assert failed["exception"][0]["type"] == "ValueError"
    assert failed["exception"][0]["places"][-1].endswith(" _failing")
    text = (tmp_path / "logs" / "nextcall.jsonl").read_text()
    for secret in (PROMPT, PROMPT.replace(" ", "+"), "finance", KEY, "127.0.0.1:5"):
        assert secret not in text
    assert any("Uvicorn running on" in line["message"] for line in told)
    assert logs.lost == 0
