"""`POST /feedback`: which prediction was taken."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from nextcall.feedback.feedback import Feedback
from nextcall.feedback.writing import UnknownPredictionError
from nextcall.serve.bodies import (
    BODY_REFUSALS,
    LARGEST_AT_ONCE,
    Body,
    body_schema,
    read_as,
    refused,
    too_large,
)
from nextcall.serve.door.admission import admission_of
from nextcall.serve.feedback.schemas import FeedbackAnswer, FeedbackAsked
from nextcall.serve.predictor import Predictor
from nextcall.serve.problems import Problem, RefusedError, json_response
from nextcall.serve.trials.prediction_trial import PredictionTrial

_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    **BODY_REFUSALS,
    404: {"model": Problem, "description": "No such prediction was shown to this user lately."},
    503: {"model": Problem, "description": "The database is out of reach; ask again."},
}


def feedback_routes(
    feedback: Feedback, predictor: Predictor, trial: PredictionTrial | None = None
) -> APIRouter:
    """Make ``POST /feedback``."""
    router = APIRouter(tags=["predictions"])

    @router.post(
        "/feedback",
        responses={200: {"model": FeedbackAnswer}, **_REFUSALS},
        openapi_extra=body_schema({"$ref": "#/components/schemas/FeedbackAsked"}),
    )
    async def give(request: Request, body: Body) -> Response:
        """Keep which operation was called after a prediction; it is on disk when the answer comes.

        The same again changes nothing, another operation takes the place of the one before.
        """
        if len(body) > LARGEST_AT_ONCE:  # it is parsed on the loop
            raise too_large(LARGEST_AT_ONCE, len(body))
        asked = read_as(FeedbackAsked, body)
        chosen = None if asked.chosen is None else _operation(predictor, asked.chosen)
        user = admission_of(request).user
        try:
            given = await feedback.give_async(
                asked.prediction_id, chosen, at=datetime.now(UTC), user=user
            )
        except UnknownPredictionError as error:
            raise RefusedError(Problem(error=str(error)), status=HTTPStatus.NOT_FOUND) from error
        if trial is not None:
            await trial.record(given, chosen, user)
        return json_response(
            FeedbackAnswer(
                prediction_id=given.prediction_id,
                recorded=not given.repeated,
                repeated=given.repeated,
                replaced=given.replaced,
                rank=given.rank,
            )
        )

    return router


def _operation(predictor: Predictor, call: str) -> str:
    found = predictor.operation(call)
    if found is None:
        raise refused("chosen", "Should be an operation of the catalogue, or null", call)
    return found.operation_id
