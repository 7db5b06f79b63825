"""What a worker is like now, put where all workers read it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from nextcall.serve.door.door import Door
from nextcall.serve.parts import Parts
from nextcall.serve.process.memory import memory_bytes
from nextcall.serve.process.upkeep import Upkeep
from nextcall.telemetry.families import (
    ANSWERS_DEGRADED,
    AUDIT_LOST,
    CREDENTIALS_FAILURES,
    CREDENTIALS_FRESH,
    LAYER_BYTES,
    LAYER_ENTRIES,
    LOG_LOST,
    MEMORY,
    RATES_DEGRADED,
    RATES_FAILURES,
)
from nextcall.telemetry.metrics import Metrics, open_metrics
from nextcall.telemetry.told import Told

_SECONDS: Final = 1.0


class WorkerState:
    """Tells what the parts of a worker count for themselves, and how they are.

    What each request counts is in the metrics at once, and so are what becomes of values in caches
    and what the front door fails to do. The rest (memory, what caches hold, lines of the log that
    were lost, sides that are down, whether others answer) is looked at once a second, and before
    this worker is asked.

    Parameters
    ----------
    parts : Parts
        Its door, its caches and those of the challenger together, the log of its observer.

    Attributes
    ----------
    metrics : Metrics
        Where it is told: those of the observer, of this process alone where there is none.
    caches : list of ServiceCaches
    """

    def __init__(self, parts: Parts) -> None:
        observer, self._door = parts.observer, parts.door
        self.metrics = open_metrics(endpoints=()) if observer is None else observer.metrics
        self._logs = None if observer is None else observer.logs
        self._breakers, self._notes = parts.breakers, parts.notes
        second = None if parts.challenger is None else parts.challenger.caches
        if self._door is not None:
            _count(self._door, self.metrics)
        self.caches = [each for each in (parts.caches, second) if each is not None]
        for caches in self.caches:
            caches.count_in(self.metrics)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell while the block runs, in a thread, where there are other workers; and at its end."""
        if not self.metrics.is_shared:
            yield
            return
        with Upkeep([(_SECONDS, self._tell)]):
            yield
        self._tell()

    def tell(self) -> Told:
        """Tell all of it, and give what all workers told."""
        self._tell()
        return self.metrics.told()

    def _tell(self) -> None:
        metrics = self.metrics
        metrics.count(MEMORY, metrics.worker).set(memory_bytes())
        if self._logs is not None:
            metrics.count(LOG_LOST).set(self._logs.lost)
        if self._door is not None:
            self._tell_door(self._door)
        if self._breakers is not None and self._notes is not None:
            self._notes.tell(self._breakers)
        if self.caches:
            self._tell_layers()
            self._tell_shared()

    def _tell_door(self, door: Door) -> None:
        self.metrics.count(CREDENTIALS_FRESH).set(door.credentials.is_fresh)
        if door.shared is not None:
            self.metrics.count(RATES_DEGRADED).set(door.shared.degraded)

    def _tell_layers(self) -> None:
        metrics = self.metrics
        entries, size = Counter[str](), Counter[str]()
        for layer, stats in (each for one in self.caches for each in one.stats().items()):
            entries[layer] += stats.entries
            size[layer] += stats.size_bytes
        for layer, number in entries.items():
            metrics.count(LAYER_ENTRIES, layer).set(number)
            metrics.count(LAYER_BYTES, layer).set(size[layer])

    def _tell_shared(self) -> None:
        """Ask Redis, where nobody did lately, and tell whether it answers."""
        tiers = [each.tiers for each in self.caches if each.tiers is not None]
        if not tiers:
            return
        works = [each.look() for each in tiers]
        self.metrics.count(ANSWERS_DEGRADED).set(not all(works))


def _count(door: Door, metrics: Metrics) -> None:
    """Let a front door count where all workers read."""
    door.credentials.count_in(metrics.count(CREDENTIALS_FAILURES))
    if door.shared is not None:
        door.shared.count_in(metrics.count(RATES_FAILURES))
    if door.audit is not None:
        door.audit.count_in(metrics.count(AUDIT_LOST))
