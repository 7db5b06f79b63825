"""Whoever asks is known, may ask, and does not ask too often; else the application never hears it.

Pure ASGI: it costs no task and no queue of its own.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Final

import anyio.to_thread
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from nextcall.access.audit_event import AuditEvent, Kind
from nextcall.access.key_format import KEY_PREFIX
from nextcall.access.permissions import UNLISTED, methods_of, route_of
from nextcall.access.principal import CredentialError, CredentialsUnavailableError, Principal
from nextcall.access.rate_decision import UNLIMITED_DECISION, Decision, rate_headers
from nextcall.serve.door.admission import Admission, too_often
from nextcall.serve.door.door import Door
from nextcall.serve.door.leaving import Headers, Leaving, Look
from nextcall.serve.problems import Problem, json_response, method_refusal

_DEVELOPER: Final = Principal(name="development", role="admin")
_FAILURES: Final = "/failed-authentication"  # of an endpoint with rates of its own, or the general
_LONGEST_USER: Final = 256
_RETRY_SECONDS: Final = 5
_UNLIMITED: Final = frozenset({"/health", "/performance/health"})
"""Asked every few seconds by whatever starts and stops workers, from one address for many."""


class FrontDoor:
    """ASGI middleware: authenticates, authorises, and limits rates; then passes a request on.

    A key comes in ``X-API-Key``, a token or a key in ``Authorization: Bearer``. What is known of
    who asks is in ``scope["state"]["admission"]``. Failed authentications of an address are limited
    as its requests are, apart from them; those within the limit, and what a role does not permit,
    are in the audit log. Whether the service works may be asked without a limit.

    Parameters
    ----------
    app : ASGI application
        Within `AddressLimit`, which says where a request comes from.
    door : Door
    open_prefixes : sequence of str
        Of paths that are open to all and not limited, such as static files.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        door: Door,
        open_prefixes: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app = app
        self._door, self._clock = door, clock
        self._needs_key = door.mode.needs_key
        self._open = tuple(open_prefixes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan" or (self._open and scope["path"].startswith(self._open)):
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # there are none
            return
        route, permission = route_of(scope["method"], scope["path"])
        if permission == UNLISTED and (methods := methods_of(scope["path"])):
            await method_refusal(scope["method"], ", ".join(methods))(scope, receive, send)
            return
        headers = dict(scope["headers"])
        try:
            principal = await self._identify(headers, asked=permission is not None)
        except CredentialError as error:
            refusal = await self._unknown(error.reason, route, scope)
        except CredentialsUnavailableError:
            if permission is None:  # open to all, such as what tells that the database is away
                await self._pass_on(None, route, headers, scope, receive, send)
                return
            unavailable = "Credentials cannot be checked now"
            refusal = _refusal(HTTPStatus.SERVICE_UNAVAILABLE, unavailable)
            refusal.headers["retry-after"] = str(_RETRY_SECONDS)
        else:
            if principal is None or permission is None or principal.may(permission):
                await self._pass_on(principal, route, headers, scope, receive, send)
                return
            await self._tell("authorization", principal.name, route, permission, scope)
            refusal = _refusal(HTTPStatus.FORBIDDEN, f"Permission {permission} is needed")
        await refusal(scope, receive, send)

    async def _identify(self, headers: dict[bytes, bytes], *, asked: bool) -> Principal | None:
        key = headers.get(b"x-api-key")
        if key is not None:
            return self._door.credentials.check_key(key.decode("latin-1"))
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if not scheme:
            if not self._needs_key:
                return _DEVELOPER
            if asked:
                raise CredentialError("missing")
            return None
        if scheme.lower() != "bearer":
            raise CredentialError("malformed")
        token = token.strip()
        if token.startswith(KEY_PREFIX):  # as those send it who can set no other header
            return self._door.credentials.check_key(token)
        try:
            return self._door.tokens.verify(token)
        except CredentialError as error:
            if error.reason != "unknown" or self._door.outside is None:
                raise
        return await anyio.to_thread.run_sync(self._door.outside.verify, token)

    async def _pass_on(
        self,
        principal: Principal | None,
        route: str,
        headers: dict[bytes, bytes],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Count the request, and let the application answer it where it is not one too many."""
        door = self._door
        admission = Admission(
            principal=principal,
            user=_user(principal, headers.get(b"x-user-id")),
            route=route,
            limiter=door.limiter,
        )
        scope["state"]["admission"] = admission
        if door.limiter is None or route in _UNLIMITED:
            await self.app(scope, receive, send)
            return
        if principal is None or principal is _DEVELOPER:
            admission.identifier = door.identifiers.of(address=scope["state"]["address"])
        else:
            admission.identifier = door.identifiers.of(key=principal.key_id, user=principal.name)
        if door.shared is None:
            admission.take()
        else:
            await anyio.to_thread.run_sync(admission.take)
        if admission.decision.allowed:
            await self.app(scope, receive, Leaving.seen(send, self._telling(admission)))
        else:
            await self._too_often(admission.decision)(scope, receive, send)

    async def _unknown(self, reason: str, route: str, scope: Scope) -> Response:
        decision = await self._count_failure(scope["state"]["address"])
        if not decision.allowed:
            return self._too_often(decision)
        await self._tell("authentication", None, route, reason, scope)
        response = _refusal(HTTPStatus.UNAUTHORIZED, "A valid credential is needed")
        response.headers["www-authenticate"] = 'Bearer realm="nextcall"'
        return response

    async def _count_failure(self, address: str) -> Decision:
        door = self._door
        if door.limiter is None:
            return UNLIMITED_DECISION
        identifier = door.identifiers.of(address=f"failed:{address}")
        take = partial(door.limiter.take, identifier, endpoint=_FAILURES)
        return take() if door.shared is None else await anyio.to_thread.run_sync(take)

    def _too_often(self, decision: Decision) -> Response:
        now = self._clock()
        response = too_often(decision, now=now)
        response.raw_headers += rate_headers(decision, now=now)
        return response

    def _telling(self, admission: Admission) -> Look:
        load, clock = self._door.load, self._clock

        def tell(status: int, headers: Headers) -> None:
            load.observe_request(admission.route, failed=status >= 500)
            headers += rate_headers(admission.decision, now=clock())

        return tell

    async def _tell(
        self, kind: Kind, user: str | None, route: str, reason: str, scope: Scope
    ) -> None:
        if self._door.audit is None:
            return
        request_id = scope["state"].get("request_id")
        event = AuditEvent(
            at=datetime.fromtimestamp(self._clock(), UTC),
            kind=kind,
            action="refused",
            severity="warning",
            user=user,
            details={"route": route, "reason": reason, "request_id": request_id},
        )
        await self._door.audit.offer(event)


def _user(principal: Principal | None, named: bytes | None) -> str | None:
    """Say for whom is asked: a key may name one of its own users, a token speaks for its own."""
    if principal is None:
        return None
    if named is None or (principal.key_id is None and principal is not _DEVELOPER):
        return principal.name
    text = named.decode("latin-1")
    return text if text.isprintable() and len(text) <= _LONGEST_USER else principal.name


def _refusal(status: HTTPStatus, error: str) -> Response:
    return json_response(Problem(error=error), status=status)
