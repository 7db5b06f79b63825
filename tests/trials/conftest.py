"""The tests of a migrated database of each kind."""

from collections.abc import Iterator

import pytest

from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.trials.definition import Definition, Variant
from nextcall.trials.trials import Trials


@pytest.fixture
def trials(database: Database) -> Iterator[Trials]:
    migrate(database)
    with Trials(database) as opened:
        yield opened


@pytest.fixture
def definition() -> Definition:
    return Definition(
        test_name="ranker",
        test_type="model",
        variants=[
            Variant(
                variant_id=each,
                variant_name=f"ranker {each}",
                traffic_percentage=50,
                configuration={"model": each},
            )
            for each in "AB"
        ],
        control_variant_id="A",
        primary_metric="taken",
    )
