"""What is known of a request that was let in, and what else it costs."""

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request, params
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from nextcall.access.limiter import Limiter
from nextcall.access.permissions import check_permission
from nextcall.access.principal import Principal
from nextcall.access.rate_decision import UNLIMITED_DECISION, Decision, rate_refusal
from nextcall.serve.problems import Problem, RefusedError


class RateLimitedError(Exception):
    """A request that costs more than is left."""

    def __init__(self, decision: Decision) -> None:
        super().__init__("Rate limit exceeded")
        self.decision = decision


class WindowLeft(BaseModel):
    """What is left of a limit."""

    limit: int
    remaining: int
    reset_at: int = Field(description="Seconds since 1970.")


class TooMany(BaseModel):
    """Why a request is refused that is one too many."""

    error: str
    retry_after: int = Field(description="Seconds to wait.")
    limits: dict[str, WindowLeft] = Field(description="By window: minute, hour, day.")


@dataclass(slots=True, kw_only=True)
class Admission:
    """Who asks, and how often they still may."""

    principal: Principal | None = None
    """None where nobody had to be known."""
    user: str | None = None
    """For whom is asked: the principal, or whom its key names in ``X-User-ID``."""
    route: str = "*"
    """The path as it is declared."""
    identifier: str = ""
    limiter: Limiter | None = None
    decision: Decision = UNLIMITED_DECISION
    """The last one."""

    def take(self, cost: int = 1) -> None:
        """Count the request; `decision` says whether there was room."""
        if self.limiter is None:
            return
        principal = self.principal
        self.decision = self.limiter.take(
            self.identifier,
            endpoint=self.route,
            tier=None if principal is None else principal.tier,
            multiplier=1.0 if principal is None else principal.rate_limit_multiplier,
            cost=cost,
        )

    def charge(self, more: int) -> None:
        """Count what a request costs beside the one that it is; may wait for a store.

        Raises
        ------
        RateLimitedError
            Where there is no room for it; nothing of it is counted.
        """
        if more < 1:
            return
        self.take(more)
        if not self.decision.allowed:
            raise RateLimitedError(self.decision)


def admission_of(request: Request) -> Admission:
    """Give what the front door said; without one, nothing is limited and nobody known."""
    admission: Admission | None = getattr(request.state, "admission", None)
    return Admission() if admission is None else admission


Admitted = Annotated[Admission, Depends(admission_of)]
"""A route's parameter: who asks."""


def require(permission: str) -> params.Depends:
    """Make a dependency of a route: 401 where nobody is known, 403 where the role does not permit.

    For routes that the table `nextcall.access.permissions.ROUTE_PERMISSIONS` does not name, such as
    those of an application of one's own behind the same door.

    Parameters
    ----------
    permission : str
        Such as ``admin.cache``.

    Raises
    ------
    ValueError
        Where it is no permission.

    Examples
    --------
    >>> from fastapi import FastAPI
    >>> app = FastAPI()
    >>> @app.post("/clear", dependencies=[require("admin.cache")])
    ... def clear() -> None: ...
    """
    check_permission(permission)

    def check(admission: Admitted) -> None:
        principal = admission.principal
        if principal is None:
            refusal = Problem(error="A valid credential is needed")
            raise RefusedError(refusal, status=HTTPStatus.UNAUTHORIZED)
        if not principal.may(permission):
            refusal = Problem(error=f"Permission {permission} is needed")
            raise RefusedError(refusal, status=HTTPStatus.FORBIDDEN)

    return params.Depends(check)


def too_often(decision: Decision, *, now: float | None = None) -> Response:
    """Say that somebody asks too often; the headers are added where the response leaves."""
    body = rate_refusal(decision, now=time.time() if now is None else now)
    return JSONResponse(body, HTTPStatus.TOO_MANY_REQUESTS)
