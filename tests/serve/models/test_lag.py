"""A worker that cannot see the version in use says so, tries again, and catches up by itself."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nextcall.jobs.job import JobRefusedError
from nextcall.ranking.model_files import ModelError
from nextcall.ranking.model_versions import ModelVersions, UnreadableModelError
from nextcall.serve.models.lag import LONGEST_WAIT, Lag
from nextcall.serve.models.swap import ModelSwap
from nextcall.serve.models.version_loading import VersionLoading, may_pass
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings

from .conftest import Make, serving_jobs

HIDDEN = ("folder", "manifest.json", "ranker.json", "loop")


class Clock:
    """Seconds that go on when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leads(predictor: Predictor, versions: ModelVersions, settings: Settings) -> ModelSwap:
    return ModelSwap(predictor.pinned(), versions, settings)


@pytest.fixture
def follows(
    predictor: Predictor, versions: ModelVersions, settings: Settings, clock: Clock
) -> ModelSwap:
    return ModelSwap(predictor.pinned(), versions, settings, clock=clock)


def hide(versions: ModelVersions, version: str | None, what: str) -> Callable[[], object]:
    """Hide a version, or a file of it, as a network volume does; give what brings it back."""
    assert version is not None
    path = versions.path(version)
    if what == "loop":  # there, and cannot be read
        path /= "manifest.json"
    elif what != "folder":
        path /= what
    away = versions.folder.parent / "away"
    path.rename(away)
    if what == "loop":
        path.symlink_to(path.name)
    return lambda: away.replace(path) if path.is_symlink() else away.rename(path)


def state(swap: ModelSwap) -> tuple[Lag | None, str | None]:
    return swap.lag, swap.predictor.version


@pytest.mark.parametrize("what", HIDDEN)
def test_what_cannot_be_seen_is_tried_again(
    leads: ModelSwap, follows: ModelSwap, make: Make, clock: Clock, what: str
) -> None:
    done = leads.take(make())
    show = hide(leads.versions, done.version, what)
    follows.follow()
    lag = follows.lag
    assert lag is not None
    assert (lag.serves, lag.should, lag.tries, lag.left(clock.now)) == (None, done.version, 1, 2.0)
    assert lag.reason == follows.predictor.fallback_reason
    assert lag.reason.startswith(str(done.version))
    show()
    clock.now += 1.5
    follows.follow()
    assert follows.lag is lag  # it waits
    clock.now += 0.5
    follows.follow()
    assert follows.lag is None
    assert (follows.predictor.version, follows.predictor.fallback_reason) == (done.version, None)


def test_it_waits_twice_as_long_each_time_and_five_minutes_at_most(
    leads: ModelSwap, follows: ModelSwap, make: Make, clock: Clock
) -> None:
    show = hide(leads.versions, leads.take(make()).version, "folder")
    waits = []
    for tries in range(1, 11):
        follows.follow()
        assert follows.lag is not None
        assert follows.lag.tries == tries
        waits.append(follows.lag.left(clock.now))
        clock.now = follows.lag.again
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, LONGEST_WAIT, LONGEST_WAIT]
    show()
    follows.follow()
    assert follows.lag is None


def test_another_choice_is_tried_at_once(
    leads: ModelSwap, follows: ModelSwap, make: Make, clock: Clock
) -> None:
    one = leads.take(make())
    hide(leads.versions, one.version, "folder")
    for _ in range(5):
        follows.follow()
        assert follows.lag is not None
        clock.now = follows.lag.again
    clock.now -= 30
    assert leads.take(make("second", seed=2)).version != one.version
    follows.follow()
    assert state(follows) == (None, leads.predictor.version)


