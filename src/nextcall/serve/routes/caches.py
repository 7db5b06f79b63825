"""Routes of what the service keeps."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from nextcall.serve.answers import Answered
from nextcall.serve.caching.caches import Category, ServiceCaches
from nextcall.serve.problems import Problem, json_response

_LONGEST: Final = 200  # characters of a pattern
_PATTERN: Final = r"^([^\[\x00-\x1f\x7f]|\[!?[^\[\]\x00-\x1f\x7f]+\])+$"
_RULE: Final = (
    f'Should be 1 to {_LONGEST} characters, none a control character, each "[" closed by a "]"'
)


def _readable(pattern: str) -> str:
    if len(pattern) > _LONGEST or re.fullmatch(_PATTERN[1:-1], pattern) is None:
        raise PydanticCustomError("pattern", _RULE)
    return pattern


class Cleared(Answered):
    """What was forgotten."""

    category: str | None
    pattern: str | None
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
            422: {
                "model": Problem,
                "description": "There is no such category, or the pattern is none.",
            },
        },
    )
    def clear_cache(
        category: Annotated[
            Category | None,
            Query(description="Answers are in query; all are cleared where none is named."),
        ] = None,
        pattern: Annotated[
            Annotated[str, AfterValidator(_readable)] | None,
            Query(
                description="What is cleared, by names such as query/short/block/MODEL/HASH or, in "
                "a category, what follows its name: * any characters, ? one, [ab] one of these, "
                "[!ab] one of all others. No name holds anything of a prompt but its hash.",
                json_schema_extra={"pattern": _PATTERN, "minLength": 1, "maxLength": _LONGEST},
                examples=["*aws-2026-05-01-1a2b3c4d*"],
            ),
        ] = None,
    ) -> Response:
        """Forget what is kept, in all workers that share a Redis."""
        cleared = sum(caches.clear(category, pattern=pattern) for caches in every)
        return json_response(Cleared(category=category, pattern=pattern, cleared=cleared))

    return router
