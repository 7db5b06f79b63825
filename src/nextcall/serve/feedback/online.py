"""How good predictions of the last day were, as those say who saw them."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from nextcall.resilience.deadline import deadline
from nextcall.serve.answers import OnlineMetrics
from nextcall.storage.database import OUT_OF_REACH, Database

_SECONDS: Final = 10.0
_DAY: Final = timedelta(days=1)


class OnlineReading:
    """Reads the accuracy of the last day, at most once in ten seconds.

    Parameters
    ----------
    database : Database
        With feedback.
    clock : callable
        Seconds that never go back.
    now : callable
        The time, with a zone.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._clock, self._now = database, clock, now
        self._lock = threading.Lock()
        self._told: OnlineMetrics | None = None
        self._until = float("-inf")

    def __call__(self) -> OnlineMetrics | None:
        """Give what is known; None where the database is out of reach."""
        with self._lock:  # one thread reads for all
            if self._clock() >= self._until:
                self._told = self._read()
                self._until = self._clock() + _SECONDS
            return self._told

    def _read(self) -> OnlineMetrics | None:
        # Loaded where it is first asked for: 20 MB, of scipy.
        from nextcall.feedback.accuracy import online_accuracy  # noqa: PLC0415

        since = self._now() - _DAY
        try:
            with deadline(self._database.patience):
                found = online_accuracy(self._database, since=since, by_version=False)
        except OUT_OF_REACH:
            return None
        if not found:
            return OnlineMetrics(hit_at_1=None, hit_at_3=None, mrr=None, answers=0)
        (day,) = found
        return OnlineMetrics(
            hit_at_1=day.hit_at_1.value,
            hit_at_3=day.hit_at_3.value,
            mrr=day.mrr.value,
            answers=day.answers,
        )
