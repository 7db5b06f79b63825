"""Which requests have the same answer, and how it is found again."""

import asyncio
from datetime import UTC, datetime, timedelta
from http import HTTPMethod

import pytest

from nextcall.cache.cache import Cache
from nextcall.cache.computing import ComputingCache
from nextcall.ranking.cold_start import ColdStartLevel
from nextcall.serve.caching.answer_cache import AnswerCache, is_timed, request_key
from nextcall.serve.caching.kept_answer import NOTHING, KeptAnswer
from nextcall.serve.safety.safety import Noted
from nextcall.serve.schemas import HistoryEvent, PredictRequest

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SHORT = ("short", "block")
KEPT = KeptAnswer(
    rest=b'"predictions":[]',
    is_full=False,
    noted=Noted(outcome="passed", families=(), pii=()),
    level=ColdStartLevel.NONE,
    operations=(),
    confidences=(),
    asking=NOTHING,
)


def asked(
    prompt: str = "list", *calls: str, k: int = 3, at: datetime | None = None
) -> PredictRequest:
    events = [HistoryEvent(api_call=call, timestamp=at) for call in calls]
    return PredictRequest(prompt=prompt, history=events, max_predictions=k)


def key(request: PredictRequest, *, now: datetime = NOW) -> str:
    return request_key(request, SHORT, now=now)


def answers(entries: int = 10) -> AnswerCache:
    return AnswerCache(ComputingCache(Cache[KeptAnswer](ttl=60, entries=entries)))


def test_all_that_an_answer_depends_on_makes_another_key() -> None:
    different = [
        asked(),
        asked("List"),
        asked("list", "a"),
        asked("list", "a", "b"),
        asked("list", "b", "a"),
        asked(k=4),
        PredictRequest(
            prompt="list",
            history=[HistoryEvent(api_call="a", method=HTTPMethod.GET)],
            max_predictions=3,
        ),
    ]
    keys = [key(one) for one in different]
    assert len({*keys}) == len(keys)
    assert request_key(asked(), ("full", "block"), now=NOW) not in keys
    assert request_key(asked(), ("short", "flag"), now=NOW) not in keys
    warmer = PredictRequest(prompt="list", max_predictions=3, temperature=0.1)
    assert key(warmer) == key(asked())  # no language model answers


def test_the_age_of_the_last_call_counts_by_a_tenth() -> None:
    request = asked("list", "a", at=NOW - timedelta(hours=1))
    assert is_timed(request)
    assert key(request) == key(request, now=NOW + timedelta(seconds=1))
    assert key(request) != key(request, now=NOW + timedelta(minutes=15))
    assert not is_timed(asked("list", "a"))
    assert not is_timed(asked())
    assert key(asked(), now=NOW + timedelta(days=1)) == key(asked())
    future = asked("list", "a", at=NOW + timedelta(hours=1))
    assert key(future) == key(future, now=NOW + timedelta(minutes=30))


def test_the_same_bytes_are_known_again() -> None:
    cache = answers()
    cache.computing.get_or_compute("k", lambda: KEPT)
    assert cache.at_once(b"{}", SHORT) is None
    cache.know(b"{}", SHORT, "k")
    assert cache.at_once(b"{}", SHORT) is KEPT
    assert cache.at_once(b"{} ", SHORT) is None
    assert cache.at_once(b"{}", ("full", "block")) is None
    hits = cache.memory.stats.hits
    cache.forget("k")
    assert cache.at_once(b"{}", SHORT) is None
    assert (cache.memory.stats.hits, cache.memory.stats.misses) == (hits, 1)


def test_large_bodies_are_not_known_by_their_bytes() -> None:
    cache = answers()
    cache.computing.get_or_compute("k", lambda: KEPT)
    body = b" " * 20_000
    cache.know(body, SHORT, "k")
    assert cache.at_once(body, SHORT) is None


def test_many_who_ask_at_a_time_wait_for_one() -> None:
    cache, computed = answers(), []

    async def compute() -> KeptAnswer:
        computed.append(1)
        await asyncio.sleep(0)
        return KEPT

    async def ask() -> list[KeptAnswer]:
        return await asyncio.gather(*(cache.get_or_compute_async("k", compute) for _ in range(9)))

    assert asyncio.run(ask()) == [KEPT] * 9
    assert len(computed) == 1
    assert cache.get_or_compute("k", lambda: pytest.fail("it is kept")) is KEPT
