"""Jobs over HTTP: asked for, watched, cancelled; what they make is served, or refused."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nextcall.access.audit_search import search
from nextcall.access.keys import create_key
from nextcall.access.permissions import role_allows, route_of

Open = Callable[..., AbstractContextManager[Any]]
TRAIN = {"queries": "queries.jsonl", "trees": 5, "simulated": 0, "encoder": "minilm"}
PROMPT = {"prompt": "make a new coupon"}


def test_a_model_is_trained_and_answers_from_then_on(job_service: Open, tmp_path: Path) -> None:
    with job_service() as service:
        client = service.client
        before = client.post("/predict", json=PROMPT).json()["metadata"]
        assert before["model_version"] is None
        asked = client.post("/train", json=TRAIN)
        job = asked.json()
        assert (asked.status_code, asked.headers["location"]) == (202, f"jobs/{job['job_id']}")
        assert (job["status"], job["kind"], job["href"]) == (
            "queued",
            "train",
            f"jobs/{job['job_id']}",
        )
        end = service.ended(job)
        assert (end["status"], end["reason"], end["attempt"]) == ("done", None, 1)
        assert end["elapsed_seconds"] > 0
        assert end["result"]["version"] == service.predictor.version
        answer = client.post("/predict", json=PROMPT)
        assert answer.headers["x-cache"] == "MISS"
        metadata = answer.json()["metadata"]
        assert metadata["model_version"] == end["result"]["model_version"]
        assert metadata["model_version"].startswith("shop-")
        assert client.get("/health").json()["components"]["ranker"]["status"] == "ok"
        back = client.post("/api/admin/rollback-model")
        assert back.json() == {
            "version": None,
            "before": end["result"]["version"],
            "model_version": None,
            "validation_ndcg": None,
        }
        metadata = client.post("/predict", json=PROMPT).json()["metadata"]
        assert metadata["model_version"] is None
        none = client.post("/api/admin/rollback-model")
        assert none.status_code == 409
        assert none.json()["error"] == "There is no model before the one in use."
        counted = {
            'tasks_total{outcome="done",task="train"} 1.0',
            'tasks_running{task="train"} 0.0',
        }
        until = time.monotonic() + 60
        while not counted <= set(client.get("/metrics").text.splitlines()):
            assert time.monotonic() < until  # it is counted after its end is kept
            time.sleep(0.05)
        events = [each.event.action for each in search(service.stores.database)]
        assert {"job: train", "model rolled back"} <= set(events)
    lines = (tmp_path / "log" / "nextcall.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    (begun,) = (each["context"] for each in told if each["message"] == "job began")
    (ended,) = (each["context"] for each in told if each["message"] == "job ended")
    assert begun == {"job_id": job["job_id"], "task": "train", "attempt": 1}
    assert (ended["job_id"], ended["outcome"]) == (job["job_id"], "done")


def test_a_second_model_is_held_against_the_first(job_service: Open) -> None:
    with job_service(model_margin=1.0) as service:
        client = service.client
        first, again, private = (
            service.ended(client.post("/train", json={**TRAIN, **given}).json())
            for given in ({}, {"trees": 3}, {"trees": 2, "keep_prompts": False})
        )
        assert first["result"]["quality"]["judged_by"] == "cards"
        assert first["result"]["quality"]["present_ndcg"] is None
        # The same seed holds back the same session, so neither learned from it.
        told = again["result"]["quality"]
        assert (told["judged_by"], told["note"]) == ("same queries", None)
        assert (told["queries"], told["groups"], told["left_out"]) == (4, 1, 0)
        assert told["difference"] == pytest.approx(told["ndcg"] - told["present_ndcg"])
        assert private["result"]["quality"]["judged_by"] == "same queries"
        version = service.predictor.version
        names = {each.name for each in service.jobs.swap.versions.path(str(version)).iterdir()}
        assert not any(name.startswith(("prompts", "learned")) for name in names)
        other = service.ended(client.post("/train", json={**TRAIN, "seed": 3}).json())
        note = other["result"]["quality"]["note"]
        assert note.startswith("The model in use may have learned from these queries")


def test_data_is_made_and_can_be_trained_on(job_service: Open, tmp_path: Path) -> None:
    with job_service() as service:
        asked = service.client.post("/generate-data", json={"sessions": 30, "seed": 3})
        end = service.ended(asked.json())
        assert (end["status"], end["result"]["folder"]) == ("done", f"generated/{end['job_id']}")
        sessions = pd.read_parquet(tmp_path / "data" / end["result"]["sessions"])
        assert sessions["session_id"].nunique() == 30
        given = {**TRAIN, "sessions": end["result"]["sessions"]}
        assert service.ended(service.client.post("/train", json=given).json())["status"] == "done"
        listed = service.client.get("/jobs").json()["jobs"]
        assert [each["kind"] for each in listed] == ["train", "generate-data"]
        page = service.client.get("/jobs?limit=1&offset=1").json()["jobs"]
        assert [each["job_id"] for each in page] == [end["job_id"]]
    assert list((tmp_path / "data" / "jobs").iterdir()) == []


def test_a_job_that_cannot_be_done_says_why(job_service: Open, tmp_path: Path) -> None:
    with job_service() as service:
        (tmp_path / "data" / "torn.jsonl").write_text('{"id": 1}\n')
        end = service.ended(service.client.post("/train", json={"queries": "torn.jsonl"}).json())
        assert end["status"] == "failed"
        assert "torn.jsonl" in end["reason"]
        assert service.client.get("/health").json()["components"]["ranker"]["status"] == "fallback"


def test_a_job_is_cancelled_while_it_runs(job_service: Open) -> None:
    with job_service() as service:
        client = service.client
        job = client.post("/generate-data", json={"sessions": 100_000}).json()
        until = time.monotonic() + 60
        while client.get(f"/jobs/{job['job_id']}").json()["status"] == "queued":
            assert time.monotonic() < until
            time.sleep(0.05)
        told = client.post(f"/jobs/{job['job_id']}/cancel")
        assert (told.status_code, told.json()["cancel_asked"]) == (200, True)
        assert service.ended(job)["status"] == "cancelled"
        again = client.post(f"/jobs/{job['job_id']}/cancel")
        assert (again.status_code, again.json()["error"]) == (
            409,
            "The job has ended: it is cancelled.",
        )


def test_only_so_many_wait(job_service: Open) -> None:
    with job_service(runs=False, jobs_waiting=2) as service:
        client = service.client
        kept = [client.post("/generate-data").json() for _ in range(2)]
        full = client.post("/generate-data")
        assert (full.status_code, full.json()["error"]) == (409, "2 jobs wait, as many as may.")
        assert client.post(f"/jobs/{kept[0]['job_id']}/cancel").json()["status"] == "cancelled"
        assert client.post("/generate-data").status_code == 202
        events = [each.event.action for each in search(service.stores.database)]
        assert sorted(each for each in events if each.startswith("job")) == [
            "job: cancel",
            *["job: generate-data"] * 3,
        ]
        for method, path in (("get", "/jobs/none"), ("post", "/jobs/none/cancel")):
            unknown = getattr(client, method)(path)
            assert (unknown.status_code, unknown.json()["error"]) == (
                404,
                "There is no job 'none'.",
            )


@pytest.mark.parametrize(
    ("path", "body", "field", "rule"),
    [
        ("/train", {}, "body", "Object should name queries or sessions"),
        ("/train", {"queries": "none.jsonl"}, "queries", "There is no file none.jsonl in the"),
        ("/train", {"queries": "../queries.jsonl"}, "queries", "String should match pattern"),
        ("/train", {"queries": "/etc/passwd.jsonl"}, "queries", "String should match pattern"),
        ("/train", {"queries": "nextcall.db"}, "queries", "String should match pattern"),
        ("/train", {"queries": "out.jsonl"}, "queries", "There is no file out.jsonl in the data"),
        ("/train", {**TRAIN, "trees": 0}, "trees", "Input should be greater than or equal to 1"),
        ("/train", {**TRAIN, "encoder": "x"}, "encoder", "Input should be 'auto', 'static' or"),
        ("/train", {**TRAIN, "output": "x"}, "output", "Field is not known"),
        ("/train", {**TRAIN, "seed": "1"}, "seed", "Input should be a valid integer"),
        ("/generate-data", {"sessions": 10**6}, "sessions", "Input should be less than or equal"),
        ("/generate-data", {"noise": 2}, "noise", "Input should be less than or equal to 1"),
    ],
)
def test_what_is_asked_is_checked_first(
    job_service: Open, tmp_path: Path, path: str, body: Any, field: str, rule: str
) -> None:
    with job_service(runs=False) as service:
        (tmp_path / "elsewhere.jsonl").write_text("secret")
        (tmp_path / "data" / "out.jsonl").symlink_to(tmp_path / "elsewhere.jsonl")
        answer = service.client.post(path, json=body)
        assert answer.status_code == 422
        (detail,) = answer.json()["details"]
        assert detail["field"] == field
        assert detail["rule"].startswith(rule)
        assert service.client.get("/jobs").json() == {"jobs": []}


def test_jobs_may_be_turned_off(job_service: Open) -> None:
    with job_service(runs=False, jobs_enabled=False) as service:
        assert service.client.post("/train", json=TRAIN).status_code == 404
        assert service.client.post("/api/admin/rollback-model").status_code == 409


def test_who_may_and_how_often(job_service: Open) -> None:
    secret = "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"  # noqa: S105  # of the test
    given = {"environment": "production", "secret": secret, "rate_adaptive": False}
    with job_service(runs=False, jobs_waiting=50, **given) as service:
        keys = {
            role: create_key(service.stores.database, role, role=role, now=datetime.now(UTC))[0]
            for role in ("admin", "developer", "user")
        }
        until = time.monotonic() + 60
        while True:  # until the keys are known
            first = service.client.post("/train", json=TRAIN, headers={"X-API-Key": keys["user"]})
            if first.status_code != 401:
                break
            assert time.monotonic() < until
            time.sleep(0.2)

        def ask(role: str, path: str) -> int:
            headers = {"X-API-Key": keys[role]}
            code: int = service.client.post(path, json=TRAIN, headers=headers).status_code
            return code

        assert first.status_code == 403
        assert ask("developer", "/api/admin/rollback-model") == 403
        assert ask("admin", "/api/admin/rollback-model") == 409
        assert [ask("developer", "/train") for _ in range(6)] == [202] * 5 + [429]
        headers = {"X-API-Key": keys["developer"]}
        (job, *_) = service.client.get("/jobs", headers=headers).json()["jobs"]
        assert job["asked_by"].startswith("key:")


def test_each_path_asks_for_its_permission() -> None:
    asked = {
        ("POST", "/train"): "model.train",
        ("POST", "/generate-data"): "model.generate",
        ("GET", "/jobs"): "model.read",
        ("GET", "/jobs/7"): "model.read",
        ("POST", "/jobs/7/cancel"): "model.cancel",
        ("POST", "/api/admin/rollback-model"): "admin.model",
    }
    assert {each: route_of(*each)[1] for each in asked} == asked
    may = {
        role: {p for p in asked.values() if role_allows(role, p)} for role in ("developer", "user")
    }
    assert may == {"developer": set(asked.values()) - {"admin.model"}, "user": set()}
