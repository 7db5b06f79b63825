"""Workers as real processes: begun, begun anew, ended together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nextcall.serve.process.workers import Workers

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from nextcall.serve.process.workers import Workers

folder, count, patience, kind = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
loaded = object()

def leave(*_):
    raise SystemExit(143)

def work(number):
    if kind == "broken":
        raise ValueError("no such thing")
    if kind == "ends" or (kind == "one ends" and number == 1):
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN if kind == "deaf" else leave)
    if kind == "deaf":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    own = folder / f"{number}-{os.getpid()}"
    Path(f"{folder}.{own.name}").write_text(str(id(loaded)))
    Path(f"{folder}.{own.name}").rename(own)  # there, and whole
    while True:
        time.sleep(1)

code = Workers(work, count, tell=lambda said: print(said, flush=True), patience=patience,
               settled=float(sys.argv[5]), pause=float(sys.argv[6])).run()
print("left", flush=True)
raise SystemExit(code)
"""
LONG = 60.0


@contextmanager
def started(
    folder: Path,
    count: int,
    *,
    kind: str = "waits",
    patience: float = LONG,
    settled: float = LONG,
    pause: float = 0.01,
) -> Iterator["subprocess.Popen[str]"]:
    arguments = [str(folder), str(count), str(patience), kind, str(settled), str(pause)]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def begun(folder: Path) -> dict[int, tuple[int, str]]:
    """Give process and written word of the workers that began, by process."""
    names = [path.name.split("-") for path in folder.iterdir()]
    return {
        int(pid): (int(number), (folder / f"{number}-{pid}").read_text()) for number, pid in names
    }


def lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.split(")")[-1].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_they_share_what_was_loaded_and_end_by_a_signal(tmp_path: Path, number: int) -> None:
    with started(tmp_path, 3) as process:
        until(lambda: len(begun(tmp_path)) == 3)
        workers = begun(tmp_path)
        assert sorted(each for each, _ in workers.values()) == [0, 1, 2]
        assert len({word for _, word in workers.values()}) == 1
        process.send_signal(number)
        said, _ = process.communicate(timeout=LONG)
    assert process.returncode == 128 + number
    assert said == "left\n"
    assert not [pid for pid in workers if lives(pid)]


def test_one_that_is_killed_has_a_successor_of_its_number(tmp_path: Path) -> None:
    with started(tmp_path, 2) as process:
        until(lambda: len(begun(tmp_path)) == 2)
        (killed,) = (pid for pid, (number, _) in begun(tmp_path).items() if number == 1)
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(begun(tmp_path)) == 3)
        assert sorted(number for number, _ in begun(tmp_path).values()) == [0, 1, 1]
        assert process.stdout is not None
        assert process.stdout.readline() == "Worker 1 was ended by SIGKILL; another one begins.\n"
        assert process.poll() is None


def test_all_end_with_who_began_them(tmp_path: Path) -> None:
    with started(tmp_path, 2) as process:
        until(lambda: len(begun(tmp_path)) == 2)
        process.kill()
        until(lambda: not [pid for pid in begun(tmp_path) if lives(pid)])


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    with started(tmp_path, 2, kind="deaf", patience=0.2) as process:
        until(lambda: len(begun(tmp_path)) == 2)
        process.terminate()
        process.communicate(timeout=LONG)
    assert process.returncode == 143
    assert not [pid for pid in begun(tmp_path) if lives(pid)]


@pytest.mark.parametrize(
    ("kind", "told", "trace"), [("broken", 1, "ValueError: no such thing"), ("ends", 0, "")]
)
def test_where_they_end_as_soon_as_they_begin_it_is_given_up(
    tmp_path: Path, kind: str, told: int, trace: str
) -> None:
    with started(tmp_path, 1, kind=kind) as process:
        said, errors = process.communicate(timeout=LONG)
    assert process.returncode == 1
    assert said.splitlines() == [
        *[f"Worker 0 ended with exit code {told}; another one begins."] * 4,
        f"Worker 0 ended with exit code {told}; workers end as soon as they begin.",
        "left",
    ]
    assert errors.count(trace) >= (5 if trace else 0)


def test_where_another_one_works_it_is_never_given_up(tmp_path: Path) -> None:
    with started(tmp_path, 2, kind="one ends", settled=1.0, pause=0.2) as process:
        until(lambda: len(begun(tmp_path)) == 1)
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(8)]
        assert said == ["Worker 1 ended with exit code 0; another one begins.\n"] * 8
        assert process.poll() is None
        process.terminate()
        assert process.wait(LONG) == 143


def test_there_is_one_at_least() -> None:
    with pytest.raises(ValueError, match=r"^count must be at least 1, got 0\.$"):
        Workers(lambda _: None, 0, tell=print)
