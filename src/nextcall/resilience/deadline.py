"""Deadlines that all that a caller starts knows of, and that nothing within can put off."""

import asyncio
import math
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final, Self

from nextcall.resilience.category import Category

PREDICTION_SECONDS: Final = 30.0
"""How long whoever asks for a prediction is kept waiting at most."""

_IN_FORCE: ContextVar["Deadline | None"] = ContextVar("deadline", default=None)


class DeadlineExceededError(TimeoutError):
    """The time that the work had is over.

    Attributes
    ----------
    inherited : bool
        Whether it is over for whoever asked for the work, whatever time the work was given itself:
        then nobody waits any more, and nothing is known of the side that was asked.
    """

    def __init__(self, message: str, *, inherited: bool = False) -> None:
        super().__init__(message)
        self.inherited = inherited

    @property
    def category(self) -> Category:
        """As other timeouts; as a resource that ran out where it was the caller's time."""
        return Category.RESOURCE if self.inherited else Category.NETWORK


class Deadline:
    """The time that some work has; see `deadline`."""

    __slots__ = ("_at", "_clock", "_inherited", "_seconds", "_timeout", "_token")

    def __init__(self, seconds: float, *, clock: Callable[[], float]) -> None:
        if not 0 < seconds < math.inf:
            raise ValueError(f"seconds must be above 0 and finite, got {seconds}.")
        self._seconds, self._clock = seconds, clock
        self._at = math.inf
        self._inherited = False
        self._token: Token[Deadline | None] | None = None
        self._timeout: asyncio.Timeout | None = None

    def __enter__(self) -> Self:
        if self._token is not None:
            raise RuntimeError("a deadline is entered once.")
        left, outer = self._seconds, _IN_FORCE.get()
        if outer is not None and outer.left() <= left:
            left, self._inherited = outer.left(), True
        self._at = self._clock() + left
        self._token = _IN_FORCE.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _IN_FORCE.reset(self._token)

    async def __aenter__(self) -> Self:
        self.__enter__()
        self._timeout = asyncio.timeout(self.left())
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)
        if self._timeout is None:
            return
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError as over:
            raise self.exceeded() from over

    def left(self) -> float:
        """Give the seconds that are left, at least 0."""
        return max(0.0, self._at - self._clock())

    def exceeded(self) -> DeadlineExceededError:
        """Make the error that tells that the time is over."""
        limit = "the time that the caller has" if self._inherited else f"{self._seconds:g} seconds"
        return DeadlineExceededError(f"must end within {limit}.", inherited=self._inherited)


def deadline(
    seconds: float = PREDICTION_SECONDS, *, clock: Callable[[], float] = time.monotonic
) -> Deadline:
    """Give the work within so many seconds, and no more than the deadline around it leaves.

    ``async with`` cancels what is awaited within when the time is over, and tells it as an error.
    ``with`` lets the work ask (`remaining`, `check`), for a thread cannot be stopped. Tasks and the
    threads of `asyncio.to_thread` and `anyio.to_thread` know the deadline of where they were
    started.

    Parameters
    ----------
    seconds : float
        Above 0; by default what a prediction may take.
    clock : callable
        Seconds that never go back, those of the event loop.

    Raises
    ------
    ValueError
        Where the seconds are not above 0.
    DeadlineExceededError
        By ``async with`` and by `check`, where the time is over.

    Examples
    --------
    >>> now = [100.0]
    >>> with deadline(30, clock=lambda: now[0]):
    ...     with deadline(60, clock=lambda: now[0]):
    ...         now[0] += 10
    ...         remaining()
    20.0
    """
    return Deadline(seconds, clock=clock)


def remaining() -> float | None:
    """Give the seconds that are left until the deadline in force; none where there is no deadline.

    What a client of a library is given as its timeout.
    """
    now = _IN_FORCE.get()
    return None if now is None else now.left()


def check() -> None:
    """Raise where the deadline in force has passed; for work that cannot be stopped.

    Raises
    ------
    DeadlineExceededError

    Examples
    --------
    >>> check()
    """
    now = _IN_FORCE.get()
    if now is not None and now.left() <= 0:
        raise now.exceeded()
