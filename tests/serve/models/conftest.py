"""A second ranker beside the one that is served, and a service over both."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.model_files import save_ranker
from nextcall.ranking.model_versions import ModelVersions
from nextcall.ranking.ranker import CallRanker
from nextcall.serve.app import create_app
from nextcall.serve.caching.caches import open_caches
from nextcall.serve.jobs.service_jobs import open_jobs
from nextcall.serve.loading import Stores, open_stores
from nextcall.serve.models.challenger import Challenger, open_challenger
from nextcall.serve.models.swap import ModelSwap
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings, load_settings
from nextcall.sessions import Query
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.training.opening import save_trained

Make = Callable[..., Path]

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


@pytest.fixture(scope="session")
def other(predictor: Predictor, queries: list[Query]) -> tuple[CallRanker, Any]:
    """Train another ranker over the same catalogue."""
    validation = [query for query in queries if query.source == "sqs"]
    training = [query for query in queries if query.source != "sqs"]
    ranker = CallRanker(settings=BoostingSettings(trees=5)).fit(
        predictor.index, training, validation=validation, rng=np.random.default_rng(1)
    )
    assert predictor.card is not None
    card = replace(predictor.card, trained_at="2026-06-01T00:00:00+00:00", seed=1)
    return ranker, card


@pytest.fixture
def make(other: tuple[CallRanker, Any], tmp_path: Path) -> Make:
    """Write what a training leaves, with a card that says what a test needs."""

    def write(name: str = "trained", **changes: Any) -> Path:
        ranker, card = other
        figures = {"validation.ndcg@10": changes.pop("ndcg", 0.8)}
        save_ranker(ranker, tmp_path / name, card=replace(card, metrics=figures, **changes))
        return tmp_path / name

    return write


@pytest.fixture
def versions(tmp_path: Path) -> ModelVersions:
    return ModelVersions(tmp_path / "versions")


@pytest.fixture
def own(settings: Settings, versions: ModelVersions, tmp_path: Path) -> Settings:
    """Keep versions, jobs and database in a folder of this test."""
    changed = {
        "model_versions": versions.folder,
        "data_dir": tmp_path / "data",
        "database_url": f"sqlite:///{tmp_path}/jobs.db",
    }
    return settings.model_copy(update=changed)


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


@contextmanager
def serving_jobs(served: Predictor, settings: Settings) -> Iterator[tuple[TestClient, ModelSwap]]:
    """Serve with jobs, which another part of the test may do itself."""
    with Database(str(settings.database_url)) as database:
        migrate(database)
        with open_jobs(settings, database, served) as jobs:
            app = create_app(served, settings=settings, parts=Parts(jobs=jobs))
            with TestClient(app) as client:
                yield client, jobs.swap


def ask(asking: TestClient, user: str, **asked: object) -> Any:
    found = asking.post("/predict", json={**ASKED, **asked}, headers={"X-User-ID": user})
    assert found.status_code == 200, found.text
    return found.json() | {"cache": found.headers.get("x-cache")}


def version(answer: Any) -> str:
    return str(answer["metadata"]["model_version"])


def operations(answer: Any) -> list[str]:
    return [each["operation_id"] for each in answer["predictions"]]
