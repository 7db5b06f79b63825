"""How often who may ask: three windows at once, by tier, by endpoint, by key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400
WINDOW_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {MINUTE: "minute", HOUR: "hour", DAY: "day"}
)
EXACT_ENTRIES: Final = 1_000
"""A window knows the moments of so many requests; of more it counts some as one moment."""

_TIERS: Final[Mapping[str, tuple[int, float]]] = MappingProxyType(
    # requests an hour, and what minute and day are multiplied by
    {"free": (100, 0.1), "basic": (1_000, 1.0), "pro": (10_000, 10.0)}
)
UNLIMITED: Final = "enterprise"
TIERS: Final = (*_TIERS, UNLIMITED)
"""Names of tiers; a key may also have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Requests that are let through in any minute, any hour and any day."""

    per_minute: int = 60
    per_hour: int = 1_000
    per_day: int = 10_000

    def __post_init__(self) -> None:
        for name in ("per_minute", "per_hour", "per_day"):
            if (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} must be at least 1, got {value}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """So many requests (or what they cost) in any span of so many seconds."""

    seconds: int
    limit: int

    @property
    def slot_seconds(self) -> float:
        """Requests within so many seconds may be counted as one moment, the last of them.

        0 where the window knows the moment of each. No span ever has more than the limit: what
        was counted leaves at most so late.
        """
        return self.seconds / EXACT_ENTRIES if self.limit > EXACT_ENTRIES else 0.0

    def counted_in(self, second: int) -> tuple[int, int, int]:
        """Give span, limit and slot, times in a unit of which a second has so many."""
        return self.seconds * second, self.limit, int(self.slot_seconds * second)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RateRule:
    """What one request is held to; a store knows it by its identity."""

    windows: tuple[Window, ...]
    burst: int | None = None
    """Requests at one moment (a bucket that fills at the rate of the first window), if fewer."""
    strikes: int = 20
    """Refusals within a minute after which nothing is let through for a while."""
    block_seconds: int = 300
    seconds: tuple[int, ...] = field(init=False)
    """Of the windows."""
    nanoseconds: tuple[tuple[int, int, int], ...] = field(init=False)
    """Span, limit and slot of each window, for a store that counts so."""

    def __post_init__(self) -> None:
        seconds = tuple(each.seconds for each in self.windows)
        if not seconds or list(seconds) != sorted(set(seconds)):
            raise ValueError(f"windows must be one or more, the shortest first, got {seconds}.")
        object.__setattr__(self, "seconds", seconds)
        counted = tuple(each.counted_in(1_000_000_000) for each in self.windows)
        object.__setattr__(self, "nanoseconds", counted)

    @property
    def refill_seconds(self) -> float:
        """Seconds in which the bucket gains one request."""
        first = self.windows[0]
        return first.seconds / first.limit


def _costly() -> Mapping[str, Rates]:
    rates = Rates(per_minute=5, per_hour=20, per_day=100)
    return MappingProxyType(dict.fromkeys(("/train", "/generate-data", "/performance/test"), rates))


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePolicy:
    """Rates of all, and of endpoints that have their own (counted apart).

    Examples
    --------
    >>> policy = RatePolicy()
    >>> [window.limit for window in policy.rule("/predict", tier="pro").windows]
    [600, 10000, 100000]
    >>> [window.limit for window in policy.rule("/train", multiplier=2).windows]
    [10, 40, 200]
    >>> policy.rule("/predict", tier="enterprise") is None
    True
    """

    rates: Rates = field(default_factory=Rates)
    endpoints: Mapping[str, Rates] = field(default_factory=_costly)
    burst: int | None = None
    strikes: int = 20
    block_seconds: int = 300

    def __post_init__(self) -> None:
        for name in ("burst", "strikes", "block_seconds"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}.")

    def rule(
        self,
        endpoint: str,
        *,
        tier: str | None = None,
        multiplier: float = 1.0,
        factor: float = 1.0,
    ) -> RateRule | None:
        """Give what a request is held to; none where nothing limits it.

        A tier has its own figure for the hour, and scales minute and day, and all three of an
        endpoint with rates of its own. Each limit is then multiplied and rounded down, to 1 at
        least.

        Parameters
        ----------
        endpoint : str
            Path of the route.
        tier : str, optional
            One of `TIERS`.
        multiplier : float
            Of the key.
        factor : float
            Of the load, at most 1.

        Raises
        ------
        ValueError
            Where the tier is not known, or the multiplier or factor is not above 0.
        """
        for name, value in (("multiplier", multiplier), ("factor", factor)):
            if not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}.")
        if tier == UNLIMITED:
            return None
        if tier is not None and tier not in _TIERS:
            raise ValueError(f"tier must be one of {', '.join(TIERS)}, got {tier!r}.")
        own = self.endpoints.get(endpoint)
        rates = self.rates if own is None else own
        tier_hour, scale = (rates.per_hour, 1.0) if tier is None else _TIERS[tier]
        per_hour = tier_hour if own is None else own.per_hour * scale
        times = multiplier * factor
        limits = (
            (MINUTE, rates.per_minute * scale),
            (HOUR, per_hour),
            (DAY, rates.per_day * scale),
        )
        return RateRule(
            windows=tuple(
                # 1e-9: 20 * 0.1 * 10 is to be 20
                Window(seconds=seconds, limit=max(1, int(limit * times + 1e-9)))
                for seconds, limit in limits
            ),
            burst=self.burst,
            strikes=self.strikes,
            block_seconds=self.block_seconds,
        )
