"""The revision makes the tables that are declared, and keeps changes from being changed."""

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

from nextcall.storage.database import Database
from nextcall.storage.migrations import differences
from nextcall.trials.definition import Definition
from nextcall.trials.tables import TABLES, TRIAL_CHANGE
from nextcall.trials.trials import Trials


def test_the_revision_makes_these_tables(trials: Trials, database: Database) -> None:
    assert differences(database, TABLES) == []
    assert trials.find() == []


def test_changes_are_append_only(
    trials: Trials, database: Database, definition: Definition
) -> None:
    test_id = trials.create(definition).test_id
    with pytest.raises(DBAPIError, match="append-only"), database.writing() as connection:
        connection.execute(update(TRIAL_CHANGE).values(version=2))
    with pytest.raises(DBAPIError, match="append-only"), database.writing() as connection:
        connection.execute(delete(TRIAL_CHANGE))
    assert [each.action for each in trials.history(test_id)] == ["create"]


def test_a_unit_is_looked_up_by_its_key(trials: Trials, database: Database) -> None:
    assert trials.find() == []
    if database.backend == "sqlite":
        asked = "EXPLAIN QUERY PLAN SELECT * FROM trial_event WHERE (trial, unit, metric, event_id)"
        with database.reading() as connection:
            plan = str(connection.execute(text(f"{asked} IN (VALUES (1, 'u', 'm', 'e'))")).all())
        assert "USING PRIMARY KEY" in plan
