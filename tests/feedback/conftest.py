"""Feedback on a migrated database of each kind, and what was shown."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from nextcall.feedback.draft import Draft
from nextcall.feedback.feedback import Feedback
from nextcall.feedback.shown import Shown, ShownPredictions
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OPERATIONS = ("list", "get", "delete")

DRAFT = Draft(
    challenger="m2", lists=(("list", "delete", "get"), ("get", "list", "put")), teams=(0, 1, 0)
)
"""That gives these operations."""

MakeShown = Callable[..., Shown]


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def make_shown() -> MakeShown:
    def make(**changed: Any) -> Shown:
        given: dict[str, Any] = {
            "at": NOW,
            "user": "u",
            "model_version": "m1",
            "catalog_hash": "c",
            "operations": OPERATIONS,
            "confidences": (0.5, None, 0.125),
            "history": ("create",),
            "prompt": "what is there?",
        }
        return Shown(**(given | changed))

    return make


@pytest.fixture
def feedback(database: Database) -> Iterator[Feedback]:
    migrate(database)
    with Feedback(database, ShownPredictions()) as opened:
        yield opened
