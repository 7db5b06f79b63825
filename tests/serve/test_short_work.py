"""Short work is done on the loop, all else in threads; what waits never keeps the loop."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from nextcall.serve.app import create_app
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.safety import Safety
from nextcall.serve.settings import Settings
from nextcall.serve.short_work import ShortWork

ATTACK = "x'; DROP TABLE users; --"
MANY = 500


def is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def until_on_loop(work: ShortWork) -> None:
    for _ in range(MANY):
        if await work.run(is_on_loop):
            return
    raise AssertionError


def test_what_comes_together_goes_to_threads_side_by_side() -> None:
    both = threading.Barrier(3, timeout=60)

    def meet() -> bool:
        both.wait()
        return is_on_loop()

    async def ask() -> list[bool]:
        work = ShortWork(longest=60.0)
        await until_on_loop(work)
        return await asyncio.gather(*(work.run(meet) for _ in range(3)))

    assert asyncio.run(ask()) == [False] * 3


def test_the_first_work_and_what_follows_a_long_one_goes_to_a_thread() -> None:
    async def ask() -> list[bool]:
        work = ShortWork(longest=0.05)
        first = await work.run(is_on_loop)
        await until_on_loop(work)
        await work.run(lambda: time.sleep(1.1))  # it waits for something
        return [first, await work.run(is_on_loop)]

    assert asyncio.run(ask()) == [False, False]


def test_what_cannot_be_short_goes_to_a_thread_and_says_nothing_of_the_others() -> None:
    async def ask() -> list[bool]:
        work = ShortWork(longest=60.0)
        for _ in range(MANY):
            await work.run(lambda: None, may_be_short=False)
        first = await work.run(is_on_loop)
        await until_on_loop(work)
        return [first, await work.run(is_on_loop, may_be_short=False)]

    assert asyncio.run(ask()) == [False, False]


def test_where_work_fails_it_fails_and_the_next_is_done() -> None:
    def fail() -> bool:
        raise KeyError("a")

    async def ask() -> bool:
        work = ShortWork(longest=60.0)
        await until_on_loop(work)
        with pytest.raises(KeyError, match="a"):
            await work.run(fail)
        return await work.run(is_on_loop)

    assert asyncio.run(ask())


def test_what_is_alone_and_short_is_done_and_all_else_is_not() -> None:
    async def ask() -> list[bool | None]:
        work = ShortWork(longest=60.0)
        first = await work.alone(is_on_loop)  # it is not known yet how long it takes
        await until_on_loop(work)
        alone = await work.alone(is_on_loop)
        after = await asyncio.gather(work.run(is_on_loop), work.alone(is_on_loop))
        before = await asyncio.gather(work.alone(is_on_loop), work.run(is_on_loop))
        return [first, alone, *after, *before]

    assert asyncio.run(ask()) == [None, True, True, None, None, True]


def test_longest_is_above_0() -> None:
    with pytest.raises(ValueError, match=r"longest must be above 0, got 0\."):
        ShortWork(longest=0)


@contextmanager
def told_where(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Note of each prediction whether it was made on the loop."""
    where: list[bool] = []
    make = Predictor.outcome

    def noted(*arguments: object, **options: object) -> object:
        where.append(is_on_loop())
        return make(*arguments, **options)  # type: ignore[arg-type]  # handed through

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "outcome", noted)
        yield where


def test_a_refusal_is_told_in_a_thread_before_it_is_answered(
    predictor: Predictor, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[bool] = []
    safety = Safety(
        settings, predictor.index.catalog, on_block=lambda *_: refused.append(is_on_loop())
    )
    assert ShortWork.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(ShortWork.__init__.__kwdefaults__, "longest", 60.0)
    app = create_app(predictor, settings=settings, parts=Parts(safety=safety))
    with told_where(monkeypatch) as where, TestClient(app) as asking:
        assert asking.post("/predict", json={"prompt": ATTACK}).status_code == 400
        assert refused == [False]
        for number in range(MANY):
            body = {"prompt": f"list the queues {number}"}
            assert asking.post("/predict", json=body).status_code == 200
            if where[-1]:
                break
        assert where[0] is False  # it is not known yet how long it takes
        assert where[-1] is True
        assert asking.post("/predict", json={"prompt": ATTACK}).status_code == 400
        assert refused == [False, False]
        asking.post("/predict?detail=full", json=body)
        asking.post("/predict", json={"prompt": f"list the queues {'of mine ' * 400}"})
        assert where[-1] is False
