"""The description of the API (``/openapi.json``): what its routes ask for, and what they answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from nextcall.access.permissions import route_of
from nextcall.serve.assistant.schemas import RunAsked
from nextcall.serve.door.admission import TooMany
from nextcall.serve.feedback.schemas import FeedbackAsked
from nextcall.serve.jobs.schemas import GenerateAsked, TrainAsked
from nextcall.serve.problems import Problem
from nextcall.serve.schemas import Limits, PredictRequest
from nextcall.serve.trials.schemas import (
    AssignAsked,
    ChangeAsked,
    RecordAsked,
    StepAsked,
    TrialAsked,
)

_PARSED: Final[
    Sequence[type[BaseModel]]
] = (  # what no route of the framework names: bodies that are read by themselves, refusals
    PredictRequest,
    RunAsked,
    FeedbackAsked,
    TrialAsked,
    ChangeAsked,
    AssignAsked,
    RecordAsked,
    StepAsked,
    TrainAsked,
    GenerateAsked,
    TooMany,
    Problem,
)
_SCHEMES: Final[Mapping[str, Mapping[str, str]]] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}


def describe(
    app: FastAPI, limits: Limits, *, needs_key: bool = False, limited: bool = False
) -> dict[str, Any]:
    """Describe an API, with the limits that are set and the bodies that its routes parse.

    Parameters
    ----------
    app : FastAPI
    limits : Limits
        Of predictions.
    needs_key : bool
        Whether a credential is asked for.
    limited : bool
        Whether requests are.
    """
    description = get_openapi(
        title=app.title, summary=app.summary, version=app.version, routes=app.routes
    )
    _, models = models_json_schema(
        [(model, "validation") for model in _PARSED], ref_template="#/components/schemas/{model}"
    )
    request = models["$defs"]["PredictRequest"]
    request["required"].remove("max_predictions")  # its default is a setting
    for form in (request, models["$defs"]["RunAsked"]):
        form["properties"]["prompt"]["maxLength"] = limits.prompt_characters
        form["properties"]["history"]["maxItems"] = limits.history
    asked = request["properties"]["max_predictions"]
    asked.update(maximum=limits.predictions, default=limits.default_predictions)
    description["components"]["schemas"].update(models["$defs"])
    if needs_key:
        description["components"]["securitySchemes"] = _SCHEMES
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            _, permission = route_of(method.upper(), path)
            if needs_key and permission is not None:
                operation["security"] = [{name: []} for name in _SCHEMES]
                told = f"The role does not have the permission {permission}."
                operation["responses"]["403"] = _answer(Problem, told)
            if needs_key:
                wrong = "No credential that is believed."
                operation["responses"]["401"] = _answer(Problem, wrong)
                away = "Credentials, or what is kept, cannot be read now."
                responses = operation["responses"]
                responses["503"] = _either(responses.get("503"), _answer(Problem, away))
            if limited:
                operation["responses"]["429"] = _answer(TooMany, "Too many requests.")
    return description


def _answer(model: type[BaseModel], told: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"description": told, "content": {"application/json": {"schema": schema}}}


def _either(one: dict[str, Any] | None, other: dict[str, Any]) -> dict[str, Any]:
    """Describe two answers of one status."""
    if one is None or one == other:
        return other
    schemas = [each["content"]["application/json"]["schema"] for each in (one, other)]
    told = f"{one['description']} Or: {other['description']}"
    return {"description": told, "content": {"application/json": {"schema": {"anyOf": schemas}}}}
