"""What is noted of sides that fail: a line of the log, and numbers that workers sum."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from nextcall.resilience.breaker import BreakerChange, BreakerState, BreakerStatistics
from nextcall.resilience.breakers import Breakers
from nextcall.telemetry.families import BREAKER_OPENINGS, BREAKERS_OPEN
from nextcall.telemetry.metrics import Metrics

LATELY: Final = 120.0
"""Seconds after which a side that nobody asked again is no longer taken for one that is down."""

_log: Final = logging.getLogger(__name__)


class BreakerNotes:
    """Hears of each change of a breaker; counts once there is something to count in.

    A side whose time alone is up is tried when somebody needs it, which may be never: it is down
    for `LATELY` after its last failure, and then nothing is known against it.

    Parameters
    ----------
    clock : callable
        Seconds that never go back.

    Examples
    --------
    >>> from nextcall.telemetry.metrics import open_metrics
    >>> notes = BreakerNotes()
    >>> breakers = Breakers(failures=1, listener=notes)
    >>> def ask():
    ...     raise ConnectionRefusedError
    >>> with open_metrics(endpoints=()) as metrics:
    ...     notes.count_in(metrics, breakers)
    ...     try:
    ...         breakers["prices"].call(ask)
    ...     except ConnectionRefusedError:
    ...         metrics.totals(BREAKERS_OPEN)
    {('prices',): (1.0,)}
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._metrics: Metrics | None = None
        self._early = Counter[str]()  # openings before there was something to count in
        self._opened_at = dict[str, float]()

    def count_in(self, metrics: Metrics, breakers: Breakers) -> None:
        """Count from now on, and what was before; sides that did not fail yet are told as such."""
        with self._lock:
            for told in breakers.statistics():
                metrics.count(BREAKER_OPENINGS, told.name).add(self._early[told.name])
            self._metrics = metrics
        self.tell(breakers)

    def tell(self, breakers: Breakers) -> None:
        """Tell which sides are down now: time passes without a change."""
        if self._metrics is not None:
            for told in breakers.statistics():
                self._metrics.count(BREAKERS_OPEN, told.name).set(self.is_down(told))

    def is_down(self, told: BreakerStatistics) -> bool:
        """Say whether a side is left alone, or failed lately when it was tried."""
        if told.retry_after is None:
            return False
        opened_at = self._opened_at.get(told.name)
        lately = opened_at is not None and self._clock() < opened_at + LATELY
        return told.retry_after > 0 or lately

    def __call__(self, change: BreakerChange) -> None:
        """Note a change."""
        told = {"side": change.name, "before": str(change.before), "after": str(change.after)}
        closed = change.after is BreakerState.CLOSED
        _log.log(logging.INFO if closed else logging.WARNING, "breaker changed", extra=told)
        opens = change.after is BreakerState.OPEN
        with self._lock:
            metrics = self._metrics
            if opens:
                self._opened_at[change.name] = self._clock()
            if metrics is None:
                self._early[change.name] += opens
                return
        if opens:
            metrics.count(BREAKER_OPENINGS, change.name).add()
        if opens or closed:  # else it is tried; how it is shows when that has ended
            metrics.count(BREAKERS_OPEN, change.name).set(opens)
