"""Routes that tell how the service is."""

import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

from fastapi import APIRouter

from nextcall import __version__
from nextcall.resilience.breaker import BreakerStatistics
from nextcall.resilience.deadline import deadline
from nextcall.serve.assistant.service_assistant import ServiceAssistant
from nextcall.serve.breaker_notes import BreakerNotes
from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.door.door import Door
from nextcall.serve.health_schemas import (
    AccessHealth,
    CacheHealth,
    CatalogHealth,
    ChallengerHealth,
    Components,
    DatabaseHealth,
    EmbedderHealth,
    GuardHealth,
    Health,
    LagHealth,
    LimitsHealth,
    LlmHealth,
    RankerHealth,
    RankerStatus,
    SideHealth,
)
from nextcall.serve.models.challenger import Challenger
from nextcall.serve.models.swap import ModelSwap
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.memory import memory_usage_mb
from nextcall.serve.safety.safety import Safety
from nextcall.storage.database import OUT_OF_REACH
from nextcall.trials.trials import Trials

_DATABASE_SECONDS: Final = 1.0  # who watches the service does not wait for long


def health_routes(
    predictor: Predictor,
    safety: Safety,
    parts: Parts,
    *,
    failing: Callable[[], str | None] = lambda: None,
    swap: ModelSwap | None = None,
    caches: Sequence[ServiceCaches] = (),
) -> APIRouter:
    """Make ``GET /health``.

    Parameters
    ----------
    parts : Parts
        Its tests, door, challenger, assistant and breakers are told of.
    failing : callable
        Gives the error by which a challenger failed last.
    swap : ModelSwap, optional
        Tells of a model that was refused, and of one that cannot be seen.
    caches : sequence of ServiceCaches
        Tell whether Redis keeps answers; it is asked where that is not known of this half second.
    """
    router = APIRouter(tags=["health"])
    trials, door, challenger = parts.trials, parts.door, parts.challenger
    breakers, notes = parts.breakers, parts.notes or BreakerNotes()
    assistant = parts.assistant
    started = time.monotonic()

    @router.get("/health")
    def health() -> Health:
        """Tell of each component whether it works, and what it is."""
        database = None if trials is None else _database(trials)
        access = None if door is None else _access(door)
        guard, second = _guard(safety), _challenger(challenger, failing())
        cache, llm = _cache(caches), None if assistant is None else _llm(assistant)
        parts = (database, access, guard, second, cache, llm)
        others = [part.status for part in parts if part is not None]
        sides = () if breakers is None else breakers.statistics()
        works = all(status in {"ok", "off"} for status in others)
        works = works and not any(map(notes.is_down, sides))
        now = predictor.pinned()
        components = Components(
            ranker=_ranker(now, swap),
            catalog=_catalog(now),
            embedder=_embedder(now),
            guard=guard,
            database=database,
            access=access,
            challenger=second,
            cache=cache,
            llm=llm,
            outside=[_side(each) for each in sides],
        )
        return Health(
            status="ok" if components.ranker.status == "ok" and works else "degraded",
            version=__version__,
            uptime_seconds=round(time.monotonic() - started, 3),
            memory_usage_mb=memory_usage_mb(),
            components=components,
        )

    return router


def _challenger(challenger: Challenger | None, failing: str | None) -> ChallengerHealth | None:
    if challenger is None:
        return None
    predictor = challenger.predictor
    reason = challenger.reason
    if failing is not None:
        reason = f"its last answer failed: {failing}"
    return ChallengerHealth(
        status="ok" if reason is None else "failed",
        reason=reason,
        model_version=None if predictor is None else predictor.model_version,
    )


def _database(trials: Trials) -> DatabaseHealth:
    try:
        with deadline(_DATABASE_SECONDS):
            running = trials.count("running")
    except OUT_OF_REACH:
        return DatabaseHealth(status="unreachable", backend=trials.backend, running_tests=None)
    return DatabaseHealth(status="ok", backend=trials.backend, running_tests=running)


