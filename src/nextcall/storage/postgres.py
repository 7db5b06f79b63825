"""Connections to PostgreSQL that nobody waits for without end, whatever becomes of the server.

A server that is stopped, or whose disk hangs, still has a kernel that answers for it: neither TCP
nor any time limit of the server itself ends such a wait. Here each wait ends with the deadline in
force (`nextcall.resilience.deadline`).
"""

import math
from collections.abc import Generator
from typing import Any, Final, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import URL
from sqlalchemy.engine import ExceptionContext

from nextcall.resilience.category import Category
from nextcall.resilience.deadline import DeadlineExceededError, check, remaining

T = TypeVar("T")

CONNECT_SECONDS: Final = 3.0
"""That an address has to accept a new connection."""

_LEAST_CONNECT: Final = 2  # seconds: the driver takes less for as much
_LOCK_SHARE: Final = 0.6  # of a time limit: the server gives up first,
_STATEMENT_SHARE: Final = 0.8  # for then the connection is still good
_NOTHING_BEGUN: Final = frozenset({TransactionStatus.IDLE, TransactionStatus.UNKNOWN})


class TimeIsUpError(psycopg.OperationalError):
    """The server did not answer within the time that there was; the connection is closed."""

    def __init__(self, over: DeadlineExceededError) -> None:
        super().__init__(f"the database did not answer in time: {over}")
        self.category: Category = over.category


class BoundedConnection(psycopg.Connection[Any]):
    """A connection of which each wait ends with the deadline in force."""

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        """Wait for a step of the protocol.

        Within a transaction nothing is sent once the time is over, its commit neither; what has
        arrived counts.

        Raises
        ------
        TimeIsUpError
            Where the deadline passes first. Nobody knows what the server made of the statement, so
            the connection is closed, and the server undoes what was not committed.
        """
        try:
            if self.pgconn.transaction_status not in _NOTHING_BEGUN:
                _check()
            return super().wait(_until_deadline(gen), *arguments, **options)
        except TimeIsUpError:
            self.close()
            raise


def _until_deadline(steps: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
    """Go the steps of the protocol; the driver comes by ten times a second where nothing does."""
    try:
        waits_for = next(steps)
        while True:
            _check()  # before the next wait: an answer that is there already is taken
            came = yield waits_for
            waits_for = steps.send(came)
    except StopIteration as ended:
        result: T = ended.value
        return result


def connect(arguments: list[Any], options: dict[str, Any]) -> BoundedConnection:
    """Connect within the time that is left, but for two seconds that are needed at least.

    Raises
    ------
    psycopg.OperationalError
        Where there is no answer; `TimeIsUpError` where no time was left.
    """
    _check()
    left = remaining()
    limits = [CONNECT_SECONDS, *([] if left is None else [left])]
    asked = float(options.get("connect_timeout") or 0)  # the driver's 0 is no limit
    if asked > 0:
        limits.append(asked)
    seconds = max(_LEAST_CONNECT, math.floor(min(limits)))
    return BoundedConnection.connect(*arguments, **{**options, "connect_timeout": seconds})


def _check() -> None:
    try:
        check()
    except DeadlineExceededError as over:
        raise TimeIsUpError(over) from over


def keep_others(context: ExceptionContext) -> None:
    """Close the one connection that was too late, and no other of its pool."""
    if isinstance(context.original_exception, TimeIsUpError):
        context.invalidate_pool_on_disconnect = False
        if context.is_pre_ping:  # which would close all of them
            context.is_disconnect = False


def connect_options(url: URL, *, patience: float) -> dict[str, Any]:
    """Give what a connection is made with; what the URL says itself is left to it.

    Parameters
    ----------
    url : URL
    patience : float
        Seconds that a transaction has. The server gives up a lock after 3/5 of them and a
        statement after 4/5, and ends whoever does nothing within a transaction for twice as long,
        for others may wait for its locks.
    """
    milliseconds = 1000.0 * patience
    limits = {**_limits(patience), "idle_in_transaction_session_timeout": 2 * milliseconds}
    settings = [f"-c {name}={round(value)}" for name, value in limits.items()]
    said = url.query.get("options", "")
    own: dict[str, Any] = {
        "application_name": "nextcall",
        # Of a machine that is gone the kernel tells nothing else.
        "keepalives_idle": max(1, round(patience)),
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "tcp_user_timeout": round(milliseconds),
    }
    given = {name: value for name, value in own.items() if name not in url.query}
    # The last of them counts.
    return {**given, "options": " ".join([*settings, *([said] if isinstance(said, str) else said)])}


def longer(seconds: float) -> str:
    """Write the statement that gives the rest of a transaction other limits.

    Examples
    --------
    >>> longer(10)[:60]
    "SELECT set_config('lock_timeout', '6000', true), set_config("
    """
    limits = {**_limits(seconds), "idle_in_transaction_session_timeout": 1000.0 * seconds}
    sets = (f"set_config('{name}', '{round(value)}', true)" for name, value in limits.items())
    return f"SELECT {', '.join(sets)}"


def _limits(seconds: float) -> dict[str, float]:
    return {
        "lock_timeout": 1000.0 * seconds * _LOCK_SHARE,
        "statement_timeout": 1000.0 * seconds * _STATEMENT_SHARE,
    }
