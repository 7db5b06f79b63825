"""What is noted of sides that fail: a line of the log, and numbers that workers sum."""

import logging
from typing import Final

from nextcall.resilience.breaker import BreakerChange, BreakerState
from nextcall.telemetry.families import BREAKER_OPENINGS, BREAKERS_OPEN
from nextcall.telemetry.metrics import Metrics

_log: Final = logging.getLogger(__name__)


class BreakerNotes:
    """Hears of each change of a breaker; counts once there is something to count in.

    Examples
    --------
    >>> from nextcall.resilience.breakers import Breakers
    >>> from nextcall.telemetry.metrics import open_metrics
    >>> notes = BreakerNotes()
    >>> breakers = Breakers(failures=1, listener=notes)
    >>> def ask():
    ...     raise ConnectionRefusedError
    >>> with open_metrics(endpoints=()) as metrics:
    ...     notes.count_in(metrics, ["prices"])
    ...     try:
    ...         breakers["prices"].call(ask)
    ...     except ConnectionRefusedError:
    ...         metrics.totals(BREAKERS_OPEN)
    {('prices',): (1.0,)}
    """

    def __init__(self) -> None:
        self._metrics: Metrics | None = None

    def count_in(self, metrics: Metrics, sides: list[str]) -> None:
        """Count from now on; sides that did not fail yet are told as such."""
        for side in sides:
            metrics.count(BREAKERS_OPEN, side).add(0.0)
            metrics.count(BREAKER_OPENINGS, side).add(0.0)
        self._metrics = metrics

    def __call__(self, change: BreakerChange) -> None:
        """Note a change."""
        told = {"side": change.name, "before": str(change.before), "after": str(change.after)}
        closed = change.after is BreakerState.CLOSED
        _log.log(logging.INFO if closed else logging.WARNING, "breaker changed", extra=told)
        if self._metrics is None:
            return
        if change.after is BreakerState.OPEN:
            self._metrics.count(BREAKER_OPENINGS, change.name).add()
        was_closed = change.before is BreakerState.CLOSED
        if closed is not was_closed:
            self._metrics.count(BREAKERS_OPEN, change.name).add(-1.0 if closed else 1.0)
