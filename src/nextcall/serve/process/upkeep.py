"""What a service does beside answering, again and again, in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Self

_log: Final = logging.getLogger(__name__)

Job = tuple[float, Callable[[], object]]
"""Seconds between two times, and what is done; the first time at once."""

AGAIN: Final = 300.0
"""Seconds after which a job that failed is tried again: a database may be away for a minute."""


class Upkeep:
    """A thread that does jobs at their times; one that fails is logged, and tried again soon.

    Parameters
    ----------
    jobs : sequence of (seconds, callable)
    again : float
        Seconds until one that failed is tried again, where its own time is not nearer.

    Raises
    ------
    ValueError
        Where a period is not above 0.
    """

    def __init__(self, jobs: Sequence[Job], *, again: float = AGAIN) -> None:
        for seconds, _ in jobs:
            if not seconds > 0:
                raise ValueError(f"jobs must have periods above 0, got {seconds}.")
        self._jobs, self._again = list(jobs), again
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        due = [time.monotonic()] * len(self._jobs)
        while not self._ended.is_set() and due:
            for place, (seconds, job) in enumerate(self._jobs):
                if time.monotonic() >= due[place]:
                    wait = seconds if _is_done(job) else min(seconds, self._again)
                    due[place] = time.monotonic() + wait
            self._ended.wait(max(0.0, min(due) - time.monotonic()))


def _is_done(job: Callable[[], object]) -> bool:
    try:
        job()
    except Exception:  # noqa: BLE001  # the next time may be better
        _log.exception("upkeep failed")
        return False
    return True


class ProcessLoad:
    """How much of one core this process computed since the last time: 1 is as much as a loop can.

    Within a second it tells what it told before (0 at first), for such a span says little.

    Examples
    --------
    >>> seconds = iter([(0.0, 0.0), (10.0, 8.0)])
    >>> load = ProcessLoad(lambda: next(seconds))
    >>> load()
    0.8
    """

    def __init__(self, clocks: Callable[[], tuple[float, float]] | None = None) -> None:
        self._clocks = clocks or (lambda: (time.monotonic(), time.process_time()))
        self._before, self._told = self._clocks(), 0.0

    def __call__(self) -> float:
        """Give the load since the last time."""
        now = self._clocks()
        elapsed, computed = (b - a for a, b in zip(self._before, now, strict=True))
        if elapsed >= 1:
            self._before, self._told = now, computed / elapsed
        return self._told
