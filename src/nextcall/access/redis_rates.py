"""Rates that workers share through Redis: one atomic script a request."""

import struct
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha1
from pathlib import Path
from typing import Any, Final, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import PythonRespSerializer
from redis.exceptions import ConnectionError as ConnectionBrokenError
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from nextcall.access.rate_decision import Decision, Reason, WindowState
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
        self._client = connect(url, patience=patience)
        self._prefix, self._clock = prefix.encode(), clock

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
        except RedisError as error:
            raise StoreUnavailableError(
                f"Redis does not answer: {type(error).__name__}."
            ) from error

    def close(self) -> None:
        """Close the connections that no one uses."""
        self._client.close()

    def _run(self, key: bytes, packed: bytes) -> bytes:
        ask: Any = self._client.execute_command  # whose types say nothing
        try:
            return cast("bytes", ask("EVALSHA", _SHA, 2, key, key + b":log", packed))
        except NoScriptError:  # it was started anew
            return cast("bytes", ask("EVAL", _SCRIPT, 2, key, key + b":log", packed))


class _Packer(PythonRespSerializer):
    """Writes our one command with one format, in a quarter of the time that all others take."""

    def __init__(self) -> None:
        super().__init__(6000, _encode)

    def pack(self, *args: Any) -> Any:
        """Write a command as Redis reads it."""
        if args[0] != "EVALSHA":
            others: Any = super()
            return others.pack(*args)
        _, sha, _, key, log, packed = args
        sized = (sha, len(key), key, len(log), log, len(packed), packed)
        return (
            b"*6\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n2\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"
            % sized,
        )


def _encode(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def connect(url: str, *, patience: float) -> "Redis":
    """Give a client that tries a broken connection once more, and nothing else.

    Raises
    ------
    ValueError
        Where the URL is of another form.
    """
    try:
        client = Redis.from_url(
            url,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            command_packer=_Packer(),
            retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionBrokenError,)),
        )
    except ValueError:  # its message may hold the password
        raise ValueError(
            "url must be redis://HOST:PORT/NUMBER, rediss:// or unix://PATH; what came is not "
            "shown, for it may hold a password."
        ) from None
    return cast("Any", client)  # type: ignore[no-any-return]


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
    return Decision(
        _REASONS[int(values[0])],
        values[1] / _MICRO,
        tuple(
            WindowState(window.seconds, window.limit, int(remaining), reset / _MICRO)
            for window, remaining, reset in zip(
                rule.windows, values[2::2], values[3::2], strict=True
            )
        ),
    )
