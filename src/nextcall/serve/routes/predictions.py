"""Routes that predict."""

import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Annotated, Any, Final, cast, get_args
from urllib.parse import parse_qsl

import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from nextcall.resilience.deadline import check as check_deadline
from nextcall.resilience.deadline import deadline
from nextcall.serve.answering import Reply
from nextcall.serve.answers import Answer, BatchAnswer, FullAnswer
from nextcall.serve.bodies import (
    BODY_REFUSALS,
    Body,
    body_schema,
    parsed_body,
    refused,
    whole_body,
)
from nextcall.serve.door.admission import Admission, Admitted
from nextcall.serve.models.two_models import Answers
from nextcall.serve.order import Detail
from nextcall.serve.problems import UNSAFE, Problem, RefusedError, UnsafeError

Detailed = Annotated[
    Detail,
    Query(description="full: scores, features, reasons, timings and all other fields."),
]
_DETAILS: Final = get_args(Detail)
_QUERIES: Final[Mapping[bytes, Detail]] = {
    b"": "short",
    **{f"detail={detail}".encode(): detail for detail in _DETAILS},
}
"""As nearly all ask; others are taken apart."""
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    **BODY_REFUSALS,
    503: {"model": Problem, "description": "The answer took too long; ask again."},
}
_CACHE_HEADER: Final[dict[str, Any]] = {
    "X-Cache": {
        "description": "Whether the answer was kept; not given where none is.",
        "schema": {"type": "string", "enum": ["HIT", "MISS"]},
    }
}


class PredictRoute(APIRoute):
    """The route that is asked most: past FastAPI's way of finding out what a function needs.

    Its function says for the description of the API what it takes; it is given the body and the
    detail. It is fastest among the routes of the application itself.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.app = self._answer

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give what answers where the route's router is included, which takes longer."""

        async def handle(request: Request) -> Response:
            body = await request.body()
            reply = await self.endpoint(body, detail_of(request.scope), user_of(request.scope))
            return Response(reply.body, headers=dict(map(_decoded, _headers(reply))))

        return handle

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await whole_body(receive)
        await _give(await self.endpoint(body, detail_of(scope), user_of(scope)), send)


def predict_app(answering: Answers) -> ASGIApp:
    """Make what answers ``POST /predict`` without a route."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body = await whole_body(receive)
        await _give(await answering.reply(body, detail_of(scope), user=user_of(scope)), send)

    return answer


async def _give(reply: Reply, send: Send) -> None:
    headers = _headers(reply)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def detail_of(scope: Scope) -> Detail:
    """Read how much is to be answered; of several wishes the last counts.

    Raises
    ------
    RefusedError
        Where it is none that there is.
    """
    query: bytes = scope["query_string"]
    known = _QUERIES.get(query)
    if known is not None:
        return known
    asked = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)).get("detail", "short")
    if asked not in _DETAILS:
        raise refused("query.detail", "Input should be 'short' or 'full'", asked)
    return cast("Detail", asked)


def user_of(scope: Scope) -> str | None:
    """Say for whom is asked; None where nobody had to be known."""
    admission: Admission | None = scope["state"].get("admission")
    return None if admission is None else admission.user


_User = Annotated[str | None, Depends(lambda request: user_of(request.scope))]


def _headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    length = (b"content-length", b"%d" % len(reply.body))
    if reply.is_kept is None:
        return [(b"content-type", b"application/json"), length]
    told = (b"x-cache", b"HIT" if reply.is_kept else b"MISS")
    return [(b"content-type", b"application/json"), length, told]


def _decoded(header: tuple[bytes, bytes]) -> tuple[str, str]:
    return header[0].decode(), header[1].decode()


def predict_routes(answering: Answers) -> APIRouter:
    """Make ``POST /predict``."""
    router = APIRouter(tags=["predictions"], route_class=PredictRoute)

    @router.post(
        "/predict",
        response_model=None,
        responses={
            200: {"model": Answer | FullAnswer, "headers": _CACHE_HEADER},
            400: UNSAFE,
            **_REFUSALS,
        },
        openapi_extra=body_schema({"$ref": "#/components/schemas/PredictRequest"}),
    )
    async def predict(body: Body, detail: Detailed = "short", user: _User = None) -> Reply:
        """Rank the operations of the catalogue by how likely each is the next call."""
        return await answering.reply(body, detail, user=user)

    return router


def batch_routes(answering: Answers, *, max_batch: int, threads: int, seconds: float) -> APIRouter:
    """Make ``POST /predict/batch``.

    Parameters
    ----------
    answering : Answers
    max_batch : int
        Requests of a batch.
    threads : int
        Batches that are answered side by side. They have threads of their own: one may wait for
        an answer that is computed for another request, which needs one of the others.
    seconds : float
        That a batch may take.
    """
    router = APIRouter(tags=["predictions"])
    limiter = anyio.CapacityLimiter(threads)

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
    async def predict_batch(
        body: Body, admission: Admitted, detail: Detailed = "short"
    ) -> Response:
        """Answer up to 100 requests; one that is refused does not keep the others back."""
        work = partial(answer, body, admission, detail)
        async with deadline(seconds):
            text = await anyio.to_thread.run_sync(work, limiter=limiter, abandon_on_cancel=True)
        return Response(text, media_type="application/json")

    def answer(body: bytes, admission: Admission, detail: Detail) -> bytes:
        start = time.perf_counter()
        asked = parsed_body(body)
        if not isinstance(asked, list):
            raise refused("body", "Should be a list of requests", asked)
        if not 1 <= len(asked) <= max_batch:
            rule = f"Should hold 1 to {max_batch} requests"
            raise refused("body", rule, f"{len(asked)} requests")
        admission.charge(len(asked) - 1)
        items = []
        for values in asked:
            check_deadline()  # nobody waits for the rest of a batch that is late
            items.append(_item(answering, values, detail, admission.user))
        failed = sum(item.startswith(_NO_ANSWER) for item in items)
        return b'{"results":[%b],"succeeded":%d,"failed":%d,"processing_time_ms":%b}' % (
            b",".join(items),
            len(items) - failed,
            failed,
            repr(round(1000 * (time.perf_counter() - start), 3)).encode(),
        )

    return router


_NO_ANSWER: Final = b'{"answer":null,'


def _item(answering: Answers, values: object, detail: Detail, user: str | None) -> bytes:
    """Write what became of one request, as `BatchItem` describes it."""
    try:
        return b'{"answer":%b,"problem":null}' % answering.reply_to_item(values, detail, user=user)
    except RefusedError as error:
        problem = error.refusal
    except UnsafeError as error:
        problem = error.problem
    return b'%b"problem":%b}' % (_NO_ANSWER, problem.model_dump_json().encode())
