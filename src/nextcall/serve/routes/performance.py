"""Routes that tell how fast and how well the service works."""

import math
from collections import Counter
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field

from nextcall.cache.stats import EVENTS
from nextcall.serve.answers import Answered, OnlineMetrics
from nextcall.serve.costs.reading import CostReading
from nextcall.serve.costs.schemas import CostAnalytics
from nextcall.serve.feedback.online import OnlineReading
from nextcall.serve.models.checks import validation_ndcg
from nextcall.serve.observer import Observer
from nextcall.serve.predictor import Predictor
from nextcall.serve.problems import json_response
from nextcall.serve.process.state import WorkerState
from nextcall.telemetry.families import (
    LAYER_BYTES,
    LAYER_ENTRIES,
    LAYER_EVENTS,
    LLM_CALLS,
    MEMORY,
    Family,
)
from nextcall.telemetry.latency import Latency
from nextcall.telemetry.performance import STAGES, Performance, performance_of, service_window
from nextcall.telemetry.service_level import ServiceLevelTargets, TargetLevel, judge
from nextcall.telemetry.told import Told

_PREDICTION = "POST /predict"
_MILLISECONDS = 1000.0
_MEGABYTE = 1024.0 * 1024.0
_WINDOW_SECONDS = 300.0
_ANSWERED = frozenset({"ok", "cut_off", "refused"})


class EndpointLatency(Answered):
    """The last five minutes of an endpoint, or of a part of an answer, in all workers."""

    count: int
    errors: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float
    per_second: float


class CacheState(Answered):
    """One cache, all workers, since the start; `entries` and `megabytes` of those that live."""

    entries: int
    hits: int
    misses: int
    hit_rate: float | None
    evicted: int
    expired: int
    invalidated: int
    doubted: int = Field(
        description="Forgotten because it was lost, in Redis, what had been cleared."
    )
    megabytes: float


class MlLayer(Answered):
    """The ranker."""

    is_trained: bool
    validation_ndcg: float | None = Field(description="NDCG@10 on queries kept from training.")
    model_version: str | None


class GuardrailsMetrics(Answered):
    """The guard, all workers, since the start."""

    total_validations: int
    blocked_requests: int
    security_violations: int = Field(description="Rules that requests broke.")
    blocked_rate: float | None
    security_violation_rate: float | None = Field(description="Broken rules a request.")


class ColdStartMetrics(Answered):
    """Answers that another method than the first gave, all workers, since the start."""

    total_cold_start_predictions: int
    cold_start_success_rate: float | None = Field(
        description="Share of them whose first answer was sure."
    )
    average_cold_start_confidence: float | None


class PerformanceAnswer(Answered):
    """What a page on performance shows; a part without a source is null."""

    window_seconds: float = _WINDOW_SECONDS
    endpoints: dict[str, EndpointLatency] = Field(description='By "METHOD /path".')
    parts: dict[str, EndpointLatency] = Field(description="ranking, llm, cache_hit, cache_miss.")
    cache: dict[str, CacheState] | None
    ml_layer: MlLayer
    provider_availability: dict[str, float] | None = Field(
        description="Share of calls of language models that were answered, by provider, all "
        "workers, since the start; null before the first."
    )
    guardrails_metrics: GuardrailsMetrics | None
    cold_start_metrics: ColdStartMetrics | None
    online: OnlineMetrics | None
    cost: CostAnalytics | None = Field(description="Null where no calls are kept, or none is read.")
    memory_usage_mb: float = Field(description="Of the worker that holds most.")


class Promise(Answered):
    """One promise, and what became of it."""

    name: str
    unit: Literal["seconds", "share", "bytes"]
    value: float | None
    limit: float
    status: Literal["met", "missed", "unknown"]
    room: float | None = Field(description="What is left until the limit; below 0 where missed.")


class ServiceLevelAnswer(Answered):
    """Whether what was promised holds; of all workers, the last five minutes."""

    status: Literal["met", "missed", "unknown"]
    ready: bool
    targets: list[Promise]


