"""Stricter limits while the service is loaded, or an endpoint fails; back by itself."""

import threading
import time
from collections.abc import Callable
from typing import Final

_LOADS: Final = ((0.9, 0.5), (0.75, 0.75))  # above this load, limits times that
_FAILURES: Final = ((0.5, 0.5), (0.2, 0.75))  # from this share of failures on
_LEAST: Final = 20.0  # weight of requests before their share of failures tells anything


class _Endpoint:
    __slots__ = ("at", "failed", "total")

    def __init__(self, now: float) -> None:
        self.total = self.failed = 0.0
        self.at = now


class LoadFactor:
    """What limits are multiplied by: 1, and less under load.

    Above a load of 0.75 it is 0.75, above 0.9 it is 0.5. A reading that is older than
    `stale_seconds` says nothing any more. An endpoint of which a fifth of the recent requests
    failed counts 0.75, one of which half did 0.5, each times what the load gives; requests are
    forgotten by half each `half_life_seconds`, so one that nobody asks any more is soon as others.

    Parameters
    ----------
    clock : callable
        Seconds that never go back.
    stale_seconds, half_life_seconds : float

    Examples
    --------
    >>> now = [0.0]
    >>> load = LoadFactor(clock=lambda: now[0])
    >>> load.observe_load(0.95)
    >>> load.factor("/predict")
    0.5
    >>> now[0] += 31
    >>> load.factor("/predict")
    1.0
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        stale_seconds: float = 30.0,
        half_life_seconds: float = 60.0,
    ) -> None:
        for name, value in (
            ("stale_seconds", stale_seconds),
            ("half_life_seconds", half_life_seconds),
        ):
            if not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}.")
        self._clock, self._stale, self._half_life = clock, stale_seconds, half_life_seconds
        self._of_load, self._until = 1.0, 0.0
        self._endpoints: dict[str, _Endpoint] = {}
        self._lock = threading.Lock()

    def observe_load(self, load: float) -> None:
        """Note how loaded the service is: 0 idle, 1 as much as it can do, or more.

        Raises
        ------
        ValueError
            Where it is negative or no number.
        """
        if not load >= 0:
            raise ValueError(f"load must be at least 0, got {load}.")
        factor = next((factor for least, factor in _LOADS if load > least), 1.0)
        with self._lock:
            self._of_load, self._until = factor, self._clock() + self._stale

    def observe_request(self, endpoint: str, *, failed: bool) -> None:
        """Note a request of an endpoint, and whether the service failed it (status 5xx)."""
        now = self._clock()
        with self._lock:
            seen = self._endpoints.get(endpoint)
            if seen is None:
                if not failed:
                    return  # of endpoints that never failed nothing is kept
                seen = self._endpoints[endpoint] = _Endpoint(now)
            self._forget(seen, now)
            seen.total += 1
            seen.failed += failed
            if seen.failed < 0.01:
                del self._endpoints[endpoint]

    def factor(self, endpoint: str) -> float:
        """Give what the limits of an endpoint are multiplied by now."""
        if self._of_load == 1.0 and not self._endpoints:
            return 1.0
        now = self._clock()
        with self._lock:
            factor = self._of_load if now < self._until else 1.0
            seen = self._endpoints.get(endpoint)
            if seen is not None:
                self._forget(seen, now)
                if seen.total >= _LEAST:
                    share = seen.failed / seen.total
                    factor *= next((times for least, times in _FAILURES if share >= least), 1.0)
        return factor

    def _forget(self, seen: _Endpoint, now: float) -> None:
        kept = 0.5 ** ((now - seen.at) / self._half_life)
        seen.total *= kept
        seen.failed *= kept
        seen.at = now
