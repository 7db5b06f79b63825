"""`GET /cost-analytics`: what language models cost today."""

from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import Response

from nextcall.llm.budget import Budget
from nextcall.llm.ledger import Ledger
from nextcall.llm.spending import nothing_spent
from nextcall.serve.costs.schemas import CostAnswer
from nextcall.serve.problems import Problem, json_response


def cost_routes(ledger: Ledger | None, budget: Budget) -> APIRouter:
    """Make ``GET /cost-analytics``; without a ledger it tells that nothing was spent."""
    router = APIRouter(tags=["health"])

    @router.get(
        "/cost-analytics",
        responses={
            200: {"model": CostAnswer},
            503: {"model": Problem, "description": "The database is out of reach; ask again."},
        },
    )
    def costs() -> Response:
        """Tell what calls of language models cost today, beside their budget, and by model."""
        if ledger is None:
            spending = nothing_spent(budget, now=datetime.now(UTC))
        else:
            spending = ledger.spending()
        return json_response(CostAnswer.of(spending, enabled=ledger is not None))

    return router
