"""What the description of the API says is what it does: all that schemathesis can check."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

from nextcall.access.keys import create_key
from nextcall.catalog import Catalog, describe_operation
from nextcall.resilience.breakers import Breakers
from nextcall.serve.app import create_app
from nextcall.serve.assistant.service_assistant import open_assistant
from nextcall.serve.caching.caches import open_caches
from nextcall.serve.jobs.service_jobs import open_jobs
from nextcall.serve.loading import Stores, open_stores
from nextcall.serve.observer import open_observer
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import load_settings
from nextcall.serve.telemetry_settings import PROMISES
from nextcall.storage.database import Database
from nextcall.training.opening import open_index

NO_SCHEMA_SAYS = ("400", "422")  # what an attack is, or an operation; that shares sum to 100


def faults_of(app: Any, *, headers: Mapping[str, str], examples: int) -> tuple[list[str], int]:
    """Ask an application whatever its description allows and forbids.

    Parameters
    ----------
    app : ASGI application
    headers : mapping of str to str
        Sent with every request, such as a key.
    examples : int
        Of each operation and phase.

    Returns
    -------
    tuple of list of str and int
        What is wrong, and the number of requests.
    """
    accepted = {"expected-statuses": ["2xx", "3xx", "401", "403", "404", "409", *NO_SCHEMA_SAYS]}
    crossed = ["POST /predict", "POST /predict/batch", "POST /feedback"]
    crossed += ["POST /train", "POST /generate-data", "POST /api/run"]
    crossed += ["POST /api/ab-testing/tests", "PUT /api/ab-testing/tests/{test_id}"]
    config = schemathesis.Config.from_dict(
        {
            "headers": dict(headers),
            "continue-on-failure": True,
            "generation": {"deterministic": True, "max-examples": examples, "allow-x00": False},
            "operations": [
                {"include-name": name, "checks": {"positive_data_acceptance": accepted}}
                for name in crossed
            ],
        }
    )
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config, headers=headers)
    faults, asked = list[str](), 0
    for event in from_schema(schema).execute():
        if isinstance(event, FatalError):
            raise event.exception
        if isinstance(event, NonFatalError):
            faults.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, ScenarioFinished):
            asked += len(event.recorder.cases)
            for case, checks in event.recorder.checks.items():
                of = event.recorder.cases[case].value
                faults += [
                    f"{of.method} {of.path}: {check.name}: {check.failure_info.failure}"
                    for check in checks
                    if check.failure_info is not None
                ]
    return faults, asked


def serving(folder: Path, **given: object) -> Iterator[tuple[FastAPI, Stores]]:
    """Build the service over a catalogue of one operation, with A/B tests in SQLite."""
    url = f"sqlite:///{folder}/a.db"
    # A test's process is larger than a service, and slower: what is promised is not the question.
    endless = {name: 1e12 for name in PROMISES if name not in {"hit_rate", "error_rate"}}
    given["service_level"] = {**endless, "hit_rate": 1e-9, "error_rate": 1.0}
    given["performance_seconds"] = 0.05
    given |= {"log_dir": folder / "log", "data_dir": folder / "data"}
    settings = load_settings(database_url=url, cache_dir=folder, **given)
    operation = describe_operation(operation_id="getUser", method="GET", path="/users/{id}")
    index = open_index(Catalog(name="one", operations=(operation,)), cache=folder)
    predictor = Predictor(index, fallback_reason="there is none.")
    with (
        open_stores(settings) as kept,
        open_caches(settings, predictor) as caches,
        open_observer(settings) as observer,
        open_jobs(settings, kept.database, predictor, observer=observer) as jobs,
    ):
        # A job of another catalogue runs, so that those that are asked for here wait.
        never = datetime(9999, 1, 1, tzinfo=UTC)
        jobs.store.add("train", {}, scope="another", now=never)
        assert jobs.store.claim("another", scope="another", now=never, lapse=timedelta(1))
        assistant = open_assistant(settings, kept.ledger, breakers=Breakers(), environment={})
        app = create_app(
            predictor,
            settings=settings,
            parts=Parts(
                trials=kept.trials,
                door=kept.door,
                caches=caches,
                observer=observer,
                feedback=kept.feedback,
                history=kept.history,
                ledger=kept.ledger,
                assistant=assistant,
                jobs=jobs,
            ),
        )
        yield app, kept


def test_nothing_is_undocumented_and_nothing_is_a_fault_of_the_service(tmp_path: Path) -> None:
    with contextmanager(serving)(tmp_path) as (app, _):
        faults, asked = faults_of(app, headers={}, examples=10)
    assert not faults, "\n".join(sorted(set(faults)))
    assert asked > 300


@pytest.mark.parametrize("role", [None, "admin", "guest"])
def test_so_it_is_in_production_whoever_asks(tmp_path: Path, role: str | None) -> None:
    given = {"environment": "production", "secret": "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"}
    names = ("rate_per_minute", "rate_per_hour", "rate_per_day", "address_per_minute")
    rates = dict.fromkeys(names, 10**6)  # of failures too
    with contextmanager(serving)(tmp_path, **given, **rates) as (app, kept):
        headers = {}
        if role is not None:
            with Database(f"sqlite:///{tmp_path}/a.db") as database:
                now = datetime.now(UTC)
                key, _ = create_key(database, "a key", role=role, tier="enterprise", now=now)
            kept.door.credentials.refresh()
            headers = {"X-API-Key": key}
        faults, asked = faults_of(app, headers=headers, examples=2)
    assert not faults, "\n".join(sorted(set(faults)))
    assert asked > 50
