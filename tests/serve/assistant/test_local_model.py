"""`POST /api/run` with a real language model: a small one, on this machine."""

from collections.abc import Iterator

import pytest

from nextcall.catalog import Catalog, Parameter, describe_operation
from nextcall.llm.model import TIERS
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings
from nextcall.training.opening import open_index

from .conftest import Assisted, Serving

LONG = 600.0  # seconds after which a test is given up


def small(settings: Settings) -> Predictor:
    """Answer over a catalogue of three operations, without a ranker."""
    name = Parameter(name="name", location="query", type="string", required=True)
    operations = (
        describe_operation(
            operation_id=f"{verb}Bucket",
            method=method,
            path="/buckets",
            summary=f"{verb.capitalize()}s a bucket.",
            parameters=[name],
        )
        for verb, method in (("create", "POST"), ("delete", "DELETE"), ("show", "GET"))
    )
    index = open_index(Catalog("buckets", tuple(operations)), cache=settings.cache_dir)
    return Predictor(index, fallback_reason="there is none.")


@pytest.fixture
def local(serving: Serving, settings: Settings, language_model: str) -> Iterator[Assisted]:
    table = {
        "providers": [{"name": "local", "protocol": "openai", "url": f"{language_model}/v1"}],
        "models": [{"name": "smollm2", "provider": "local", "input_price": 0, "output_price": 0}],
        "tiers": {tier: ["smollm2"] for tier in TIERS},
    }
    given = {"llm_seconds": LONG, "prediction_seconds": LONG, "llm_daily_usd": 0}
    with serving(served=small(settings), table=table, key=None, **given) as service:
        yield service


def test_a_real_model_proposes_calls_of_what_it_is_shown(local: Assisted) -> None:
    told = local.run("create a bucket named logs", max_calls=1, temperature=0)
    assert (told["processing_method"], told["fallback"]) == ("llm", None)
    (call,) = told["calls"]
    assert call["operation_id"] == "createBucket"
    assert set(call["arguments"]) | set(call["missing_parameters"]) == {"name"}
    assert set(told["shown"]) == {"createBucket", "deleteBucket", "showBucket"}
    usage = told["usage"]
    assert (usage["provider"], usage["model"], usage["cost_usd"]) == ("local", "smollm2", 0)
    assert usage["input_tokens"] > 100
    assert usage["output_tokens"] > 10
    costs = local.client.get("/cost-analytics").json()
    assert costs["cost_analytics"]["predictions_today"] == 1
    (model,) = costs["models"]
    assert model["output_tokens"] == usage["output_tokens"]
    health = local.client.get("/health").json()["components"]["llm"]
    assert (health["status"], health["providers"]) == ("ok", {"local": "ok"})
