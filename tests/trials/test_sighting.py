"""What is written of a unit follows from its test alone."""

from dataclasses import replace

import pytest

from nextcall.abtest.allocation import allocate
from nextcall.trials.definition import Definition
from nextcall.trials.sighting import Running
from nextcall.trials.trials import Trials


@pytest.fixture
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name an SQLite file; nothing here is written."""
    return f"sqlite:///{tmp_path_factory.mktemp('kept')}/a.db"


def test_a_unit_whose_bucket_is_nobodys_is_told(trials: Trials, definition: Definition) -> None:
    trial = trials.start(trials.create(definition).test_id)
    assert Running(trial).assigned("u").variant_id in {"A", "B"}
    half = Running(replace(trial, allocation=allocate({"A": 0.01})))
    with pytest.raises(ValueError, match="unit 'u' must have a variant, got none"):
        half.assigned("u")


def test_what_cannot_be_is_told_before_a_variant_that_is_wrong(
    trials: Trials, definition: Definition
) -> None:
    running = Running(trials.start(trials.create(definition).test_id))
    with pytest.raises(ValueError, match="event_id must hold more than white space"):
        running.recorded("u", "neither", {"taken": 1}, " ")
