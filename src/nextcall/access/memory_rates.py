"""Rates of one process, in its memory."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from nextcall.access.rate_decision import Decision, Reason, WindowState
from nextcall.access.rate_rules import EXACT_ENTRIES, MINUTE, RateRule

_SECOND = 1_000_000_000
_STRIKES_WITHIN = MINUTE * _SECOND


class _Log:
    """What one window counts."""

    __slots__ = ("entries", "start", "used")

    def __init__(self) -> None:
        self.entries: deque[tuple[int, int]] = deque()  # moments, in nanoseconds, and costs
        self.used = 0  # the sum of the costs
        self.start = 0  # of the last slot

    def forget(self, edge: int) -> None:
        """Let go of what lies at `edge` or before."""
        entries = self.entries
        while entries and entries[0][0] <= edge:
            self.used -= entries.popleft()[1]

    def add(self, now: int, cost: int, slot: int) -> None:
        """Count a cost with the last slot, where that is young enough."""
        if now - self.start < slot:
            cost += self.entries.pop()[1]
        else:
            self.start = now
        self.entries.append((now, cost))

    def leaves(self, amount: int) -> int | None:
        """Moment of what must leave for `amount` to be free; none where there is not so much."""
        for moment, cost in self.entries:
            amount -= cost
            if amount <= 0:
                return moment
        return None


class _State:
    """What is known of one identifier."""

    __slots__ = ("blocked_until", "forget_at", "full_at", "logs", "seconds", "strikes", "struck_at")

    def __init__(self, rule: RateRule) -> None:
        self.seconds = rule.seconds
        self.logs = [_Log() for _ in rule.seconds]
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
    reason: Reason | None = None
    wait = full_at = 0
    for log, (span, limit, _) in zip(state.logs, rule.nanoseconds, strict=True):
        entries = log.entries
        if entries and entries[0][0] <= now - span:
            log.forget(now - span)
        over = log.used + cost - limit
        if over > 0:
            leaves = log.leaves(over)
            wait, reason = max(wait, span if leaves is None else leaves + span - now), "window"
    if rule.burst is not None:
        refill = round(rule.refill_seconds * _SECOND)
        full_at = max(state.full_at, now) + cost * refill
        early = full_at - rule.burst * refill - now
        if early > 0:
            wait, reason = max(wait, early), reason or "burst"
    if reason is not None or state.blocked_until > now:
        reason, wait = _refuse(state, rule, now, reason, wait)
        cost = 0
    else:
        state.full_at = full_at
        state.forget_at = max(state.forget_at, now + rule.nanoseconds[-1][0])
    return Decision(reason, wait / _SECOND, _counted(state, rule, cost, now))


def _counted(state: _State, rule: RateRule, cost: int, now: int) -> tuple[WindowState, ...]:
    """Count a cost, where there is one, and say how full the windows are."""
    states = []
    for seconds, log, (span, limit, slot) in zip(
        rule.seconds, state.logs, rule.nanoseconds, strict=True
    ):
        entries = log.entries
        if cost:
            if slot and len(entries) >= EXACT_ENTRIES:
                log.add(now, cost, slot)
            else:
                entries.append((now, cost))
            log.used += cost
        left = limit - log.used
        reset = (entries[0][0] + span - now) / _SECOND if entries else 0.0
        states.append(WindowState(seconds, limit, max(0, left), reset))
    return tuple(states)


def _refuse(
    state: _State, rule: RateRule, now: int, reason: Reason | None, wait: int
) -> tuple[Reason | None, int]:
    """Count a refusal, and block where there were too many; give why, and how long to wait."""
    if state.blocked_until > now:
        return "blocked", state.blocked_until - now
    if now - state.struck_at >= _STRIKES_WITHIN:
        state.strikes, state.struck_at = 0, now
    state.strikes += 1
    if state.strikes < rule.strikes:
        return reason, wait
    state.strikes = 0
    wait = rule.block_seconds * _SECOND
    state.blocked_until = now + wait
    state.forget_at = max(state.forget_at, state.blocked_until)
    return "blocked", wait