def test_what_is_damaged_is_not_tried_again(
    leads: ModelSwap, follows: ModelSwap, make: Make, clock: Clock
) -> None:
    done = leads.take(make())
    ranker = leads.versions.path(str(done.version)) / "ranker.json"
    whole = ranker.read_bytes()
    ranker.write_bytes(whole[:-2])
    for _ in range(2):
        follows.follow()
        assert follows.lag is None
        assert (follows.predictor.version, leads.predictor.version) == (None, done.version)
        assert str(follows.predictor.fallback_reason).startswith(f"{done.version}: files must")
        clock.now += LONGEST_WAIT
        ranker.write_bytes(whole)


def test_what_answers_stays_where_nothing_can_be_seen(
    leads: ModelSwap, follows: ModelSwap, make: Make, clock: Clock
) -> None:
    one = leads.take(make())
    follows.follow()
    two = leads.take(make("second", seed=2))
    shown = [leads.versions.path(str(each.version)) for each in (one, two)]
    for path in shown:
        path.rename(path.with_name(f"away-{path.name}"))
    follows.follow()
    assert follows.lag is not None
    assert (follows.lag.serves, follows.lag.should) == (one.version, two.version)
    assert follows.predictor.version == one.version  # in memory; not that of the start
    for path in shown:
        path.with_name(f"away-{path.name}").rename(path)
    clock.now += 2
    follows.follow()
    assert state(follows) == (None, two.version)


def test_at_a_start_the_one_before_answers_until_it_can_be_seen(
    leads: ModelSwap, follows: ModelSwap, make: Make, clock: Clock
) -> None:
    one, two = leads.take(make()), leads.take(make("second", seed=2))
    show = hide(leads.versions, two.version, "manifest.json")
    follows.follow()
    assert follows.lag is not None
    assert (follows.lag.serves, follows.lag.should) == (one.version, two.version)
    show()
    clock.now += 2
    follows.follow()
    assert state(follows) == (None, two.version)


def test_the_one_before_a_damaged_one_is_tried_again_too(
    leads: ModelSwap, follows: ModelSwap, make: Make, clock: Clock
) -> None:
    one, two = leads.take(make()), leads.take(make("second", seed=2))
    (leads.versions.path(str(two.version)) / "ranker.json").write_text("{}")
    show = hide(leads.versions, one.version, "folder")
    follows.follow()
    assert follows.lag is not None
    assert (follows.lag.serves, follows.lag.should) == (None, one.version)
    show()
    clock.now += 2
    follows.follow()
    assert state(follows) == (None, one.version)
    assert str(follows.predictor.fallback_reason).startswith(f"{two.version}: files must")


@pytest.mark.parametrize("fault", ["away", "loop"])
def test_what_was_chosen_last_stays_where_that_file_cannot_be_seen(
    leads: ModelSwap, follows: ModelSwap, make: Make, clock: Clock, fault: str
) -> None:
    done = leads.take(make())
    follows.follow()
    pointer = leads.versions.pointer
    away = pointer.rename(pointer.with_name("away"))
    if fault == "loop":
        pointer.symlink_to(pointer.name)
    for tries in (1, 2):
        follows.follow()
        assert follows.lag is not None
        assert follows.lag.tries == tries
        assert (follows.lag.serves, follows.lag.should) == (done.version, done.version)
        assert follows.lag.reason.startswith("current.json: ")
        assert follows.predictor.version == done.version
        clock.now = follows.lag.again
    away.replace(pointer)
    follows.follow()
    assert (follows.lag, follows.predictor.fallback_reason) == (None, None)


@pytest.mark.parametrize("fault", ["away", "loop"])
def test_nothing_is_chosen_over_a_choice_that_cannot_be_seen(
    leads: ModelSwap, follows: ModelSwap, make: Make, fault: str
) -> None:
    leads.take(make())
    follows.follow()
    others = leads.take(make("second", seed=2))  # which the one that follows has not seen yet
    pointer = leads.versions.pointer
    away = pointer.rename(pointer.with_name("away"))
    if fault == "loop":
        pointer.symlink_to(pointer.name)
    before = follows.predictor.version
    with pytest.raises(UnreadableModelError, match=r"ask again\. current\.json: "):
        follows.take(make("third", seed=3))
    with pytest.raises(UnreadableModelError, match=r"ask again\. current\.json: "):
        follows.roll_back()
    assert (follows.predictor.version, pointer.exists()) == (before, False)
    away.replace(pointer)
    assert leads.versions.in_use().current == others.version
    after = follows.take(make("third", seed=3))
    assert leads.versions.in_use().order()[:2] == (after.version, others.version)


