"""A service whose catalogue trains in seconds."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nextcall.catalog import Catalog, describe_operation
from nextcall.jobs.job import ENDED
from nextcall.jobs.runner import JobRunner
from nextcall.serve.app import create_app
from nextcall.serve.caching.caches import open_caches
from nextcall.serve.jobs.service_jobs import ServiceJobs, open_jobs, runner_settings
from nextcall.serve.loading import Stores, load_predictor, open_stores
from nextcall.serve.observer import open_observer
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import load_settings
from nextcall.sessions import Query
from nextcall.sessions.jsonl import write_queries

NOUNS = ("User", "Order", "Invoice", "Basket", "Parcel", "Coupon")
VERBS = {
    "List": "list all the {}s",
    "Get": "show me one {}",
    "Create": "make a new {}",
    "Delete": "remove the {} for good",
}
LONG = 120.0  # seconds after which a test is given up


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a data folder with a catalogue and queries; the vectors are kept beside."""
    folder = tmp_path_factory.mktemp("shop")
    operations = tuple(
        describe_operation(
            operation_id=f"{verb}{noun}",
            method="POST",
            path=f"/{noun.lower()}s/{verb.lower()}",
            service=f"{noun.lower()}s",
            description=f"{verb}s what the shop knows of a {noun.lower()}.",
        )
        for noun in NOUNS
        for verb in VERBS
    )
    Catalog("shop", operations).save(folder / "data" / "catalogs" / "shop.parquet")
    queries = [
        Query(
            query_id=f"{verb}{noun}",
            prompt=prompt.format(noun.lower()),
            relevant=(f"{verb}{noun}",),
            task="next_call",
            session_id=noun,
        )
        for noun in NOUNS
        for verb, prompt in VERBS.items()
    ]
    write_queries(queries, folder / "data" / "queries.jsonl")
    return folder


@dataclass
class JobService:
    """A service with jobs, asked in this process."""

    client: TestClient
    jobs: ServiceJobs
    stores: Stores
    predictor: Predictor

    def ended(self, job: dict[str, Any]) -> dict[str, Any]:
        """Wait for the end of a job."""
        until = time.monotonic() + LONG
        while True:
            found: dict[str, Any] = self.client.get(f"/jobs/{job['job_id']}").json()
            if found["status"] in ENDED:
                return found
            assert time.monotonic() < until, found
            time.sleep(0.1)


@pytest.fixture
def job_service(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AbstractContextManager[JobService]]:
    """Give what opens a service over the shop, without a model at first."""

    @contextmanager
    def opened(*, runs: bool = True, **given: Any) -> Iterator[JobService]:
        data = tmp_path / "data"
        shutil.copytree(shop / "data", data, dirs_exist_ok=True)
        given = {
            "data_dir": data,
            "catalog": data / "catalogs" / "shop.parquet",
            "model": tmp_path / "none",
            "cache_dir": shop / "cache",
            "log_dir": tmp_path / "log",
            "log_level": "info",
            **given,
        }
        settings = load_settings(**given)
        if not runs:
            monkeypatch.setattr(JobRunner, "_run", lambda _: None)
        with ExitStack() as stack:
            predictor = load_predictor(settings)
            stores = stack.enter_context(open_stores(settings))
            observer = stack.enter_context(open_observer(settings))
            quick = replace(runner_settings(settings), poll=0.05)
            jobs = stack.enter_context(
                open_jobs(settings, stores.database, predictor, observer=observer, runner=quick)
            )
            caches = stack.enter_context(open_caches(settings, predictor))
            app = create_app(
                predictor,
                settings=settings,
                parts=Parts(door=stores.door, caches=caches, observer=observer, jobs=jobs),
            )
            client = stack.enter_context(TestClient(app))
            yield JobService(client, jobs, stores, predictor)

    return opened
