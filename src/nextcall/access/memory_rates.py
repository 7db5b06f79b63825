"""Rates of one process, in its memory."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TypeAlias

from nextcall.access.rate_decision import Decision, Reason
from nextcall.access.rate_rules import EXACT_ENTRIES, MINUTE, RateRule

_SECOND = 1_000_000_000
_STRIKES_WITHIN = MINUTE * _SECOND

_Log: TypeAlias = deque[tuple[int, int, int]]
"""What a window counts: of each entry the last moment, the cost and the first moment."""


class _State:
    """What is known of one identifier."""

    __slots__ = (
        "blocked_until",
        "forget_at",
        "full_at",
        "logs",
        "seconds",
        "strikes",
        "struck_at",
        "used",
    )

    def __init__(self, rule: RateRule) -> None:
        self.seconds = rule.seconds
        self.logs: list[_Log] = [deque() for _ in rule.seconds]
        self.used = [0] * len(rule.seconds)  # the sum of the costs of each
        self.full_at = 0  # when the bucket is full again
        self.blocked_until = self.strikes = self.struck_at = self.forget_at = 0


class MemoryRates:
    """Rates in the memory of one process; threads share it.

    The windows slide: in no span of their length is more let through than their limit, and what
    was counted leaves the moment the span has passed (see `Window.slot_seconds` for large limits).

    Parameters
    ----------
    clock : callable
        Nanoseconds that never go back; where the clock on the wall is set, nothing changes here.
    largest : int
        Identifiers that are kept; of more, the one that was quiet for longest is forgotten.

    Examples
    --------
    >>> from nextcall.access.rate_rules import RateRule, Window
    >>> rule = RateRule(windows=(Window(seconds=60, limit=2),))
    >>> now = [0]
    >>> rates = MemoryRates(clock=lambda: now[0])
    >>> [rates.take("a", rule).allowed for _ in range(3)]
    [True, True, False]
    >>> now[0] += 60 * 10**9
    >>> rates.take("a", rule).allowed
    True
    """

    def __init__(
        self, *, clock: Callable[[], int] = time.monotonic_ns, largest: int = 100_000
    ) -> None:
        if largest < 1:
            raise ValueError(f"largest must be at least 1, got {largest}.")
        self._clock, self._largest = clock, largest
        self._states: OrderedDict[str, _State] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._states)

    def take(self, identifier: str, rule: RateRule, *, cost: int = 1) -> Decision:
        """Count a request of `cost` where it may pass, and say whether it did.

        Raises
        ------
        ValueError
            Where the cost is below 1. One above a limit is never let through.
        """
        if cost < 1:
            raise ValueError(f"cost must be at least 1, got {cost}.")
        with self._lock:
            now = self._clock()
            state = self._states.get(identifier)
            if state is None:
                self._make_room(now)
                state = self._states[identifier] = _State(rule)
            elif state.seconds == rule.seconds:
                self._states.move_to_end(identifier)
            else:
                state = self._states[identifier] = _State(rule)
            return _take(state, rule, cost, now)

    def _make_room(self, now: int) -> None:
        """Forget those that were quiet for longest, and have nothing to be remembered for."""
        for _ in range(2):  # more than come, so that all that is idle goes
            quiet = next(iter(self._states.items()), None)
            if quiet is None:
                break
            if quiet[1].forget_at > now and len(self._states) < self._largest:
                break
            del self._states[quiet[0]]


def _take(state: _State, rule: RateRule, cost: int, now: int) -> Decision:
    """Count a cost in each window, where all have room for it."""
    windows, logs, used, full = rule.nanoseconds, state.logs, state.used, False
    for place, (span, limit, _) in enumerate(windows):
        log = logs[place]
        while log and log[0][0] <= now - span:
            used[place] -= log.popleft()[1]
        if used[place] + cost > limit:
            full = True
    full_at = early = 0
    if rule.burst is not None:
        refill = round(rule.refill_seconds * _SECOND)
        full_at = max(state.full_at, now) + cost * refill
        early = full_at - rule.burst * refill - now
    if full or early > 0 or state.blocked_until > now:
        return _refused(state, rule, cost, now, early)
    state.full_at, state.forget_at = full_at, now + windows[-1][0]
    entry = now, cost, now
    remaining: list[int] = []
    reset_after: list[float] = []
    for place, (span, limit, slot) in enumerate(windows):
        log = logs[place]
        if slot and len(log) >= EXACT_ENTRIES and now - log[-1][2] < slot:
            _, before, start = log.pop()
            log.append((now, before + cost, start))
        else:
            log.append(entry)
        used[place] = held = used[place] + cost
        remaining.append(limit - held)
        reset_after.append((log[0][0] + span - now) / _SECOND)
    return Decision(None, 0.0, rule, remaining, reset_after)


def _refused(state: _State, rule: RateRule, cost: int, now: int, early: int) -> Decision:
    """Count a refusal, block where there were too many, and say why and how long to wait."""
    reason: Reason = "burst"
    wait = early
    remaining: list[int] = []
    reset_after: list[float] = []
    for log, held, (span, limit, _) in zip(state.logs, state.used, rule.nanoseconds, strict=True):
        if (over := held + cost - limit) > 0:
            leaves = _leaves(log, over)
            reason, wait = "window", max(wait, span if leaves is None else leaves + span - now)
        remaining.append(max(0, limit - held))
        reset_after.append((log[0][0] + span - now) / _SECOND if log else 0.0)
    if state.blocked_until <= now and _strike(state, rule, now):
        state.blocked_until = now + rule.block_seconds * _SECOND
        state.forget_at = max(state.forget_at, state.blocked_until)
    if state.blocked_until > now:
        reason, wait = "blocked", state.blocked_until - now
    return Decision(reason, wait / _SECOND, rule, remaining, reset_after)


def _leaves(log: _Log, amount: int) -> int | None:
    """Moment of what must leave for `amount` to be free; none where there is not so much."""
    for moment, cost, _ in log:
        amount -= cost
        if amount <= 0:
            return moment
    return None


def _strike(state: _State, rule: RateRule, now: int) -> bool:
    """Count a refusal, and say whether there were too many."""
    if now - state.struck_at >= _STRIKES_WITHIN:
        state.strikes, state.struck_at = 0, now
    state.strikes += 1
    if state.strikes < rule.strikes:
        return False
    state.strikes = 0
    return True
