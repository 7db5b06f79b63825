"""Bodies of requests: read on the loop, then parsed where they are answered."""

import re
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from nextcall.serve.problems import Problem, RefusedError, invalid, problem

Model = TypeVar("Model", bound=BaseModel)

LARGEST_AT_ONCE: Final = 65_536
"""Bytes of a body that is parsed on the loop."""

# No database of ours keeps it. An even number of backslashes before it stands for themselves.
_ESCAPED_NULL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

BODY_REFUSALS: Final[Mapping[int | str, dict[str, Any]]] = {
    408: {"model": Problem, "description": "The body did not come in time."},
    413: {"model": Problem, "description": "The body is too large."},
    422: {"model": Problem, "description": "Which field breaks which rule, and what came."},
}
"""Answers of every route that takes a body, for its description."""


async def _read_body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_read_body)]
"""A route's parameter: the body as it came."""


class BodyRoute(APIRoute):
    """A route whose function is given parameters of the path and `body`, each as it came.

    For those that are asked most: FastAPI's way of finding out what a function needs costs more
    than all that such a function does. It answers on the loop, where to parse megabytes would keep
    all others waiting: a body has at most `LARGEST_AT_ONCE` bytes. It is fastest among the routes
    of the application itself, not of a router that is included.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.app = self._answer

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give what answers where the route's router is included, which takes longer."""

        async def handle(request: Request) -> Response:
            return await self._respond(request.path_params, await request.body())

        return handle

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(scope["path_params"], await whole_body(receive))
        await response(scope, receive, send)

    async def _respond(self, path: Mapping[str, Any], body: bytes) -> Response:
        if len(body) > LARGEST_AT_ONCE:
            raise too_large(LARGEST_AT_ONCE, len(body))
        response: Response = await self.endpoint(**path, body=body)
        return response


async def whole_body(receive: Receive) -> bytes:
    """Read a body to its end.

    Raises
    ------
    ClientDisconnect
        Where its sender hung up.
    """
    parts = list[bytes]()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def body_schema(schema: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """Describe a body that the route parses itself."""
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": required, "content": content}}


def parsed_body(body: bytes) -> object:
    """Read JSON; NaN, lone surrogates, null characters and very deep values are none.

    Raises
    ------
    RefusedError
    """
    got = f"{len(body)} bytes"
    if b"\\u0000" in body and _ESCAPED_NULL.search(body):
        raise refused("body", "Should hold no null character", got)
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise refused("body", f"Should be JSON: {error}", got) from error


def read_as(model: type[Model], body: bytes, *, context: object = None) -> Model:
    """Read a body of one form.

    Parameters
    ----------
    model : type
    body : bytes
    context : object, optional
        In which it is validated, such as limits.

    Raises
    ------
    RefusedError
    """
    try:
        return model.model_validate(parsed_body(body), context=context)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        raise RefusedError(invalid(problems)) from error


def too_large(most: int, size: int) -> RefusedError:
    """Say that a body has too many bytes."""
    rule = f"Should have at most {most} bytes"
    refusal = problem("Request body is too large", field="body", rule=rule, got=size)
    return RefusedError(refusal, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def refused(field: str, rule: str, got: object) -> RefusedError:
    """Say which field breaks which rule."""
    return RefusedError(problem("Request failed validation", field=field, rule=rule, got=got))
