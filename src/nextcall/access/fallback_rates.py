"""Rates that go on in memory while the store that workers share is away."""

import threading
import time
from collections.abc import Callable

from nextcall.access.rate_decision import Decision, RateStore
from nextcall.access.rate_rules import RateRule
from nextcall.access.redis_rates import StoreUnavailableError
from nextcall.telemetry.instruments import Count


class FallbackRates:
    """Rates of a shared store; of a spare one while that is away, and back by itself.

    While it is away one request in `retry_seconds` asks it again, and the others do not wait. What
    the spare store counted is not carried over: each worker may let its own limits through once.

    Parameters
    ----------
    shared, spare : RateStore
    retry_seconds : float
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        shared: RateStore,
        spare: RateStore,
        *,
        retry_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not retry_seconds > 0:
            raise ValueError(f"retry_seconds must be above 0, got {retry_seconds}.")
        self._shared, self._spare = shared, spare
        self._retry, self._clock = retry_seconds, clock
        self._ask_at: float | None = None  # while it is away
        self._lock = threading.Lock()
        self._failures = Count.alone()

    @property
    def failures(self) -> int:
        """How often the shared store did not answer."""
        return round(self._failures.own)

    def count_in(self, failures: Count) -> None:
        """Count there from now on how often the shared store did not answer."""
        self._failures = failures.instead_of(self._failures)

    @property
    def degraded(self) -> bool:
        """Whether the shared store is away."""
        return self._ask_at is not None

    def take(self, identifier: str, rule: RateRule, *, cost: int = 1) -> Decision:
        """Count a request of `cost` where it may pass, and say whether it did."""
        if self._ask_at is None or self._turn():
            try:
                decision = self._shared.take(identifier, rule, cost=cost)
            except StoreUnavailableError:
                with self._lock:
                    self._failures.rise()
                    self._ask_at = self._clock() + self._retry
            else:
                self._ask_at = None
                return decision
        return self._spare.take(identifier, rule, cost=cost)

    def _turn(self) -> bool:
        """Whether this request is the one that asks again."""
        with self._lock:
            now = self._clock()
            if self._ask_at is None or now < self._ask_at:
                return self._ask_at is None
            self._ask_at = now + self._retry
            return True
