"""What an answer passes on its way out: one look at it for all who stand before the application."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.types import Message, Send

Headers: TypeAlias = list[tuple[bytes, bytes]]
"""Of an answer, in the form of ASGI."""

Look: TypeAlias = Callable[[int, Headers], None]
"""Hears the status of an answer, and may add to its headers."""


class Leaving:
    """Shows an answer to all who asked to see it, and sends it on.

    Where each of them wrapped `send`, every message would pass as many coroutines.

    Parameters
    ----------
    send : ASGI send
        Of the server.

    Attributes
    ----------
    looks : list of callable
        Of who asked to see it, the outermost first.
    ending : callable or None
        Sends the parts of the body in another way.
    """

    __slots__ = ("_send", "ending", "looks")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.looks: list[Look] = []
        self.ending: Callable[[Message, Send], Awaitable[None]] | None = None

    async def __call__(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ())]
            for look in reversed(self.looks):  # who stands nearer to the application sees it first
                look(message["status"], headers)
            message = {**message, "headers": headers}
        elif self.ending is not None:
            await self.ending(message, self._send)
            return
        await self._send(message)

    @classmethod
    def seen(cls, send: Send, look: Look) -> "Leaving":
        """Let an answer be looked at before it is sent.

        Parameters
        ----------
        send : ASGI send
            Of the server, or of a middleware before this one.
        look : callable
            Is asked when the answer begins.

        Examples
        --------
        >>> import asyncio
        >>> async def send(message): print(message["headers"])
        >>> outer = Leaving.seen(send, lambda status, headers: headers.append((b"outer", b"1")))
        >>> inner = Leaving.seen(outer, lambda status, headers: headers.append((b"inner", b"2")))
        >>> asyncio.run(inner({"type": "http.response.start", "status": 200}))
        [(b'inner', b'2'), (b'outer', b'1')]
        """
        one = send if isinstance(send, cls) else cls(send)
        one.looks.append(look)
        return one
