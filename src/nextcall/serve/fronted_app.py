"""An application whose own middleware stands before all of the framework."""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

P = ParamSpec("P")


class FrontedApp(FastAPI):
    """Passes each request through its fronts before the framework sees it.

    What a front answers by itself never meets what the framework puts around all middleware that it
    is given: four coroutines on the way in, and one for each message on the way out. So the
    outermost front must answer the errors that nobody else does.

    Examples
    --------
    >>> from starlette.testclient import TestClient
    >>> app = FrontedApp()
    >>> def closed(app: ASGIApp) -> ASGIApp:
    ...     from starlette.responses import PlainTextResponse
    ...     return PlainTextResponse("closed", 503)
    >>> app.put_before(closed)
    >>> TestClient(app).get("/docs").text
    'closed'
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._front: ASGIApp = super().__call__

    def put_before(
        self, front: Callable[Concatenate[ASGIApp, P], ASGIApp], *args: P.args, **options: P.kwargs
    ) -> None:
        """Let requests meet one more piece of middleware, before those that are there."""
        self._front = front(self._front, *args, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or live through the application's life."""
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
        else:
            await self._front(scope, receive, send)
