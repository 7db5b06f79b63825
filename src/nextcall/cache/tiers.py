"""Memory, then Redis: what one worker has computed all have, and what one invalidates is gone."""

import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from nextcall.cache.cache import Cache
from nextcall.cache.codecs import Codec
from nextcall.cache.computing import MISSING, Missing
from nextcall.cache.redis_tier import Reading, RedisTier, TierUnavailableError
from nextcall.cache.rules import Invalidations, Rule, broadened
from nextcall.cache.stats import CacheStats, Place, moved

V = TypeVar("V")
_MOST_PENDING: Final = 200  # invalidations that nobody was told of
_MOST_PATTERNS: Final = 16  # heard of at once: each looks at all keys


@dataclass(frozen=True, slots=True, kw_only=True)
class TierStats:
    """What both tiers have done so far, as one worker saw it."""

    memory: CacheStats
    shared_hits: int
    shared_misses: int
    failures: int
    """How often Redis did not answer."""
    degraded: bool
    """Whether it is away now."""


class Tiers(Generic[V]):
    """Values in the memory of a worker, and in Redis beside it.

    Invalidations are a log in Redis, of which each worker reads what is new at most every `fresh`
    seconds, before it answers; a worker that missed anything, or finds the log lost, forgets all
    that it has: a rule "lost". Of many at once, all keys are forgotten that begin as theirs do up
    to a slash. While Redis is away memory goes on alone, and what is invalidated meanwhile is told
    when it is back; one call in `retry` seconds asks, and the others do not wait.

    Parameters
    ----------
    memory : Cache
        Its time to live is that of Redis too.
    shared : RedisTier
    codec : Codec
        Writes values for Redis. What it cannot read counts as missing.
    fresh : float
        Seconds for which an invalidation of another worker may be unknown here.
    retry : float
        Seconds after which Redis is asked again where it did not answer.
    clock : callable
        Seconds that never go back.
    heard : callable, optional
        Hears of each invalidation that is in the log, for what is kept beside memory.
    """

    def __init__(
        self,
        memory: Cache[V],
        shared: RedisTier,
        *,
        codec: Codec[V],
        fresh: float = 0.5,
        retry: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        heard: Callable[[Sequence[Rule]], object] | None = None,
    ) -> None:
        for name, value in (("fresh", fresh), ("retry", retry)):
            if not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}.")
        self.memory, self.shared = memory, shared
        self._codec, self._fresh, self._retry, self._clock = codec, fresh, retry, clock
        self._heard = heard
        self._log = Invalidations(bytes(16))  # which is in no log
        self._pending: list[Rule] = []
        self._look_at = clock()
        self._looking, self._has_looked = threading.Lock(), False
        self._counting = threading.Lock()
        self.degraded = True  # until Redis has answered
        self._hits: Place = array("d", [0.0])
        self._misses: Place = array("d", [0.0])
        self._failures: Place = array("d", [0.0])

    @property
    def is_due(self) -> bool:
        """Whether the next call asks Redis what is new, and waits for the answer."""
        return self._clock() >= self._look_at

    def get(self, key: str) -> V | Missing:
        """Give the value of a key, from Redis where memory has none."""
        is_usable = self.look()
        mark = self.memory.mark
        value = self.memory.get(key, MISSING)
        if value is MISSING and is_usable:
            value, _ = self.read(key, mark=mark)
        return value

    def put(self, key: str, value: V) -> None:
        """Keep a value in both."""
        is_usable = self.look()
        mark, since = self.memory.mark, self.newest
        if is_usable:
            self.write(key, value, since=since)
        self.memory.put(key, value, since=mark)

    def invalidate(self, key: str) -> bool:
        """Forget a key everywhere; tell whether the other workers can know of it already."""
        return self.forget(Rule("key", key))

    def invalidate_pattern(self, pattern: str) -> bool:
        """Forget the keys that match a pattern of `fnmatch`; see `invalidate`."""
        return self.forget(Rule("pattern", pattern))

    def clear(self) -> bool:
        """Forget everything; see `invalidate`."""
        return self.forget(Rule("all"))

    def forget(self, rule: Rule) -> bool:
        """Forget the keys that a rule matches; see `invalidate`."""
        self._postpone((rule,))
        self.memory.apply((rule,))
        with self._looking:  # after whoever looks now: that one may have looked before
            if self._pending and (not self.degraded or self.is_due):
                self._hear()
        return not self.degraded

    @property
    def newest(self) -> bytes:
        """Token of the last invalidation that is known: what is begun now is begun at it."""
        return self._log.newest

    @property
    def failures(self) -> int:
        """How often Redis did not answer."""
        return int(self._failures[0])

    def count_in(self, *, hits: Place, misses: Place, failures: Place) -> None:
        """Count on where others read it: what Redis had and had not, and where it was away."""
        with self._counting:
            self._hits, self._misses = moved(self._hits, hits), moved(self._misses, misses)
            self._failures = moved(self._failures, failures)

    @property
    def stats(self) -> TierStats:
        """Counts until now."""
        return TierStats(
            memory=self.memory.stats,
            shared_hits=int(self._hits[0]),
            shared_misses=int(self._misses[0]),
            failures=self.failures,
            degraded=self.degraded,
        )

    def begin(self) -> None:
        """Read the log before anything is kept; the next call looks anew.

        What was kept before the first look is forgotten then: others may have cleared it.
        """
        with self._looking:
            self._hear()
            if not self.degraded:
                self._look_at = self._clock()

    def look(self) -> bool:
        """Hear what is new where that is due; tell whether Redis can be asked."""
        # At the first time all wait; later one looks, and the others go on with what is known.
        if self.is_due and self._looking.acquire(blocking=not self._has_looked):
            try:
                if self.is_due:
                    self._hear()
            finally:
                self._has_looked = True
                self._looking.release()
        return not self.degraded

    def read(
        self, key: str, *, mark: int, waiting_for: bytes | None = None
    ) -> tuple[V | Missing, Reading | None]:
        """Read a key from Redis into memory.

        Parameters
        ----------
        key : str
        mark : int
            That of memory, from before.
        waiting_for : bytes, optional
            Token of who computes it, where it was read before; then it is counted already.

        Returns
        -------
        value, or MISSING
        Reading or None
            All that Redis knows; None where it does not answer.
        """
        try:
            reading = self.shared.read(key, waiting_for=waiting_for or b"")
        except TierUnavailableError:
            self.lose()
            return MISSING, None
        if reading.data is not None and reading.since not in self._log:  # newer, or very old
            with self._looking:
                self._hear()
            mark = self.memory.mark
        value = self._accepted(key, reading)
        if waiting_for is None:
            with self._counting:
                self._hits[0] += value is not MISSING
                self._misses[0] += value is MISSING
        if value is not MISSING:
            ttl = min(reading.ttl, self.memory.ttl)
            self.memory.put(key, value, ttl=ttl, since=mark)
        return value, reading

    def write(self, key: str, value: V, *, since: bytes) -> None:
        """Write a value to Redis that was begun at a token of the invalidations.

        Raises
        ------
        TypeError, ValueError
            Where the codec does not know such values.
        """
        data = self._codec.encode(value)
        try:
            self.shared.write(key, data, ttl=self.memory.ttl, since=since)
        except TierUnavailableError:
            self.lose()

    def lose(self) -> None:
        """Go on without Redis, for it did not answer."""
        with self._counting:
            self._failures[0] += 1.0
            self.degraded = True
            self._look_at = self._clock() + self._retry

    def _accepted(self, key: str, reading: Reading) -> V | Missing:
        if reading.data is None or not self._log.spares(reading.since, key):
            return MISSING
        try:
            return self._codec.decode(reading.data)
        except ValueError:
            return MISSING

    def _postpone(self, rules: Sequence[Rule]) -> None:
        with self._counting:
            self._pending = [*rules, *self._pending]
            if len(self._pending) > _MOST_PENDING:
                self._pending = _few(broadened(self._pending), _MOST_PENDING)

    def _hear(self) -> None:
        """Tell what nobody was told of yet, and apply what others told."""
        with self._counting:
            pending, self._pending = self._pending, []
        before = self._log.newest
        try:
            if pending:
                self.shared.tell(pending)
                pending = []
            entries = self.shared.news(before)
        except TierUnavailableError:
            self._postpone(pending)
            self.lose()
            return
        if entries is not None:
            # First the log, then memory: what is read in between is judged by one or the other.
            # That goes for what was invalidated here too, and read again before it was told.
            self._log.replace(entries)
            later = self._log.since(before)
            rules = [Rule("lost")] if later is None else [rule for _, rule in later]
            patterns = [rule for rule in rules if rule.kind == "pattern"]
            if len(patterns) > _MOST_PATTERNS:
                rest = [rule for rule in rules if rule.kind != "pattern"]
                rules = [*rest, *_few(broadened(patterns), _MOST_PATTERNS)]
            if self._heard is not None and rules:
                self._heard(rules)  # before memory, which may be filled from there
            self.memory.apply(rules)
        self._look_at = self._clock() + self._fresh
        self.degraded = False


def _few(rules: list[Rule], most: int) -> list[Rule]:
    return rules if len(rules) <= most else [Rule("all")]
