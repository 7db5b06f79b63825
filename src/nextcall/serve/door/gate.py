"""What every request meets first: an id, and a limit of its address. Pure ASGI."""

import asyncio
import re
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from math import ceil
from random import Random
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from nextcall.access.address_rates import AddressRates
from nextcall.access.identifiers import Network, client_address
from nextcall.access.permissions import route_of
from nextcall.serve.door.admission import TooMany
from nextcall.serve.door.leaving import Headers, Leaving
from nextcall.serve.observer import Observer
from nextcall.serve.problems import internal_error, json_response
from nextcall.telemetry.log_entries import request_of

_NONE: Final = 0  # as long as no answer has begun
_FAILED: Final = 500
_LONG: Final = 0.0005
"""Seconds after which a request was computed: it is noted once its answer is on its way, for what
was computed has left nothing of the way here in the processor's caches."""
_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Gate:
    """ASGI middleware: gives a request an id, finds its address, refuses addresses that flood.

    It is the outermost, so it answers 500 where nobody else answered an error, and raises it again.

    ``scope["state"]`` then has ``request_id``, which the response repeats in ``X-Request-ID``, and
    ``address``. An id that came with the request is kept where it is 1 to 64 letters, digits, dots,
    hyphens or underscores.

    Parameters
    ----------
    app : ASGI application
    rates : AddressRates, optional
        Nothing is limited without them.
    observer : Observer, optional
        Hears of each request once it is answered.
    trusted : sequence of network
        Of proxies whose ``X-Forwarded-For`` is believed.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        rates: AddressRates | None = None,
        trusted: Sequence[Network] = (),
        observer: Observer | None = None,
    ) -> None:
        self.app = app
        self._observer = observer
        self._rates, self._trusted = rates, trusted
        self._random = Random()  # an id is no secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin, code = perf_counter(), _NONE
        given, traced, forwarded = _told(scope["headers"])
        if given is None or not _ID.fullmatch(given):
            given = b"%032x" % self._random.getrandbits(128)
        request_id, named = given, given.decode()
        state = scope.setdefault("state", {})
        state["request_id"] = named
        state["address"] = address = self._address(scope, forwarded)

        def tell(status: int, headers: Headers) -> None:
            nonlocal code
            code = status
            headers.append((b"x-request-id", request_id))

        leaving = Leaving.seen(send, tell)
        wait = 0.0 if self._rates is None else self._rates.wait(address)
        app = self.app if wait == 0.0 else _too_many(wait)
        observer = self._observer
        try:
            if observer is None:
                await app(scope, receive, leaving)
                return
            observer.metrics.request_began()
            with request_of(named), observer.traces.request(traced) as span:
                await app(scope, receive, leaving)
                span.tell(status=code)
        except Exception:
            if code == _NONE:
                await internal_error()(scope, receive, leaving)
            raise
        finally:
            if observer is not None:
                method: str = scope["method"]
                route, _ = route_of(method, scope["path"])
                seconds, status = perf_counter() - begin, code or _FAILED
                ended = observer.request_ended
                if seconds < _LONG:
                    ended(method, route, status, seconds, request_id=named)
                else:
                    note = partial(ended, method, route, status, seconds, request_id=named)
                    asyncio.get_running_loop().call_soon(note)

    def _address(self, scope: Scope, forwarded: bytes | None) -> str:
        client = scope.get("client")
        peer = "unknown" if client is None else client[0]
        text = None if forwarded is None else forwarded.decode("latin-1")
        return client_address(peer, text, trusted=self._trusted)


def _told(headers: Headers) -> tuple[bytes | None, str | None, bytes | None]:
    """Give the id that came, what traces the request, and for whom a proxy asks."""
    given = traced = forwarded = None
    for name, value in headers:
        if name == b"x-request-id":
            given = value
        elif name == b"traceparent":
            traced = value.decode("latin-1")
        elif name == b"x-forwarded-for":
            forwarded = value if forwarded is None else b"%b,%b" % (forwarded, value)
    return given, traced, forwarded


def _too_many(wait: float) -> ASGIApp:
    refusal = TooMany(
        error="Too many requests from this address", retry_after=ceil(wait), limits={}
    )
    response = json_response(refusal, status=HTTPStatus.TOO_MANY_REQUESTS)
    response.headers["retry-after"] = str(refusal.retry_after)
    return response
