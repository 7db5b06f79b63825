"""Many callers, one commit: rows that come at the same time share the wait for the disk."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar

from sqlalchemy import Connection

from nextcall.resilience.deadline import deadline
from nextcall.storage.database import OUT_OF_REACH, Database

T = TypeVar("T")
R = TypeVar("R")

_LEAST_SECONDS: Final = 0.1  # that a group has, however long its first item waited
_JUDGED_SHARE: Final = 0.5  # of a transaction's time: in less a sound database may fail


class WriterClosedError(RuntimeError):
    """The writer takes no more: the program is about to end."""


class WriterBusyError(RuntimeError):
    """There was no room among the waiting for as long as the caller had patience."""


@dataclass(frozen=True, slots=True)
class _Asked(Generic[T, R]):
    """One item, and who waits for it: a thread, or a task of a loop."""

    item: T
    waiting: "Future[R] | asyncio.Future[R]"
    since: float  # of the monotonic clock


class GroupWriter(Generic[T, R]):
    """One thread that writes what many callers hand in, as many as there are at each commit.

    A caller waits until its item is committed, and so on disk. While one commit waits for the
    disk, the next group gathers. Callers who ask again as soon as they are answered would so come
    in two halves, each with commits of its own; a commit of several therefore leaves its callers
    `rest` to come again, before the next. A caller who is alone never waits for others.

    An error reaches those it concerns. Where a group fails, its halves are tried on their own, and
    theirs, until those that fail stand alone; what no item is at fault for (the database out of
    reach, full, locked) reaches all of the group. Where a caller got an error, nothing of its
    item was kept, but where the connection broke at the commit itself: no one can know that.

    Where the database hangs, a caller waits as long as a transaction of it has, but for a tenth of
    a second: what an item waited for others before it is taken from the time of its own.

    Parameters
    ----------
    database : Database
    write : callable
        Takes a connection, within a transaction, and items in the order in which they came; gives
        an answer for each. An answer that is an exception is raised to its caller, and the rest is
        committed; it must have written nothing. It may be called again with fewer of the items.
    waiting : int
        Items that may wait; who comes then waits for room first.
    largest : int
        Items of one commit at most.
    rest : float
        Seconds at most, after a commit of several, until the next; it ends when as many wait as
        were answered then or waited already. What PostgreSQL calls ``commit_delay``.

    Examples
    --------
    >>> from sqlalchemy import text
    >>> from tempfile import TemporaryDirectory
    >>> def insert(connection, names):
    ...     rows = [{"name": name} for name in names]
    ...     connection.execute(text("INSERT INTO unit VALUES (:name)"), rows)
    ...     return [len(name) for name in names]
    >>> with TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/a.db") as database:
    ...     with database.writing() as connection:
    ...         _ = connection.execute(text("CREATE TABLE unit (name TEXT)"))
    ...     with GroupWriter(database, insert) as writer:
    ...         writer.write("user-1")
    6
    """

    def __init__(
        self,
        database: Database,
        write: Callable[[Connection, Sequence[T]], Iterable[R | Exception]],
        *,
        waiting: int = 10_000,
        largest: int = 1_000,
        rest: float = 0.003,
    ) -> None:
        for name, value in (("waiting", waiting), ("largest", largest)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}.")
        self._database, self._write = database, write
        self._waiting, self._largest, self._rest = waiting, largest, rest
        self._queue: deque[_Asked[T, R]] = deque()
        self._closed = False
        self._enough = 1  # so many must wait to wake the writer
        self._waited: int | None = None  # when the first of a group was answered
        lock = threading.Lock()
        self._something = threading.Condition(lock)
        self._room = threading.Condition(lock)
        self._tasks: list[asyncio.Future[None]] = []  # those that wait for room
        self._thread = threading.Thread(target=self._run, name="group-writer", daemon=True)
        self._thread.start()

    def write(self, item: T, *, patience: float | None = None) -> R:
        """Write an item, and wait until it is on disk.

        Parameters
        ----------
        item
        patience : float, optional
            Seconds to wait for room; for ever where it is not given.

        Raises
        ------
        WriterBusyError, WriterClosedError
            Nothing was written.
        Exception
            What `write` of this writer raised, or answered, for the item.
        """
        until = None if patience is None else time.monotonic() + patience
        waiting: Future[R] = Future()
        with self._room:
            while not self._has_room():
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise WriterBusyError(f"{self._waiting} items wait already.")
                self._room.wait(left)
            self._queue.append(_Asked(item, waiting, time.monotonic()))
            self._wake()
        return waiting.result()

    async def write_async(self, item: T, *, patience: float | None = None) -> R:
        """Write an item as `write` does, from a task of asyncio.

        A task that is cancelled while it waits leaves open whether its item was written.
        """
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[R] = loop.create_future()
        asked = _Asked(item, waiting, time.monotonic())
        try:
            async with asyncio.timeout(patience):
                while (room := self._add_or_wait(asked, loop)) is not None:
                    await room
        except TimeoutError:
            raise WriterBusyError(f"{self._waiting} items wait already.") from None
        return await waiting

    def close(self) -> None:
        """Take no more, write what waits, and end the thread; again, and nothing happens."""
        with self._something:
            self._closed = True
            self._something.notify()
            self._room.notify_all()
            self._make_room(0)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _has_room(self) -> bool:
        if self._closed:
            raise WriterClosedError("the writer is closed.")
        return len(self._queue) < self._waiting

    def _wake(self) -> None:
        if len(self._queue) >= self._enough:
            self._something.notify()

    def _wake_later(self) -> None:
        with self._something:
            self._wake()

    def _add_or_wait(
        self, asked: _Asked[T, R], loop: asyncio.AbstractEventLoop
    ) -> asyncio.Future[None] | None:
        """Add an item; where there is no room, give what is done when there may be some."""
        with self._room:
            if self._has_room():
                self._queue.append(asked)
                # After this turn of the loop and the next, so that requests that come with this
                # one are of the same commit.
                loop.call_soon(loop.call_soon, self._wake_later)
                return None
            room: asyncio.Future[None] = loop.create_future()
            self._tasks.append(room)
            return room

    def _make_room(self, n: int) -> None:
        """Wake as many threads as may come in now, and every task: one may have been cancelled."""
        self._room.notify(n)
        _tell_loops((room, None) for room in self._tasks)
        self._tasks.clear()

    def _run(self) -> None:
        last = 0  # items of the last commit
        while True:
            with self._something:
                if last > 1:
                    # Not those who wait now: some of them may have come again already.
                    self._wait_for(min(last + (self._waited or 0), self._largest), self._rest)
                self._wait_for(1)
                if not self._queue:
                    return
                n = min(len(self._queue), self._largest)
                group = [self._queue.popleft() for _ in range(n)]
                self._make_room(n)
            self._waited = None
            self._commit(group)
            last = n

    def _wait_for(self, n: int, seconds: float | None = None) -> None:
        """Wait until so many items are in the queue, the time is up, or the writer closed."""
        self._enough = min(n, self._waiting)
        self._something.wait_for(lambda: len(self._queue) >= self._enough or self._closed, seconds)
        self._enough = 1

    def _commit(self, group: Sequence[_Asked[T, R]]) -> None:
        """Write a group in one transaction, or its halves where that fails; tell who waits."""
        answers: Sequence[R | BaseException]
        try:
            answers = self._answers([asked.item for asked in group], since=group[0].since)
        except BaseException as error:  # noqa: BLE001  # the callers get it
            if len(group) > 1 and not isinstance(error, (*OUT_OF_REACH, MemoryError)):
                half = len(group) // 2
                self._commit(group[:half])
                self._commit(group[half:])
                return
            answers = [error] * len(group)
        if self._waited is None:
            self._waited = len(self._queue)
        of_loops = []
        for asked, answer in zip(group, answers, strict=True):
            if isinstance(asked.waiting, Future):
                _settle(asked.waiting, answer)
            else:
                of_loops.append((asked.waiting, answer))
        _tell_loops(of_loops)

    def _answers(self, items: Sequence[T], *, since: float) -> Sequence[R | Exception]:
        # The wait of the first is a part of its time, but each group is tried.
        whole = self._database.patience
        left = max(_LEAST_SECONDS, whole - (time.monotonic() - since))
        with ExitStack() as within:
            late = left < _JUDGED_SHARE * whole
            if late:  # the time of those who wait: it tells nothing of the database
                within.enter_context(deadline(left))
            connection = within.enter_context(
                self._database.writing(seconds=None if late else left)
            )
            answers = list(self._write(connection, items))
            if len(answers) != len(items):
                raise ValueError(
                    f"write must answer each item, got {len(answers)} answers for {len(items)}."
                )
        return answers


_Told: TypeAlias = "tuple[asyncio.Future[Any], Any]"


def _tell_loops(told: Iterable[_Told]) -> None:
    """Settle the futures of each loop in one call of it, for each call wakes it."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Told]] = {}
    for future, answer in told:
        by_loop.setdefault(future.get_loop(), []).append((future, answer))
    for loop, each in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle_all, each)
        except RuntimeError:  # the loop is closed, and no one waits
            continue


def _settle_all(told: Iterable[_Told]) -> None:
    for future, answer in told:
        if not future.done():  # its task may have been cancelled
            _settle(future, answer)


def _settle(future: "Future[Any] | asyncio.Future[Any]", answer: Any) -> None:
    if isinstance(answer, StopIteration):  # which would end a task as if it had returned
        wrapped = RuntimeError("write raised StopIteration.")
        wrapped.__cause__ = answer
        answer = wrapped
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)
