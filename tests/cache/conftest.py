"""Workers that share a Redis, each with a memory of its own."""

from collections.abc import Callable, Iterator

import pytest

from nextcall.cache.cache import Cache
from nextcall.cache.codecs import JsonCodec
from nextcall.cache.redis_tier import RedisTier
from nextcall.cache.tiers import Tiers


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


MakeTiers = Callable[..., Tiers[object]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_tiers(clock: Clock) -> Iterator[MakeTiers]:
    made: list[Tiers[object]] = []

    def make(url: str, *, category: str = "query", **options: float) -> Tiers[object]:
        shared = RedisTier(url, category=category, **{"patience": 60.0, **options})  # type: ignore[arg-type]
        memory = Cache[object](ttl=1000, entries=100, clock=clock)
        made.append(Tiers(memory, shared, codec=JsonCodec(), clock=clock))
        return made[-1]

    yield make
    for each in made:
        each.shared.close()
