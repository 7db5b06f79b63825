"""Counts of several real processes, also of those that were killed."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.telemetry.families import (
    CACHE_HITS,
    CREDENTIALS_FRESH,
    HTTP_ACTIVE,
    HTTP_REQUESTS,
    HTTP_SECONDS,
    LAYER_ENTRIES,
    RATES_DEGRADED,
    Family,
)
from nextcall.telemetry.metrics import Metrics, open_metrics
from nextcall.telemetry.slots import SIZE, Slots
from nextcall.telemetry.workers import Worker, locked

WORKER = """
import sys
from pathlib import Path
from nextcall.telemetry.metrics import open_metrics

metrics = open_metrics(endpoints=["/predict"], folder=Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "text":
        print(metrics.text().decode().replace(chr(10), "|"), flush=True)
        continue
    for _ in range(int(line)):
        metrics.request_began()
        metrics.request_began()
        metrics.request_ended("POST", "/predict", 200, 0.25)
    print("done", flush=True)
"""


class Process:
    """A worker that counts when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def count(self, number: int) -> None:
        assert self._ask(str(number)) == "done"

    def text(self) -> list[str]:
        return self._ask("text").split("|")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _ask(self, line: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Process]]:
    started: list[Process] = []

    def one() -> Process:
        started.append(Process(tmp_path))
        return started[-1]

    yield one
    for each in started:
        if each.process.returncode is None:
            each.kill()


def told(text: list[str]) -> tuple[float, float, float, float]:
    """Give requests, those that took at most 0.25 s, their seconds, and those under way."""
    values = dict(line.rsplit(" ", 1) for line in text if line and not line.startswith("#"))
    of = 'endpoint="/predict",'
    return (
        float(values[f'http_requests_total{{{of}method="POST",status="200"}}']),
        float(values[f'http_request_duration_seconds_bucket{{{of}le="0.25",method="POST"}}']),
        float(values[f'http_request_duration_seconds_sum{{{of}method="POST"}}']),
        float(values["http_requests_active"]),
    )


def test_the_texts_of_two_processes_add_up(start: Callable[[], Process]) -> None:
    first, second = start(), start()
    first.count(300)
    second.count(40)
    assert told(first.text()) == told(second.text()) == (340, 340, 85.0, 340)


def test_the_counters_of_a_killed_worker_stay_and_its_gauges_leave(
    start: Callable[[], Process], tmp_path: Path
) -> None:
    first, second = start(), start()
    first.count(300)
    second.count(40)
    first.kill()
    assert told(second.text()) == (340, 340, 85.0, 40)
    third = start()  # puts together what the dead left
    assert (tmp_path / "retired.json").exists()
    assert len(list(tmp_path.glob("*.slots"))) == 2
    third.count(2)
    assert told(second.text()) == told(third.text()) == (342, 342, 85.5, 42)
    second.kill()
    third.kill()
    assert told(start().text()) == (342, 342, 85.5, 0)
    assert len(list(tmp_path.glob("*.slots"))) == 1


def counted(metrics: Metrics) -> float:
    return sum(value for (value,) in metrics.totals(CACHE_HITS).values())


def test_dead_files_count_once_wherever_putting_them_together_ends(tmp_path: Path) -> None:
    with open_metrics(endpoints=(), folder=tmp_path) as metrics:
        metrics.count(CACHE_HITS, "a").add(5)
    (dead,) = tmp_path.glob("*.slots")
    content = dead.read_bytes()
    with open_metrics(endpoints=(), folder=tmp_path) as metrics:
        assert counted(metrics) == 5
        dead.write_bytes(content)  # as if it had ended before the file was deleted
        (tmp_path / "half.new").touch()
        assert counted(metrics) == 5
        metrics.count(CACHE_HITS, "a").add(2)
        with open_metrics(endpoints=(), folder=tmp_path) as other:
            assert not dead.exists()
            assert not list(tmp_path.glob("*.new"))
            assert counted(other) == counted(metrics) == 7


def read(metrics: Metrics) -> float:
    """Read in a thread: one that would wait for ever fails the test, and does not end it."""
    found: list[float] = []
    reading = threading.Thread(target=lambda: found.append(counted(metrics)), daemon=True)
    reading.start()
    reading.join(60)
    assert found, "it waits"
    return found[0]


def test_a_worker_that_is_stopped_while_it_reads_keeps_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        open_metrics(endpoints=(), folder=tmp_path) as metrics,
        open_metrics(endpoints=(), folder=tmp_path) as other,
    ):
        other.count(CACHE_HITS, "a").add(4)
        assert read(metrics) == 4
        other.count(CACHE_HITS, "a").add(8)
        with locked(tmp_path):
            for own in (1, 2):
                metrics.count(CACHE_HITS, "a").add(1)
                assert read(metrics) == own + 4  # the other one's as they were seen last
            assert len(caplog.records) == 1
        assert read(metrics) == 14
        with locked(tmp_path):
            assert read(other) == 12  # it never saw any other
        (line, _) = caplog.records
        assert line.message == "numbers of other workers not read"


