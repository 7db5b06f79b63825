"""The routes of A/B tests from outside."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from nextcall.catalog import Catalog, describe_operation
from nextcall.serve.errors import add_error_handlers
from nextcall.serve.routes.trials import sighting_routes, trial_routes
from nextcall.serve.safety.safety import Safety
from nextcall.serve.settings import load_settings
from nextcall.serve.trials.schemas import (
    AssignAsked,
    ChangeAsked,
    RecordAsked,
    StepAsked,
    TrialAsked,
)
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.trials.trials import Trials

TESTS = "/api/ab-testing/tests"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    file: Path = tmp_path_factory.mktemp("kept") / "a.db"
    with Database(f"sqlite:///{file}") as database:
        migrate(database)
        with Trials(database) as opened:
            yield opened


@pytest.fixture(scope="module")
def asking(trials: Trials) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(sighting_routes(trials))
    safety = Safety(load_settings(), Catalog("one", (describe_operation(operation_id="f"),)))
    app.include_router(trial_routes(trials, safety))
    add_error_handlers(app)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def body(**changed: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "test_name": "ranker",
        "test_type": "model",
        "variants": [
            {
                "variant_id": each,
                "variant_name": f"ranker {each}",
                "configuration": {"model": each},
                "traffic_percentage": 50,
            }
            for each in "AB"
        ],
        "control_variant_id": "A",
        "primary_metric": "taken",
        "min_sample_size": 20,
    }
    return given | changed


def made(asking: TestClient, **changed: Any) -> str:
    answer = asking.post(TESTS, json=body(**changed))
    assert answer.status_code == 201
    return str(answer.json()["test_id"])


def running(asking: TestClient, **changed: Any) -> str:
    test_id = made(asking, **changed)
    assert asking.post(f"{TESTS}/{test_id}/start").json()["status"] == "running"
    return test_id


def test_a_test_is_made_found_and_run_to_its_end(asking: TestClient) -> None:
    test_id = made(asking, test_type="routing")
    draft = asking.get(f"{TESTS}/{test_id}").json()
    assert body(test_type="routing").items() <= draft.items()
    assert (draft["status"], draft["version"], draft["started_at"]) == ("draft", 1, None)
    found = asking.get(TESTS, params={"status": "draft", "test_type": "routing"}).json()
    assert found == {"tests": [draft]}
    assert asking.get(TESTS, params={"status": "archived", "test_type": "routing"}).json() == {
        "tests": []
    }
    steps = [("start", "running"), ("stop", "stopped"), ("archive", "archived")]
    for version, (step, status) in enumerate(steps, start=1):
        answer = asking.post(f"{TESTS}/{test_id}/{step}", json={"version": version})
        assert (answer.json()["status"], answer.json()["version"]) == (status, version + 1)


def test_a_draft_is_changed_by_who_saw_it_last(asking: TestClient) -> None:
    test_id = made(asking)
    at = f"{TESTS}/{test_id}"
    renamed = body(test_name="other", version=1)
    changed = asking.put(at, json=renamed).json()
    assert (changed["test_name"], changed["version"]) == ("other", 2)
    stale = asking.put(at, json={**renamed, "test_name": "late"})
    assert (stale.status_code, stale.json()["details"]) == (409, [])
    assert stale.json()["error"].startswith("version must be that of the test now, 2, got 1:")
    assert asking.put(at, json=body()).json()["details"][0]["field"] == "version"
    assert asking.put(at, json={**renamed, "control_variant_id": "C"}).status_code == 422
    assert asking.put(f"{TESTS}/none", json=renamed).status_code == 404
    asking.post(f"{at}/start")
    assert asking.put(at, json={**renamed, "version": 3}).status_code == 409
    kept = asking.get(f"{at}/history").json()
    assert kept["test_id"] == test_id
    told = [(each["action"], each["version"], each["status"]) for each in kept["changes"]]
    assert told == [("create", 1, "draft"), ("change", 2, "draft"), ("start", 3, "running")]
    names = [each["definition"]["test_name"] for each in kept["changes"]]
    assert names == ["ranker", "other", "other"]


def test_the_examples_of_the_documentation_are_right(asking: TestClient) -> None:
    (planned,) = TrialAsked.model_json_schema()["examples"]
    (changed,) = ChangeAsked.model_json_schema()["examples"]
    made_of_it = asking.post(TESTS, json=planned)
    at = f"{TESTS}/{made_of_it.json()['test_id']}"
    assert asking.put(at, json=changed).status_code == 200
    (step,) = StepAsked.model_json_schema()["examples"]
    assert asking.post(f"{at}/start", json={**step, "version": 2}).status_code == 200
    (who,) = AssignAsked.model_json_schema()["examples"]
    variant = asking.post(f"{at}/assign", json=who).json()["variant_id"]
    (record,) = RecordAsked.model_json_schema()["examples"]
    kept = asking.post(f"{at}/record", json={**record, "variant_id": variant}).json()
    assert (kept["recorded"], kept["repeated"]) == (2, 0)


def test_a_user_is_assigned_recorded_and_analysed(asking: TestClient) -> None:
    test_id = running(asking, min_sample_size=20)
    for user in range(130):  # of each variant enough, whatever the salt
        who = {"user_id": f"user-{user}"}
        seen = asking.post(f"{TESTS}/{test_id}/assign", json=who).json()
        assert seen["configuration"] == {"model": seen["variant_id"]}
        assert seen["variant_name"] == f"ranker {seen['variant_id']}"
        value = 1 + user % 3 + 5 * (seen["variant_id"] == "B")
        record = {
            **who,
            "variant_id": seen["variant_id"],
            "metrics": {"taken": value, "quick": True},
            "event_id": "first",
        }
        kept = asking.post(f"{TESTS}/{test_id}/record", json=record).json()
        assert kept == {"test_id": test_id, "recorded": 2, "repeated": 0}
    assert asking.post(f"{TESTS}/{test_id}/assign", json=who).json() == seen
    kept = asking.post(f"{TESTS}/{test_id}/record", json=record).json()
    assert kept == {"test_id": test_id, "recorded": 0, "repeated": 2}
    found = asking.get(f"{TESTS}/{test_id}/analyze").json()
    assert (found["winner_variant_id"], found["valid"], found["decision"]) == ("B", True, "winner")
    assert (found["method"], found["confidence_level"]) == ("always-valid", 0.95)
    assert found["p_value"] < 1e-3
    assert found["srm"]["valid"]
    control, treatment = found["variant_results"]
    assert control["n"] + treatment["n"] == sum(found["srm"]["observed"].values()) == 130
    assert control["effect"] is None
    assert treatment["effect_lower"] < treatment["effect"] < treatment["effect_upper"]
    assert treatment["effect"] == pytest.approx(treatment["mean_value"] - control["mean_value"])
    assert (
        treatment["confidence_interval_lower"]
        < treatment["mean_value"]
        < treatment["confidence_interval_upper"]
    )
    assert list(found["other_metrics"]) == ["quick"]
    assert asking.post(f"{TESTS}/{test_id}/analyze").json() == found


def test_a_test_without_users_is_analysed(asking: TestClient) -> None:
    found = asking.get(f"{TESTS}/{made(asking)}/analyze").json()
    assert (found["winner_variant_id"], found["valid"], found["p_value"]) == (None, False, None)
    assert found["reason"].startswith("No winner can be named yet: A has 0 units")


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        (
            {"variants": [{**each, "traffic_percentage": 40} for each in body()["variants"]]},
            "traffic_percentage of all variants must sum to 100, got 80.",
        ),
        ({"control_variant_id": "C"}, "control_variant_id must be one of ['A', 'B'], got 'C'."),
        ({"primary_metric": ""}, "primary_metric must hold more than white space, got ''."),
        ({"min_sample_size": 0}, "min_sample_size must be at least 2, got 0."),
    ],
)
def test_a_test_that_cannot_be_is_refused(
    asking: TestClient, changed: dict[str, Any], rule: str
) -> None:
    answer = asking.post(TESTS, json=body(**changed))
    assert answer.status_code == 422
    assert answer.json()["details"] == [{"field": "body", "rule": rule, "got": None}]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"test_type": "colour"}, "test_type"),
        ({"test_name": 5}, "test_name"),
        ({"unknown": 1}, "unknown"),
        ({"variants": [{}]}, "variants.0.variant_id"),
    ],
)
def test_a_field_of_another_form_is_named(
    asking: TestClient, changed: dict[str, Any], field: str
) -> None:
    answer = asking.post(TESTS, json=body(**changed))
    assert answer.status_code == 422
    assert answer.json()["details"][0]["field"] == field


def test_an_attack_in_a_definition_is_kept_with_a_mark(asking: TestClient) -> None:
    odd = [
        {**each, "configuration": {"model": {"name": "x' OR 1=1 --"}}}
        for each in body()["variants"]
    ]
    created = asking.post(TESTS, json=body(variants=odd, test_name="; rm -rf /"))
    assert created.status_code == 201
    marks = [
        "test_name: Should not look like cmdi",
        "variants.0.configuration: Should not look like sqli",
        "variants.1.configuration: Should not look like sqli",
    ]
    assert created.json()["safety_flags"] == marks
    at = f"{TESTS}/{created.json()['test_id']}"
    assert asking.get(at).json()["safety_flags"] == []
    changed = asking.put(at, json=body(variants=odd, version=1))
    assert (changed.status_code, changed.json()["safety_flags"]) == (200, marks[1:])


def test_a_definition_of_no_form_is_refused(asking: TestClient) -> None:
    deep: Any = "end"
    for _ in range(40):
        deep = [deep]
    odd = [{**each, "configuration": {"model": deep}} for each in body()["variants"]]
    refused = asking.post(TESTS, json=body(variants=odd))
    assert refused.status_code == 400
    rule = "Should be nested at most 32 deep"
    reasons = [f"variants.{place}.configuration: {rule}" for place in (0, 1)]
    assert refused.json() == {"error": "Input failed safety validation", "reasons": reasons}


def test_what_a_test_stands_against_is_a_conflict(asking: TestClient) -> None:
    test_id = running(asking)
    at = f"{TESTS}/{test_id}"
    variant = asking.post(f"{at}/assign", json={"user_id": "u"}).json()["variant_id"]
    other = {"A": "B", "B": "A"}[variant]
    record = {"user_id": "u", "variant_id": variant, "metrics": {"taken": 1}, "event_id": "e"}
    assert asking.post(f"{at}/record", json=record).status_code == 200

    def conflict(path: str, asked: dict[str, Any]) -> str:
        answer = asking.post(f"{at}/{path}", json=asked)
        assert answer.status_code == 409
        return str(answer.json()["error"])

    told = f"variant of unit 'u' must be the assigned one, '{variant}', got '{other}'."
    assert conflict("record", {**record, "variant_id": other}) == told
    assert "what it said before, 1.0" in conflict("record", {**record, "metrics": {"taken": 2}})
    assert "must be a draft" in conflict("start", {})
    assert "version must be that of the test now, 2, got 1" in conflict("stop", {"version": 1})
    asking.post(f"{at}/stop")
    for path, asked in (("record", record), ("assign", {"user_id": "new"})):
        assert conflict(path, asked) == f"test {test_id} must be running, and it is stopped."


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("assign", {"user_id": "u"}),
        ("record", {"user_id": "u", "variant_id": "A", "metrics": {"taken": 1}}),
        ("start", {}),
        ("stop", {}),
        ("archive", {}),
    ],
)
def test_an_unknown_test_is_not_found(asking: TestClient, path: str, asked: dict[str, Any]) -> None:
    answer = asking.post(f"{TESTS}/none/{path}", json=asked)
    assert (answer.status_code, answer.json()["error"]) == (404, "there is no test 'none'.")
    for read in ("none", "none/analyze", "none/history"):
        assert asking.get(f"{TESTS}/{read}").status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"{",
        b'{"user_id": NaN}',
        b'{"user_id": "u", "variant_id": "A", "metrics": {}}',
        b'{"user_id": "u", "variant_id": "A", "metrics": {"taken": 1e999}}',
        b'{"user_id": "u", "variant_id": "A", "metrics": {"taken": 1e300}}',
        b'{"user_id": "u", "variant_id": "A", "metrics": {"taken": "1"}}',
        b'{"user_id": " ", "variant_id": "A", "metrics": {"taken": 1}}',
        b'{"user_id": "\\u0000", "variant_id": "A", "metrics": {"taken": 1}}',
        b'{"user_id": "u", "variant_id": "A", "metrics": {"taken": 1}, "event_id": ""}',
    ],
)
def test_a_record_that_cannot_be_is_refused(asking: TestClient, asked: bytes) -> None:
    answer = asking.post(f"{TESTS}/{running(asking)}/record", content=asked)
    assert answer.status_code == 422
    assert answer.json()["details"]


@given(JSON, st.sampled_from(["", "/none/assign", "/none/record", "/none/start"]))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_sent_is_a_fault_of_the_service(
    asking: TestClient, value: object, path: str
) -> None:
    answer = asking.post(f"{TESTS}{path}", content=json.dumps(value).encode())
    assert answer.status_code in {404, 422}


@pytest.mark.parametrize("query", ["status=lost", "test_type=colour", "limit=0", "offset=-1"])
def test_a_filter_that_cannot_be_is_refused(asking: TestClient, query: str) -> None:
    assert asking.get(f"{TESTS}?{query}").status_code == 422


def test_a_fault_inside_is_no_fault_of_who_asks(
    asking: TestClient, trials: Trials, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise ValueError("inside")

    monkeypatch.setattr(trials, "analyze", fail)
    answer = asking.get(f"{TESTS}/any/analyze")
    assert (answer.status_code, answer.json()) == (500, {"error": "Internal error", "details": []})
