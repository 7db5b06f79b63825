"""What each worker is like is known to all, and what one failed to do stays when it is killed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from nextcall.cache.computing import MISSING
from nextcall.resilience.breakers import Breakers
from nextcall.serve.breaker_notes import LATELY, BreakerNotes
from nextcall.serve.caching.caches import ServiceCaches, open_caches
from nextcall.serve.door.door import open_door
from nextcall.serve.models.challenger import Challenger
from nextcall.serve.observer import Observer, open_observer
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.state import WorkerState
from nextcall.serve.settings import Settings, load_settings
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.telemetry.families import (
    ANSWERS_FAILURES,
    AUDIT_LOST,
    BREAKERS_OPEN,
    CREDENTIALS_FAILURES,
    CREDENTIALS_FRESH,
    GUARD_FAILED_CHECKS,
    GUARD_FAILING,
    LAYER_ENTRIES,
    LAYER_EVENTS,
    LOG_LOST,
    MEMORY,
)
from nextcall.telemetry.metrics import Metrics, open_metrics

WORKER = """
import logging, sys
from datetime import UTC, datetime
from pathlib import Path

from nextcall.access.audit_event import AuditEvent
from nextcall.serve.door.door import open_door
from nextcall.serve.observer import open_observer
from nextcall.serve.parts import Parts
from nextcall.serve.process.state import WorkerState
from nextcall.serve.safety.counts import SafetyCounts
from nextcall.serve.settings import load_settings
from nextcall.storage.database import Database

url, folder = sys.argv[1:]
settings = load_settings(database_url=url, metrics_dir=Path(folder), audit_enabled=True)
with open_observer(settings) as observer, Database(url) as database:
    with open_door(settings, database) as door:
        state = WorkerState(Parts(door=door, observer=observer))
        door.audit.close()
        for _ in range(2):
            door.audit.try_write(AuditEvent(at=datetime.now(UTC), kind="key", action="created"))
        SafetyCounts(observer.metrics).tell("pii", ValueError())
        print("counted", flush=True)
        input()
        door.credentials.close()
        door.credentials._known_until = float("-inf")
        state.tell()
        print("told", flush=True)
        input()
"""


CACHES = """
import sys
from pathlib import Path

from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.models.challenger import Challenger
from nextcall.serve.observer import open_observer
from nextcall.serve.parts import Parts
from nextcall.serve.process.state import WorkerState
from nextcall.serve.settings import load_settings

settings = load_settings(metrics_dir=Path(sys.argv[1]), semantic_cache_enabled=False)
with open_observer(settings) as observer:
    caches, second = (ServiceCaches(settings, None) for _ in range(2))
    caches.layers["query"].get("before it is told where to count")
    challenger = Challenger(predictor=None, caches=second)
    state = WorkerState(Parts(observer=observer, caches=caches, challenger=challenger))
    for each, hits in ((caches, 300), (second, 40)):
        each.layers["query"].put("a", "A")
        for _ in range(hits):
            each.layers["query"].get("a")
    caches.layers["prompt"].put("a", "A")
    caches.layers["prompt"].clear()
    print("counted", flush=True)
    input()
