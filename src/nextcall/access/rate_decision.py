"""What a store of rates answers, and how it is told over HTTP."""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from nextcall.access.rate_rules import WINDOW_NAMES, RateRule

Reason: TypeAlias = Literal["window", "burst", "blocked"]


class WindowState(NamedTuple):
    """How full a window is."""

    seconds: int
    limit: int
    remaining: int
    reset_after: float
    """Seconds until the oldest of what is counted leaves; 0 where nothing is."""

    @property
    def name(self) -> str:
        """``minute``, ``hour`` or ``day``; else its seconds."""
        return WINDOW_NAMES.get(self.seconds, f"{self.seconds}s")


class Decision(NamedTuple):
    """Whether a request is let through, and what is left."""

    reason: Reason | None
    """Why it is refused: a window is full, too many at once, or too many refusals before."""
    retry_after: float
    """Seconds until it would be let through, if nothing else came; 0 where it is."""
    rule: RateRule | None
    """What the request was held to; none where nothing limits it."""
    remaining: Sequence[int]
    """What is left in each window."""
    reset_after: Sequence[float]
    """Seconds until the oldest of what a window counts leaves; 0 where it counts nothing."""

    @property
    def allowed(self) -> bool:
        """Whether it is let through."""
        return self.reason is None

    @property
    def windows(self) -> tuple[WindowState, ...]:
        """How full each window is."""
        windows = () if self.rule is None else self.rule.windows
        return tuple(
            WindowState(window.seconds, window.limit, remaining, reset_after)
            for window, remaining, reset_after in zip(
                windows, self.remaining, self.reset_after, strict=True
            )
        )


UNLIMITED_DECISION: Final = Decision(None, 0.0, None, (), ())


class RateStore(Protocol):
    """Counts requests, and lets one through only where all windows have room: all or none."""

    def take(self, identifier: str, rule: RateRule, *, cost: int = 1) -> Decision:
        """Count a request of `cost` where it may pass, and say whether it did."""
        ...


def rate_headers(decision: Decision, *, now: float) -> list[tuple[bytes, bytes]]:
    """Give the headers of an answer, in the form of ASGI.

    ``RateLimit`` and ``RateLimit-Policy`` are those of the IETF's draft (structured fields, one
    item a window: ``q`` quota, ``w`` and ``t`` seconds, ``r`` remaining); ``X-RateLimit-*`` count
    the seconds of their resets since 1970.

    Parameters
    ----------
    decision : Decision
    now : float
        Seconds since 1970.

    References
    ----------
    draft-ietf-httpapi-ratelimit-headers-10; RFC 9110, 10.2.3 (``Retry-After``).

    Examples
    --------
    >>> from nextcall.access.rate_rules import Window
    >>> rule = RateRule(windows=(Window(seconds=60, limit=60),))
    >>> decision = Decision(None, 0.0, rule, (59,), (59.2,))
    >>> dict(rate_headers(decision, now=100.0))[b"ratelimit"]
    b'"minute";r=59;t=60'
    """
    rule = decision.rule
    if rule is None:
        return []
    said, names = _said_always(rule)
    headers, states = said.copy(), []
    fewest = longest = -1.0
    for (remaining_name, reset_name, form, limit), remaining, after in zip(
        names, decision.remaining, decision.reset_after, strict=True
    ):
        left, reset = b"%d" % remaining, b"%d" % ceil(now + after)
        headers += (remaining_name, left), (reset_name, reset)
        states.append(form % (left, ceil(after)))
        if fewest < 0 or remaining < fewest or (remaining == fewest and after > longest):
            fewest, longest, tightest = remaining, after, (limit, left, reset)
    limit, left, reset = tightest
    headers += (
        (b"x-ratelimit-limit", limit),
        (b"x-ratelimit-remaining", left),
        (b"x-ratelimit-reset", reset),
        (b"ratelimit", b", ".join(states)),
    )
    if decision.reason is not None:
        headers.append((b"retry-after", b"%d" % retry_seconds(decision)))
    return headers


def retry_seconds(decision: Decision) -> int:
    """Whole seconds to wait, 1 at least where a request is refused."""
    return max(1, ceil(decision.retry_after)) if decision.reason is not None else 0


def rate_refusal(decision: Decision, *, now: float) -> dict[str, Any]:
    """Give the body of an answer 429; moments are seconds since 1970."""
    return {
        "error": "Rate limit exceeded",
        "retry_after": retry_seconds(decision),
        "limits": {
            state.name: {
                "limit": state.limit,
                "remaining": state.remaining,
                "reset_at": ceil(now + state.reset_after),
            }
            for state in decision.windows
        },
    }


@lru_cache(maxsize=10_000)
def _said_always(
    rule: RateRule,
) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes, bytes, bytes]]]:
    """Give the headers that only the rule decides, and of each window names and limit."""
    said, names, policies = [], [], []
    for window in rule.windows:
        state = WindowState(window.seconds, window.limit, 0, 0.0)
        name, limit = state.name.encode(), b"%d" % state.limit
        said.append((b"x-ratelimit-limit-" + name, limit))
        form = b'"%b";r=%%b;t=%%d' % name
        names.append((b"x-ratelimit-remaining-" + name, b"x-ratelimit-reset-" + name, form, limit))
        policies.append(b'"%b";q=%b;w=%d' % (name, limit, state.seconds))
    said.append((b"ratelimit-policy", b", ".join(policies)))
    return said, names
