"""Calls that leave the process: what is known of each, and one way to make them."""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from nextcall.resilience.breaker import BreakerStatistics
from nextcall.resilience.breakers import Breakers
from nextcall.resilience.categories import Categorise, categorise
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import Deadline, check, deadline
from nextcall.resilience.fallback import Answer, afirst_answer, first_answer
from nextcall.resilience.retry import Retried, Retry

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideCall:
    """What is known of a call that leaves the process.

    Parameters
    ----------
    name : str
        Of the side that is asked; calls of the same name share a breaker.
    purpose : str
        What it is asked for.
    fallback : str
        What happens without an answer.
    seconds : float
        That one try may take. Less than the time of whoever waits: a side that hangs until the
        waiting are gone is never held to be down.
    tries : int
        At most. Above 1 only where it does no harm to ask twice.
    first_wait, longest_wait : float
        Seconds between tries, as for a `Retry`; its jitter is `first_wait`.
    open_seconds : float, optional
        How long nobody asks a side that is down; as long as the breakers say where none is given.

    Examples
    --------
    >>> OutsideCall(
    ...     name="prices", purpose="today's", fallback="yesterday's", seconds=2, tries=2,
    ...     longest_wait=5,
    ... ).longest_seconds
    9
    """

    name: str
    purpose: str
    fallback: str
    seconds: float
    tries: int = 1
    first_wait: float = 1.0
    longest_wait: float = 60.0
    open_seconds: float | None = None

    @property
    def longest_seconds(self) -> float:
        """All tries and waits together, where each is as long as it may be."""
        return self.tries * self.seconds + (self.tries - 1) * self.longest_wait


class Dependency:
    """Makes an outside call: each try through the breaker and within its time, then fallbacks.

    Threads and event loops share it.

    Parameters
    ----------
    outside : OutsideCall
    breakers : Breakers
        Those of the program.
    categorise : callable
        Gives the category of an error; give the breakers the same.
    listener : callable
        Hears of each try that is made again.
    clock : callable
        Seconds that never go back, those of the event loop.

    Examples
    --------
    >>> prices = OutsideCall(name="prices", purpose="prices", fallback="the last", seconds=2)
    >>> dependency = Dependency(prices, breakers=Breakers())
    >>> dependency.call(lambda: 7).value
    7
    >>> answer = dependency.call(lambda: 1 / 0, fallbacks={"the last": lambda: 6})
    >>> answer.value, answer.answered_by, answer.failures[0].error
    (6, 'the last', ZeroDivisionError('division by zero'))
    """

    def __init__(
        self,
        outside: OutsideCall,
        *,
        breakers: Breakers,
        categorise: Categorise = categorise,
        listener: Callable[[Retried], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        deadline(outside.seconds)  # checks them
        self.outside = outside
        self._breaker = breakers.of(outside.name, open_seconds=outside.open_seconds)
        self._categorise, self._clock = categorise, clock
        self._retry = Retry(
            tries=outside.tries,
            first_wait=outside.first_wait,
            longest_wait=outside.longest_wait,
            jitter=outside.first_wait,
            categorise=categorise,
            listener=listener,
        )

    def statistics(self) -> BreakerStatistics:
        """Say what the breaker has seen."""
        return self._breaker.statistics()

    def call(
        self,
        work: Callable[[], T],
        *,
        fallbacks: Mapping[str, Callable[[], T]] = MappingProxyType({}),
    ) -> Answer[T]:
        """Ask the other side, then the fallbacks in their order.

        Parameters
        ----------
        work : callable
            Asks. A thread cannot be stopped: its client's timeout is what `remaining` gives.
        fallbacks : mapping of str to callable
            By name.

        Raises
        ------
        NoAnswerError
            Where the fallbacks failed too.
        BaseException
            What the work raised, or a `BreakerOpenError`, where there is no fallback.
        """

        def once() -> T:
            with deadline(self.outside.seconds, clock=self._clock) as scope:
                check()
                try:
                    return work()
                except Exception as error:
                    self._tell_if_late(scope, error)
                    raise

        def tried() -> T:
            return self._retry.call(lambda: self._breaker.call(once))

        if not fallbacks:
            return Answer(value=tried(), answered_by=self.outside.name)
        return first_answer({self.outside.name: tried, **fallbacks}, categorise=self._categorise)

    async def acall(
        self,
        work: Callable[[], Awaitable[T]],
        *,
        fallbacks: Mapping[str, Callable[[], Awaitable[T]]] = MappingProxyType({}),
    ) -> Answer[T]:
        """Ask the other side, then the fallbacks in their order; as `call`, but is cancelled."""

        async def once() -> T:
            async with deadline(self.outside.seconds, clock=self._clock) as scope:
                check()
                try:
                    return await work()
                except Exception as error:
                    self._tell_if_late(scope, error)
                    raise

        async def tried() -> T:
            return await self._retry.acall(lambda: self._breaker.acall(once))

        if not fallbacks:
            return Answer(value=await tried(), answered_by=self.outside.name)
        ways = {self.outside.name: tried, **fallbacks}
        return await afirst_answer(ways, categorise=self._categorise)

    def _tell_if_late(self, scope: Deadline, error: Exception) -> None:
        """Tell a client's timeout as what it is: the time that it was given is over."""
        if scope.left() <= 0 and self._categorise(error) is Category.NETWORK:
            raise scope.exceeded() from error


def outside_table(calls: Iterable[OutsideCall]) -> str:
    """Write outside calls as a table in Markdown.

    Examples
    --------
    >>> prices = OutsideCall(name="prices", purpose="prices", fallback="the last", seconds=2)
    >>> print(outside_table([prices]))
    | asked | for | one try | tries | at most | without an answer |
    | --- | --- | --- | --- | --- | --- |
    | prices | prices | 2 s | 1 | 2 s | the last |
    """
    rows = [
        ("asked", "for", "one try", "tries", "at most", "without an answer"),
        ("---",) * 6,
        *(
            (
                call.name,
                call.purpose,
                f"{call.seconds:g} s",
                str(call.tries),
                f"{call.longest_seconds:g} s",
                call.fallback,
            )
            for call in calls
        ),
    ]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows
    )
