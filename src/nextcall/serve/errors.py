"""What becomes of an error inside the application: refusals have the form of `Problem`."""

import logging
from collections.abc import Sequence
from http import HTTPMethod, HTTPStatus
from math import ceil
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from nextcall.resilience.deadline import DeadlineExceededError
from nextcall.serve.door.admission import RateLimitedError, too_often
from nextcall.serve.problems import (
    Problem,
    RefusedError,
    UnsafeError,
    internal_error,
    invalid,
    json_response,
    method_refusal,
    problem,
)
from nextcall.storage.database import OUT_OF_REACH, LeftAloneError
from nextcall.storage.group_writer import WriterClosedError

_log: Final = logging.getLogger(__name__)
_RETRY_SECONDS: Final = 5


def add_error_handlers(app: FastAPI) -> None:
    """Give every refusal of `app` the form of `Problem`."""

    @app.exception_handler(RefusedError)
    @app.exception_handler(UnsafeError)
    async def refused(_: Request, error: RefusedError | UnsafeError) -> Response:
        return json_response(error.refusal, status=error.status)

    @app.exception_handler(RateLimitedError)
    async def too_many(_: Request, error: RateLimitedError) -> Response:
        return too_often(error.decision)

    @app.exception_handler(RequestValidationError)
    async def failed_validation(_: Request, error: RequestValidationError) -> Response:
        return json_response(invalid(error.errors()), status=HTTPStatus.UNPROCESSABLE_ENTITY)

    @app.exception_handler(HTTPException)
    async def not_served(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return method_refusal(request.method, _methods(request) or headers.get("Allow", ""))
        response = json_response(_not_served(request, error), status=error.status_code)
        response.headers.update(headers)
        return response

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it

    for kind in (*OUT_OF_REACH, WriterClosedError, DeadlineExceededError):
        app.add_exception_handler(kind, _unavailable)

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> Response:
        return internal_error()  # the server logs the traceback


async def _unavailable(_: Request, error: Exception) -> Response:
    refusal, seconds = Problem(error="The answer took too long"), _RETRY_SECONDS
    if isinstance(error, LeftAloneError):  # that it is left alone was logged once
        refusal = Problem(error="The database cannot be reached; nothing was kept")
        seconds = max(1, ceil(error.retry_after))
    elif not isinstance(error, DeadlineExceededError):
        _log.error("database out of reach", exc_info=error)
        refusal = Problem(error="The database cannot be reached; nothing was kept for sure")
    response = json_response(refusal, status=HTTPStatus.SERVICE_UNAVAILABLE)
    response.headers["retry-after"] = str(seconds)
    return response


def _methods(request: Request) -> str:
    """List the methods of all routes at a path; the framework names those of the first."""
    routes: Sequence[BaseRoute] = request.app.routes
    scopes = {method: {**request.scope, "method": method} for method in HTTPMethod}
    return ", ".join(
        method
        for method, scope in scopes.items()
        if any(route.matches(scope)[0] is Match.FULL for route in routes)
    )


def _not_served(request: Request, error: HTTPException) -> Problem:
    if error.status_code == HTTPStatus.NOT_FOUND:
        rule = "Should be a path of this service; /docs lists them"
        return problem("Not found", field="path", rule=rule, got=request.url.path)
    return Problem(error=str(error.detail))
