"""What is cleared is forgotten: all, a category, or what a pattern of names matches."""

import subprocess
from typing import get_args

import pytest
from pydantic import SecretStr
from redis import Redis
from starlette.testclient import TestClient
from tests.serve.caching.conftest import again, app_of, ask

from nextcall.cache.layers import LAYERS
from nextcall.cache.rules import Rule
from nextcall.serve.caching.caches import Category, ServiceCaches, open_caches
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings

LAYERS_OF_SERVICE = (*(layer.category for layer in LAYERS), "semantic")
BODY = {"prompt": "list all the queues"}


def test_what_is_cleared_is_made_anew(asking: TestClient, caches: ServiceCaches) -> None:
    body = {"prompt": "list all the queues"}
    for category, then in (("embedding", "HIT"), ("semantic", "HIT"), ("query", "MISS")):
        ask(asking, body)
        told = asking.post(f"/api/admin/clear-cache?category={category}").json()
        assert told["category"] == category
        assert told["cleared"] >= 1
        assert ask(asking, body)[0] == then
    told = asking.post("/api/admin/clear-cache").json()
    assert told["category"] is None
    assert all(one.entries == 0 for one in caches.stats().values())
    assert ask(asking, body)[0] == "MISS"


def names_in(caches: ServiceCaches) -> dict[str, list[str]]:
    return {name: list(caches.layers[name]._entries) for name in caches.layers}


def test_a_name_begins_with_its_category_and_tells_the_model(
    asking: TestClient, caches: ServiceCaches, predictor: Predictor
) -> None:
    ask(asking, BODY)
    ask(asking, BODY, "/predict?detail=full")
    asking.get("/openapi.json")
    names = names_in(caches)
    assert {name: len(kept) for name, kept in names.items()} == {
        "embedding": 1, "prompt": 2, "query": 2, "general": 1
    }  # fmt: skip
    for category, kept in names.items():
        assert all(name.startswith(f"{category}/") for name in kept)
    of_model = f"/{predictor.identity}/"
    assert [of_model in name for name in sorted(names["prompt"])] == [False, True]
    assert all(of_model in name for name in names["query"])


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ("pattern=*", {}),
        ("pattern=*{model}*", {"embedding": 1, "prompt": 1, "general": 1}),
        ("pattern=*of-another-model*", {"embedding": 1, "prompt": 2, "query": 2, "general": 1}),
        ("pattern=query/short/*", {"embedding": 1, "prompt": 2, "query": 1, "general": 1}),
        ("category=query&pattern=f[!x]ll/*", {"embedding": 1, "prompt": 2, "query": 1}),
        ("category=query&pattern=query/*", {"embedding": 1, "prompt": 2, "query": 2}),
        ("category=prompt&pattern=view/*", {"embedding": 1, "prompt": 1, "query": 2}),
        ("category=prompt&pattern=VIEW/*", {"embedding": 1, "prompt": 2, "query": 2}),
        ("category=general&pattern=*/openapi.json*", {"embedding": 1, "prompt": 2, "query": 2}),
    ],
)
def test_what_a_pattern_matches_is_forgotten_and_nothing_else(
    asking: TestClient,
    caches: ServiceCaches,
    predictor: Predictor,
    asked: str,
    left: dict[str, int],
) -> None:
    ask(asking, BODY)
    ask(asking, BODY, "/predict?detail=full")
    if left.get("general") or "general" in asked:
        asking.get("/openapi.json")
    before = {name: each.entries for name, each in caches.stats().items()}
    told = asking.post(f"/api/admin/clear-cache?{asked.format(model=predictor.model_version)}")
    now = {name: each.entries for name, each in caches.stats().items()}
    assert now == dict.fromkeys(now, 0) | left | {"semantic": now["semantic"]}
    assert now["semantic"] == left.get("query", 0)  # goes as its answers do
    assert told.json()["cleared"] == sum(before.values()) - sum(now.values())


@pytest.mark.parametrize("pattern", ["", "a" * 201, "a[b", "a[]b", "a[b[c]", "a%0Ab", "%00", "%7F"])
def test_a_pattern_that_is_none_is_refused(
    asking: TestClient, caches: ServiceCaches, pattern: str
) -> None:
    ask(asking, BODY)
    answer = asking.post(f"/api/admin/clear-cache?pattern={pattern}")
    assert answer.status_code == 422
    (told,) = answer.json()["details"]
    assert told["field"] == "query.pattern"
    assert told["rule"].startswith("Should be 1 to 200 characters")
    assert caches.stats()["query"].entries == 1


