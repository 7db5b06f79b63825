"""Users at once who ask a service over HTTP: what nobody asked before, and what all ask."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from nextcall.performance.figures import Figures
from nextcall.performance.promises import USER_PARTS
from nextcall.performance.repeating import Budget, repeated
from nextcall.progress import Progress, silent

if TYPE_CHECKING:
    import httpx

USERS: Final = 20
"""At once, where nothing else is said."""

_ROUTE: Final = "/predict"


async def measure_users(
    clients: "Sequence[httpx.AsyncClient]",
    prompts: Iterator[str],
    *,
    repeats: int,
    budget: Budget,
    progress: Progress = silent,
) -> dict[str, Figures]:
    """Ask for predictions; an answer that is no success counts as an error.

    Parameters
    ----------
    clients : sequence of httpx.AsyncClient
        One for each user: those who share one wait for each other at its pool of connections. They
        know the address, and the key.
    prompts : iterator of str
        None of them asked before.
    repeats : int
        Requests of each part, of all users together.
    budget : Budget
        Its next two shares are used.
    progress : Progress

    Raises
    ------
    ValueError
        Where a first request is not answered with success.
    """
    import httpx  # noqa: PLC0415  # 6 MB, and only where something is measured

    same, idle, users = next(prompts), list(clients), len(clients)
    await check(clients[0], same)

    async def ask(prompt: str) -> None:
        client = idle.pop()
        try:
            await _ask(client, prompt)
        finally:
            idle.append(client)

    async def ask_new() -> None:
        await ask(next(prompts))

    async def ask_same() -> None:
        await ask(same)

    figures = {}
    for name, call in zip(USER_PARTS, (ask_new, ask_same), strict=True):
        taken = await repeated(
            call,
            repeats,
            budget,
            users=users,
            failures=(httpx.HTTPError,),
            description=f"{name}, {users} at once",
            progress=progress,
        )
        figures[name] = Figures.of(taken)
    return figures


async def check(client: "httpx.AsyncClient", prompt: str) -> None:
    """Ask once.

    Raises
    ------
    ValueError
        Where there is no answer, or it is no success.
    """
    import httpx  # noqa: PLC0415  # as above

    try:
        await _ask(client, prompt)
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        rule = (
            "key must be one that may predict"
            if code in {401, 403}
            else "url must be of a service that predicts"
        )
        raise ValueError(f"{rule}, got status {code} from it.") from error
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"url must be of a service that runs, got none: {reason}.") from error


async def _ask(client: "httpx.AsyncClient", prompt: str) -> None:
    body = json.dumps({"prompt": prompt}).encode()
    answer = await client.post(_ROUTE, content=body, headers={"content-type": "application/json"})
    answer.raise_for_status()
