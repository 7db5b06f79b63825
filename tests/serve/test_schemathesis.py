"""What the description of the API says is what it does: all that schemathesis can check."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

from nextcall.catalog import Catalog, describe_operation
from nextcall.serve.app import create_app
from nextcall.serve.loading import open_trials
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import load_settings
from nextcall.training.opening import open_index

NO_SCHEMA_SAYS = "422"  # that shares sum to 100, and one number is above another


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
    accepted = {"expected-statuses": ["2xx", "3xx", "401", "403", "404", "409", NO_SCHEMA_SAYS]}
    crossed = ["POST /api/ab-testing/tests", "PUT /api/ab-testing/tests/{test_id}"]
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


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """Build the service over a catalogue of one operation, with A/B tests in SQLite."""
    folder: Path = tmp_path_factory.mktemp("described")
    settings = load_settings(database_url=f"sqlite:///{folder}/a.db", cache_dir=folder)
    operation = describe_operation(operation_id="getUser", method="GET", path="/users/{id}")
    index = open_index(Catalog(name="one", operations=(operation,)), cache=folder)
    with open_trials(settings) as trials:
        predictor = Predictor(index, fallback_reason="there is none.")
        yield create_app(predictor, settings=settings, trials=trials)


def test_nothing_is_undocumented_and_nothing_is_a_fault_of_the_service(described: FastAPI) -> None:
    faults, asked = faults_of(described, headers={}, examples=10)
    assert not faults, "\n".join(sorted(set(faults)))
    assert asked > 300
