"""Routes that tell how the service is."""

import time

from fastapi import APIRouter

from nextcall import __version__
from nextcall.serve.answers import (
    CatalogHealth,
    Components,
    DatabaseHealth,
    EmbedderHealth,
    Health,
    RankerHealth,
)
from nextcall.serve.memory import memory_usage_mb
from nextcall.serve.predictor import Predictor
from nextcall.storage.database import OUT_OF_REACH
from nextcall.trials.trials import Trials


def health_routes(predictor: Predictor, trials: Trials | None = None) -> APIRouter:
    """Make ``GET /health``."""
    router = APIRouter(tags=["health"])
    started = time.monotonic()

    @router.get("/health")
    def health() -> Health:
        """Tell of each component whether it works, and what it is."""
        database = None if trials is None else _database(trials)
        whole = predictor.ranker and (database is None or database.status == "ok")
        return Health(
            status="ok" if whole else "degraded",
            version=__version__,
            uptime_seconds=round(time.monotonic() - started, 3),
            memory_usage_mb=memory_usage_mb(),
            components=_components(predictor, database),
        )

    return router


def _database(trials: Trials) -> DatabaseHealth:
    try:
        running = trials.count("running")
    except OUT_OF_REACH:
        return DatabaseHealth(status="unreachable", backend=trials.backend, running_tests=None)
    return DatabaseHealth(status="ok", backend=trials.backend, running_tests=running)


def _components(predictor: Predictor, database: DatabaseHealth | None) -> Components:
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
    )
