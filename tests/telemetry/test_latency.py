"""Percentiles of a window, held against numpy over the values themselves; the clock stands."""

import math
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.telemetry.latency import (
    LONGEST,
    RELATIVE_ERROR,
    SHORTEST,
    Latencies,
    LatencyWindow,
)

SLOTS = 6
SLOT = 10 * 10**9  # nanoseconds

moments = st.one_of(
    st.integers(0, 3 * SLOT), st.sampled_from([0, SLOT, SLOT - 1, SLOTS * SLOT, 10**15])
)
events = st.lists(
    st.tuples(
        moments,
        st.one_of(st.floats(SHORTEST, LONGEST), st.floats(-13.8, 8.8).map(math.exp)),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


@given(events, moments)
def test_percentiles_are_those_of_numpy_over_the_same_window(
    seen: list[tuple[int, float, bool]], after: int
) -> None:
    clock = Clock()
    window = LatencyWindow(seconds=SLOTS * SLOT / 1e9, slots=SLOTS, clock=clock)
    kept = []
    for wait, seconds, error in seen:
        clock.now += wait
        window.observe(seconds, error=error)
        kept.append((clock.now, seconds, error))
        within = [each for each in kept if clock.now // SLOT - each[0] // SLOT < SLOTS]
        assert window.latency().count == len(within)
    clock.now += after
    within = [each for each in kept if clock.now // SLOT - each[0] // SLOT < SLOTS]
    told = window.latency()
    assert told.count == len(within)
    assert told.errors == sum(error for _, _, error in within)
    if not within:
        assert all(math.isnan(each) for each in (told.p50, told.p95, told.p99, told.longest))
        assert told.error_rate == 0
        return
    values = np.clip([seconds for _, seconds, _ in within], SHORTEST, LONGEST)
    near = RELATIVE_ERROR * (1 + 1e-9)
    exact = np.percentile(values, [50, 95, 99, 100])
    assert (told.p50, told.p95, told.p99, told.longest) == pytest.approx(exact, rel=near)
    assert told.error_rate == told.errors / told.count


@pytest.mark.parametrize(
    ("seconds", "counted"),
    [(0.0, SHORTEST), (-1.0, SHORTEST), (1e9, LONGEST), (math.inf, LONGEST), (math.nan, LONGEST)],
)
def test_what_no_bucket_holds_counts_at_the_edge(seconds: float, counted: float) -> None:
    window = LatencyWindow()
    window.observe(seconds)
    assert window.latency().longest == pytest.approx(counted, rel=2 * RELATIVE_ERROR)


def test_memory_does_not_grow() -> None:
    clock = Clock()
    window = LatencyWindow(clock=clock)
    held = sys.getsizeof(window._counts)
    for number in range(20_000):
        clock.now += 10**8
        window.observe(math.exp(number % 20 - 13))
    assert sys.getsizeof(window._counts) == held < 150_000
    assert len(window._errors) == len(window._numbers) == 30


def test_threads_lose_nothing() -> None:
    def observe() -> None:
        for _ in range(5000):
            window.observe(0.1, error=True)

    window = LatencyWindow(clock=Clock())
    threads = [threading.Thread(target=observe) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = window.latency()
    assert (told.count, told.errors) == (20_000, 20_000)


def test_endpoints_have_a_window_each_and_unknown_ones_share_one() -> None:
    latencies = Latencies(["/a", "/b"], clock=Clock())
    for number in range(1000):
        latencies.of(f"/made-up-{number}").observe(1.0)
    latencies.of("/a").observe(0.5)
    told = latencies.told()
    assert {name: latency.count for name, latency in told.items()} == {"/a": 1, "*": 1000}
    assert told["/a"].p50 == pytest.approx(0.5, rel=RELATIVE_ERROR)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.inf, math.nan, 29e-9])
def test_a_window_has_a_length(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"^seconds must be finite, and a nanosecond a slot, got"):
        LatencyWindow(seconds=seconds)


def test_a_window_has_a_slot() -> None:
    with pytest.raises(ValueError, match=r"^slots must be at least 1, got 0\.$"):
        LatencyWindow(slots=0)


shared_events = st.lists(
    st.tuples(
        st.integers(0, 2),  # of which worker
        moments,
        st.sampled_from(["/a", "/b", "/absent"]),
        st.floats(SHORTEST, LONGEST),
        st.booleans(),
    ),
    max_size=30,
)


@given(shared_events)
def test_each_worker_tells_what_one_would_that_had_seen_all(
    seen: list[tuple[int, int, str, float, bool]],
) -> None:
    clock = Clock()
    options: dict[str, Any] = {"seconds": SLOTS * SLOT / 1e9, "slots": SLOTS, "clock": clock}
    alone = Latencies(["/a", "/b"], **options)
    with TemporaryDirectory() as folder:
        workers = [Latencies(["/a", "/b"], **options, folder=Path(folder)) for _ in range(3)]
        for number, wait, endpoint, seconds, error in seen:
            clock.now += wait
            for one in (alone, workers[number]):
                one.of(endpoint).observe(seconds, error=error)
        workers[2].close()  # what it saw lately is told on
        for worker in workers:
            assert worker.told() == alone.told()
        for worker in workers:
            worker.close()


def test_the_files_of_the_dead_go_when_they_tell_nothing_any_more(tmp_path: Path) -> None:
    clock = Clock()
    clock.now = 10**15

    def begin() -> Latencies:
        return Latencies(["/a"], seconds=60, slots=6, clock=clock, folder=tmp_path)

    def files() -> int:
        return len(list(tmp_path.glob("*.windows")))

    (tmp_path / "half.begun").touch()
    (tmp_path / "other.windows").write_text("of another program")
    first = begin()
    assert files() == 1
    first.of("/a").observe(1.0)
    first.close()
    first.close()
    second = begin()
    assert files() == 2
    assert second.told()["/a"].count == 1
    clock.now += 60 * 10**9
    assert second.told() == {}
    third = begin()  # the second lives
    assert files() == 2
    assert not list(tmp_path.glob("*.begun"))
    for worker in (second, third):
        worker.close()


def test_a_window_takes_room_when_it_is_used_first(tmp_path: Path) -> None:
    latencies = Latencies([f"/{number}" for number in range(50)], folder=tmp_path)
    (file,) = tmp_path.glob("*.windows")
    before = file.stat().st_blocks
    latencies.of("/7").observe(1.0)
    assert 100_000 < (file.stat().st_blocks - before) * 512 < 200_000
    assert file.stat().st_size > 5_000_000
    latencies.close()


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_without_room_a_worker_counts_for_itself(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
from nextcall.telemetry.latency import Latencies
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
latencies = Latencies(["/a", "/b"], folder=Path(sys.argv[1]))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, hard))
latencies.of("/b").observe(0.5)
print(latencies.told()["/b"].count)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))  # coverage is written at the end
"""
    words = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1\n", "")
