"""A breaker: a side that fails again and again is left alone for a while, then tried once."""

import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from nextcall.resilience.categories import Categorise, categorise
from nextcall.resilience.category import Category

T = TypeVar("T")

_DOWN: Final = frozenset({Category.NETWORK, Category.TRANSIENT})
_ANSWERED: Final = frozenset({Category.API_LIMIT, Category.AUTHENTICATION, Category.VALIDATION})


class BreakerState(StrEnum):
    """Whether a side is asked."""

    CLOSED = "closed"
    """It is asked."""
    OPEN = "open"
    """It is left alone."""
    HALF_OPEN = "half_open"
    """One call tries it."""


class BreakerOpenError(RuntimeError):
    """The side is not asked, for it failed lately.

    Attributes
    ----------
    name : str
        Of the breaker.
    retry_after : float
        Seconds until it may be tried; 0 while somebody tries it.
    """

    category: Final = Category.RESOURCE  # neither tried again nor counted by a breaker around it

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(name, retry_after)  # so that it can be sent to another process
        self.name, self.retry_after = name, retry_after

    def __str__(self) -> str:
        return f"{self.name} fails, and is asked again in {self.retry_after:.3g} seconds."


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChange:
    """A breaker went from one state to another."""

    name: str
    before: BreakerState
    after: BreakerState


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatistics:
    """What a breaker has seen, in calls since it was made."""

    name: str
    state: BreakerState
    answered: int  # the side answered, whatever it said
    failed: int  # it was not reached, or failed
    unknown: int  # says nothing of it: cancelled, or a fault on this side
    refused: int  # not asked
    failures_in_a_row: int
    opened: int  # how often
    retry_after: float | None  # seconds until it may be tried; none where it is asked


class Breaker:
    """Lets calls through until a side is down, then none for a while, then one that tries it.

    The side is down where `failures` calls in a row fail: it was not reached in time, or failed
    itself (network, transient). Where it refuses (api_limit, authentication, validation), it
    lives. Where the call was cancelled or failed on this side (resource, fatal), nothing is known:
    a trial that ends so leaves its place to the next. A call that began before the breaker opened
    or closed says nothing of the time after.

    Threads and event loops share it. It sets no deadline: a trial that never ends lets nobody else
    through.

    Parameters
    ----------
    name : str
        Of the side.
    failures : int
        In a row, after which it opens.
    open_seconds : float
        How long nobody asks.
    categorise : callable
        Gives the category of an error.
    listener : callable
        Hears each change of state, outside the lock; what it raises reaches the call.
    clock : callable
        Seconds that never go back.

    Examples
    --------
    >>> breaker = Breaker("prices", failures=1)
    >>> breaker.call(lambda: 7)
    7
    >>> def ask():
    ...     raise ConnectionRefusedError
    >>> try:
    ...     breaker.call(ask)
    ... except ConnectionRefusedError:
    ...     str(breaker.state)
    'open'
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        open_seconds: float = 60.0,
        categorise: Categorise = categorise,
        listener: Callable[[BreakerChange], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if failures < 1:
            raise ValueError(f"failures must be at least 1, got {failures}.")
        if not open_seconds > 0:
            raise ValueError(f"open_seconds must be above 0, got {open_seconds}.")
        self.name = name
        self._most, self._open_seconds = failures, open_seconds
        self._categorise, self._listener, self._clock = categorise, listener, clock
        self._lock = threading.Lock()
        self._state = BreakerState.CLOSED
        self._era = 0  # begins when it opens or closes; a call belongs to that in which it began
        self._trying = False
        self._open_until = 0.0
        self._in_a_row = self._opened = 0
        self._answered = self._failed = self._unknown = self._refused = 0

    @property
    def state(self) -> BreakerState:
        """Whether the side is asked; an open breaker is half open once a call tries the side."""
        return self._state

    def call(self, work: Callable[[], T]) -> T:
        """Do the work where the side may be asked.

        Raises
        ------
        BreakerOpenError
            Where it may not.
        BaseException
            What the work raised.
        """
        era = self._begin()
        try:
            answer = work()
        except BaseException as error:
            self._end_failed(era, error)
            raise
        self._end_answered(era)
        return answer

    async def acall(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do and await the work where the side may be asked; as `call`."""
        era = self._begin()
        try:
            answer = await work()
        except BaseException as error:
            self._end_failed(era, error)
            raise
        self._end_answered(era)
        return answer

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Let a block ask the side where it may be asked; as `call`, for what is no function.

        Examples
        --------
        >>> breaker = Breaker("prices")
        >>> with breaker.guarding():
        ...     price = 7
        >>> breaker.statistics().answered
        1
        """
        era = self._begin()
        try:
            yield
        except BaseException as error:
            self._end_failed(era, error)
            raise
        self._end_answered(era)

    def statistics(self) -> BreakerStatistics:
        """Say what was seen so far."""
        with self._lock:
            return BreakerStatistics(
                name=self.name,
                state=self._state,
                answered=self._answered,
                failed=self._failed,
                unknown=self._unknown,
                refused=self._refused,
                failures_in_a_row=self._in_a_row,
                opened=self._opened,
                retry_after=None if self._state is BreakerState.CLOSED else self._wait(),
            )

    def _begin(self) -> int:
        with self._lock:
            if self._state is BreakerState.CLOSED:
                return self._era
            wait = self._wait()
            if wait > 0 or self._trying:
                self._refused += 1
                raise BreakerOpenError(self.name, wait)
            self._trying = True
            before, self._state = self._state, BreakerState.HALF_OPEN
            era = self._era
        try:
            self._tell(before, BreakerState.HALF_OPEN)
        except BaseException:
            self._trying = False
            raise
        return era

    def _end_answered(self, era: int) -> None:
        with self._lock:
            self._answered += 1
            if era != self._era:
                return
            self._in_a_row = 0
            if self._state is BreakerState.CLOSED:
                return
            before = self._change(BreakerState.CLOSED)
        self._tell(before, BreakerState.CLOSED)

    def _end_failed(self, era: int, error: BaseException) -> None:
        category = self._categorise(error) if isinstance(error, Exception) else Category.FATAL
        if category in _ANSWERED:
            self._end_answered(era)
            return
        with self._lock:
            if category not in _DOWN:
                self._unknown += 1
                if era == self._era:
                    self._trying = False  # the next may try
                return
            self._failed += 1
            if era != self._era:
                return
            self._in_a_row += 1
            if self._state is BreakerState.CLOSED and self._in_a_row < self._most:
                return
            self._opened += 1
            self._open_until = self._clock() + self._open_seconds
            before = self._change(BreakerState.OPEN)
        self._tell(before, BreakerState.OPEN)

    def _change(self, after: BreakerState) -> BreakerState:
        before, self._state = self._state, after
        self._era += 1
        self._trying = False
        return before

    def _wait(self) -> float:
        return max(0.0, self._open_until - self._clock())

    def _tell(self, before: BreakerState, after: BreakerState) -> None:
        if before is not after:
            self._listener(BreakerChange(name=self.name, before=before, after=after))
