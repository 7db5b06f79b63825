"""What today's calls of language models cost, for those who ask again and again."""

import threading
import time
from collections.abc import Callable
from typing import Final

from nextcall.llm.ledger import Ledger
from nextcall.resilience.deadline import deadline
from nextcall.serve.costs.schemas import CostAnalytics
from nextcall.storage.database import OUT_OF_REACH

_SECONDS: Final = 10.0


class CostReading:
    """Reads what today cost, at most once in ten seconds.

    Parameters
    ----------
    ledger : Ledger
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, ledger: Ledger, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._clock = ledger, clock
        self._lock = threading.Lock()
        self._told: CostAnalytics | None = None
        self._until = float("-inf")

    def __call__(self) -> CostAnalytics | None:
        """Give what is known; None where the database is out of reach."""
        with self._lock:  # one thread reads for all
            if self._clock() >= self._until:
                self._told = self._read()
                self._until = self._clock() + _SECONDS
            return self._told

    def _read(self) -> CostAnalytics | None:
        try:
            with deadline(self._ledger.database.patience):
                return CostAnalytics.of(self._ledger.day_cost())
        except OUT_OF_REACH:
            return None
