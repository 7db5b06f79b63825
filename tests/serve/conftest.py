"""A real service: three AWS services, prompts of the AWS command line, a ranker trained on them."""

import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect, sync_playwright
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from nextcall.access.keys import create_key
from nextcall.catalog import Catalog
from nextcall.catalog.aws import read_aws
from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.model_files import ModelCard, packaged_abstention, save_ranker
from nextcall.ranking.ranker import CallRanker
from nextcall.serve.app import create_app
from nextcall.serve.door.door import open_door
from nextcall.serve.loading import load_predictor
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.server import address, bind
from nextcall.serve.settings import Settings, load_settings
from nextcall.sessions import Query
from nextcall.sessions.awscli_examples import read_awscli_examples, with_history
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.training.opening import open_index

SERVICES = ("s3", "sns", "sqs")
SEED = 0
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


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


class Service:
    """A service in a thread, which can be stopped and started again at the same address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._port = app, 0
        self.start()

    def start(self) -> None:
        listening = bind("127.0.0.1", self._port)
        listening.listen()  # who comes early waits
        self._port, self.at = listening.getsockname()[1], f"{address(listening)}/"
        config = uvicorn.Config(self._app, lifespan="on", log_level="error", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, args=[listening])
        self._thread.start()

    def _run(self, listening: socket.socket) -> None:
        with closing(listening):
            self._server.run(sockets=[listening])

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(60)


@contextmanager
def _serving(app: ASGIApp) -> Iterator[Service]:
    service = Service(app)
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="session")
def serving() -> Callable[[ASGIApp], AbstractContextManager[Service]]:
    """Give what serves an application over a real connection."""
    return _serving


@pytest.fixture(scope="module")
def service(app: FastAPI) -> Iterator[Service]:
    """Serve the trained ranker to whoever asks."""
    with _serving(app) as started:
        yield started


@pytest.fixture
def production(predictor: Predictor, tmp_path: Path) -> Iterator[tuple[Service, dict[str, str]]]:
    """Serve whoever has a key, three times a minute; with it come keys, by their role."""
    secret = "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"  # noqa: S105  # of the tests
    settings = load_settings(
        environment="production", secret=secret, rate_per_minute=3, rate_adaptive=False
    )
    with Database(f"sqlite:///{tmp_path}/kept.db") as database:
        migrate(database)
        now, roles = datetime.now(UTC), ("guest", "readonly", "user")
        keys = {role: create_key(database, role, role=role, now=now)[0] for role in roles}
        with (
            open_door(settings, database) as door,
            _serving(create_app(predictor, settings=settings, parts=Parts(door=door))) as started,
        ):
            yield started, keys


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Open the Chromium of the machine; none is downloaded."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (Debian's package of that name)")
    expect.set_options(timeout=60_000)  # milliseconds: a machine may have other work
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, timeout=120_000)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Give what opens a page; at the end none may have complained, or asked another host."""
    said: list[str] = []
    with ExitStack() as opened:

        def open_one(
            at: str, scheme: Literal["light", "dark"] = "light", *, width: int = 1200
        ) -> Page:
            size: Any = {"width": width, "height": 800}
            context = browser.new_context(color_scheme=scheme, viewport=size)
            opened.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(60_000)
            page.on("pageerror", lambda error: said.append(f"{error}"))
            page.on("console", lambda told: said.append(told.text))
            page.on("request", lambda asked: said.append(_elsewhere(asked.url, at)))
            page.goto(at)
            return page

        yield open_one
    # The browser itself tells of each answer that is no success, and of a service that is away.
    assert [each for each in said if each and not each.startswith("Failed to load resource")] == []


@pytest.fixture(scope="session")
def stop_time() -> Callable[[Page], None]:
    """Give what stops the clock of a page: then it goes on only where a test lets it."""

    def stop(page: Page) -> None:
        page.goto("about:blank")  # what the page has begun goes by the clock of before
        page.clock.install(time=NOON)
        page.clock.pause_at(NOON + timedelta(seconds=1))

    return stop


def _elsewhere(url: str, at: str) -> str:
    return "" if urlsplit(url).netloc == urlsplit(at).netloc else f"asked {url}"


@pytest.fixture
def told_metrics() -> dict[str, Any]:
    """Give what `GET /performance/metrics` may answer."""
    predictions = {"count": 1200, "errors": 3, "p50_ms": 11.25, "p95_ms": 19.5, "p99_ms": 31.0}
    return {
        "endpoints": {
            "POST /predict": {**predictions, "per_second": 8.5},
            "GET /health": {"count": 60, "errors": 0, "p50_ms": 0.8, "per_second": 0.5},
        },
        "cache": {"answers": {"entries": 8, "hits": 30, "misses": 10, "hit_rate": 0.75}},
        "ml_layer": {"is_trained": True, "validation_ndcg": 0.8652},
        "guardrails_metrics": {"total_validations": 1200, "blocked_requests": 3},
        "cold_start_metrics": None,
        "online": {"hit_at_1": 0.71, "answers": 61},
        "cost": None,
    }
