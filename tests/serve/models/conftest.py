"""A second ranker beside the one that is served, and a service over both."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from nextcall.ranking.ranker import CallRanker
from nextcall.serve.app import create_app
from nextcall.serve.caching.caches import open_caches
from nextcall.serve.loading import Stores, open_stores
from nextcall.serve.models.challenger import Challenger, open_challenger
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings, load_settings
from nextcall.sessions import Query
from nextcall.training.opening import save_trained

ASKED = {"prompt": "make a queue for the orders", "max_predictions": 5}


@pytest.fixture(scope="module")
def second(
    predictor: Predictor, queries: list[Query], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Write a ranker that was adapted to prompts, which answers otherwise than the first."""
    assert isinstance(predictor.ranker, CallRanker)
    assert predictor.card is not None
    own = [
        replace(each, session_id=f"s{place}", relevant=("s3:ListBuckets",))
        for place, each in enumerate(queries[:24])
    ]
    ranker = predictor.ranker.adapt(predictor.index, own, rng=np.random.default_rng(0))
    folder = tmp_path_factory.mktemp("second")
    card = replace(predictor.card, embedder=predictor.index.embedder.name)
    save_trained(ranker, folder, card=card, base_card=predictor.card)
    return folder


@contextmanager
def serving(
    predictor: Predictor, settings: Settings, folder: Path, **given: object
) -> Iterator[tuple[TestClient, Stores, Challenger | None]]:
    known = load_settings(
        model=settings.model,
        catalog=settings.catalog,
        cache_dir=settings.cache_dir,
        database_url=f"sqlite:///{folder}/a.db",
        **given,
    )
    with (
        open_stores(known) as stores,
        open_caches(known, predictor) as caches,
        open_challenger(known, predictor) as challenger,
    ):
        app = create_app(
            predictor,
            settings=known,
            parts=Parts(
                trials=stores.trials,
                door=stores.door,
                caches=caches,
                feedback=stores.feedback,
                challenger=challenger,
            ),
        )
        with TestClient(app, raise_server_exceptions=False) as asking:
            yield asking, stores, challenger


def ask(asking: TestClient, user: str, **asked: object) -> Any:
    found = asking.post("/predict", json={**ASKED, **asked}, headers={"X-User-ID": user})
    assert found.status_code == 200, found.text
    return found.json() | {"cache": found.headers.get("x-cache")}


def version(answer: Any) -> str:
    return str(answer["metadata"]["model_version"])


def operations(answer: Any) -> list[str]:
    return [each["operation_id"] for each in answer["predictions"]]
