"""What is acknowledged is kept, once; what is refused leaves nothing; sums follow."""

import asyncio
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from sqlalchemy import func, select

from nextcall.abtest.assignment import Assignment
from nextcall.storage.database import Database
from nextcall.trials.aggregates import Aggregate, UnitTotal
from nextcall.trials.definition import Definition
from nextcall.trials.errors import (
    EventConflictError,
    RefusedError,
    StatusError,
    WrongVariantError,
)
from nextcall.trials.recording import MOST_METRICS, sums_of
from nextcall.trials.sighting import Recorded
from nextcall.trials.tables import ARM, EVENT, EXPOSURE, TRIAL, UNIT_TOTAL
from nextcall.trials.trials import Trials

StartScript = Callable[..., "subprocess.Popen[str]"]  # of the tests' conftest.py

PROGRAM = """
import sys
from nextcall.storage.database import Database
from nextcall.trials.trials import Trials
with Database(sys.argv[1], patience=30.0) as database, Trials(database) as trials:
    for unit in range(int(sys.argv[3]), int(sys.argv[3]) + 10):
        name = f"user-{unit}"
        variant = trials.assign(sys.argv[2], name).variant_id
        trials.record(sys.argv[2], name, variant, {"taken": unit})
"""

KILLED = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from nextcall.storage.database import Database
from nextcall.trials.trials import Trials
trials = Trials(Database(sys.argv[1]))
def record(event):
    unit = f"user-{event % 7}"
    variant = trials.assign(sys.argv[2], unit).variant_id
    trials.record(sys.argv[2], unit, variant, {"taken": event}, event_id=str(event))
    os.write(1, b"%d\\n" % event)
with ThreadPoolExecutor(8) as pool:
    list(pool.map(record, range(100_000)))
