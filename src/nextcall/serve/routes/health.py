"""Routes that tell how the service is."""

import time

from fastapi import APIRouter

from nextcall import __version__
from nextcall.serve.answers import (
    AccessHealth,
    CatalogHealth,
    Components,
    DatabaseHealth,
    EmbedderHealth,
    Health,
    LimitsHealth,
    RankerHealth,
)
from nextcall.serve.door import Door
from nextcall.serve.memory import memory_usage_mb
from nextcall.serve.predictor import Predictor
from nextcall.storage.database import OUT_OF_REACH
from nextcall.trials.trials import Trials


def health_routes(
    predictor: Predictor, trials: Trials | None = None, door: Door | None = None
) -> APIRouter:
    """Make ``GET /health``."""
    router = APIRouter(tags=["health"])
    started = time.monotonic()

    @router.get("/health")
    def health() -> Health:
        """Tell of each component whether it works, and what it is."""
        database = None if trials is None else _database(trials)
        access = None if door is None else _access(door)
        others = [part.status for part in (database, access) if part is not None]
        whole = predictor.ranker is not None and all(status == "ok" for status in others)
        return Health(
            status="ok" if whole else "degraded",
            version=__version__,
            uptime_seconds=round(time.monotonic() - started, 3),
            memory_usage_mb=memory_usage_mb(),
            components=_components(predictor, database, access),
        )

    return router


def _database(trials: Trials) -> DatabaseHealth:
    try:
        running = trials.count("running")
    except OUT_OF_REACH:
        return DatabaseHealth(status="unreachable", backend=trials.backend, running_tests=None)
    return DatabaseHealth(status="ok", backend=trials.backend, running_tests=running)


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


def _components(
    predictor: Predictor, database: DatabaseHealth | None, access: AccessHealth | None
) -> Components:
    catalog, embedder, card = predictor.index.catalog, predictor.index.embedder, predictor.card
    return Components(
        ranker=RankerHealth(
            status="ok" if predictor.ranker else "fallback",
            reason=predictor.fallback_reason,
            model_version=predictor.model_version,
            trained_at=card and card.trained_at,
            trained_on=card and card.catalog,
            trained_on_this_catalog=card and card.catalog_hash == catalog.content_hash,
        ),
        catalog=CatalogHealth(
            name=catalog.name,
            operations=len(catalog),
            services=len(catalog.services),
            content_hash=catalog.content_hash,
        ),
        embedder=EmbedderHealth(name=embedder.name, dimensions=embedder.dimensions),
        database=database,
        access=access,
    )
