"""A worker comes where another one holds the folder and does not go on, and loses no count."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkstemp
from typing import TypeVar

import pytest

from nextcall.telemetry import window_files, workers
from nextcall.telemetry.families import CACHE_HITS
from nextcall.telemetry.latency import Latencies
from nextcall.telemetry.metrics import Metrics, open_metrics
from nextcall.telemetry.workers import Worker, locked

T = TypeVar("T")
SOON = 60.0  # seconds after which a test hangs

HOLDS = """
import sys, time
from pathlib import Path
from nextcall.telemetry.workers import locked

with locked(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(600)
"""


def counted(metrics: Metrics) -> float:
    return sum(value for (value,) in metrics.totals(CACHE_HITS).values())


def soon(begin: Callable[[], T]) -> T:
    """Begin in a thread: what would wait for ever fails the test, and does not end it."""
    found: list[T] = []
    beginning = threading.Thread(target=lambda: found.append(begin()), daemon=True)
    beginning.start()
    beginning.join(SOON)
    assert found, "it waits"
    return found[0]


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Stop another worker while it holds the folder, in which a dead one left 5."""
    with open_metrics(endpoints=(), folder=tmp_path) as dead:
        dead.count(CACHE_HITS, "a").add(5)
    words = [sys.executable, "-c", HOLDS, str(tmp_path)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "holds\n"
    os.kill(process.pid, signal.SIGSTOP)
    yield process
    process.kill()
    process.communicate()


def test_a_worker_begins_beside_one_that_is_stopped(
    stopped: "subprocess.Popen[str]", tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = soon(lambda: open_metrics(endpoints=(), folder=tmp_path))
    latencies = soon(lambda: Latencies(["/a"], folder=tmp_path))
    successor = soon(lambda: open_metrics(endpoints=(), folder=tmp_path))
    assert len({metrics.worker, successor.worker, "0", "1"}) == 4  # which nobody else takes
    assert len(caplog.records) == 3
    assert {record.message for record in caplog.records} == {
        "numbers of dead workers not put together"
    }
    metrics.count(CACHE_HITS, "a").add(7)
    latencies.of("/a").observe(1.0)
    stopped.kill()
    stopped.wait(SOON)
    assert counted(metrics) == counted(successor) == 12
    with open_metrics(endpoints=(), folder=tmp_path) as later:
        assert later.worker == "0"
        assert (tmp_path / "retired.json").exists()
        assert counted(later) == counted(metrics) == 12
    other = Latencies(["/a"], folder=tmp_path)
    assert other.told()["/a"].count == 1
    with ExitStack() as opened:
        for each in (metrics, successor, latencies, other):
            opened.callback(each.close)


def test_no_count_is_lost_while_others_put_together_what_the_dead_left(
    stopped: "subprocess.Popen[str]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One goes on in the midst of it while others begin beside it."""
    assert stopped.poll() is None
    monkeypatch.setattr(workers, "START_SECONDS", 0.0)
    ended = threading.Event()

    def put_together() -> None:
        while not ended.is_set():
            workers._retire(tmp_path)

    def begin() -> None:
        for _ in range(20):
            with open_metrics(endpoints=(), folder=tmp_path) as metrics:
                metrics.count(CACHE_HITS, "a").add(1)

    with ThreadPoolExecutor(3) as pool:
        putting = pool.submit(put_together)
        try:
            for each in [pool.submit(begin) for _ in range(2)]:
                each.result(SOON)
        finally:
            ended.set()
        putting.result(SOON)
    stopped.kill()
    stopped.wait(SOON)
    with open_metrics(endpoints=(), folder=tmp_path) as metrics:
        assert counted(metrics) == 45
    assert not list(tmp_path.glob("*.new"))


@pytest.mark.parametrize("module", [workers, window_files])
@pytest.mark.parametrize("is_held", [False, True])
def test_a_file_that_another_took_for_an_abandoned_one_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, *, is_held: bool
) -> None:
    """The other one was stopped as soon as it held the file, or went on and deleted it."""
    with ExitStack() as held:
        taken: list[str] = []

        def made(**options: str) -> tuple[int, str]:
            handle, name = mkstemp(**options)  # type: ignore[call-overload]
            if not taken:
                taken.append(name)
                if is_held:
                    other = held.enter_context(Path(name).open("rb"))
                    fcntl.flock(other, fcntl.LOCK_SH)
                else:
                    Path(name).unlink()
            return handle, name

        monkeypatch.setattr(module, "mkstemp", made)
        if module is workers:
            worker = soon(lambda: Worker(tmp_path))
            assert worker.totals() == ({}, [{}])
            held.callback(worker.close)
        else:
            latencies = soon(lambda: Latencies(["/a"], folder=tmp_path))
            latencies.of("/a").observe(1.0)
            assert latencies.told()["/a"].count == 1
            held.callback(latencies.close)
        assert taken
        assert not Path(taken[0]).exists()
        assert len([path for path in tmp_path.iterdir() if path.name != "lock"]) == 1


def test_who_holds_the_folder_is_waited_for_a_while(tmp_path: Path) -> None:
    refused = pytest.raises(TimeoutError, match="lock must be free within 0 seconds")
    with locked(tmp_path), refused, locked(tmp_path, seconds=0):
        pass


def test_what_one_counts_just_before_it_ends_is_put_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = open_metrics(endpoints=(), folder=tmp_path)
    is_held = workers._is_held

    def ends_first(handle: int) -> bool:
        ending.count(CACHE_HITS, "a").add(1)
        ending.close()
        return is_held(handle)

    monkeypatch.setattr(workers, "_is_held", ends_first)
    workers._retire(tmp_path)
    monkeypatch.undo()
    with open_metrics(endpoints=(), folder=tmp_path) as metrics:
        assert counted(metrics) == 1
