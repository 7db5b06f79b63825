"""What a process keeps in mind of running tests and their units, so that it need not ask again."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from nextcall.trials import life
from nextcall.trials.life import Trial
from nextcall.trials.sighting import Running, Sighting

_FRESH: Final = 1.0  # seconds for which a test is taken for what it was when it was read
_TRIALS_KEPT: Final = 100
_UNITS_KEPT: Final = 100_000


class KnownTrials:
    """Running tests, each for a second, and units of which it is written down what they see.

    Parameters
    ----------
    read : callable
        Gives a test of the database by its id.
    """

    def __init__(self, read: Callable[[str], Trial]) -> None:
        self._read = read
        self._running: OrderedDict[str, tuple[Running, float]] = OrderedDict()
        self._exposed: OrderedDict[tuple[int, str], None] = OrderedDict()

    def running(self, test_id: str) -> Running:
        """Give a test that runs.

        Raises
        ------
        UnknownTrialError, StatusError
        """
        known, until = self._running.get(test_id, (None, 0.0))
        if known is not None and time.monotonic() < until:
            return known
        trial = self._read(test_id)
        if trial.status != "running":
            self.forget(test_id)
            raise life.not_running(test_id, trial.status)
        running = known or Running(trial)  # neither variants nor buckets change while it runs
        self._running[test_id] = running, time.monotonic() + _FRESH
        if len(self._running) > _TRIALS_KEPT:
            self._running.popitem(last=False)
        return running

    async def running_async(self, test_id: str) -> Running:
        """Give a test as `running` does, from a task of asyncio."""
        known, until = self._running.get(test_id, (None, 0.0))
        if known is not None and time.monotonic() < until:
            return known
        return await asyncio.to_thread(self.running, test_id)

    def forget(self, test_id: str) -> None:
        """Ask again what a test is."""
        self._running.pop(test_id, None)

    def is_written(self, trial: int, unit: str) -> bool:
        """Tell whether it is known that a unit of a test, by its number, is written down."""
        return (trial, unit) in self._exposed

    def remember(self, sighting: Sighting) -> None:
        """Keep in mind that a unit is written down."""
        self._exposed[sighting.trial, sighting.unit] = None
        if len(self._exposed) > _UNITS_KEPT:
            self._exposed.popitem(last=False)
