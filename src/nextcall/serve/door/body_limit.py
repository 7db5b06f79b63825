"""Bodies that are too large, or come too slowly: refused before they are held, or waited for."""

import asyncio
from collections.abc import Coroutine, Generator
from http import HTTPStatus
from time import monotonic
from types import coroutine
from typing import Any, Final, Literal, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextcall.serve.bodies import too_large
from nextcall.serve.door.leaving import Headers, Leaving
from nextcall.serve.problems import RefusedError, json_response, problem

BODY_SECONDS: Final = 10.0
"""That a body may take, unless told."""

_LINGER_SECONDS: Final = 2.0
_LONGEST_LENGTH: Final = 18  # digits: an exabyte


class BodyLimit:
    """ASGI middleware: refuses a body of more than `most` bytes, or of more than `seconds`.

    The application must answer a `RefusedError`, for a body that states no length, or is late, is
    refused while the application reads it. What is refused is answered at once; then what still
    comes is thrown away for 2 seconds, so that the answer is read, and the connection closed. So is
    a body that is not there yet when the application answers without having read it.

    Parameters
    ----------
    app : ASGI application
    most : int
        Bytes, stated or sent.
    seconds : float
        From when the application begins to read to the last byte.

    Raises
    ------
    ValueError
        Where one is not above 0.
    """

    def __init__(self, app: ASGIApp, *, most: int, seconds: float = BODY_SECONDS) -> None:
        for name, value in (("most", most), ("seconds", seconds)):
            if not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}.")
        self.app = app
        self.most, self.seconds = most, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting what comes."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        stated = headers.get(b"content-length", b"")
        body = _Body(receive, self.most, self.seconds)
        leaving = Leaving.seen(send, body.look)
        body.leaving = leaving
        if stated.strip(b"0") or b"transfer-encoding" in headers:
            body.announced = "waits to be asked" if b"expect" in headers else "comes"
        if stated.isdigit() and (len(stated) > _LONGEST_LENGTH or int(stated) > self.most):
            refusal = body.too_large(int(stated[:_LONGEST_LENGTH]))
            response = json_response(refusal.refusal, status=refusal.status)
            await response(scope, receive, leaving)
            return
        await self.app(scope, body.receive, leaving)


class _Body:
    """The body of one request, on its way."""

    __slots__ = (
        "_ahead", "_late_at", "_most", "_receive", "_received", "_refused", "_seconds", "_whole",
        "announced", "leaving",
    )  # fmt: skip

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive = receive
        self._most, self._seconds = most, seconds
        self._received = 0
        self._late_at = 0.0  # where it was waited for
        self._refused = self._whole = False
        self._ahead: Message | None = None  # what nobody has asked for yet
        self.announced: Literal["no", "waits to be asked", "comes"] = "no"
        self.leaving: Leaving | None = None

    async def receive(self) -> Message:
        """Pass on what comes.

        Raises
        ------
        RefusedError
        """
        if self._ahead is not None:
            message, self._ahead = self._ahead, None
            return message
        # Most bodies are there when they are asked for. So it is asked first: to set a timer and
        # to put it away takes ten times as long.
        begun = cast("Coroutine[Any, Any, Message]", self._receive())
        try:
            waits_for = begun.send(None)
        except StopIteration as ended:
            message = ended.value
        else:
            message = await self._in_time(_go_on(begun, waits_for))
        self._count(message)
        if self._received > self._most:
            raise self.too_large(self._received)
        return message

    def look(self, _: int, headers: Headers) -> None:
        """See an answer begin; where it refuses the body, the connection ends with it."""
        if not self._whole:
            self._refused |= self.announced != "no" and not self._is_there()
        if self._refused and self.leaving is not None:
            headers.append((b"connection", b"close"))
            self.leaving.ending = self._end

    async def _end(self, message: Message, send: Send) -> None:
        """Pass on a part of an answer that refuses the body."""
        if not message.get("more_body", False):
            await send({**message, "more_body": True})
            await self._throw_away()
            message = {"type": "http.response.body"}
        await send(message)

    def too_large(self, size: int) -> RefusedError:
        """Refuse it for its size."""
        self._refused = True
        return too_large(self._most, size)

    def _is_there(self) -> bool:
        """Look, without waiting, whether all of the body has come."""
        if self.announced == "waits to be asked" or self._refused:
            return False
        begun = cast("Coroutine[Any, Any, Message]", self._receive())
        try:
            begun.send(None)
        except StopIteration as ended:
            self._ahead = ended.value
            self._count(ended.value)
        else:
            begun.close()
        return self._whole

    def _count(self, message: Message) -> None:
        self._received += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)

    async def _in_time(self, waiting: Coroutine[Any, Any, Message]) -> Message:
        if self._whole:  # what is waited for now is that somebody hangs up
            return await waiting
        now = monotonic()
        if not self._late_at:
            self._late_at = now + self._seconds
        try:
            async with asyncio.timeout(self._late_at - now):
                return await waiting
        except TimeoutError:
            rule = f"Should come within {self._seconds:g} seconds"
            got = f"{self._received} bytes"
            refusal = problem("Request body is too slow", field="body", rule=rule, got=got)
            self._refused = True
            raise RefusedError(refusal, status=HTTPStatus.REQUEST_TIMEOUT) from None

    async def _throw_away(self) -> None:
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while not self._whole:
                    self._whole = not (await self._receive()).get("more_body", False)
        except (TimeoutError, RefusedError):  # by a limit before this one
            pass


@coroutine
def _go_on(begun: Coroutine[Any, Any, Message], waits_for: Any) -> Generator[Any, Any, Message]:
    """Await what was begun and waits already."""
    while True:
        try:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001  # it is told to whom it is meant for
                waits_for = begun.throw(error)
            else:
                waits_for = begun.send(sent)
        except StopIteration as ended:
            return cast("Message", ended.value)
