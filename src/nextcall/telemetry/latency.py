"""Percentiles of what took how long in the last minutes, in a fixed amount of memory."""

import math
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import ceil, log
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.telemetry.families import OTHER
from nextcall.telemetry.window_files import WindowFile
from nextcall.telemetry.window_ring import Memory, WindowRing

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
    a slot has 4.5 kB, from the first observation on.

    Parameters
    ----------
    seconds : float
        Length of the window.
    slots : int
        How many parts leave one after the other.
    clock : callable
        Nanoseconds that never go back, the same for all who share memory.
    memory : callable, optional
        Gives so many bytes, all zero, where it counts; asked once, at the first observation.

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
        memory: Callable[[int], Memory] | None = None,
    ) -> None:
        if slots < 1:
            raise ValueError(f"slots must be at least 1, got {slots}.")
        if not slots / _NANOSECONDS <= seconds < math.inf:
            raise ValueError(f"seconds must be finite, and a nanosecond a slot, got {seconds}.")
        self._clock, self._slots = clock, slots
        self._slot = round(seconds * _NANOSECONDS) // slots
        self._ring = WindowRing(slots=slots, buckets=_BUCKETS)
        self._memory = memory or (lambda size: memoryview(bytearray(size)))
        self._whole = memoryview(b"")
        self._counts = self._whole.cast("I")
        self._errors = self._numbers = memoryview(bytes(8 * slots)).cast("q")
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
        if not self._whole:
            self._whole = whole = self._memory(self._ring.size)
            self._numbers, self._errors, self._counts = self._ring.parts(whole)
        place = number % self._slots
        self._newest, self._first = number, place * _BUCKETS
        if self._numbers[place] != number + 1:  # else the clock went back
            # The number last: who reads meanwhile finds the slot too old, or empty.
            self._counts[self._first : self._first + _BUCKETS] = _EMPTY
            self._errors[place] = 0
            self._numbers[place] = number + 1

    def latency(self) -> Latency:
        """Give count, errors and percentiles of the window that ends now."""
        return _latency(*self.counted([]))

    def counted(self, others: Iterable[Memory]) -> tuple[NDArray[np.int64], int]:
        """Sum the buckets and the errors of the window that ends now, with those of others.

        Parameters
        ----------
        others : iterable of memoryview
            Memories of windows of the same length, slots and clock.
        """
        with self._lock:
            newest = self._clock() // self._slot
            counts, errors = self._ring.counted(self._whole, newest=newest)
        for memory in others:
            more, failed = self._ring.counted(memory, newest=newest)
            counts, errors = counts + more, errors + failed
        return counts, errors


_EMPTY: Final = array("I", bytes(4 * _BUCKETS))


class Latencies:
    """A window for each endpoint, and one for all that are not known.

    Parameters
    ----------
    endpoints : iterable of str
        Templates of all routes.
    seconds, slots, clock
        As those of `LatencyWindow`.
    folder : path, optional
        Where all workers of a service count, so that each tells of all; see `WindowFile`.

    Raises
    ------
    OSError
        Where the folder cannot be used.

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
        folder: Path | None = None,
    ) -> None:
        names = [*endpoints, OTHER]
        self._file: WindowFile | None = None
        if folder is not None:
            slot = round(seconds * _NANOSECONDS) // slots
            ring = WindowRing(slots=slots, buckets=_BUCKETS)
            self._file = WindowFile(
                folder,
                names,
                size=ring.size,
                layout=f"{ring} of {slot} ns",
                is_over=lambda memory: ring.is_over(memory, newest=clock() // slot),
            )

        def window(name: str) -> LatencyWindow:
            file = self._file
            memory = None if file is None else lambda _: file.memory(name)
            return LatencyWindow(seconds=seconds, slots=slots, clock=clock, memory=memory)

        self._windows = {name: window(name) for name in names}
        self._other = self._windows[OTHER]

    def close(self) -> None:
        """Leave the other workers."""
        if self._file is not None:
            self._file.close()

    def of(self, endpoint: str) -> LatencyWindow:
        """Give the window of an endpoint, that of ``*`` where it is not known."""
        return self._windows.get(endpoint, self._other)

    def told(self) -> Mapping[str, Latency]:
        """Give what each window says now, of all workers; those that are empty are left out."""
        others = [] if self._file is None else list(self._file.others())
        every = {
            name: _latency(*window.counted([each[name] for each in others if name in each]))
            for name, window in self._windows.items()
        }
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
