"""A route of one's own may ask for a permission; a request may cost more than one."""

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from nextcall.access.limiter import Limiter
from nextcall.access.memory_rates import MemoryRates
from nextcall.access.principal import Principal
from nextcall.serve.door.admission import Admission, RateLimitedError, require
from nextcall.serve.errors import add_error_handlers


def client(principal: Principal | None) -> TestClient:
    app = FastAPI()
    add_error_handlers(app)

    @app.post("/clear", dependencies=[require("admin.cache")])
    def clear() -> str:
        return "cleared"

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["admission"] = Admission(principal=principal)
        await app(scope, receive, send)

    return TestClient(admitted if principal else app)


@pytest.mark.parametrize(
    ("role", "status", "body"),
    [
        (None, 401, {"error": "A valid credential is needed", "details": []}),
        ("developer", 403, {"error": "Permission admin.cache is needed", "details": []}),
        ("admin", 200, "cleared"),
    ],
)
def test_a_route_asks_for_its_permission(role: str | None, status: int, body: Any) -> None:
    principal = None if role is None else Principal(name="Ada", role=role)
    answer = client(principal).post("/clear")
    assert (answer.status_code, answer.json()) == (status, body)


def test_a_permission_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="permission must be segments"):
        require("Admin Cache")


def test_what_a_request_costs_more_is_counted_where_something_counts() -> None:
    Admission().charge(1_000_000)
    limited = Admission(limiter=Limiter(MemoryRates(clock=lambda: 0)), identifier="a")
    limited.charge(0)
    limited.charge(60)
    with pytest.raises(RateLimitedError, match="Rate limit exceeded"):
        limited.charge(1)
    assert [state.remaining for state in limited.decision.windows] == [0, 940, 9940]
