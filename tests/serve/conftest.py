"""A real service: three AWS services, prompts of the AWS command line, a ranker trained on them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from nextcall.catalog import Catalog
from nextcall.catalog.aws import read_aws
from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.model_files import ModelCard, packaged_abstention, save_ranker
from nextcall.ranking.ranker import CallRanker
from nextcall.serve.app import create_app
from nextcall.serve.loading import load_predictor
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings, load_settings
from nextcall.sessions import Query
from nextcall.sessions.awscli_examples import read_awscli_examples, with_history
from nextcall.training.opening import open_index

SERVICES = ("s3", "sns", "sqs")
SEED = 0


@contextmanager
def bare_environment(folder: Path) -> Iterator[None]:
    """Keep variables and the .env of whoever runs the tests from the settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("NEXTCALL_")]:
            patch.delenv(name)
        patch.chdir(folder)
        yield


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path) -> Iterator[None]:
    with bare_environment(tmp_path):
        yield


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold the catalogue, the model and the vectors."""
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Read three services out of the installed descriptions."""
    data = tmp_path_factory.mktemp("botocore")
    import botocore  # noqa: PLC0415  # only its folder is of interest

    for service in SERVICES:
        (data / service).symlink_to(Path(botocore.__file__).parent / "data" / service)
    return read_aws(data=data)


@pytest.fixture(scope="session")
def queries(catalog: Catalog) -> list[Query]:
    """Give real prompts without and with earlier calls."""
    plain = read_awscli_examples(catalog)
    return [*plain, *with_history(plain, catalog, rng=np.random.default_rng(SEED))]


@pytest.fixture(scope="session")
def settings(folder: Path) -> Settings:
    """Name the files of this service."""
    with bare_environment(folder):
        return load_settings(
            model=folder / "model", catalog=folder / "catalog.parquet", cache_dir=folder / "cache"
        )


@pytest.fixture(scope="session")
def predictor(catalog: Catalog, queries: list[Query], settings: Settings) -> Predictor:
    """Train, save, and load as the command does."""
    catalog.save(settings.catalog)
    index = open_index(catalog, cache=settings.cache_dir)
    validation = [query for query in queries if query.source == "sns"]
    training = [query for query in queries if query.source != "sns"]
    ranker = CallRanker(settings=BoostingSettings(trees=20)).fit(
        index, training, validation=validation, rng=np.random.default_rng(SEED)
    )
    card = ModelCard(
        catalog=catalog.name,
        catalog_hash=catalog.content_hash,
        embedder=index.embedder.name,
        trained_at=datetime(2026, 5, 1, tzinfo=UTC).isoformat(),
        seed=SEED,
        n_queries=len(training),
    )
    ranker.abstention_ = packaged_abstention(index)
    save_ranker(ranker, settings.model, card=card)
    return load_predictor(settings)


@pytest.fixture(scope="session")
def fallback(predictor: Predictor) -> Predictor:
    """Answer over the same catalogue without a ranker."""
    return Predictor(predictor.index, fallback_reason="there is none.")


@pytest.fixture(scope="session")
def app(predictor: Predictor, settings: Settings) -> FastAPI:
    """Build the application over the trained ranker."""
    return create_app(predictor, settings=settings)


@pytest.fixture(scope="session")
def client(app: FastAPI) -> Iterator[TestClient]:
    """Ask the application; a fault of the program is answered, not raised."""
    with TestClient(app, raise_server_exceptions=False) as asking:
        yield asking


@pytest.fixture(scope="session")
def fallback_client(fallback: Predictor, settings: Settings) -> Iterator[TestClient]:
    """Ask the application that has no trained ranker."""
    with TestClient(create_app(fallback, settings=settings)) as asking:
        yield asking
