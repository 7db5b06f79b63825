"""An answer is seen by all who asked, whoever stands where."""

import asyncio
from typing import Any

from starlette.types import Message, Send

from nextcall.serve.door.leaving import Headers, Leaving


def test_all_see_one_answer_and_none_changes_the_message_of_who_made_it() -> None:
    sent: list[Message] = []
    seen: list[tuple[str, int]] = []

    async def send(message: Message) -> None:
        sent.append(message)

    def looking(name: str) -> Any:
        def look(status: int, headers: Headers) -> None:
            seen.append((name, status))
            headers.append((name.encode(), b""))

        return look

    async def answer(send: Send, start: Message) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": b"a"})

    outer = Leaving.seen(send, looking("outer"))
    inner = Leaving.seen(outer, looking("inner"))
    assert inner is outer  # no message passes two of them
    own: Headers = [(b"own", b"")]
    for headers in (own, None):
        start: Message = {"type": "http.response.start", "status": 418}
        if headers is not None:
            start["headers"] = headers
        asyncio.run(answer(inner, start))
        assert start.get("headers") == headers
        names = [name for name, _ in sent[0]["headers"]]
        assert names == [name for name, _ in headers or []] + [b"inner", b"outer"]
        assert sent[1] == {"type": "http.response.body", "body": b"a"}
        sent.clear()
    assert seen == [("inner", 418), ("outer", 418)] * 2
