"""Routes that measure the service, and tell how fast it was before."""

from typing import Annotated, Any, Final

import anyio.to_thread
from fastapi import APIRouter, Query
from fastapi.responses import Response

from nextcall.performance.history import MOST_RUNS, RunHistory
from nextcall.performance.run import PerformanceRun
from nextcall.serve.performance.measuring import Measuring
from nextcall.serve.performance.schemas import HistoryAnswer, MeasuredAnswer, RunAnswer
from nextcall.serve.performance.suite import REPEATS
from nextcall.serve.problems import Problem, json_response
from nextcall.storage.database import OUT_OF_REACH

_INVALID: Final[dict[int | str, dict[str, Any]]] = {
    422: {"model": Problem, "description": "A parameter breaks its rule."}
}


def performance_run_routes(measuring: Measuring, history: RunHistory | None) -> APIRouter:
    """Make ``POST /performance/test`` and ``GET /performance/benchmarks``."""
    router = APIRouter(prefix="/performance", tags=["operation"])

    @router.post(
        "/test",
        responses={
            200: {"model": MeasuredAnswer},
            409: {"model": Problem, "description": "A run is under way."},
            **_INVALID,
        },
    )
    async def test(
        repeats: Annotated[
            int, Query(ge=1, le=REPEATS, description="Calls of each part, at most.")
        ] = REPEATS,
    ) -> Response:
        """Measure each part of this worker, then 20 users at once; takes some seconds.

        The users ask a copy of the application in this process, without its front door.
        """
        run = await measuring.run(repeats)
        kept = await anyio.to_thread.run_sync(lambda: _keep(history, run))
        return json_response(MeasuredAnswer.model_validate({**run.told(), "kept": kept}))

    @router.get(
        "/benchmarks",
        responses={
            200: {"model": HistoryAnswer},
            503: {"model": Problem, "description": "The database is out of reach; ask again."},
            **_INVALID,
        },
    )
    def benchmarks(
        limit: Annotated[int, Query(ge=1, le=MOST_RUNS, description="Runs, at most.")] = 50,
    ) -> Response:
        """Tell the figures of runs that were kept, the newest first."""
        told = [] if history is None else history.newest(limit)
        return json_response(HistoryAnswer(runs=[RunAnswer.model_validate(run) for run in told]))

    return router


def _keep(history: RunHistory | None, run: PerformanceRun) -> bool:
    if history is None:
        return False
    try:
        history.keep(run)
    except OUT_OF_REACH:  # the figures are told all the same
        return False
    return True
