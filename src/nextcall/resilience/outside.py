"""One way to make a call that leaves the process."""

import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from nextcall.resilience.breaker import BreakerStatistics
from nextcall.resilience.breakers import Breakers
from nextcall.resilience.categories import Categorise, categorise
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import Deadline, check, deadline
from nextcall.resilience.fallback import Answer, afirst_answer, first_answer
from nextcall.resilience.outside_call import OutsideCall
from nextcall.resilience.retry import Retried, Retry

T = TypeVar("T")


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
