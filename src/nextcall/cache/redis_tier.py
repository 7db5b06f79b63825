"""Values, invalidations and locks in Redis, which all workers share."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final
from uuid import uuid4

from nextcall.cache.rules import Kind, Rule

_LAYOUT: Final = 1  # of keys and values; another one shares nothing with this
_TOKEN: Final = 16  # bytes
_LOG_LENGTH: Final = 256
_LOG_SECONDS: Final = 30 * 86_400  # where nothing is invalidated; values live for shorter
_KINDS: Final[dict[bytes, Kind]] = {b"=": "key", b"~": "pattern", b"*": "all", b"-": "none"}
_MARKS: Final = {kind: mark for mark, kind in _KINDS.items()}

# Begins the log where there is none.
_BEGIN: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('LPUSH', KEYS[1], ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return redis.call('LRANGE', KEYS[1], 0, -1)
"""
# Gives the value, who computes it, how that failed, and the milliseconds that the value has left.
_READ: Final = """
local found = redis.call('MGET', unpack(KEYS))
found[4] = found[1] and redis.call('PTTL', KEYS[1]) or 0
return found
"""
# Takes the lock where nobody holds it; gives who does. Sent twice, it gives the same.
_LOCK: Final = """
local holder = redis.call('GET', KEYS[1])
if holder then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
"""
# Lets the lock go where it is still ours, and says why it failed where it did.
_UNLOCK: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
return redis.call('DEL', KEYS[1])
"""


class TierUnavailableError(RuntimeError):
    """What workers share cannot be reached, or does not answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is known of a key."""

    data: bytes | None
    """The value, where there is one."""
    since: bytes
    """Token of the invalidations that it was begun at."""
    ttl: float
    """Seconds for which it is kept still."""
    holder: bytes | None
    """Who computes it."""
    failure: str | None
    """How the computation ended that was asked for."""


def new_token() -> bytes:
    """Make a token that no one else has."""
    return uuid4().bytes


class RedisTier:
    """Values of one category by key, the newest invalidations, and a lock for each key.

    Keys stand in Redis as hashes. Every value tells at which of the invalidations it was begun, so
    none has to be looked for when a pattern is invalidated: who reads it judges.

    Parameters
    ----------
    url : str
        ``redis://[USER:PASSWORD@]HOST:PORT/NUMBER``, ``rediss://`` or ``unix://PATH``.
    category : str
        What it holds.
    prefix : str
        What the names of its keys begin with.
    version : str
        Of what the values are made by, such as the hash of a model: others are not seen.
    patience : float
        Seconds to wait for a connection, and for an answer.
    lock_seconds : float
        For which one may compute before another does too.
    failure_seconds : float
        For which those who wait may hear of a failure.

    Raises
    ------
    ValueError
        Where the URL is of another form.
    """

    def __init__(
        self,
        url: str,
        *,
        category: str,
        prefix: str = "nextcall:cache",
        version: str = "",
        patience: float = 0.25,
        lock_seconds: float = 30.0,
        failure_seconds: float = 5.0,
    ) -> None:
        self._base = f"{prefix}:{_LAYOUT}:{version}:{category}"
        self._log = f"{self._base}:log"
        self._lock_ms, self._failure_ms = int(lock_seconds * 1000), int(failure_seconds * 1000)
        # Loaded where a Redis is named: 9 MB.
        from redis import Redis  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.exceptions import ConnectionError as ConnectionBrokenError  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        once_more = Retry(NoBackoff(), 1, supported_errors=(ConnectionBrokenError,))
        try:
            self._client: Any = Redis.from_url(  # its types say nothing
                url, socket_timeout=patience, socket_connect_timeout=patience, retry=once_more
            )
        except ValueError:  # its message may hold the password
            raise ValueError(
                "url must be redis://HOST:PORT/NUMBER, rediss:// or unix://PATH; what came is not "
                "shown, for it may hold a password."
            ) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def read(self, key: str, *, waiting_for: bytes = b"") -> Reading:
        """Read what is known of a key, and how one who computed it fared.

        Raises
        ------
        TierUnavailableError
            Here and in all that follows: where Redis does not answer.
        """
        name = self._name(key)
        asked = f"{name}:failed:{waiting_for.hex()}"
        (found,) = self._ask(("EVAL", _READ, 3, name, f"{name}:lock", asked))
        data, holder, failure, ttl = found
        return Reading(
            data=None if data is None or ttl <= 0 else data[_TOKEN:],
            since=b"" if data is None else data[:_TOKEN],
            ttl=ttl / 1000,
            holder=holder,
            failure=None if failure is None else failure.decode("utf-8", "replace"),
        )

    def write(self, key: str, data: bytes, *, ttl: float, since: bytes) -> None:
        """Keep a value that was begun at a token of the invalidations."""
        self._ask(("SET", self._name(key), since + data, "PX", max(1, int(ttl * 1000))))

    def news(self, newest: bytes) -> Sequence[tuple[bytes, Rule]] | None:
        """Give all known invalidations, the oldest first; none where `newest` is still the last."""
        (last,) = self._ask(("LRANGE", self._log, 0, 0))
        if last and last[0][:_TOKEN] == newest:
            return None
        first = _packed(new_token(), Rule("none"))
        (entries,) = self._ask(("EVAL", _BEGIN, 1, self._log, first, _LOG_SECONDS))
        return [_unpacked(entry) for entry in reversed(entries)]

    def tell(self, rules: Sequence[Rule]) -> None:
        """Add invalidations."""
        entries = [_packed(new_token(), rule) for rule in rules]
        self._ask(
            ("LPUSH", self._log, *entries),
            ("LTRIM", self._log, 0, _LOG_LENGTH - 1),
            ("EXPIRE", self._log, _LOG_SECONDS),
        )

    def lock(self, key: str, token: bytes) -> bytes:
        """Take the lock of a key where it is free; give the token of who holds it now."""
        (holder,) = self._ask(("EVAL", _LOCK, 1, f"{self._name(key)}:lock", token, self._lock_ms))
        return bytes(holder)

    def unlock(self, key: str, token: bytes, *, failure: str = "") -> None:
        """Let a lock go where it is still held; tell those who wait of a failure."""
        name = self._name(key)
        keys = f"{name}:lock", f"{name}:failed:{token.hex()}"
        told = failure.encode("utf-8", "replace")
        self._ask(("EVAL", _UNLOCK, 2, *keys, token, told, self._failure_ms))

    def _name(self, key: str) -> str:
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
        return f"{self._base}:{{{digest}}}"  # braces: one node of a cluster has all of a key

    def _ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Send commands in one go, which others may come between, and give their answers."""
        try:
            if len(commands) == 1:
                return [self._client.execute_command(*commands[0])]
            with self._client.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                return list(pipeline.execute())
        except _redis_error() as error:
            raise TierUnavailableError(f"Redis does not answer: {type(error).__name__}.") from error


def _redis_error() -> type[Exception]:
    """Give what Redis' client raises; asked where something was raised."""
    from redis.exceptions import RedisError  # noqa: PLC0415  # as above

    return RedisError


def _packed(token: bytes, rule: Rule) -> bytes:
    return token + _MARKS[rule.kind] + rule.text.encode("utf-8", "surrogatepass")


def _unpacked(entry: bytes) -> tuple[bytes, Rule]:
    text = entry[_TOKEN + 1 :].decode("utf-8", "surrogatepass")
    kind = _KINDS[entry[_TOKEN : _TOKEN + 1]]
    return entry[:_TOKEN], Rule(kind, text)
