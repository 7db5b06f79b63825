"""Policy, load and store together; and a shared store that goes away and comes back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nextcall.access import limiter as module
from nextcall.access.fallback_rates import FallbackRates
from nextcall.access.limiter import Limiter
from nextcall.access.load_factor import LoadFactor
from nextcall.access.memory_rates import MemoryRates
from nextcall.access.rate_decision import Decision
from nextcall.access.rate_rules import RatePolicy, RateRule
from nextcall.access.redis_rates import RedisRates, StoreUnavailableError


def n_allowed(limiter: Limiter, n: int, **asked: Any) -> int:
    return sum(limiter.take("a", **asked).allowed for _ in range(n))


def test_endpoints_with_rates_of_their_own_are_counted_apart() -> None:
    limiter = Limiter(MemoryRates(clock=lambda: 0))
    assert n_allowed(limiter, 6, endpoint="/train") == 5
    assert n_allowed(limiter, 6, endpoint="/generate-data") == 5
    assert n_allowed(limiter, 40, endpoint="/predict") == 40
    assert n_allowed(limiter, 30, endpoint="/rank") == 20  # with those of /predict


def test_tier_and_multiplier_count() -> None:
    limiter = Limiter(MemoryRates(clock=lambda: 0), policy=RatePolicy(strikes=1000))
    assert n_allowed(limiter, 100, endpoint="/predict", tier="free", multiplier=2) == 12
    assert n_allowed(limiter, 1000, endpoint="/predict", tier="enterprise") == 1000


def test_load_makes_limits_stricter_and_they_recover() -> None:
    now = [0.0]
    load = LoadFactor(clock=lambda: now[0])
    store = MemoryRates(clock=lambda: round(now[0] * 1e9))
    limiter = Limiter(store, load=load, policy=RatePolicy(strikes=1000))
    load.observe_load(0.95)
    assert n_allowed(limiter, 100, endpoint="/predict") == 30
    now[0] += 31
    assert n_allowed(limiter, 100, endpoint="/predict") == 30
    now[0] += 60
    assert n_allowed(limiter, 100, endpoint="/predict") == 60


def test_rules_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_RULES", 3)
    limiter = Limiter(MemoryRates(clock=lambda: 0))
    for multiplier in range(1, 9):
        limiter.take("a", endpoint="/predict", multiplier=multiplier)
    assert len(limiter._rules) <= 3


class Switch:
    """Stands for a store that may be away."""

    def __init__(self) -> None:
        self.away, self.asked, self.store = False, 0, MemoryRates(clock=lambda: 0)

    def take(self, identifier: str, rule: RateRule, *, cost: int = 1) -> Decision:
        self.asked += 1
        if self.away:
            raise StoreUnavailableError("away.")
        return self.store.take(identifier, rule, cost=cost)


def test_a_store_that_is_away_is_asked_once_in_a_while() -> None:
    shared, now = Switch(), [0.0]
    rates = FallbackRates(shared, MemoryRates(clock=lambda: 0), clock=lambda: now[0])
    limiter = Limiter(rates)
    assert n_allowed(limiter, 20, endpoint="/predict") == 20
    assert not rates.degraded
    shared.away = True
    assert n_allowed(limiter, 70, endpoint="/predict") == 60  # the spare one counts from nothing
    assert (rates.degraded, rates.failures, shared.asked) == (True, 1, 21)
    now[0] += 1
    n_allowed(limiter, 5, endpoint="/predict")
    assert (rates.degraded, rates.failures, shared.asked) == (True, 2, 22)
    shared.away = False
    now[0] += 1
    assert n_allowed(limiter, 70, endpoint="/predict") == 40  # what it knew it still knows
    assert not rates.degraded
    with pytest.raises(ValueError, match=r"^retry_seconds must be above 0, got 0\.$"):
        FallbackRates(shared, shared, retry_seconds=0)


def test_when_the_store_came_back_meanwhile_it_is_asked() -> None:
    """Between two looks of one request, another one found it back."""
    rates = FallbackRates(Switch(), MemoryRates())
    assert rates._turn()


def test_redis_stops_and_starts_again(
    start_redis: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    socket = tmp_path_factory.mktemp("r") / "s"
    now = [0.0]
    shared = RedisRates(f"unix://{socket}", patience=30)
    rates = FallbackRates(shared, MemoryRates(), clock=lambda: now[0])
    limiter = Limiter(rates)

    def states() -> tuple[bool, bool]:
        return limiter.take("a", endpoint="/predict").allowed, rates.degraded

    process = start_redis(socket)
    assert states() == (True, False)
    process.kill()
    process.wait(60)
    assert states() == (True, True)
    socket.unlink(missing_ok=True)
    process = start_redis(socket)
    try:
        assert states() == (True, True)  # it is not asked yet
        now[0] += 1
        assert states() == (True, False)  # the script is not known there any more
    finally:
        process.kill()
        process.wait(60)
