"""What every test starts from: one thread, no window, the same examples in every run."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

# Before any library loads: two workers share two cores, and figures are drawn to files.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest  # after the environment
from hypothesis import settings
from sqlalchemy import create_engine, make_url, text

from nextcall.storage.database import Database

# HYPOTHESIS_PROFILE=explore looks for new examples; a run of the checks repeats the last one.
settings.register_profile("check", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "check"))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of an empty database of each kind that no other test sees."""
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
