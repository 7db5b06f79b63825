"""Routes of what the service keeps."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from nextcall.serve.answers import Answered
from nextcall.serve.caching.caches import Category, ServiceCaches
from nextcall.serve.problems import Problem, json_response


class Cleared(Answered):
    """What was forgotten."""

    category: str | None
    cleared: int
    """Values that this process held."""


def cache_routes(*each: ServiceCaches | None) -> APIRouter:
    """Make ``POST /api/admin/clear-cache``, for the caches that there are."""
    every = [caches for caches in each if caches is not None]
    router = APIRouter(prefix="/api/admin", tags=["operation"])

    @router.post(
        "/clear-cache",
        responses={
            200: {"model": Cleared},
            422: {"model": Problem, "description": "There is no such category."},
        },
    )
    def clear_cache(
        category: Annotated[
            Category | None,
            Query(description="Answers are in query; all are cleared where none is named."),
        ] = None,
    ) -> Response:
        """Forget what is kept, in all workers that share a Redis."""
        cleared = sum(caches.clear(category) for caches in every)
        return json_response(Cleared(category=category, cleared=cleared))

    return router
