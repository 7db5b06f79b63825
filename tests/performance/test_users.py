"""Users at once over HTTP, against a small application that notes what came."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx
import numpy as np
import pytest

from nextcall.performance.figures import Figures
from nextcall.performance.prompts import fresh_prompts
from nextcall.performance.repeating import Budget
from nextcall.performance.users import measure_users

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Noting:
    """Answers all but each `bad`-th request with 200, and notes prompts."""

    def __init__(self, status: int = 500, bad: int = 10**9) -> None:
        self.status, self.bad = status, bad
        self.prompts: list[str] = []
        self.at_once = self.most = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        assert (scope["method"], scope["path"]) == ("POST", "/predict")
        self.prompts.append(json.loads(body)["prompt"])
        place = len(self.prompts)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await anyio.sleep(0.001)
        self.at_once -= 1
        status = self.status if place % self.bad == 0 else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


def measured(app: Noting, repeats: int = 40) -> dict[str, Figures]:
    async def main() -> dict[str, Figures]:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # a smaller form of it
        async with httpx.AsyncClient(transport=transport, base_url="http://any") as client:
            prompts = fresh_prompts(np.random.default_rng(0))
            budget = Budget(None, 2)
            return await measure_users([client] * 20, prompts, repeats=repeats, budget=budget)

    return anyio.run(main)


def test_new_prompts_are_new_and_the_same_are_the_same() -> None:
    app = Noting()
    found = measured(app)
    assert {name: (one.count, one.errors) for name, one in found.items()} == {
        "users_new": (40, 0),
        "users_same": (40, 0),
    }
    first, new, same = app.prompts[0], app.prompts[1:41], app.prompts[41:]
    assert len({first, *new}) == 41
    assert set(same) == {first}
    assert app.most == 20


def test_a_refusal_is_an_error_of_its_part() -> None:
    found = measured(Noting(status=429, bad=5))
    assert sum(one.errors for one in found.values()) == 81 // 5
    assert all(len(one.samples) == one.count - one.errors for one in found.values())


@pytest.mark.parametrize(
    ("status", "rule"),
    [(401, "key must be one"), (403, "key must be one"), (404, "url must be of a service that p")],
)
def test_a_first_refusal_says_what_is_wrong(status: int, rule: str) -> None:
    with pytest.raises(ValueError, match=rf"^{rule}.*got status {status}"):
        measured(Noting(status=status, bad=1))


def test_nobody_there_says_so() -> None:
    async def main() -> None:
        async with httpx.AsyncClient(base_url="http://127.0.0.1:1") as client:
            prompts = fresh_prompts(np.random.default_rng(0))
            await measure_users([client], prompts, repeats=1, budget=Budget(None, 2))

    with pytest.raises(ValueError, match=r"^url must be of a service that runs, got none"):
        anyio.run(main)
