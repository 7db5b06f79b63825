"""Runs that are kept: as they were told, the newest, so many."""

from collections.abc import Callable
from typing import TypeAlias

import pytest

from nextcall.performance.history import RunHistory
from nextcall.performance.run import PerformanceRun
from nextcall.performance.tables import TABLES
from nextcall.storage.database import Database
from nextcall.storage.migrations import differences, migrate

MakeRun: TypeAlias = Callable[..., PerformanceRun]


@pytest.fixture
def migrated(database: Database) -> Database:
    migrate(database)
    return database


def test_the_revision_makes_the_declared_table(migrated: Database) -> None:
    assert differences(migrated, TABLES) == []


def test_a_run_is_told_as_it_was_without_samples(migrated: Database, make_run: MakeRun) -> None:
    history, run = RunHistory(migrated), make_run()
    history.keep(run)
    (told,) = history.newest()
    assert told == run.told(samples=False)
    assert told["parts"]["guard"]["samples_ms"] is None


def test_the_newest_stay(migrated: Database, make_run: MakeRun) -> None:
    history = RunHistory(migrated, most=3)
    for number in range(5):
        history.keep(make_run(version=str(number)))
    assert [run["version"] for run in history.newest()] == ["4", "3", "2"]
    assert [run["version"] for run in history.newest(1)] == ["4"]


def test_numbers_below_1_are_refused(migrated: Database) -> None:
    with pytest.raises(ValueError, match=r"^most must be at least 1, got 0\.$"):
        RunHistory(migrated, most=0)
    with pytest.raises(ValueError, match=r"^limit must be at least 1, got 0\.$"):
        RunHistory(migrated).newest(0)
