"""A request that is alone on its way is answered on the loop, and is kept as any other."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from nextcall.serve.app import create_app
from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.observer import Observer
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings
from nextcall.serve.short_work import ShortWork

MANY = 100


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Note of each prediction whether it was made on the loop; any work counts as short."""
    where: list[bool] = []
    make = Predictor.outcome

    def noted(*arguments: object, **options: object) -> object:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            where.append(False)
        else:
            where.append(True)
        return make(*arguments, **options)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(Predictor, "outcome", noted)
    assert ShortWork.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(ShortWork.__init__.__kwdefaults__, "longest", 60.0)
    return where


@asynccontextmanager
async def asking(
    predictor: Predictor, settings: Settings, made: list[bool], caches: ServiceCaches | None
) -> AsyncIterator[httpx.AsyncClient]:
    """Ask a service that already answers on its loop."""
    own = Predictor(predictor.index, ranker=predictor.ranker, card=predictor.card)
    app = create_app(own, settings=settings, parts=Parts(caches=caches, observer=Observer()))
    way = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=way, base_url="http://localhost") as client:
        for number in range(MANY):
            await client.post("/predict", json={"prompt": f"list the queues {number}"})
            if made[-1]:
                break
        else:
            raise AssertionError("No request was answered on the loop.")
        made.clear()
        yield client


def shown(answer: httpx.Response) -> list[object]:
    assert answer.status_code == 200
    told = answer.json()
    return [told["predictions"], told["confidence_scores"], told["metadata"]]


def test_what_is_answered_at_once_is_kept_and_says_what_others_say(
    predictor: Predictor, settings: Settings, made: list[bool]
) -> None:
    body = {"prompt": "delete a bucket that is empty", "max_predictions": 2}
    caches = ServiceCaches(settings, predictor)

    async def ask() -> list[httpx.Response]:
        async with asking(predictor, settings, made, caches) as client:
            first, again = [await client.post("/predict", json=body) for _ in range(2)]
            spaced = await client.post("/predict", content=f" {again.request.content.decode()}")
        async with asking(predictor, settings, made, None) as client:
            bare = await client.post("/predict", json=body)
        return [first, again, spaced, bare]

    first, again, spaced, bare = asyncio.run(ask())
    assert [one.headers.get("x-cache") for one in (first, again, spaced, bare)] == [
        "MISS",
        "HIT",
        "HIT",
        None,
    ]
    assert made == [True]
    assert shown(first) == shown(again) == shown(spaced) == shown(bare)
    assert caches.stats()["query"].hits == 2


def test_two_that_ask_the_same_at_the_same_moment_are_answered_once(
    predictor: Predictor, settings: Settings, made: list[bool]
) -> None:
    async def ask() -> list[httpx.Response]:
        caches = ServiceCaches(settings, predictor)
        async with asking(predictor, settings, made, caches) as client:
            body = {"prompt": "delete a bucket that is empty"}
            return await asyncio.gather(*(client.post("/predict", json=body) for _ in range(5)))

    answers = asyncio.run(ask())
    assert len(made) == 1
    assert all(shown(one) == shown(answers[0]) for one in answers)


def test_an_answer_that_is_given_again_lives_no_longer(
    predictor: Predictor, settings: Settings, made: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    caches = ServiceCaches(settings, predictor)
    now = [time.monotonic()]
    monkeypatch.setattr(caches.answers.memory, "_clock", lambda: now[0])
    called = {"api_call": "sqs:ListQueues", "timestamp": "2020-01-01T00:00:00Z"}
    body = {"prompt": "delete a bucket that is empty", "history": [called]}

    async def ask() -> list[str]:
        async with asking(predictor, settings, made, caches) as client:
            told = []
            for _ in range(3):
                told.append((await client.post("/predict", json=body)).headers["x-cache"])
                await asyncio.sleep(0)  # what is left for others is kept
                now[0] += 0.6 * caches.answers.memory.ttl
        return told

    assert asyncio.run(ask()) == ["MISS", "HIT", "MISS"]


def test_what_a_failing_guard_let_pass_at_once_is_not_kept(
    predictor: Predictor, settings: Settings, made: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a model is gone")

    async def ask() -> list[str]:
        caches = ServiceCaches(settings, predictor)
        async with asking(predictor, settings, made, caches) as client:
            body = {"prompt": "delete a bucket that is empty"}
            told = []
            with monkeypatch.context() as broken:
                broken.setattr("nextcall.guard.guard.Guard.detect", fail)
                told += [await client.post("/predict", json=body) for _ in range(2)]
            told += [await client.post("/predict", json=body) for _ in range(2)]
        return [one.headers["x-cache"] for one in told]

    assert asyncio.run(ask()) == ["MISS", "MISS", "MISS", "HIT"]
    assert made == [True] * 3
