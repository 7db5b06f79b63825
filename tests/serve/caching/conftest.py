"""A service that keeps answers, and a Redis of its own."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from nextcall.cache.redis_tier import RedisTier
from nextcall.serve.app import create_app
from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.observer import Observer
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings


def again(settings: Settings, **changed: object) -> Settings:
    return settings.model_copy(update=changed)


def app_of(predictor: Predictor, settings: Settings, caches: ServiceCaches | None) -> FastAPI:
    own = Predictor(predictor.index, ranker=predictor.ranker, card=predictor.card)
    return create_app(own, settings=settings, parts=Parts(caches=caches, observer=Observer()))


def ask(client: TestClient, body: Any, path: str = "/predict") -> tuple[str, dict[str, Any]]:
    answer = client.post(path, json=body)
    assert answer.status_code == 200
    return answer.headers["x-cache"], answer.json()


@pytest.fixture
def caches(predictor: Predictor, settings: Settings) -> ServiceCaches:
    return ServiceCaches(settings, predictor)


@pytest.fixture
def asking(predictor: Predictor, settings: Settings, caches: ServiceCaches) -> TestClient:
    return TestClient(app_of(predictor, settings, caches))


@pytest.fixture
def redis(
    start_redis: Callable[[Path], "subprocess.Popen[bytes]"], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[SecretStr, "subprocess.Popen[bytes]"]]:
    """Give the URL of a Redis of its own, and its process."""
    # A machine may have other work; who asks a Redis that is gone is told so at once.
    options = RedisTier.__init__.__kwdefaults__
    assert options is not None
    monkeypatch.setitem(options, "patience", 60.0)
    with TemporaryDirectory(prefix="nextcall-redis-") as folder:
        socket = Path(folder, "s")
        process = start_redis(socket)
        yield SecretStr(f"unix://{socket}"), process
