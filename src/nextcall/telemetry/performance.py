"""The numbers that a page on performance shows: what was counted, put into shares and means."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from nextcall.telemetry.families import (
    CACHE_HITS,
    CACHE_MISSES,
    COLD_START_CONFIDENCE,
    COLD_STARTS,
    GUARD_VALIDATIONS,
    GUARD_VIOLATIONS,
    LLM_CALLS,
    LLM_DOLLARS,
    LLM_TOKENS,
    Family,
)
from nextcall.telemetry.latency import Latency
from nextcall.telemetry.service_level import ServiceWindow
from nextcall.telemetry.told import Told

Stage: TypeAlias = Literal["ranking", "llm", "cache_hit", "cache_miss"]

STAGES: Final[tuple[Stage, ...]] = ("ranking", "llm", "cache_hit", "cache_miss")
"""What has a window of latencies beside the endpoints: ``Latencies([*endpoints, *STAGES])``."""

BLOCKED: Final = "blocked"
"""Outcome of a validation that refused."""

CONFIDENT: Final = "confident"
"""Outcome of an answer without enough history whose first was sure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Counts since the start, of all workers; rates are shares, ``nan`` before the first."""

    cache_hits: int
    cache_misses: int
    hit_rate: float
    total_validations: int
    """Requests that the guard checked."""
    blocked_requests: int
    security_violations: int
    """Rules of the guard that were broken."""
    blocked_rate: float
    security_violation_rate: float
    """Broken rules a request."""
    total_cold_start_predictions: int
    cold_start_success_rate: float
    """Share of them whose first answer was sure."""
    average_cold_start_confidence: float
    llm_calls: int
    llm_tokens: int
    llm_dollars: float


def performance_of(told: Told) -> Performance:
    """Sum what was counted, as `Metrics.told` gives it.

    Examples
    --------
    >>> from nextcall.telemetry.metrics import open_metrics
    >>> with open_metrics(endpoints=()) as metrics:
    ...     metrics.count(CACHE_HITS, "answers").add(3)
    ...     metrics.count(CACHE_MISSES, "answers").add(1)
    ...     performance_of(metrics.told()).hit_rate
    0.75
    """

    def total(family: Family, label: str | None = None) -> float:
        return math.fsum(
            values[0] for labels, values in told[family].items() if label is None or label in labels
        )

    hits, misses = total(CACHE_HITS), total(CACHE_MISSES)
    validations, blocked = total(GUARD_VALIDATIONS), total(GUARD_VALIDATIONS, BLOCKED)
    violations, cold = total(GUARD_VIOLATIONS), total(COLD_STARTS)
    confidences = list(told[COLD_START_CONFIDENCE].values())
    return Performance(
        cache_hits=round(hits),
        cache_misses=round(misses),
        hit_rate=_share(hits, hits + misses),
        total_validations=round(validations),
        blocked_requests=round(blocked),
        security_violations=round(violations),
        blocked_rate=_share(blocked, validations),
        security_violation_rate=_share(violations, validations),
        total_cold_start_predictions=round(cold),
        cold_start_success_rate=_share(total(COLD_STARTS, CONFIDENT), cold),
        average_cold_start_confidence=_share(
            math.fsum(values[-1] for values in confidences),
            math.fsum(count for values in confidences for count in values[:-1]),
        ),
        llm_calls=round(total(LLM_CALLS)),
        llm_tokens=round(total(LLM_TOKENS)),
        llm_dollars=total(LLM_DOLLARS),
    )


def service_window(
    told: Mapping[str, Latency], *, prediction: str, memory_bytes: float | None = None
) -> ServiceWindow:
    """Put together what a promise is held against.

    Parameters
    ----------
    told : mapping of str to Latency
        What `Latencies.told` gives, of endpoints and `STAGES`.
    prediction : str
        Endpoint whose requests are the predictions.
    memory_bytes : float, optional
        That the process takes.
    """

    def count(stage: Stage) -> int:
        return told[stage].count if stage in told else 0

    return ServiceWindow(
        prediction=told.get(prediction),
        ranking=told.get("ranking"),
        llm=told.get("llm"),
        cache_hit=told.get("cache_hit"),
        hits=count("cache_hit"),
        misses=count("cache_miss"),
        memory_bytes=memory_bytes,
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
