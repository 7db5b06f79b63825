"""Databases that have the tables of the room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate


@pytest.fixture
def migrated(database: Database) -> Database:
    migrate(database)
    return database


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """Give a database for what is refused before it is asked."""
    with Database(f"sqlite:///{tmp_path}/kept.db") as database:
        migrate(database)
        yield database
