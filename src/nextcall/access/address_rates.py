"""How many requests of one address are heard at all; so cheap that it comes before everything."""

import time
from collections.abc import Callable


class AddressRates:
    """A bucket for each address (GCRA), in the memory of one process; for one thread.

    Parameters
    ----------
    per_minute : int
        So many at one moment, and as many again in each minute.
    clock : callable
        Seconds that never go back.
    largest : int
        Addresses that are kept; of more, all whose bucket is full again are forgotten, and where
        there are none, all.

    Raises
    ------
    ValueError
        Where a number is below 1.

    Examples
    --------
    >>> now = [0.0]
    >>> rates = AddressRates(2, clock=lambda: now[0])
    >>> [rates.wait("192.0.2.1") for _ in range(3)]
    [0.0, 0.0, 30.0]
    >>> now[0] += 30
    >>> rates.wait("192.0.2.1")
    0.0
    """

    def __init__(
        self,
        per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        largest: int = 100_000,
    ) -> None:
        for name, value in (("per_minute", per_minute), ("largest", largest)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}.")
        self._interval, self._span = 60.0 / per_minute, 60.0
        self._clock, self._largest = clock, largest
        self._full_at = dict[str, float]()

    def wait(self, address: str) -> float:
        """Count a request where there is room, which is 0; else give the seconds until there is."""
        now = self._clock()
        full_at = max(self._full_at.get(address, now), now) + self._interval
        early = full_at - self._span - now
        if early > 1e-9:
            return early
        if len(self._full_at) >= self._largest and address not in self._full_at:
            self._forget(now)
        self._full_at[address] = full_at
        return 0.0

    def _forget(self, now: float) -> None:
        self._full_at = {name: at for name, at in self._full_at.items() if at > now}
        if len(self._full_at) >= self._largest:
            self._full_at.clear()
