"""Rates that workers share through Redis: one atomic script a request."""

import struct
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha1
from os import getpid
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from nextcall.access.rate_decision import Decision, Reason
from nextcall.access.rate_rules import MINUTE, RateRule

_SCRIPT: Final = Path(__file__).with_suffix(".lua").read_bytes()
_SHA: Final = sha1(_SCRIPT, usedforsecurity=False).hexdigest().encode()
_REASONS: Final[tuple[Reason | None, ...]] = (None, "window", "burst", "blocked")
_MICRO: Final = 1_000_000
_NOW_AND_COST: Final = struct.Struct("<dd")


class StoreUnavailableError(RuntimeError):
    """The store of rates cannot be reached, or does not answer in time."""


class RedisRates:
    """Rates in Redis, shared by all workers that name it; threads share a pool of connections.

    What `MemoryRates` promises holds for all workers together, for one script counts each request
    at one moment of one clock, the server's own. Where that clock is set back, it goes on from
    where it stood.

    Parameters
    ----------
    url : str
        ``redis://[USER:PASSWORD@]HOST:PORT/NUMBER``, ``rediss://`` or ``unix://PATH``.
    prefix : str
        What the names of its keys begin with.
    patience : float
        Seconds to wait for a connection, and for an answer.
    clock : callable, optional
        Nanoseconds of a clock that all workers share, instead of the server's.

    Raises
    ------
    ValueError
        Where the URL is of another form.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "nextcall:rate",
        patience: float = 0.25,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._pool = _pool(url, patience=patience)
        self._prefix, self._clock = prefix.encode(), clock
        self._idle, self._process = deque[Any](), getpid()

    def take(self, identifier: str, rule: RateRule, *, cost: int = 1) -> Decision:
        """Count a request of `cost` where it may pass, and say whether it did.

        Raises
        ------
        StoreUnavailableError
            Where Redis does not answer; whether it counted is not known.
        ValueError
            Where the cost is below 1. One above a limit is never let through.
        """
        if cost < 1:
            raise ValueError(f"cost must be at least 1, got {cost}.")
        now = -1.0 if self._clock is None else self._clock() // 1000
        # Braces: one node of a cluster has both keys.
        key = b"%b:{%b}" % (self._prefix, identifier.encode())
        packed = _NOW_AND_COST.pack(now, cost) + _packed(rule)
        try:
            return _decision(self._run(key, packed), rule)
        except _errors().RedisError as error:
            raise StoreUnavailableError(
                f"Redis does not answer: {type(error).__name__}."
            ) from error

    def close(self) -> None:
        """Close the connections that no one uses."""
        self._idle.clear()
        self._pool.disconnect()

    def _run(self, key: bytes, packed: bytes) -> bytes:
        try:
            return self._ask(_command(b"7\r\nEVALSHA", _SHA, key, packed))
        except _errors().NoScriptError:  # it was started anew
            return self._ask(_command(b"4\r\nEVAL", _SCRIPT, key, packed))

    def _ask(self, command: bytes) -> bytes:
        """Send a command and wait for its answer; a connection that is broken is made anew once.

        The client's own way from a command to a connection and back takes three times as long as
        what is done here: it asks the system whether something unread is left, which nothing is,
        for a connection that fails is closed.
        """
        if getpid() != self._process:  # forked: these are the other's
            self._idle, self._process = deque(), getpid()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._pool.get_connection()
        try:
            try:
                connection.send_packed_command((command,), check_health=False)
                return cast("bytes", connection.read_response())
            except _errors().ConnectionError:
                connection.disconnect()
                connection.send_packed_command((command,), check_health=False)
                return cast("bytes", connection.read_response())
        finally:
            self._idle.append(connection)


def _command(name: bytes, script: bytes, key: bytes, packed: bytes) -> bytes:
    """Write a command as Redis reads it."""
    sized = (name, len(script), script, len(key), key, len(key) + 4, key, len(packed), packed)
    return (
        b"*6\r\n$%b\r\n$%d\r\n%b\r\n$1\r\n2\r\n$%d\r\n%b\r\n$%d\r\n%b:log\r\n$%d\r\n%b\r\n" % sized
    )


def _errors() -> ModuleType:
    """Give the errors of Redis' client; asked where something was raised."""
    from redis import exceptions  # noqa: PLC0415  # as below

    return exceptions


def _pool(url: str, *, patience: float) -> Any:  # its types say nothing
    """Give what makes connections, each of which tries nothing twice.

    Raises
    ------
    ValueError
        Where the URL is of another form.
    """
    # Loaded where a Redis is named: 9 MB.
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.connection import ConnectionPool  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    try:
        return ConnectionPool.from_url(
            url,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:  # its message may hold the password
        raise ValueError(
            "url must be redis://HOST:PORT/NUMBER, rediss:// or unix://PATH; what came is not "
            "shown, for it may hold a password."
        ) from None


@lru_cache(maxsize=10_000)
def _packed(rule: RateRule) -> bytes:
    interval = rule.refill_seconds * _MICRO if rule.burst is not None else 0.0
    values = [round(interval), rule.burst or 0, rule.strikes, MINUTE * _MICRO]
    values.append(rule.block_seconds * _MICRO)
    for window in rule.windows:
        values += window.counted_in(_MICRO)
    return struct.pack(f"<{len(values)}d", *values)


def _decision(answer: bytes, rule: RateRule) -> Decision:
    values = struct.unpack(f"<{len(answer) // 8}d", answer)
    resets = [each / _MICRO for each in values[3::2]]
    remaining = [int(each) for each in values[2::2]]
    return Decision(_REASONS[int(values[0])], values[1] / _MICRO, rule, remaining, resets)
