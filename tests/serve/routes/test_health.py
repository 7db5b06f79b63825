"""`GET /health` from outside."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from nextcall import __version__
from nextcall.guard.guard import packaged_guard_version
from nextcall.resilience.breakers import Breakers
from nextcall.serve.app import create_app
from nextcall.serve.breaker_notes import LATELY, BreakerNotes
from nextcall.serve.loading import open_stores
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings, load_settings


def test_every_component_is_told(predictor: Predictor, settings: Settings) -> None:
    client = TestClient(create_app(predictor, settings=settings))
    answer = client.get("/health")
    assert answer.status_code == 200
    health = answer.json()
    assert (health["status"], health["version"]) == ("ok", __version__)
    assert health["uptime_seconds"] > 0
    assert health["memory_usage_mb"] > 50
    catalog = predictor.index.catalog
    assert health["components"] == {
        "ranker": {
            "status": "ok",
            "reason": None,
            "lag": None,
            "refused": None,
            "model_version": predictor.model_version,
            "trained_at": "2026-05-01T00:00:00+00:00",
            "trained_on": "aws",
            "trained_on_this_catalog": True,
        },
        "catalog": {
            "status": "ok",
            "name": "aws",
            "operations": len(catalog),
            "services": len(catalog.services),
            "content_hash": catalog.content_hash,
        },
        "embedder": {"status": "ok", "name": predictor.index.embedder.name, "dimensions": 384},
        "guard": {
            "status": "ok",
            "version": packaged_guard_version(),
            "failing": [],
            "total": 0,
            "blocked": 0,
            "flagged": 0,
            "observed": 0,
            "blocked_rate": 0,
            "flagged_rate": 0,
            "violation_rate": 0,
            "violations": {},
            "failed_checks": {},
            "blocked_predictions": 0,
            "filtered_predictions": 0,
            "pii_found": {},
        },
        "database": None,
        "access": None,
        "challenger": None,
        "cache": None,
        "llm": None,
        "outside": [],
    }


def test_a_side_that_failed_long_ago_and_is_not_asked_does_not_degrade(
    predictor: Predictor, settings: Settings
) -> None:
    now = [0.0]
    notes = BreakerNotes(clock=lambda: now[0])
    breakers = Breakers(failures=1, listener=notes, clock=lambda: now[0])
    app = create_app(predictor, settings=settings, parts=Parts(breakers=breakers, notes=notes))

    def fail() -> None:
        raise ConnectionResetError

    with TestClient(app) as asking:

        def told() -> tuple[str, str]:
            found = asking.get("/health").json()
            (side,) = found["components"]["outside"]
            return found["status"], side["status"]

        breakers["provider"].call(lambda: None)
        assert told() == ("ok", "closed")
        with pytest.raises(ConnectionResetError):
            breakers["provider"].call(fail)
        assert told() == ("degraded", "open")
        now[0] = 60.0  # it may be tried, and failed lately
        assert told() == ("degraded", "open")
        now[0] = LATELY
        assert told() == ("ok", "open")


def test_without_a_ranker_the_service_is_degraded_and_says_why(fallback_client: TestClient) -> None:
    health = fallback_client.get("/health").json()
    assert health["status"] == "degraded"
    assert health["components"]["ranker"] == {
        "status": "fallback",
        "reason": "there is none.",
        "lag": None,
        "refused": None,
        "model_version": None,
        "trained_at": None,
        "trained_on": None,
        "trained_on_this_catalog": None,
    }


def test_the_database_of_tests_is_told_and_so_is_its_loss(
    predictor: Predictor, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "kept" / "a.db"
    with open_stores(load_settings(database_url=f"sqlite:///{file}")) as stores:
        trials = stores.trials
        app = create_app(predictor, settings=settings, parts=Parts(trials=trials))
        with TestClient(app, raise_server_exceptions=False) as asking:
            assert asking.get("/api/ab-testing/tests").json() == {"tests": []}
            health = asking.get("/health").json()
            assert health["status"] == "ok"
            told = {"status": "ok", "backend": "sqlite", "running_tests": 0}
            assert health["components"]["database"] == told
            trials._database.close()
            # At once: a thread that looks after the database would make the file again.
            file.parent.rename(tmp_path / "gone")
            health = asking.get("/health").json()
            assert health["status"] == "degraded"
            lost = {"status": "unreachable", "backend": "sqlite", "running_tests": None}
            assert health["components"]["database"] == lost
            answer = asking.get("/api/ab-testing/tests")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["error"].startswith("The database cannot be reached")
    assert "database out of reach" in caplog.text
