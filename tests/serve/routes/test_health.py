"""`GET /health` from outside."""

from starlette.testclient import TestClient

from nextcall import __version__
from nextcall.serve.predictor import Predictor


def test_every_component_is_told(client: TestClient, predictor: Predictor) -> None:
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
    }


def test_without_a_ranker_the_service_is_degraded_and_says_why(fallback_client: TestClient) -> None:
    health = fallback_client.get("/health").json()
    assert health["status"] == "degraded"
    assert health["components"]["ranker"] == {
        "status": "fallback",
        "reason": "there is none.",
        "model_version": None,
        "trained_at": None,
        "trained_on": None,
        "trained_on_this_catalog": None,
    }