"""


@pytest.fixture
def test_id(trials: Trials, definition: Definition) -> str:
    made = trials.create(definition).test_id
    trials.start(made)
    return made


def count(database: Database, table: object) -> int:
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]  # a table of the room


def sums(database: Database) -> dict[tuple[str, str], Aggregate]:
    with database.reading() as connection:
        number = connection.scalars(select(TRIAL.c.number)).first() or 0
        return sums_of(connection, number)


def units(database: Database) -> dict[str, int]:
    with database.reading() as connection:
        return {row.variant_id: row.units for row in connection.execute(select(ARM))}


def test_assignment_is_by_hash_and_written_down_once(
    trials: Trials, database: Database, test_id: str
) -> None:
    trial = trials.get(test_id)
    assert trial.allocation is not None
    known = Assignment(test=test_id, salt=trial.salt, allocation=trial.allocation)
    names = [f"user-{each}" for each in range(40)]
    seen = [trials.assign(test_id, name).variant_id for name in names * 2]
    assert seen == [known.assign(name).variant for name in names] * 2
    assert count(database, EXPOSURE) == 40
    with Trials(database) as restarted:
        assert [restarted.assign(test_id, name).variant_id for name in names] == seen[:40]
    assert count(database, EXPOSURE) == 40
    assert units(database) == {each: seen[:40].count(each) for each in "AB"}


def test_a_repeated_event_counts_once(trials: Trials, database: Database, test_id: str) -> None:
    variant = trials.assign(test_id, "u").variant_id

    def record(event: str, **metrics: float) -> Recorded:
        return trials.record(test_id, "u", variant, metrics, event_id=event)

    assert record("e", taken=1, cost=0.5) == Recorded(recorded=2, repeated=0)
    assert record("e", taken=1) == Recorded(recorded=0, repeated=1)
    assert record("e", taken=1, delay=3) == Recorded(recorded=1, repeated=1)
    assert record("f", taken=0.25) == Recorded(recorded=1, repeated=0)
    kept = UnitTotal().with_event(1).with_event(0.25)
    assert sums(database)[variant, "taken"] == Aggregate().replaced([(UnitTotal(), kept)])
    assert units(database)[variant] == 1


def test_an_event_that_says_something_else_is_refused_whole(
    trials: Trials, database: Database, test_id: str
) -> None:
    variant = trials.assign(test_id, "u").variant_id
    trials.record(test_id, "u", variant, {"taken": 1}, event_id="e")
    before = sums(database)
    with pytest.raises(EventConflictError, match="must say of 'taken' what it said before"):
        trials.record(test_id, "u", variant, {"cost": 1, "taken": 2}, event_id="e")
    assert sums(database) == before
    assert count(database, EVENT) == 1


def test_without_an_event_id_each_call_is_an_event(
    trials: Trials, database: Database, test_id: str
) -> None:
    variant = trials.assign(test_id, "u").variant_id
    for _ in range(3):
        trials.record(test_id, "u", variant, {"taken": 1})
    assert sums(database)[variant, "taken"].events == 3
    assert sums(database)[variant, "taken"].units == 1


def test_a_record_of_a_unit_that_was_never_asked_for_is_its_exposure(
    trials: Trials, database: Database, test_id: str
) -> None:
    for variant in "AB":
        try:
            trials.record(test_id, "u", variant, {"taken": 1})
        except WrongVariantError as error:
            assert "must be the assigned one" in str(error)  # noqa: PT017  # one of two is right
    assert sum(units(database).values()) == count(database, EXPOSURE) == 1
    assert count(database, EVENT) == 1


def test_another_variant_and_a_stopped_test_are_refused(
    trials: Trials, database: Database, test_id: str
) -> None:
    variant = trials.assign(test_id, "u").variant_id
    other = {"A": "B", "B": "A"}[variant]
    for wrong in (other, "C"):
        with pytest.raises(WrongVariantError, match=f"must be the assigned one, '{variant}', got"):
            trials.record(test_id, "u", wrong, {"taken": 1})
    trials.stop(test_id)
    with pytest.raises(StatusError, match="must be running, and it is stopped"):
        trials.record(test_id, "u", variant, {"taken": 1})
    with pytest.raises(StatusError, match="must be running, and it is stopped"):
        trials.assign(test_id, "u")
    assert count(database, EVENT) == 0


def test_a_draft_assigns_nobody(trials: Trials, definition: Definition) -> None:
    draft = trials.create(definition)
    with pytest.raises(StatusError, match="must be running, and it is a draft"):
        trials.assign(draft.test_id, "u")
    with pytest.raises(StatusError, match="must be running, and it is a draft"):
        draft.assignment()


def test_nothing_is_recorded_after_another_process_has_stopped_the_test(
    trials: Trials, database: Database, test_id: str
) -> None:
    variant = trials.assign(test_id, "u").variant_id  # and the test is known for a second
    with Trials(database) as other:
        other.stop(test_id)
    with pytest.raises(StatusError, match="must be running, and it is stopped"):
        trials.record(test_id, "u", variant, {"taken": 1})
    assert count(database, EVENT) == 0


def test_an_exposure_that_was_kept_wins(trials: Trials, database: Database, test_id: str) -> None:
    variant = trials.assign(test_id, "u").variant_id
    other = {"A": "B", "B": "A"}[variant]
    with database.writing() as connection:
        connection.execute(EXPOSURE.update().values(variant_id=other))
    with (
        Trials(database) as restarted,
        pytest.raises(WrongVariantError, match=f"must be the assigned one, '{other}'"),
    ):
        restarted.record(test_id, "u", variant, {"taken": 1})


@pytest.mark.parametrize(
    ("metrics", "error", "told"),
    [
        ({}, ValueError, "metrics must hold 1 to 32 values, got 0."),
        (dict.fromkeys(map(str, range(33)), 1.0), ValueError, "1 to 32 values, got 33."),
        ({" ": 1.0}, ValueError, "the name of a metric must hold more than white space"),
        ({"taken": float("nan")}, ValueError, "taken must lie within 1e\\+90 of 0, got nan."),
        ({"taken": -1e91}, ValueError, "taken must lie within 1e\\+90 of 0, got -1e\\+91."),
        ({"taken": "1"}, TypeError, "taken must be a number, got '1'."),
    ],
)
def test_values_that_cannot_be_are_refused(
    trials: Trials, test_id: str, metrics: dict[str, float], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        trials.record(test_id, "u", trials.assign(test_id, "u").variant_id, metrics)


def test_units_and_events_need_names(trials: Trials, test_id: str) -> None:
    with pytest.raises(ValueError, match="unit must hold more than white space"):
        trials.assign(test_id, "")
    with pytest.raises(ValueError, match="unit must have at most 256 characters"):
        trials.assign(test_id, "u" * 257)
    with pytest.raises(ValueError, match="event_id must have at most 128"):
        trials.record(
            test_id, "u", trials.assign(test_id, "u").variant_id, {"taken": 1}, event_id="e" * 129
        )


def test_a_test_has_so_many_metrics(trials: Trials, test_id: str) -> None:
    variant = trials.assign(test_id, "u").variant_id
    names = [f"m{each}" for each in range(MOST_METRICS)]
    for start in range(0, MOST_METRICS, 25):
        trials.record(test_id, "u", variant, dict.fromkeys(names[start : start + 25], 1.0))
    with pytest.raises(RefusedError, match="at most 100 metrics, got 101"):
        trials.record(test_id, "u", variant, {"one more": 1})


def test_many_at_once_add_up(trials: Trials, database: Database, test_id: str) -> None:
    rng = np.random.default_rng(3)
    work = [
        (f"user-{rng.integers(20)}", float(value), str(event))
        for event, value in enumerate(rng.normal(5, 2, 200))
    ]

    def record(one: tuple[str, float, str]) -> Recorded:
        unit, value, event = one
        variant = trials.assign(test_id, unit).variant_id
        return trials.record(test_id, unit, variant, {"taken": value}, event_id=event)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(record, [*work, *work]))  # all of it twice
    assert sum(each.recorded for each in found) == sum(each.repeated for each in found) == 200
    totals: dict[str, UnitTotal] = {}
    for unit, value, _ in work:
        totals[unit] = totals.get(unit, UnitTotal()).with_event(value)
    expected: dict[tuple[str, str], Aggregate] = {}
    for unit, total in totals.items():
        key = (trials.assign(test_id, unit).variant_id, "taken")
        expected[key] = expected.get(key, Aggregate()).replaced([(UnitTotal(), total)])
    assert sums(database) == expected
    assert count(database, UNIT_TOTAL) == len(totals)


def test_tasks_assign_and_record_too(trials: Trials, database: Database, test_id: str) -> None:
    async def one(unit: str) -> tuple[str, Recorded]:
        variant = (await trials.assign_async(test_id, unit)).variant_id
        assert (await trials.assign_async(test_id, unit)).variant_id == variant
        return variant, await trials.record_async(test_id, unit, variant, {"taken": 1})

    async def ask() -> list[tuple[str, Recorded]]:
        return await asyncio.gather(*(one(f"user-{each}") for each in range(50)))

    found = asyncio.run(ask())
    assert [each for _, each in found] == [Recorded(recorded=1, repeated=0)] * 50
    assert units(database) == {name: sum(variant == name for variant, _ in found) for name in "AB"}


def test_two_processes_lose_nothing(
    trials: Trials, database: Database, test_id: str, url: str, start_script: StartScript
) -> None:
    assert trials.get(test_id).status == "running"
    running = [start_script(PROGRAM, url, test_id, start) for start in ("0", "5")]
    assert [each.wait(120) for each in running] == [0, 0]
    assert sum(each.events for each in sums(database).values()) == 20
    assert sum(each.units for each in sums(database).values()) == 15
    assert sum(units(database).values()) == 15


def test_what_was_acknowledged_outlives_the_process_and_is_not_counted_twice(
    trials: Trials, database: Database, test_id: str, url: str, start_script: StartScript
) -> None:
    process = start_script(KILLED, url, test_id)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(100)]
    process.kill()
    rest = process.stdout.read().split("\n")[:-1]  # a line that was cut short is none
    process.wait(60)
    acknowledged = {*told, *map(int, rest)}
    with database.reading() as connection:
        kept = {int(each) for each in connection.scalars(select(EVENT.c.event_id))}
    assert acknowledged <= kept
    assert sum(each.events for each in sums(database).values()) == len(kept)
    last = max(kept)
    for event in [*sorted(kept)[-20:], last + 1]:  # who got no answer asks again
        unit = f"user-{event % 7}"
        variant = trials.assign(test_id, unit).variant_id
        again = trials.record(test_id, unit, variant, {"taken": event}, event_id=str(event))
        assert again.recorded == (event > last)
    assert count(database, EVENT) == len(kept) + 1
    total = sum(each.totals.fraction for each in sums(database).values())
    assert total == sum(kept) + last + 1


def test_little_is_remembered(
    trials: Trials, definition: Definition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextcall.trials.known_trials._UNITS_KEPT", 2)
    monkeypatch.setattr("nextcall.trials.known_trials._TRIALS_KEPT", 2)
    monkeypatch.setattr("nextcall.trials.known_trials._FRESH", 0.0)
    ids = [trials.create(replace(definition, test_name=each)).test_id for each in "abc"]
    for test_id, unit in product(ids, "uvw"):
        if trials.get(test_id).status == "draft":
            trials.start(test_id)
        assert trials.assign(test_id, unit).variant_id == trials.assign(test_id, unit).variant_id
    assert (len(trials._known._exposed), len(trials._known._running)) == (2, 2)
    with Trials(trials._database) as other:
        other.stop(ids[2])
    with pytest.raises(StatusError):
        trials.assign(ids[2], "u")