"""


def test_what_a_worker_counted_in_its_caches_stays_when_it_is_killed(tmp_path: Path) -> None:
    """It never told anything: it is killed before a second has passed."""
    words = [sys.executable, "-c", CACHES, str(tmp_path)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with open_metrics(endpoints=(), folder=tmp_path) as metrics:
        assert says(process, "counted")
        for _ in range(2):  # alive, and dead
            told = metrics.totals(LAYER_EVENTS)
            assert told["query", "hits"] == (340.0,)
            assert told["query", "misses"] == (1.0,)
            assert told["prompt", "invalidated"] == (1.0,)
            assert told["general", "hits"] == (0.0,)
            process.kill()
            process.communicate()


def test_what_redis_has_and_has_not_is_told_at_once(
    predictor: Predictor, settings: Settings, redis_url: str
) -> None:
    shared = settings.model_copy(update={"redis_url": SecretStr(redis_url)})
    observer = Observer()
    with open_caches(shared, predictor) as caches:
        assert caches is not None
        assert caches.tiers is not None
        WorkerState(Parts(observer=observer, caches=caches))
        for key in "ab":
            assert caches.tiers.get(key) is MISSING
        caches.tiers.lose()
        told = observer.metrics.told()
        assert told[LAYER_EVENTS]["redis", "misses"] == (2.0,)
        assert told[LAYER_EVENTS]["redis", "hits"] == (0.0,)
        assert told[ANSWERS_FAILURES] == {(): (1.0,)}
        assert caches.tiers.stats.shared_misses == 2


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path}/kept.db"
    with Database(made) as database:
        migrate(database)
    return made


@pytest.fixture
def other(url: str, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start another worker of the same service."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, url, str(tmp_path / "metrics")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def says(process: "subprocess.Popen[str]", line: str) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == f"{line}\n"


def test_one_worker_that_does_not_know_is_told_and_what_it_lost_stays(
    url: str, other: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    settings = load_settings(database_url=url, metrics_dir=tmp_path / "metrics")
    with (
        open_observer(settings) as observer,
        Database(url) as database,
        open_door(settings, database) as door,
    ):
        assert observer is not None
        state = WorkerState(Parts(door=door, observer=observer))
        assert state.tell()[CREDENTIALS_FRESH] == {(): (1.0,)}
        assert says(other, "counted")
        # At once, before it told anything:
        assert observer.metrics.totals(AUDIT_LOST) == {(): (2.0,)}
        assert observer.metrics.totals(CREDENTIALS_FAILURES) == {(): (0.0,)}
        assert observer.metrics.totals(GUARD_FAILING)["pii",] == (1.0,)
        assert other.stdin is not None
        other.stdin.write("\n")
        other.stdin.flush()
        assert says(other, "told")
        told = state.tell()
        assert told[CREDENTIALS_FRESH] == {(): (0.0,)}
        assert set(told[MEMORY]) == {("0",), ("1",)}
        other.kill()
        other.wait()
        told = state.tell()
        assert told[CREDENTIALS_FRESH] == {(): (1.0,)}
        assert told[AUDIT_LOST] == {(): (2.0,)}
        assert told[GUARD_FAILED_CHECKS]["pii",] == (1.0,)
        assert told[GUARD_FAILING] == {}  # of those that live; this one has no guard
        assert len(told[MEMORY]) == 1


def test_the_caches_of_two_models_are_told_together(
    predictor: Predictor, settings: Settings
) -> None:
    first, second = (ServiceCaches(settings, predictor) for _ in range(2))
    challenger = Challenger(predictor=predictor, caches=second)
    state = WorkerState(Parts(caches=first, challenger=challenger))
    for caches, hits in ((first, 2), (second, 3)):
        caches.layers["general"].put("a", "A")
        for _ in range(hits):
            caches.layers["general"].get("a")
        caches.layers["general"].get("b")
    for _ in range(2):  # what was told is not told again
        told = state.tell()
        assert told[LAYER_ENTRIES]["general",] == (2.0,)
        assert told[LAYER_EVENTS]["general", "hits"] == (5.0,)
        assert told[LAYER_EVENTS]["general", "misses"] == (2.0,)
    first.clear()
    told = state.tell()
    assert told[LAYER_ENTRIES]["general",] == (1.0,)
    assert told[LAYER_EVENTS]["general", "invalidated"] == (1.0,)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_lines_that_a_worker_lost_are_told_when_it_leaves(tmp_path: Path) -> None:
    (tmp_path / "nextcall.jsonl").symlink_to("/dev/full")
    settings = load_settings(log_dir=tmp_path, log_level="info", metrics_dir=tmp_path / "metrics")

    def lost(metrics: Metrics) -> float:
        return sum(value for (value,) in metrics.totals(LOG_LOST).values())

    with open_metrics(endpoints=(), folder=tmp_path / "metrics") as metrics:
        with open_observer(settings) as observer:
            assert observer is not None
            with WorkerState(Parts(observer=observer)).telling():
                observer.request_ended("GET", "/health", 200, 0.1, request_id="1")
        assert lost(metrics) == 1


def test_a_side_that_failed_long_ago_is_told_as_one_that_is_not_left_alone() -> None:
    now = [0.0]
    notes = BreakerNotes(clock=lambda: now[0])
    breakers = Breakers(failures=1, listener=notes, clock=lambda: now[0])

    def fail() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        breakers["provider"].call(fail)
    observer = Observer()
    notes.count_in(observer.metrics, breakers)
    state = WorkerState(Parts(observer=observer, breakers=breakers, notes=notes))
    assert state.tell()[BREAKERS_OPEN] == {("provider",): (1.0,)}
    now[0] = LATELY
    assert state.tell()[BREAKERS_OPEN] == {("provider",): (0.0,)}


def test_without_an_observer_a_worker_tells_of_itself() -> None:
    assert set(WorkerState(Parts()).tell()[MEMORY]) == {("0",)}
    assert WorkerState(Parts(observer=Observer())).metrics.is_shared is False
