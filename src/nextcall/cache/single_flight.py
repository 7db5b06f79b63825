"""One computation for all in a process who wait for the same key: threads and tasks of asyncio."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, Final, Generic, TypeGuard, TypeVar

V = TypeVar("V")


class _AbandonedError(Exception):
    """Who computed was cancelled or interrupted; one of those who wait computes instead."""


class _Flight(Generic[V]):
    """A computation on its way."""

    __slots__ = ("future", "of_loop", "thread")

    def __init__(self, *, of_loop: bool) -> None:
        self.future = Future[V]()
        self.future.set_running_or_notify_cancel()  # so that no one who waits can cancel it
        self.thread, self.of_loop = threading.get_ident(), of_loop


# Of this computation, and those it is a part of; tasks and threads that it starts inherit it.
_LEADING: Final = ContextVar[tuple[_Flight[Any], ...]]("_LEADING", default=())


class SingleFlight(Generic[V]):
    """Lets the first who asks for a key compute it, and gives what comes of it to all others.

    A failure reaches all of them as the same exception. Where the first is cancelled or interrupted
    before there is a value, another computes in its place: nobody waits for one who is gone, and no
    computation goes on that nobody asked for. So it is where a failure is of the first alone.

    Parameters
    ----------
    is_own : callable, optional
        Tells of a failure whether it is of the one who computed alone, such as the end of its time.

    Attributes
    ----------
    joined : int
        How often somebody waited for another's computation.

    Examples
    --------
    >>> flight = SingleFlight[int]()
    >>> flight.run("a", lambda: 1)
    1
    """

    def __init__(self, *, is_own: Callable[[Exception], bool] = lambda _: False) -> None:
        self._is_own = is_own
        self._flights: dict[str, _Flight[V]] = {}
        self._lock = threading.Lock()
        self.joined = 0

    def run(self, key: str, compute: Callable[[], V]) -> V:
        """Compute, or wait for who does already.

        In the thread of an event loop where a task computes the same key, it is computed once more,
        for that task does not go on while this waits.

        Raises
        ------
        RuntimeError
            Where the computation of a key asks for the same key.
        """
        while True:
            flight, is_mine = self._board(key, of_loop=False)
            if is_mine:
                with _Leading(self, key, flight) as lead:
                    return lead.ended(compute())
            if flight.of_loop and flight.thread == threading.get_ident():
                return compute()
            try:
                return flight.future.result()
            except _AbandonedError:
                continue

    async def run_async(self, key: str, compute: Callable[[], Awaitable[V]]) -> V:
        """Compute, or wait for who does already; as `run`, from a task of asyncio."""
        while True:
            flight, is_mine = self._board(key, of_loop=True)
            if is_mine:
                with _Leading(self, key, flight) as lead:
                    return lead.ended(await compute())
            try:
                return await asyncio.wrap_future(flight.future)
            except _AbandonedError:
                continue

    def _board(self, key: str, *, of_loop: bool) -> tuple[_Flight[V], bool]:
        """Give the computation of a key, and whether it is for the caller to do."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = _Flight(of_loop=of_loop)
                return flight, True
            if flight in _LEADING.get():
                raise RuntimeError(f"compute must not ask for its own key, {key!r}.")
            self.joined += 1
        return flight, False

    def _land(self, key: str) -> None:
        with self._lock:
            del self._flights[key]

    def _is_of_all(self, error: BaseException) -> TypeGuard[Exception]:
        return isinstance(error, Exception) and not self._is_own(error)


class _Leading(Generic[V]):
    """The time in which one computes for all; tells them how it ended."""

    __slots__ = ("_flight", "_flights", "_key", "_outer", "_value")

    def __init__(self, flights: SingleFlight[V], key: str, flight: _Flight[V]) -> None:
        self._flights, self._key, self._flight = flights, key, flight

    def __enter__(self) -> "_Leading[V]":
        self._outer = _LEADING.set((*_LEADING.get(), self._flight))
        return self

    def ended(self, value: V) -> V:
        self._value = value
        return value

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        _LEADING.reset(self._outer)
        flights = self._flights
        flights._land(self._key)  # noqa: SLF001  # before the others hear: they may ask anew
        future = self._flight.future
        if error is None:
            future.set_result(self._value)
        elif isinstance(error, StopIteration):  # a future of asyncio cannot hold one
            future.set_exception(RuntimeError(f"compute raised {error!r}."))
        else:
            is_of_all = flights._is_of_all(error)  # noqa: SLF001  # as above
            future.set_exception(error if is_of_all else _AbandonedError())
