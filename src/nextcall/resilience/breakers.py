"""One breaker for each side that is asked, whoever asks it."""

import threading
import time
from collections.abc import Callable

from nextcall.resilience.breaker import Breaker, BreakerChange, BreakerStatistics
from nextcall.resilience.categories import Categorise, categorise


class Breakers:
    """Breakers by name, alike but for how long nobody asks; whoever builds the program holds them.

    Parameters
    ----------
    failures, open_seconds, categorise, listener, clock
        As for a `Breaker`.

    Examples
    --------
    >>> breakers = Breakers(failures=3)
    >>> breakers["redis"] is breakers["redis"]
    True
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        open_seconds: float = 60.0,
        categorise: Categorise = categorise,
        listener: Callable[[BreakerChange], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        def make(name: str, seconds: float = open_seconds) -> Breaker:
            return Breaker(
                name,
                failures=failures,
                open_seconds=seconds,
                categorise=categorise,
                listener=listener,
                clock=clock,
            )

        make("checks the settings")
        self._make: Callable[..., Breaker] = make
        self._breakers = dict[str, Breaker]()
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Breaker:
        return self.of(name)

    def of(self, name: str, *, open_seconds: float | None = None) -> Breaker:
        """Give the breaker of a side.

        Parameters
        ----------
        name : str
        open_seconds : float, optional
            Of this side, where it is not that of all; the first who asks says it.
        """
        with self._lock:
            found = self._breakers.get(name)
            if found is None:
                found = self._make(name) if open_seconds is None else self._make(name, open_seconds)
                self._breakers[name] = found
            return found

    def statistics(self) -> tuple[BreakerStatistics, ...]:
        """Say what was seen so far, by name."""
        with self._lock:
            breakers = sorted(self._breakers.items())
        return tuple(breaker.statistics() for _, breaker in breakers)
