"""Routes that predict."""

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import ValidationError

from nextcall.serve.admission import Admitted
from nextcall.serve.answers import Answer, BatchAnswer, BatchItem, FullAnswer
from nextcall.serve.bodies import Body, body_schema, parsed_body, refused
from nextcall.serve.predictor import Predictor
from nextcall.serve.problems import (
    UNSAFE,
    Problem,
    RefusedError,
    UnsafeError,
    invalid,
    json_response,
)
from nextcall.serve.safety import Safety
from nextcall.serve.schemas import Limits, PredictRequest

Detail = Annotated[
    Literal["short", "full"],
    Query(description="full: scores, features, reasons, timings and all other fields."),
]


def prediction_routes(
    predictor: Predictor, *, limits: Limits, max_batch: int, safety: Safety
) -> APIRouter:
    """Make ``POST /predict`` and ``POST /predict/batch``."""
    router = APIRouter(tags=["predictions"])

    @router.post(
        "/predict",
        responses={200: {"model": Answer | FullAnswer}, 400: UNSAFE, **_REFUSALS},
        openapi_extra=body_schema({"$ref": "#/components/schemas/PredictRequest"}),
    )
    def predict(body: Body, detail: Detail = "short") -> Response:
        """Rank the operations of the catalogue by how likely each is the next call."""
        request = _checked(parsed_body(body), limits)
        if isinstance(request, Problem):
            raise RefusedError(request)
        return json_response(_answer(predictor, safety, "/predict", request, detail))

    @router.post(
        "/predict/batch",
        responses={200: {"model": BatchAnswer}, **_REFUSALS},
        openapi_extra=body_schema(
            {
                "type": "array",
                "items": {"anyOf": [{"$ref": "#/components/schemas/PredictRequest"}, {}]},
                "minItems": 1,
                "maxItems": max_batch,
            }
        ),
    )
    def predict_batch(body: Body, admission: Admitted, detail: Detail = "short") -> Response:
        """Answer up to 100 requests; one that is refused does not keep the others back."""
        start = time.perf_counter()
        asked = parsed_body(body)
        if not isinstance(asked, list):
            raise refused("body", "Should be a list of requests", asked)
        if not 1 <= len(asked) <= max_batch:
            rule = f"Should hold 1 to {max_batch} requests"
            raise refused("body", rule, f"{len(asked)} requests")
        admission.charge(len(asked) - 1)
        requests = (_checked(values, limits) for values in asked)
        results = [_item(predictor, safety, request, detail) for request in requests]
        failed = sum(item.problem is not None for item in results)
        return json_response(
            BatchAnswer(
                results=results,
                succeeded=len(results) - failed,
                failed=failed,
                processing_time_ms=round((time.perf_counter() - start) * 1000, 3),
            )
        )

    return router


_REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"model": Problem, "description": "The body did not come in time."},
    413: {"model": Problem, "description": "The body is too large."},
    422: {"model": Problem, "description": "Which field breaks which rule, and what came."},
}


def _answer(
    predictor: Predictor, safety: Safety, route: str, request: PredictRequest, detail: str
) -> Answer | FullAnswer:
    checked = safety.check_request(route, request)
    if detail == "full":
        return safety.released(predictor.predict_fully(request), checked)
    return safety.released(predictor.predict(request), checked)


def _item(
    predictor: Predictor, safety: Safety, request: PredictRequest | Problem, detail: str
) -> BatchItem:
    if isinstance(request, Problem):
        return BatchItem(problem=request)
    try:
        return BatchItem(answer=_answer(predictor, safety, "/predict/batch", request, detail))
    except UnsafeError as error:
        return BatchItem(problem=error.problem)


def _checked(values: object, limits: Limits) -> PredictRequest | Problem:
    try:
        return PredictRequest.model_validate(values, context=limits)
    except ValidationError as error:
        return invalid(error.errors(include_url=False, include_context=False))
