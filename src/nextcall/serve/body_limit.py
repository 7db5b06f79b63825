"""Bodies that are too large: refused before they are held in memory."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextcall.serve.problems import Problem, RefusedError, json_response, problem

_STATUS = 413


class BodyLimit:
    """ASGI middleware: refuses a body of more than `most` bytes, stated or sent.

    The application must answer a `RefusedError`, for a body that states no length is refused while
    the application reads it.
    """

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting what comes."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        stated = dict(scope["headers"]).get(b"content-length", b"")
        if stated.isdigit() and int(stated) > self.most:
            refusal = json_response(self._problem(int(stated)), status=_STATUS)
            await refusal(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.most:
                raise RefusedError(self._problem(received), status=_STATUS)
            return message

        await self.app(scope, counted, send)

    def _problem(self, size: int) -> Problem:
        rule = f"Should have at most {self.most} bytes"
        return problem("Request body is too large", field="body", rule=rule, got=size)
