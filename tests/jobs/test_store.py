"""Jobs are kept, taken one at a time, given back, cancelled, ended by whoever holds them only."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from nextcall.jobs.job import Job, JobEndedError, JobsFullError, Stage, Status, UnknownJobError
from nextcall.jobs.store import INTERRUPTED, JobStore
from nextcall.jobs.tables import TABLES
from nextcall.storage.migrations import differences

LAPSE = timedelta(seconds=10)


@pytest.fixture
def ask(store: JobStore, now: datetime) -> Callable[..., Job]:
    """Ask for a job."""

    def add(kind: str = "train", *, scope: str = "a", **given: Any) -> Job:
        return store.add(kind, {"seed": 1}, scope=scope, now=now, **given)

    return add


@pytest.fixture
def claim(store: JobStore, now: datetime) -> Callable[..., Job | None]:
    """Let a worker take a job, some seconds later."""

    def take(worker: str = "one", *, after: float = 0, scope: str = "a") -> Job | None:
        at = now + timedelta(seconds=after)
        return store.claim(worker, scope=scope, now=at, lapse=LAPSE)

    return take


def taken(job: Job | None) -> Job:
    assert job is not None
    return job


def test_the_revision_makes_the_declared_tables(store: JobStore) -> None:
    assert differences(store.database, TABLES) == []


def test_a_job_is_kept_as_it_was_asked_for(store: JobStore, ask: Any, now: datetime) -> None:
    told: list[Job] = []
    job = ask(asked_by="Ada", also=lambda _, kept: told.append(kept))
    assert told == [job] == [store.get(job.job_id)]
    assert (job.kind, job.status, job.arguments) == ("train", "queued", {"seed": 1})
    assert (job.asked_by, job.created_at, job.attempt) == ("Ada", now, 0)
    assert (job.seconds(now), job.stage, job.has_ended) == (None, None, False)
    with pytest.raises(UnknownJobError, match=r"^There is no job 'none'\.$"):
        store.get("none")


def test_what_belongs_to_a_job_and_fails_keeps_it_out(store: JobStore, ask: Any) -> None:
    def fail(*_: object) -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        ask(also=fail)
    assert store.page() == []


def test_only_so_many_wait(store: JobStore, ask: Any, claim: Any) -> None:
    for _ in range(3):
        ask()
    with pytest.raises(JobsFullError, match=r"^3 jobs wait, as many as may\.$"):
        ask()
    claim()
    ask()
    assert (store.count("queued"), store.count("running")) == (3, 1)
    with pytest.raises(ValueError, match=r"^waiting must be at least 1, got 0\.$"):
        JobStore(store.database, waiting=0)


def test_those_of_another_catalogue_keep_nobody_out(ask: Any) -> None:
    for _ in range(3):
        ask(scope="another")
    assert ask().status == "queued"


def test_of_many_who_ask_at_once_no_more_come_in(ask: Any) -> None:
    def one(_: int) -> bool:
        try:
            ask()
        except JobsFullError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(16))) == 3


def test_the_oldest_comes_first_and_one_at_a_time(store: JobStore, ask: Any, claim: Any) -> None:
    first, second = ask(), ask()
    held = taken(claim())
    assert (held.job_id, held.status, held.worker) == (first.job_id, "running", "one")
    assert (held.attempt, claim("two")) == (1, None)
    assert store.end(held, "done", now=held.created_at, result={"n": 1})
    assert taken(claim("two")).job_id == second.job_id
    assert [each.job_id for each in store.page()] == [second.job_id, first.job_id]
    assert [each.job_id for each in store.page(limit=1, offset=1)] == [first.job_id]


def test_many_who_take_at_once_never_hold_two(ask: Any, claim: Any) -> None:
    ask()
    ask()
    with ThreadPoolExecutor(8) as pool:
        held = list(pool.map(claim, map(str, range(16))))
    assert sum(each is not None for each in held) == 1


def test_a_job_of_another_scope_is_left(ask: Any, claim: Any) -> None:
    ask()
    assert claim(scope="b") is None
    assert claim() is not None


def test_who_is_not_heard_of_loses_the_job(
    store: JobStore, ask: Any, claim: Any, now: datetime
) -> None:
    asked = ask()
    first = taken(claim())
    assert store.beat(first, now=now + timedelta(seconds=5)) is False
    assert claim("two", after=14) is None  # heard of 9 seconds ago
    second = taken(claim("two", after=16))
    assert (second.job_id, second.attempt) == (asked.job_id, 2)
    assert second.reason == INTERRUPTED
    assert store.beat(first, now=now) is None
    assert not store.end(first, "done", now=now)
    assert not store.give_back(first)
    assert claim("three", after=40) is None
    lost = store.get(asked.job_id)
    assert (lost.status, lost.reason) == ("failed", "The service ended while the job ran, 2 times.")


def test_a_worker_that_ends_in_order_gives_its_job_back(
    store: JobStore, ask: Any, claim: Any
) -> None:
    ask()
    for _ in range(5):
        held = taken(claim())
        assert held.attempt == 1
        store.beat(held, now=held.created_at, stage=Stage(name="s", started_at=held.created_at))
        assert store.give_back(held)
    assert store.get(held.job_id).stage is None


def test_what_a_worker_took_unheard_waits_again(store: JobStore, ask: Any, claim: Any) -> None:
    first, second = ask(), ask()
    for _ in range(3):
        assert taken(claim()).attempt == 1
        assert (store.release("two"), store.get(first.job_id).status) == (0, "running")
        assert store.release("one") == 1
        assert store.get(first.job_id) == first
    held = taken(claim())
    store.end(held, "done", now=held.created_at)
    assert store.release("one") == 0
    assert (store.get(first.job_id).status, store.get(second.job_id)) == ("done", second)


def test_the_stage_is_told(store: JobStore, ask: Any, claim: Any, now: datetime) -> None:
    ask()
    held = taken(claim())
    stage = Stage(name="Embedding", started_at=now, done=3, total=12)
    assert store.beat(held, now=now, stage=stage) is False
    assert store.beat(held, now=now) is False  # nothing new: the stage stays
    told = store.get(held.job_id)
    assert told.stage == stage
    assert told.seconds(now + timedelta(seconds=9)) == 9


def test_a_job_that_waits_is_cancelled_at_once(store: JobStore, ask: Any, now: datetime) -> None:
    told: list[Job] = []
    job = store.cancel(ask().job_id, now=now, also=lambda _, kept: told.append(kept))
    assert (job.status, job.ended_at) == ("cancelled", now)
    assert told == [job]
    with pytest.raises(JobEndedError, match=r"^The job has ended: it is cancelled\.$"):
        store.cancel(job.job_id, now=now)
    with pytest.raises(UnknownJobError):
        store.cancel("none", now=now)


def test_the_worker_hears_of_a_cancellation(
    store: JobStore, ask: Any, claim: Any, now: datetime
) -> None:
    ask()
    held = taken(claim())
    assert store.cancel(held.job_id, now=now).status == "running"
    assert store.beat(held, now=now) is True
    assert claim("two", after=20) is None  # whoever held it is gone: it is not begun again
    assert store.get(held.job_id).status == "cancelled"


@pytest.mark.parametrize("status", ["done", "failed", "refused", "cancelled"])
def test_an_end_is_told(
    store: JobStore, ask: Any, claim: Any, now: datetime, status: Status
) -> None:
    ask()
    held, later = taken(claim()), now + timedelta(seconds=7)
    assert store.end(held, status, now=later, reason="so it is", result={"a": [1]})
    told = store.get(held.job_id)
    assert (told.status, told.ended_at, told.reason) == (status, later, "so it is")
    assert (told.result, told.has_ended, told.seconds(later + LAPSE)) == ({"a": [1]}, True, 7)


def test_a_job_ends_with_an_end(store: JobStore, ask: Any, claim: Any, now: datetime) -> None:
    ask()
    with pytest.raises(ValueError, match=r"^status must be one of done, .*, got 'queued'\.$"):
        store.end(taken(claim()), "queued", now=now)


def test_old_ones_are_forgotten(store: JobStore, ask: Any, claim: Any, now: datetime) -> None:
    ask()
    store.end(taken(claim()), "done", now=now)
    waits = ask()
    day = timedelta(days=1)
    assert store.forget_old(now=now + day, keep=day) == 0
    assert store.forget_old(now=now + 2 * day, keep=day) == 1
    assert store.page() == [waits]


def test_the_end_of_a_stage_is_guessed_by_its_pace(now: datetime) -> None:
    seconds = [timedelta(seconds=each) for each in range(1, 20)]
    ends = [
        Stage(name="s", started_at=now, done=i, total=19).estimated_end(now + each)
        for i, each in enumerate(seconds, 1)
    ]
    assert all(one == other for one, other in pairwise(ends))
    assert ends[0] == now + seconds[-1]
    assert Stage(name="s", started_at=now, done=3).estimated_end(now) is None
    assert Stage(name="s", started_at=now, total=3).percent == 0.0
    assert Stage(name="s", started_at=now, done=4, total=3).percent == 100.0


def test_of_some_jobs_those_that_have_ended_are_told(store: JobStore, now: datetime) -> None:
    jobs = [store.add("train", {}, scope="a", now=now) for _ in range(3)]
    ids = [job.job_id for job in jobs]
    assert store.ended([*ids, "other"]) == set()
    running = store.claim("me", scope="a", now=now, lapse=timedelta(minutes=1))
    assert running is not None
    store.cancel(ids[1], now=now)
    assert store.ended([*ids, "other"]) == {ids[1]}
    store.end(running, "failed", now=now)
    assert store.ended([*ids, "other"]) == {ids[0], ids[1]}
    assert store.ended(ids[:1]) == {ids[0]}
    assert store.ended([]) == set()
