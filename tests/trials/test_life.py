"""A test goes from draft to archive, one step at a time, and nobody overwrites another."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from nextcall.trials.definition import Definition
from nextcall.trials.errors import StaleError, StatusError, UnknownTrialError
from nextcall.trials.trials import Trials


def test_a_whole_life_is_kept(trials: Trials, definition: Definition) -> None:
    draft = trials.create(definition)
    assert (draft.status, draft.version, draft.definition) == ("draft", 1, definition)
    changed = replace(definition, test_type="prompt")
    test_id = draft.test_id
    assert trials.change(test_id, changed, version=1).definition == changed
    running = trials.start(test_id)
    assert running.started_at is not None
    assert running.allocation == changed.allocation()
    stopped = trials.stop(test_id, version=3)
    assert stopped.stopped_at is not None
    assert stopped.stopped_at >= running.started_at
    archived = trials.archive(test_id)
    assert archived == trials.get(test_id)
    told = [(each.version, each.action, each.status) for each in trials.history(test_id)]
    assert told == [
        (1, "create", "draft"),
        (2, "change", "draft"),
        (3, "start", "running"),
        (4, "stop", "stopped"),
        (5, "archive", "archived"),
    ]
    assert [each.definition for each in trials.history(test_id)] == [definition] + [changed] * 4


def test_a_step_out_of_turn_is_refused(trials: Trials, definition: Definition) -> None:
    test_id = trials.create(definition).test_id
    with pytest.raises(StatusError, match="must be running for 'stop', and it is a draft"):
        trials.stop(test_id)
    trials.start(test_id)
    for refused in (trials.start, trials.archive):
        with pytest.raises(StatusError, match="and it is running"):
            refused(test_id)
    with pytest.raises(StatusError, match="must be a draft for 'change'"):
        trials.change(test_id, definition)
    assert trials.get(test_id).version == 2
    assert trials.archive(trials.create(definition).test_id).status == "archived"


def test_a_stale_change_is_refused(trials: Trials, definition: Definition) -> None:
    test_id = trials.create(definition).test_id
    trials.change(test_id, replace(definition, test_name="first"), version=1)
    with pytest.raises(StaleError, match="version must be that of the test now, 2, got 1"):
        trials.change(test_id, replace(definition, test_name="second"), version=1)
    assert trials.get(test_id).definition.test_name == "first"


def test_of_many_who_saw_one_version_one_changes_it(trials: Trials, definition: Definition) -> None:
    test_id = trials.create(definition).test_id

    def rename(name: int) -> bool:
        try:
            trials.change(test_id, replace(definition, test_name=str(name)), version=1)
        except StaleError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(rename, range(8))) == 1
    assert [each.version for each in trials.history(test_id)] == [1, 2]


def test_tests_are_found_by_status_and_type(trials: Trials, definition: Definition) -> None:
    ids = [
        trials.create(replace(definition, test_type=kind)).test_id
        for kind in ("model", "prompt", "model")
    ]
    trials.start(ids[0])
    found = trials.find()
    assert [each.test_id for each in found] == ids[::-1]
    assert [each.test_id for each in trials.find(status="draft")] == ids[:0:-1]
    assert [each.test_id for each in trials.find(test_type="model")] == [ids[2], ids[0]]
    assert trials.find(status="running", test_type="prompt") == []
    assert [each.test_id for each in trials.find(limit=1, offset=1)] == [ids[1]]


def test_an_unknown_test_is_told(trials: Trials, definition: Definition) -> None:
    asked: list[Callable[[str], object]] = [
        trials.get, trials.history, trials.start, trials.stop, trials.archive, trials.analyze,
        lambda test_id: trials.assign(test_id, "u"),
        lambda test_id: trials.change(test_id, definition),
    ]  # fmt: skip
    for each in asked:
        with pytest.raises(UnknownTrialError, match=r"there is no test 'a\\x00'"):
            each("a\0")
        with pytest.raises(UnknownTrialError, match="there is no test 'none'"):
            each("none")
