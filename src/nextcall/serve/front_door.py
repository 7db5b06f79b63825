"""Whoever asks is known, may ask, and does not ask too often; else the application never hears it.

Pure ASGI: it costs no task and no queue of its own.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import anyio.to_thread
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextcall.access.audit_event import AuditEvent, Kind
from nextcall.access.audit_log import AuditLog
from nextcall.access.credentials import Credentials
from nextcall.access.identifiers import Identifiers, Network, client_address
from nextcall.access.limiter import Limiter
from nextcall.access.load_factor import LoadFactor
from nextcall.access.outside_issuer import OutsideIssuer
from nextcall.access.permissions import route_of
from nextcall.access.principal import CredentialError, CredentialsUnavailableError, Principal
from nextcall.access.rate_decision import Decision, rate_headers, rate_refusal
from nextcall.access.tokens import Tokens
from nextcall.serve.problems import Problem, json_response

_DEVELOPER: Final = Principal(name="development", role="admin")
_FAILURES: Final = "/failed-authentication"  # of an endpoint with rates of its own, or the general


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What a front door asks; one a process."""

    needs_key: bool
    """Whether a request without a credential is refused; see `AccessMode.needs_key`."""
    credentials: Credentials
    tokens: Tokens
    limiter: Limiter
    identifiers: Identifiers
    audit: AuditLog
    load: LoadFactor
    outside: OutsideIssuer | None = None


class FrontDoor:
    """ASGI middleware: authenticates, authorises, and limits rates; then passes a request on.

    A key comes in ``X-API-Key``, a token in ``Authorization: Bearer``; who both stand for is in
    ``scope["state"]["principal"]``, none where nobody had to be known. Failed authentications of an
    address are limited as its requests are, apart from them; those within the limit, and what a
    role does not permit, are in the audit log.

    Parameters
    ----------
    app : ASGI application
    door : Door
    trusted : sequence of network
        Of proxies whose ``X-Forwarded-For`` is believed.
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
        trusted: Sequence[Network] = (),
        open_prefixes: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app = app
        self._door, self._trusted, self._clock = door, trusted, clock
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
        headers = dict(scope["headers"])
        address = self._address(scope, headers)
        try:
            principal = await self._authenticate(headers, asked=permission is not None)
        except CredentialError as error:
            refusal = await self._unknown(error.reason, route, address)
        except CredentialsUnavailableError:
            unavailable = "Credentials cannot be checked now"
            refusal = _refusal(HTTPStatus.SERVICE_UNAVAILABLE, unavailable)
        else:
            admitted = await self._admit(principal, route, permission, address)
            if isinstance(admitted, Decision):
                scope.setdefault("state", {})["principal"] = principal
                await self.app(scope, receive, self._telling(send, admitted, route))
                return
            refusal = admitted
        await refusal(scope, receive, send)

    async def _admit(
        self, principal: Principal | None, route: str, permission: str | None, address: str
    ) -> Decision | Response:
        """Say how often somebody may still ask, or why not at all."""
        if principal is not None and permission is not None and not principal.may(permission):
            await self._tell("authorization", "refused", principal.name, route, permission)
            return _refusal(HTTPStatus.FORBIDDEN, f"Permission {permission} is needed")
        decision = self._take(principal, address, route)
        return decision if decision.allowed else self._too_often(decision)

    def _address(self, scope: Scope, headers: dict[bytes, bytes]) -> str:
        peer = scope["client"][0] if scope.get("client") else "unknown"
        forwarded = headers.get(b"x-forwarded-for")
        text = None if forwarded is None else forwarded.decode("latin-1")
        return client_address(peer, text, trusted=self._trusted)

    async def _authenticate(self, headers: dict[bytes, bytes], *, asked: bool) -> Principal | None:
        key = headers.get(b"x-api-key")
        if key is not None:
            return self._door.credentials.check_key(key.decode("latin-1"))
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if not scheme:
            if not self._door.needs_key:
                return _DEVELOPER
            if asked:
                raise CredentialError("missing")
            return None
        if scheme.lower() != "bearer":
            raise CredentialError("malformed")
        try:
            return self._door.tokens.verify(token.strip())
        except CredentialError as error:
            if error.reason != "unknown" or self._door.outside is None:
                raise
        return await anyio.to_thread.run_sync(self._door.outside.verify, token.strip())

    async def _unknown(self, reason: str, route: str, address: str) -> Response:
        identifier = self._door.identifiers.of(address=f"failed:{address}")
        decision = self._door.limiter.take(identifier, endpoint=_FAILURES)
        if not decision.allowed:
            return self._too_often(decision)
        await self._tell("authentication", "refused", None, route, reason)
        response = _refusal(HTTPStatus.UNAUTHORIZED, "A valid credential is needed")
        response.headers["www-authenticate"] = 'Bearer realm="nextcall"'
        return response

    def _take(self, principal: Principal | None, address: str, route: str) -> Decision:
        of = self._door.identifiers.of
        if principal is None or principal is _DEVELOPER:
            return self._door.limiter.take(of(address=address), endpoint=route)
        return self._door.limiter.take(
            of(key=principal.key_id, user=principal.name),
            endpoint=route,
            tier=principal.tier,
            multiplier=principal.rate_limit_multiplier,
        )

    def _too_often(self, decision: Decision) -> Response:
        now = self._clock()
        response = JSONResponse(rate_refusal(decision, now=now), HTTPStatus.TOO_MANY_REQUESTS)
        response.raw_headers += rate_headers(decision, now=now)
        return response

    def _telling(self, send: Send, decision: Decision, route: str) -> Send:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                failed = message["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR
                self._door.load.observe_request(route, failed=failed)
                told = rate_headers(decision, now=self._clock())
                message = {**message, "headers": [*message.get("headers", ()), *told]}
            await send(message)

        return tell

    async def _tell(
        self, kind: Kind, action: str, user: str | None, route: str, reason: str
    ) -> None:
        event = AuditEvent(
            at=datetime.fromtimestamp(self._clock(), UTC),
            kind=kind,
            action=action,
            severity="warning",
            user=user,
            details={"route": route, "reason": reason},
        )
        await self._door.audit.offer(event)


def _refusal(status: HTTPStatus, error: str) -> Response:
    return json_response(Problem(error=error), status=status)