def test_who_would_go_back_is_told_that_the_choice_cannot_be_seen(
    predictor: Predictor, make: Make, own: Settings, versions: ModelVersions
) -> None:
    with serving_jobs(predictor.pinned(), own) as (client, swap):
        done = swap.take(make())
        away = versions.pointer.rename(versions.pointer.with_name("away"))
        found = client.post("/api/admin/rollback-model")
        assert found.status_code == 503
        assert "ask again" in found.json()["error"]
        assert swap.predictor.version == done.version
        away.replace(versions.pointer)
        assert client.post("/api/admin/rollback-model").status_code == 200


def test_health_says_that_it_lags_until_it_has_caught_up(
    predictor: Predictor, make: Make, own: Settings, versions: ModelVersions
) -> None:
    leads = ModelSwap(predictor.pinned(), versions, own)
    one = leads.take(make())
    with serving_jobs(predictor.pinned(), own) as (client, swap):

        def told() -> Any:
            return client.get("/health").json()

        assert (told()["status"], told()["components"]["ranker"]["lag"]) == ("ok", None)
        made = make("second", seed=2)
        version = versions.publish(made)
        show = hide(versions, version, "ranker.json")
        with versions.changing():
            versions.use(versions.in_use().to(version))
        swap.follow()
        found = told()
        ranker = found["components"]["ranker"]
        assert (found["status"], ranker["status"]) == ("degraded", "lags")
        assert (ranker["lag"]["version"], ranker["lag"]["version_in_use"]) == (one.version, version)
        assert ranker["lag"]["tries"] >= 1
        assert 0 <= ranker["lag"]["next_try_seconds"] <= LONGEST_WAIT
        assert ranker["reason"].startswith(version)
        assert str(versions.folder) not in str(found)
        show()
        until = time.monotonic() + 120
        while told()["status"] != "ok":
            assert time.monotonic() < until
            time.sleep(0.1)
        assert told()["components"]["ranker"]["lag"] is None
        assert swap.predictor.version == version


class Late(ModelVersions):
    """Versions whose files are seen in full only when they are looked at for the n-th time."""

    def __init__(self, folder: Path, looks: int) -> None:
        super().__init__(folder)
        self.looks = looks

    def verify(self, version: str) -> Path:
        self.looks -= 1
        if self.looks > 0:
            raise UnreadableModelError(f"{version}: cannot be read.")
        return super().verify(version)


def test_three_tries_are_made_at_once(
    predictor: Predictor, make: Make, settings: Settings, tmp_path: Path
) -> None:
    version = ModelVersions(tmp_path / "v").publish(make())
    first = predictor.pinned()
    loading = VersionLoading(first, Late(tmp_path / "v", 3), settings)
    assert loading.load(version).version == version
    late = Late(tmp_path / "v", 4)
    with pytest.raises(UnreadableModelError):
        VersionLoading(first, late, settings).load(version)
    assert late.looks == 1
    (late.path(version) / "ranker.json").write_text("{}")
    with pytest.raises(ModelError, match="files must match"):
        VersionLoading(first, late, settings).load(version)
    assert late.looks == 0  # damaged: once


def test_a_model_without_a_file_that_it_needs_is_refused_at_once(
    leads: ModelSwap, make: Make
) -> None:
    trained = make()
    for trees in trained.glob("trees-*.txt"):
        trees.unlink()
    with pytest.raises(JobRefusedError, match="cannot be used: ") as refused:
        leads.take(trained)
    assert not may_pass(refused.value.__cause__)
