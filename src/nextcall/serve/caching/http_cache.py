"""Answers to GET that are kept for a few minutes, as far as HTTP lets them be shared.

Pure ASGI, as a shared cache of RFC 9111: what a response forbids is not kept.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextcall.cache.cache import Cache
from nextcall.serve.caching.sharing import (
    Headers,
    directives,
    has_credential,
    is_public,
    is_storable,
    joined,
    lifetime,
    varying,
)

_CONDITIONS: Final = (
    *(b"range", b"if-range", b"if-match", b"if-none-match"),
    *(b"if-modified-since", b"if-unmodified-since"),
)
_UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_OVERHEAD: Final = 500  # bytes of an entry besides its headers and its body


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """An answer with 200."""

    headers: Headers
    body: bytes
    at: float
    """When it was made."""
    is_public: bool

    @property
    def nbytes(self) -> int:
        """What it takes in memory, about."""
        headers = sum(len(name) + len(value) for name, value in self.headers)
        return _OVERHEAD + len(self.body) + headers


@dataclass(frozen=True, slots=True)
class _Variants:
    """Of an address: which headers of a request choose its answer."""

    names: tuple[bytes, ...]
    number: int  # of this generation of them


_NUMBERS: Final = count()  # of all in this process: some may share where they keep answers


class HttpCache:
    """ASGI middleware: answers GET from memory where an answer with 200 is kept.

    Every answer to GET says in ``X-Cache`` whether it is a HIT, a MISS, or BYPASS where it may be
    neither kept nor taken from here. To one who shows a credential only what is ``public`` is
    given, and only that is kept of what such a one is told. Headers that ``Vary`` names choose
    among the answers of an address. A request that changes an address forgets what is kept of it.

    Parameters
    ----------
    app : ASGI application
        This stands within what checks credentials and limits rates.
    answers : Cache, optional
        Where answers are kept, beside other things; a cache of its own where none is given.
    ttl : float
        Seconds for which an answer is kept that does not ask for less.
    entries : int
        The most that are kept in a cache of its own.
    max_bytes : int
        The most that they may take there.
    largest : int
        Bytes of a body above which an answer is not kept.
    skipped : sequence of str
        Beginnings of paths that are never kept.
    clock : callable
        Seconds that never go back.

    Raises
    ------
    ValueError
        Where a limit is not above 0.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        answers: Cache[Any] | None = None,
        ttl: float = 300.0,
        entries: int = 1000,
        max_bytes: int = 32_000_000,
        largest: int = 1_000_000,
        skipped: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if largest < 1:
            raise ValueError(f"largest must be above 0, got {largest}.")
        self.app = app
        self.answers: Cache[Any] = (
            Cache(ttl=ttl, entries=entries, max_bytes=max_bytes, clock=clock)
            if answers is None
            else answers
        )
        self._variants = Cache[_Variants](ttl=ttl, entries=entries, clock=clock)
        self._ttl = min(ttl, self.answers.ttl)
        self._largest, self._skipped, self._clock = largest, tuple(skipped), clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http" or scope["method"] not in {"GET", *_UNSAFE}:
            await self.app(scope, receive, send)
            return
        headers = joined(scope["headers"])
        address = _address(scope, headers)
        if scope["method"] != "GET":
            await self.app(scope, receive, self._forgetting(send, address))
            return
        asked = directives(headers, b"cache-control") | directives(headers, b"pragma")
        if not self._may_keep(scope, headers) or "no-store" in asked:
            await self.app(scope, receive, _marking(send, b"BYPASS"))
            return
        if not {"no-cache", "max-age=0"} & asked:
            kept = self._found(address, headers)
            if kept is not None:
                await self._answer(kept, send)
                return
        await self.app(scope, receive, _Keeping(self, send, address, headers).send)

    def keep(
        self,
        address: str,
        headers: dict[bytes, bytes],
        answer: Message,
        body: bytes,
        *,
        since: tuple[int, int],
    ) -> None:
        """Keep an answer with 200 that may be, with what it varies by, from a `mark` on."""
        sent = answer.get("headers", ())
        told = joined(sent)
        names = varying(told)
        variants = self._variants.peek(address, None)
        if variants is None or variants.names != names:
            variants = _Variants(names, next(_NUMBERS))
        ttl = min(self._ttl, lifetime(told, self._ttl))
        of_addresses, of_answers = since
        if self._variants.put(address, variants, since=of_addresses):
            kept = _Kept(
                headers=tuple(each for each in sent if each[0].lower() != b"age"),
                body=body,
                at=self._clock() - float(told.get(b"age", 0)),
                is_public=is_public(told),
            )
            name = _variant(address, variants, headers)
            self.answers.put(name, kept, ttl=ttl, since=of_answers)

    @property
    def mark(self) -> tuple[int, int]:
        """Stands for this moment among the changes of addresses, and what was forgotten."""
        return self._variants.mark, self.answers.mark

    @property
    def largest(self) -> int:
        """Bytes of a body above which an answer is not kept."""
        return self._largest

    def _may_keep(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        if self._skipped and scope["path"].startswith(self._skipped):
            return False
        has_body = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
        return not has_body and not any(name in headers for name in _CONDITIONS)

    def _found(self, address: str, headers: dict[bytes, bytes]) -> _Kept | None:
        variants = self._variants.get(address)
        # Where nothing is known of an address there is no answer of that name: it counts as a miss.
        name = address if variants is None else _variant(address, variants, headers)
        kept: _Kept | None = self.answers.get(name)
        if kept is not None and not kept.is_public and has_credential(headers):
            return None
        return kept

    async def _answer(self, kept: _Kept, send: Send) -> None:
        age = str(int(self._clock() - kept.at)).encode()
        headers = [*kept.headers, (b"age", age), (b"x-cache", b"HIT")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": kept.body})

    def _forgetting(self, send: Send, address: str) -> Send:
        async def forget(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                self._variants.invalidate(address)
            await send(message)

        return forget


class _Keeping:
    """An answer on its way, which may be kept when it is whole."""

    __slots__ = ("_address", "_answer", "_body", "_cache", "_headers", "_send", "_since")

    def __init__(
        self, cache: HttpCache, send: Send, address: str, headers: dict[bytes, bytes]
    ) -> None:
        self._cache, self._send = cache, send
        self._address, self._headers = address, headers
        self._since = cache.mark
        self._answer: Message | None = None
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            is_kept = is_storable(message, shown=has_credential(self._headers))
            self._answer = message if is_kept else None
            told = b"MISS" if is_kept else b"BYPASS"
            message = {**message, "headers": [*message.get("headers", ()), (b"x-cache", told)]}
        elif message["type"] != "http.response.body":  # a file, or trailers
            self._answer = None
        elif self._answer is not None:
            self._body += message.get("body", b"")
            if len(self._body) > self._cache.largest:
                self._answer = None
                self._body.clear()
        await self._send(message)
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if is_last and self._answer is not None:
            answer, self._answer, body = self._answer, None, bytes(self._body)
            self._cache.keep(self._address, self._headers, answer, body, since=self._since)


def _address(scope: Scope, headers: dict[bytes, bytes]) -> str:
    path = scope.get("raw_path") or scope["path"].encode()
    parts = (scope["scheme"].encode(), headers.get(b"host", b"").lower(), path)
    return f"general/{(*parts, scope['query_string'])!r}"


def _variant(address: str, variants: _Variants, headers: dict[bytes, bytes]) -> str:
    chosen = [headers.get(name) for name in variants.names]
    return f"{address} {variants.number} {chosen!r}"


def _marking(send: Send, told: bytes) -> Send:
    async def mark(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"x-cache", told)]
            message = {**message, "headers": headers}
        await send(message)

    return mark
