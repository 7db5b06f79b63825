"""What was promised of the service, and whether it holds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from nextcall.telemetry.latency import Latency

Unit: TypeAlias = Literal["seconds", "share", "bytes"]
Status: TypeAlias = Literal["met", "missed", "unknown"]

OF_OTHERS = ("hit_rate", "llm_p95")
"""Promises that are no reason to send nobody where they are missed."""

_SHARES = ("hit_rate", "error_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevelTargets:
    """What is promised; seconds, shares and bytes.

    Raises
    ------
    ValueError
        Where a limit is not above 0, or a share is above 1.

    Examples
    --------
    >>> ServiceLevelTargets(hit_rate=1.5)
    Traceback (most recent call last):
    ValueError: hit_rate must be above 0 and at most 1, got 1.5.
    """

    llm_seconds: float = 0.5
    """95 of 100 calls of a language model, as those that follow where nothing else is said."""
    ranking_seconds: float = 0.1
    prediction_p50_seconds: float = 0.8
    """Half of the predictions, from the request to its answer."""
    prediction_p95_seconds: float = 1.5
    cache_hit_seconds: float = 0.05
    """Answers that a cache had."""
    hit_rate: float = 0.8
    """At least so many of the questions are answered by a cache."""
    error_rate: float = 0.01
    """At most so many of the predictions fail."""
    memory_bytes: float = 1e9
    deadline_seconds: float = 30.0
    """The longest of all predictions."""
    least_count: int = 20
    """Of fewer requests nothing is said."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, most = getattr(self, field.name), 1 if field.name in _SHARES else math.inf
            if not 0 < value <= most:
                rule = "above 0 and at most 1" if most == 1 else "above 0"
                raise ValueError(f"{field.name} must be {rule}, got {value}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceWindow:
    """What happened in the last minutes; None is what is not there, or not measured."""

    prediction: Latency | None = None
    ranking: Latency | None = None
    llm: Latency | None = None
    cache_hit: Latency | None = None
    hits: int = 0
    misses: int = 0
    memory_bytes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLevel:
    """One promise, and what became of it."""

    name: str
    unit: Unit
    value: float
    """``nan`` where too little happened to say, as `room`."""
    limit: float
    status: Status
    room: float
    """What is left until the limit, in the unit; below 0 where it is missed."""

    @property
    def room_share(self) -> float:
        """The room as a share of the limit."""
        return self.room / self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """All promises, and whether they hold."""

    targets: tuple[TargetLevel, ...]

    @property
    def status(self) -> Status:
        """``missed`` where one is missed; ``unknown`` where nothing can be said; else ``met``."""
        found = {target.status for target in self.targets}
        return "missed" if "missed" in found else "met" if "met" in found else "unknown"

    @property
    def ready(self) -> bool:
        """Whether requests may come: no promise is known to be missed but those of others.

        How many answers are kept is a matter of what is asked, and how quick a language model is a
        matter of its provider: no service gets better by not being asked.
        """
        return not any(
            target.status == "missed" and target.name not in OF_OTHERS for target in self.targets
        )


def judge(
    window: ServiceWindow, targets: ServiceLevelTargets = ServiceLevelTargets()
) -> ServiceLevel:
    """Hold what happened against what was promised.

    Parameters
    ----------
    window : ServiceWindow
        What happened.
    targets : ServiceLevelTargets
        What was promised.

    Examples
    --------
    >>> quick = Latency(count=100, errors=3, p50=0.1, p95=0.2, p99=0.5, longest=1.0)
    >>> level = judge(ServiceWindow(prediction=quick))
    >>> level.ready, [target.name for target in level.targets if target.status == "missed"]
    (False, ['error_rate'])
    >>> judge(ServiceWindow()).status
    'unknown'
    """
    return ServiceLevel(targets=tuple(_judged(window, targets)))


def _judged(window: ServiceWindow, targets: ServiceLevelTargets) -> Iterator[TargetLevel]:
    least = targets.least_count
    prediction, hits = _enough(window.prediction, least), window.hits
    asked = hits + window.misses
    every: tuple[tuple[str, Unit, float | None, float], ...] = (
        ("llm_p95", "seconds", _p95(window.llm, least), targets.llm_seconds),
        ("ranking_p95", "seconds", _p95(window.ranking, least), targets.ranking_seconds),
        (
            "prediction_p50",
            "seconds",
            None if prediction is None else prediction.p50,
            targets.prediction_p50_seconds,
        ),
        ("prediction_p95", "seconds", _p95(prediction, least), targets.prediction_p95_seconds),
        ("cache_hit_p95", "seconds", _p95(window.cache_hit, least), targets.cache_hit_seconds),
        ("hit_rate", "share", hits / asked if asked >= least else None, targets.hit_rate),
        (
            "error_rate",
            "share",
            None if prediction is None else prediction.error_rate,
            targets.error_rate,
        ),
        ("memory", "bytes", window.memory_bytes, targets.memory_bytes),
        (
            "deadline",
            "seconds",
            None if prediction is None else prediction.longest,
            targets.deadline_seconds,
        ),
    )
    for name, unit, value, limit in every:
        yield _target(name, unit, math.nan if value is None else value, limit)


def _target(name: str, unit: Unit, value: float, limit: float) -> TargetLevel:
    room = value - limit if name == "hit_rate" else limit - value
    status: Status = "unknown" if math.isnan(room) else "met" if room >= 0 else "missed"
    return TargetLevel(name=name, unit=unit, value=value, limit=limit, status=status, room=room)


def _enough(latency: Latency | None, least: int) -> Latency | None:
    return None if latency is None or latency.count < least else latency


def _p95(latency: Latency | None, least: int) -> float | None:
    enough = _enough(latency, least)
    return None if enough is None else enough.p95
