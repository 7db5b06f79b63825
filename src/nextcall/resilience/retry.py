"""Trying again what may go well the next time, after a wait, and never for too long."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import stamina
from stamina.instrumentation import set_on_retry_hooks

from nextcall.resilience.categories import Categorise, categorise
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import remaining
from nextcall.resilience.retry_after import retry_after

T = TypeVar("T")

RETRIED: Final = frozenset({Category.NETWORK, Category.TRANSIENT, Category.API_LIMIT})
"""What is worth another try."""

_DOUBLINGS: Final = 60  # more than any wait has; a larger power would overflow

# By itself stamina logs the text of an error, which may hold a secret, and counts in a registry
# that the whole process shares. Here the listener is told, and nobody else.
set_on_retry_hooks(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """A call failed, and is tried again."""

    tried: int  # how often so far
    wait: float  # seconds until it is tried again
    category: Category
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Does what may be done more than once until it goes well, so many times at most.

    Tried again is what the network, a passing fault or a limit of the other side failed
    (`RETRIED`), so never an open breaker. Between tries there is a wait: `first_wait`, then twice
    as long each time, or what the other side asks for where that is longer, and up to `jitter`
    more; never above `longest_wait`. Where the other side asks for more than that, or the deadline
    in force would pass, the last error is raised at once. A call that went well costs nothing.

    Parameters
    ----------
    tries : int
        At most, the first among them.
    first_wait, longest_wait, jitter : float
        Seconds.
    categorise : callable
        Gives the category of an error.
    listener : callable
        Hears of each try that will be made again, before the wait; what it raises is raised.
    draw : callable
        Gives a number in [0, 1), for the jitter.

    Raises
    ------
    ValueError
        Where a number is below what it can be.

    Examples
    --------
    >>> answers = [ConnectionResetError(), 7]
    >>> def ask():
    ...     answer = answers.pop(0)
    ...     if isinstance(answer, Exception):
    ...         raise answer
    ...     return answer
    >>> Retry(first_wait=0, jitter=0, listener=lambda told: print(told.category)).call(ask)
    network
    7
    """

    tries: int = 3
    first_wait: float = 1.0
    longest_wait: float = 60.0
    jitter: float = 1.0
    categorise: Categorise = categorise
    listener: Callable[[Retried], None] = lambda _: None
    draw: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError(f"tries must be at least 1, got {self.tries}.")
        for name in ("first_wait", "longest_wait", "jitter"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}.")

    def call(self, work: Callable[[], T]) -> T:
        """Do the work.

        Raises
        ------
        BaseException
            What the work raised last.
        """
        try:
            return work()
        except Exception as error:
            if self.tries == 1:
                raise
            tries = _Tries(self, error)
        # Only now: what stamina prepares takes longer than all else that a call goes through.
        caller = stamina.RetryingCaller(attempts=self.tries, timeout=None)
        return caller(tries.next_wait, tries.first_of(work))

    async def acall(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do and await the work; as `call`."""
        try:
            return await work()
        except Exception as error:
            if self.tries == 1:
                raise
            tries = _Tries(self, error)
        caller = stamina.AsyncRetryingCaller(attempts=self.tries, timeout=None)
        return await caller(tries.next_wait, tries.first_of(work))


class _Tries:
    """The tries of one call, of which the first has failed."""

    __slots__ = ("_error", "_retry", "_tried")

    def __init__(self, retry: Retry, error: Exception) -> None:
        self._retry = retry
        self._error: Exception | None = error
        self._tried = 0

    def first_of(self, work: Callable[[], T]) -> Callable[[], T]:
        """Make of the work what fails as it did the first time, and is done from then on."""

        def work_again() -> T:
            self._tried += 1
            error, self._error = self._error, None
            if error is not None:
                raise error
            return work()

        return work_again

    def next_wait(self, error: BaseException) -> float | bool:
        """Give the seconds until the next try; False where there is none."""
        retry = self._retry
        if not isinstance(error, Exception) or self._tried >= retry.tries:
            return False
        category = retry.categorise(error)
        if category not in RETRIED:
            return False
        asked = retry_after(error) or 0.0
        wait = max(asked, retry.first_wait * 2.0 ** min(self._tried - 1, _DOUBLINGS))
        wait = min(retry.longest_wait, wait + retry.jitter * retry.draw())
        left = remaining()
        if wait < asked or (left is not None and wait >= left):
            return False
        retry.listener(Retried(tried=self._tried, wait=wait, category=category, error=error))
        return wait
