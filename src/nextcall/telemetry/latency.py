"""Percentiles of what took how long in the last minutes, in a fixed amount of memory."""

import math
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import ceil, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.telemetry.families import OTHER

RELATIVE_ERROR: Final = 0.01
"""Of each percentile between `SHORTEST` and `LONGEST`."""

SHORTEST: Final = 1e-6
LONGEST: Final = 7200.0
"""Seconds; what is outside counts as the nearest of these."""

_GROWTH: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GROWTH: Final = math.log(_GROWTH)
_LOWEST: Final = math.ceil(math.log(SHORTEST) / _LOG_GROWTH)
_BUCKETS: Final = math.ceil(math.log(LONGEST) / _LOG_GROWTH) - _LOWEST + 1
# Between edges g^(i-1) and g^i, 2 g^i / (g + 1) is at most the relative error from both.
_SECONDS: Final = 2 / (_GROWTH + 1) * np.exp(_LOG_GROWTH * np.arange(_LOWEST, _LOWEST + _BUCKETS))
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long it took in the window; each number of seconds is at most 1 % from the exact one."""

    count: int
    errors: int
    """Those of `count` that failed."""
    p50: float
    """Seconds; ``nan`` where nothing was counted, as all that follow."""
    p95: float
    p99: float
    longest: float

    @property
    def error_rate(self) -> float:
        """Share of those that failed; 0 where nothing was counted."""
        return self.errors / self.count if self.count else 0.0


class LatencyWindow:
    """Counts by buckets whose widths grow with their seconds, in a ring of slots of time.

    The window is the slot that runs and those before it, `slots` in all: it is `seconds` long, or
    up to a slot shorter. Percentiles are those of ``numpy.percentile`` (linear). Threads share it;
    a slot has 4.5 kB.

    Parameters
    ----------
    seconds : float
        Length of the window.
    slots : int
        How many parts leave one after the other.
    clock : callable
        Nanoseconds that never go back.

    Examples
    --------
    >>> now = [0]
    >>> window = LatencyWindow(seconds=60, slots=6, clock=lambda: now[0])
    >>> for milliseconds in range(1, 101):
    ...     window.observe(milliseconds / 1000)
    >>> told = window.latency()
    >>> told.count, round(told.p50, 2)
    (100, 0.05)
    >>> now[0] += 60 * 10**9
    >>> window.latency().count
    0
    """

    def __init__(
        self,
        *,
        seconds: float = 300.0,
        slots: int = 30,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if slots < 1:
            raise ValueError(f"slots must be at least 1, got {slots}.")
        if not slots / _NANOSECONDS <= seconds < math.inf:
            raise ValueError(f"seconds must be finite, and a nanosecond a slot, got {seconds}.")
        self._clock, self._slots = clock, slots
        self._slot = round(seconds * _NANOSECONDS) // slots
        self._counts = array("I", bytes(4 * slots * _BUCKETS))
        self._errors = [0] * slots
        self._numbers = [-1] * slots  # of the slots of time that are in the ring
        self._newest = self._first = -1  # the slot that was counted in last, and its first place
        self._lock = threading.Lock()

    def observe(self, seconds: float, *, error: bool = False) -> None:
        """Count what took so long; what is not a number counts as `LONGEST`."""
        if seconds <= SHORTEST:
            bucket = 0
        elif seconds < LONGEST:
            bucket = ceil(log(seconds) / _LOG_GROWTH) - _LOWEST
        else:
            bucket = _BUCKETS - 1
        with self._lock:
            number = self._clock() // self._slot
            if number != self._newest:
                self._begin(number)
            self._counts[self._first + bucket] += 1
            if error:
                self._errors[number % self._slots] += 1

    def _begin(self, number: int) -> None:
        place = number % self._slots
        self._newest, self._first = number, place * _BUCKETS
        if self._numbers[place] != number:  # else the clock went back
            self._counts[self._first : self._first + _BUCKETS] = _EMPTY
            self._errors[place] = 0
            self._numbers[place] = number

    def latency(self) -> Latency:
        """Give count, errors and percentiles of the window that ends now."""
        with self._lock:
            newest = self._clock() // self._slot
            kept = [
                place
                for place, number in enumerate(self._numbers)
                if newest - self._slots < number <= newest
            ]
            errors = sum(self._errors[place] for place in kept)
            ring = np.frombuffer(self._counts, dtype=np.uint32).reshape(self._slots, _BUCKETS)
            counts = ring[kept].sum(axis=0, dtype=np.int64)
        return _latency(counts, errors)


_EMPTY: Final = array("I", bytes(4 * _BUCKETS))


class Latencies:
    """A window for each endpoint, and one for all that are not known.

    Parameters
    ----------
    endpoints : iterable of str
        Templates of all routes.
    seconds, slots, clock
        As those of `LatencyWindow`.

    Examples
    --------
    >>> latencies = Latencies(["/predict"])
    >>> latencies.of("/predict").observe(0.25)
    >>> latencies.of("/wp-login.php").observe(0.01, error=True)
    >>> {name: (told.count, told.errors) for name, told in latencies.told().items()}
    {'/predict': (1, 0), '*': (1, 1)}
    """

    def __init__(
        self,
        endpoints: Iterable[str],
        *,
        seconds: float = 300.0,
        slots: int = 30,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        def window() -> LatencyWindow:
            return LatencyWindow(seconds=seconds, slots=slots, clock=clock)

        self._windows = {endpoint: window() for endpoint in [*endpoints, OTHER]}
        self._other = self._windows[OTHER]

    def of(self, endpoint: str) -> LatencyWindow:
        """Give the window of an endpoint, that of ``*`` where it is not known."""
        return self._windows.get(endpoint, self._other)

    def told(self) -> Mapping[str, Latency]:
        """Give what each window says now; those that are empty are left out."""
        every = {endpoint: window.latency() for endpoint, window in self._windows.items()}
        return {endpoint: latency for endpoint, latency in every.items() if latency.count}


def _latency(counts: NDArray[np.int64], errors: int) -> Latency:
    upto = np.cumsum(counts)
    count = int(upto[-1])
    if count == 0:
        return Latency(count=0, errors=0, p50=_NAN, p95=_NAN, p99=_NAN, longest=_NAN)

    def ranked(place: int) -> float:
        return float(_SECONDS[np.searchsorted(upto, place, side="right")])

    def percentile(share: float) -> float:
        at = share * (count - 1)
        below = math.floor(at)
        low, high = ranked(below), ranked(math.ceil(at))
        return low + (at - below) * (high - low)

    return Latency(
        count=count,
        errors=errors,
        p50=percentile(0.5),
        p95=percentile(0.95),
        p99=percentile(0.99),
        longest=ranked(count - 1),
    )


_NAN: Final = math.nan
