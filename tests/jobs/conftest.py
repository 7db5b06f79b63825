"""Jobs in each kind of database."""

from datetime import UTC, datetime

import pytest

from nextcall.jobs.store import JobStore
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(database: Database) -> JobStore:
    migrate(database)
    return JobStore(database, waiting=3)