def _side(told: BreakerStatistics) -> SideHealth:
    return SideHealth(
        side=told.name,
        status=told.state.value,
        failures_in_a_row=told.failures_in_a_row,
        opened=told.opened,
        retry_after=None if told.retry_after is None else round(told.retry_after, 3),
    )


def _access(door: Door) -> AccessHealth:
    limits: LimitsHealth = "memory"
    if door.limiter is None:
        limits = "off"
    elif door.shared is not None:
        limits = "memory, for Redis is away" if door.shared.degraded else "redis"
    away = not door.credentials.is_fresh or limits == "memory, for Redis is away"
    return AccessHealth(
        status="degraded" if away else "ok",
        environment=door.mode.environment,
        limits=limits,
        keys_known=door.credentials.is_fresh,
    )


def _cache(caches: Sequence[ServiceCaches]) -> CacheHealth | None:
    if not caches:
        return None
    tiers = [each.tiers for each in caches if each.tiers is not None]
    if not tiers:
        return CacheHealth(status="ok", answers="memory")
    works = [each.look() for each in tiers]
    if all(works):
        return CacheHealth(status="ok", answers="redis")
    return CacheHealth(status="degraded", answers="memory, for Redis is away")


def _llm(assistant: ServiceAssistant) -> LlmHealth:
    providers = dict(assistant.providers)
    status: Literal["ok", "off", "failing"] = "ok" if "ok" in providers.values() else "failing"
    return LlmHealth(
        status=status if providers else "off",
        reason=assistant.reason,
        providers=providers,
        left_out=dict(assistant.left_out),
    )


def _guard(safety: Safety) -> GuardHealth:
    told = safety.snapshot()
    return GuardHealth(
        status="failing" if safety.enabled and told.failing else safety.status(),
        version=safety.version,
        failing=list(told.failing),
        total=told.total,
        blocked=told.blocked,
        flagged=told.flagged,
        observed=told.observed,
        blocked_rate=told.blocked_rate,
        flagged_rate=told.flagged_rate,
        violation_rate=told.violation_rate,
        violations=dict(told.violations),
        failed_checks=dict(told.failed_checks),
        blocked_predictions=told.blocked_predictions,
        filtered_predictions=told.filtered_predictions,
        pii_found=dict(told.pii_found),
    )


def _ranker(predictor: Predictor, swap: ModelSwap | None) -> RankerHealth:
    card, lag = predictor.card, None if swap is None else _lag(swap)
    status: RankerStatus = "ok"
    if predictor.ranker is None:
        status = "fallback"
    elif lag is not None:
        status = "lags"
    elif predictor.fallback_reason is not None:
        status = "former"
    return RankerHealth(
        status=status,
        reason=predictor.fallback_reason,
        lag=lag,
        refused=None if swap is None else swap.versions.refused(),
        model_version=predictor.model_version,
        trained_at=card and card.trained_at,
        trained_on=card and card.catalog,
        trained_on_this_catalog=card and card.catalog_hash == predictor.index.catalog.content_hash,
    )


def _lag(swap: ModelSwap) -> LagHealth | None:
    lag = swap.lag
    if lag is None:
        return None
    return LagHealth(
        version=lag.serves,
        version_in_use=lag.should,
        tries=lag.tries,
        next_try_seconds=round(lag.left(swap.clock()), 3),
    )


def _catalog(predictor: Predictor) -> CatalogHealth:
    catalog = predictor.index.catalog
    return CatalogHealth(
        name=catalog.name,
        operations=len(catalog),
        services=len(catalog.services),
        content_hash=catalog.content_hash,
    )


def _embedder(predictor: Predictor) -> EmbedderHealth:
    embedder = predictor.index.embedder
    return EmbedderHealth(name=embedder.name, dimensions=embedder.dimensions)
