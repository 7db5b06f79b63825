"""What a store of rates answers, and how it is told over HTTP."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from nextcall.access.rate_rules import WINDOW_NAMES, RateRule

Reason: TypeAlias = Literal["window", "burst", "blocked"]


class WindowState(NamedTuple):  # a third of the time that a frozen dataclass takes to make
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


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request is let through, and what is left."""

    reason: Reason | None
    """Why it is refused: a window is full, too many at once, or too many refusals before."""
    retry_after: float
    """Seconds until it would be let through, if nothing else came; 0 where it is."""
    windows: tuple[WindowState, ...]

    @property
    def allowed(self) -> bool:
        """Whether it is let through."""
        return self.reason is None


UNLIMITED_DECISION: Final = Decision(None, 0.0, ())


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
    >>> decision = Decision(None, 0.0, (WindowState(60, 60, 59, 59.2),))
    >>> dict(rate_headers(decision, now=100.0))[b"ratelimit"]
    b'"minute";r=59;t=60'
    """
    windows = decision.windows
    if not windows:
        return []
    said, names = _said_always(tuple([state[:2] for state in windows]))
    headers, states = said.copy(), []
    fewest = longest = -1.0
    for (remaining_name, reset_name, form), state in zip(names, windows, strict=True):
        _, _, remaining, after = state
        left, reset = b"%d" % remaining, b"%d" % ceil(now + after)
        headers.append((remaining_name, left))
        headers.append((reset_name, reset))
        states.append(form % (left, ceil(after)))
        if fewest < 0 or remaining < fewest or (remaining == fewest and after > longest):
            fewest, longest, tightest = remaining, after, (state.limit, left, reset)
    limit, left, reset = tightest
    headers += (
        (b"x-ratelimit-limit", b"%d" % limit),
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


@lru_cache(maxsize=1024)
def _said_always(
    windows: tuple[tuple[int, int], ...],
) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes, bytes]]]:
    """Give the headers that only the rule decides, and the names of the others for each window."""
    said, names, policies = [], [], []
    for seconds, limit in windows:
        name = WindowState(seconds, limit, 0, 0.0).name.encode()
        said.append((b"x-ratelimit-limit-" + name, b"%d" % limit))
        form = b'"%b";r=%%b;t=%%d' % name
        names.append((b"x-ratelimit-remaining-" + name, b"x-ratelimit-reset-" + name, form))
        policies.append(b'"%b";q=%d;w=%d' % (name, limit, seconds))
    said.append((b"ratelimit-policy", b", ".join(policies)))
    return said, names