def performance_routes(
    predictor: Predictor,
    *,
    observer: Observer | None,
    state: WorkerState,
    targets: ServiceLevelTargets,
    online: OnlineReading | None = None,
    cost: CostReading | None = None,
) -> APIRouter:
    """Make ``GET /performance/metrics`` and ``GET /performance/health``."""
    router = APIRouter(prefix="/performance", tags=["health"])

    @router.get("/metrics", responses={200: {"model": PerformanceAnswer}})
    def metrics() -> Response:
        """Tell latencies, caches, guard and cold starts as numbers."""
        told = {} if observer is None else observer.latencies.told()
        numbers = state.tell()
        counted = None if observer is None else performance_of(numbers)
        served = predictor.pinned()
        answer = PerformanceAnswer(
            endpoints={name: _latency(one) for name, one in told.items() if name not in STAGES},
            parts={name: _latency(one) for name, one in told.items() if name in STAGES},
            cache=caches_of(numbers) if state.caches else None,
            ml_layer=MlLayer(
                is_trained=served.ranker is not None,
                validation_ndcg=validation_ndcg(served.card),
                model_version=served.model_version,
            ),
            provider_availability=availability_of(numbers) or None,
            guardrails_metrics=counted and _guard(counted),
            cold_start_metrics=counted and _cold_start(counted),
            online=None if online is None else online(),
            cost=None if cost is None else cost(),
            memory_usage_mb=round(memory_of(numbers) / _MEGABYTE, 1),
        )
        return json_response(answer)

    @router.get(
        "/health",
        responses={
            200: {"model": ServiceLevelAnswer},
            503: {"model": ServiceLevelAnswer, "description": "A promise is missed."},
        },
    )
    def health() -> Response:
        """Hold the last five minutes against what was promised; 503 where that is missed."""
        told = {} if observer is None else observer.latencies.told()
        memory = memory_of(state.tell())
        window = service_window(told, prediction=_PREDICTION, memory_bytes=memory)
        level = judge(window, targets)
        answer = ServiceLevelAnswer(
            status=level.status, ready=level.ready, targets=[_promise(one) for one in level.targets]
        )
        status = HTTPStatus.OK if level.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return json_response(answer, status=status)

    return router


def _latency(one: Latency) -> EndpointLatency:
    return EndpointLatency(
        count=one.count,
        errors=one.errors,
        p50_ms=_milliseconds(one.p50),
        p95_ms=_milliseconds(one.p95),
        p99_ms=_milliseconds(one.p99),
        longest_ms=_milliseconds(one.longest),
        per_second=round(one.count / _WINDOW_SECONDS, 4),
    )


def caches_of(told: Told) -> dict[str, CacheState]:
    """Read what the caches of all workers did from what was told, by layer."""

    def number(family: Family, *labels: str) -> int:
        return round(told[family].get(labels, (0.0,))[0])

    found = {}
    for (layer,) in told[LAYER_ENTRIES]:
        events = {each: number(LAYER_EVENTS, layer, each) for each in EVENTS}
        asked = events["hits"] + events["misses"]
        found[layer] = CacheState(
            entries=number(LAYER_ENTRIES, layer),
            hit_rate=events["hits"] / asked if asked else None,
            megabytes=round(number(LAYER_BYTES, layer) / 1e6, 3),
            **events,
        )
    return found


def availability_of(told: Told) -> dict[str, float]:
    """Read which share of the calls of language models was answered from what was told.

    Examples
    --------
    >>> from nextcall.telemetry.metrics import open_metrics
    >>> with open_metrics(endpoints=()) as metrics:
    ...     for outcome in ("ok", "cut_off", "timeout", "cancelled", "refused"):
    ...         metrics.count(LLM_CALLS, "here", "small", outcome).add()
    ...     availability_of(metrics.told())
    {'here': 0.75}
    """
    asked, answered = Counter[str](), Counter[str]()
    for (provider, _, outcome), (value,) in told[LLM_CALLS].items():
        if outcome != "cancelled":  # which says nothing of the other side
            asked[provider] += round(value)
            answered[provider] += round(value) if outcome in _ANSWERED else 0
    return {name: answered[name] / calls for name, calls in asked.items() if calls}


def memory_of(told: Told) -> float:
    """Read the bytes of the worker that holds most."""
    return max(value for (value,) in told[MEMORY].values())


def _guard(counted: Performance) -> GuardrailsMetrics:
    return GuardrailsMetrics(
        total_validations=counted.total_validations,
        blocked_requests=counted.blocked_requests,
        security_violations=counted.security_violations,
        blocked_rate=_known(counted.blocked_rate),
        security_violation_rate=_known(counted.security_violation_rate),
    )


def _cold_start(counted: Performance) -> ColdStartMetrics:
    return ColdStartMetrics(
        total_cold_start_predictions=counted.total_cold_start_predictions,
        cold_start_success_rate=_known(counted.cold_start_success_rate),
        average_cold_start_confidence=_known(counted.average_cold_start_confidence),
    )


def _promise(one: TargetLevel) -> Promise:
    return Promise(
        name=one.name,
        unit=one.unit,
        value=_known(one.value),
        limit=one.limit,
        status=one.status,
        room=_known(one.room),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _milliseconds(seconds: float) -> float:
    return round(_MILLISECONDS * seconds, 3)
