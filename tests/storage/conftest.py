"""A database of each kind, empty: PostgreSQL where NEXTCALL_TEST_POSTGRES_URL names a server."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from nextcall.storage.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a database that no other test sees."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/folder/kept.db"
        return
    server = os.environ.get("NEXTCALL_TEST_POSTGRES_URL")
    if server is None:
        pytest.skip("NEXTCALL_TEST_POSTGRES_URL names no PostgreSQL server to make databases on")
    name = f"nextcall_test_{uuid4().hex}"
    of_psycopg = make_url(server).set(drivername="postgresql+psycopg")
    engine = create_engine(of_psycopg, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield of_psycopg.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with Database(url, patience=10.0) as opened:
        yield opened
