"""`POST /api/run`: which calls do what is wanted, with which arguments."""

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from nextcall.serve.assistant.runs import Runs
from nextcall.serve.assistant.schemas import RunAnswer
from nextcall.serve.bodies import BODY_REFUSALS, Body, body_schema
from nextcall.serve.problems import UNSAFE, Problem, json_response

_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: UNSAFE,
    **BODY_REFUSALS,
    503: {"model": Problem, "description": "The ranking took too long; ask again."},
}


def assistant_routes(runs: Runs) -> APIRouter:
    """Make ``POST /api/run``."""
    router = APIRouter(tags=["assistant"])

    @router.post(
        "/api/run",
        responses={200: {"model": RunAnswer}, **_REFUSALS},
        openapi_extra=body_schema({"$ref": "#/components/schemas/RunAsked"}),
    )
    async def run(body: Body) -> Response:
        """Propose calls of the API, with arguments, that do what is wanted. It makes none of them.

        A language model is shown the operations that the ranker finds likeliest, and proposes those
        alone. Where no model answers, the ranker's first are given without arguments, and
        `fallback` says why.
        """
        return json_response(await runs.reply(body))

    return router