def test_where_the_folder_has_gone_a_worker_tells_of_itself(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    with open_metrics(endpoints=(), folder=folder) as metrics:
        metrics.count(CACHE_HITS, "a").add(3)
        metrics.request_began()
        shutil.rmtree(folder)
        assert counted(metrics) == 3
        assert metrics.totals(HTTP_ACTIVE) == {(): (1.0,)}
        assert not folder.exists()
        with open_metrics(endpoints=(), folder=folder):  # made anew by another
            assert counted(metrics) == 3


def test_one_that_left_is_dead(tmp_path: Path) -> None:
    left = open_metrics(endpoints=(), folder=tmp_path)
    left.request_began()
    left.close()
    left.close()
    with open_metrics(endpoints=(), folder=tmp_path) as metrics:
        assert metrics.totals(HTTP_ACTIVE) == {(): (0.0,)}


def test_files_of_other_programs_and_releases_count_nothing(tmp_path: Path) -> None:
    (tmp_path / "other.slots").write_bytes(b"x" * SIZE)
    (tmp_path / "short.slots").write_bytes(b"x")
    (tmp_path / "retired.json").write_text("")
    older = Slots()
    of = (HTTP_SECONDS.name, "GET", "/")
    assert older.place((CACHE_HITS.name, "a", "one label too many"), 1) == 0
    assert older.place((CACHE_HITS.name, "a"), 1) == 1
    assert older.place(of, 3) == 2  # a histogram with fewer buckets
    older.values[1] = 4.0
    (tmp_path / "older.slots").write_bytes(bytes(older._memory))
    with open_metrics(endpoints=["/"], folder=tmp_path) as metrics:
        metrics.request_ended("GET", "/", 200, 1.0)
        assert metrics.totals(CACHE_HITS) == {("a",): (4.0,)}
        assert metrics.totals(HTTP_REQUESTS) == {("GET", "/", "200"): (1.0,)}
        metrics.text()


def test_a_folder_without_room_is_told_at_the_start(tmp_path: Path) -> None:
    script = f"""
import resource, sys
from pathlib import Path
from nextcall.telemetry.workers import Worker, locked
resource.setrlimit(resource.RLIMIT_FSIZE, ({SIZE - 1}, {SIZE - 1}))
Worker(Path(sys.argv[1]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"OSError: folder must have room for {SIZE:,} bytes, got {SIZE - 1:,}." in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"lock"}


def test_no_file_stays_open(tmp_path: Path) -> None:
    def handles() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before = handles()
    for _ in range(5):
        worker = Worker(tmp_path)
        worker.totals()
        worker.close()
        del worker
    assert handles() <= before + 1


@given(
    st.sampled_from([CREDENTIALS_FRESH, RATES_DEGRADED, LAYER_ENTRIES]),
    st.lists(st.none() | st.integers(-5, 5), min_size=1, max_size=4),
)
def test_a_gauge_is_the_sum_the_least_or_the_most_of_those_who_tell(
    family: Family, told: list[int | None]
) -> None:
    labels = ["query"] * len(family.labels)
    with TemporaryDirectory() as folder, ExitStack() as opened:
        gone = open_metrics(endpoints=(), folder=Path(folder))
        gone.count(family, *labels).set(-100 if family.over == "least" else 100)
        gone.close()
        for value in told:
            metrics = opened.enter_context(open_metrics(endpoints=(), folder=Path(folder)))
            gauge = metrics.count(family, *labels)  # one that tells nothing yet is passed over
            if value is not None:
                gauge.set(value)
        found = metrics.totals(family)
    values = [value for value in told if value is not None]
    if values:
        expected = {"sum": sum(values), "least": min(values), "most": max(values)}[family.over]
        assert found.get(tuple(labels), (0.0,)) == (expected,)
    else:
        assert sum(found.values(), ()) in {(), (0.0,)}


def test_a_successor_has_the_number_of_the_dead(tmp_path: Path) -> None:
    first, second = Worker(tmp_path), Worker(tmp_path)
    assert (first.number, second.number) == (0, 1)
    first.close()
    third = Worker(tmp_path)
    assert third.number == 0
    for worker in (second, third):
        worker.close()


def test_sums_are_kept_exactly(tmp_path: Path) -> None:
    for _ in range(3):
        with open_metrics(endpoints=(), folder=tmp_path) as metrics:
            metrics.count(CACHE_HITS, "a").add(0.1)
    assert json.loads((tmp_path / "retired.json").read_text())["totals"]
    with open_metrics(endpoints=(), folder=tmp_path) as metrics:
        assert counted(metrics) == 0.1 + 0.1 + 0.1