def test_an_unknown_category_is_refused(asking: TestClient) -> None:
    answer = asking.post("/api/admin/clear-cache?category=all")
    assert answer.status_code == 422
    assert answer.json()["details"][0]["field"] == "query.category"
    assert set(LAYERS_OF_SERVICE) == {*get_args(Category)}


def test_nothing_is_cleared_where_nothing_is_kept(client: TestClient) -> None:
    told = client.post("/api/admin/clear-cache").json()
    assert told == {"category": None, "pattern": None, "cleared": 0}


def test_what_one_worker_clears_by_name_all_forget(
    predictor: Predictor,
    settings: Settings,
    redis: tuple[SecretStr, "subprocess.Popen[bytes]"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = again(settings, redis_url=redis[0])
    full = "/predict?detail=full"
    with open_caches(shared, predictor) as one, open_caches(shared, predictor) as other:
        assert one is not None
        assert other is not None
        assert other.tiers is not None
        first, second = (TestClient(app_of(predictor, settings, each)) for each in (one, other))
        for client, body in ((first, {"prompt": "create a topic"}), (second, BODY)):
            ask(client, body)
            ask(client, body, full)
            client.get("/openapi.json")
        held = {name: one.entries for name, one in other.stats().items()}
        for clearing, changed in (
            ("pattern=*/harmless/*", {"prompt": held["prompt"] - 1}),
            ("category=embedding", {"embedding": 0}),
            ("category=query&pattern=full/*", {"query": 1, "semantic": held["semantic"] - 1}),
            ("category=general", {"general": 0}),
        ):
            assert first.post(f"/api/admin/clear-cache?{clearing}").json()["cleared"] >= 1
            monkeypatch.setattr(other.tiers, "_look_at", 0.0)  # so that it hears of it now
            assert other.tiers.look()
            held |= changed
            assert {name: each.entries for name, each in other.stats().items()} == held
        assert [ask(second, BODY)[0], ask(second, BODY, full)[0]] == ["HIT", "MISS"]


def test_what_one_layer_is_told_the_others_do_not_hear(
    predictor: Predictor, settings: Settings
) -> None:
    caches = ServiceCaches(settings, predictor)
    assert caches.semantic is not None
    marks = {name: caches.layers[name].mark for name in caches.layers}
    before = caches.semantic.mark
    caches.clear("general")
    caches.clear("embedding", pattern="a*")
    caches._forget([Rule("key", "query/short/block/m/h")])
    changed = {name for name in caches.layers if caches.layers[name].mark != marks[name]}
    assert changed == {"general", "embedding", "query"}
    assert caches.semantic.mark == before
    caches.clear("query")
    assert caches.semantic.mark > before


def test_a_log_that_was_lost_empties_all_layers_and_is_told_as_what_it_is(
    predictor: Predictor,
    settings: Settings,
    redis: tuple[SecretStr, "subprocess.Popen[bytes]"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was cleared just before is not known any more, and may have been anything."""
    shared = again(settings, redis_url=redis[0])
    with open_caches(shared, predictor) as caches:
        assert caches is not None
        assert caches.tiers is not None
        client = TestClient(app_of(predictor, shared, caches))
        client.get("/openapi.json")  # before anything is looked for in Redis
        ask(client, BODY)
        assert caches.layers["general"].stats.doubted == 0
        held = {name: each.entries for name, each in caches.stats().items() if each.entries}
        assert set(held) == {"embedding", "query", "general", "semantic"}
        with Redis.from_url(redis[0].get_secret_value()) as server:
            server.flushall()
        monkeypatch.setattr(caches.tiers, "_look_at", 0.0)  # so that it looks now
        assert ask(client, BODY)[0] == "MISS"
        told = client.get("/performance/metrics").json()["cache"]
        assert {name: each["doubted"] for name, each in told.items() if each["doubted"]} == held
        assert all(each["invalidated"] == 0 for each in told.values())
        metrics = client.get("/metrics").text
        assert 'cache_layer_events_total{event="doubted",layer="general"} 1.0' in metrics


def test_pages_are_counted_and_cleared_in_the_layer_of_all_else(asking: TestClient) -> None:
    for _ in range(3):
        asking.get("/openapi.json")
    told = asking.get("/performance/metrics").json()["cache"]["general"]
    assert (told["entries"], told["hits"], told["misses"]) == (1, 2, 1)
    assert told["hit_rate"] == pytest.approx(2 / 3)
    assert told["megabytes"] == pytest.approx(
        len(asking.get("/openapi.json").content) / 1e6, abs=0.002
    )
    assert asking.post("/api/admin/clear-cache?category=general").json()["cleared"] == 1
    assert asking.get("/openapi.json").headers["x-cache"] == "MISS"
