"""Answers that were given before: by the very bytes of a request, else by what it asks."""

import math
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from pydantic_core import to_json

from nextcall.cache.cache import Cache
from nextcall.cache.computing import ComputingCache
from nextcall.cache.shared_flight import ComputingTiers
from nextcall.cache.tiers import Tiers
from nextcall.serve.caching.kept_answer import KeptAnswer
from nextcall.serve.schemas import PredictRequest

_LONGEST_KNOWN: Final = 16_384  # bytes of a body that is known again by them
_MOST_KNOWN: Final = 10_000
_AGES: Final = 8  # steps in which the age of the last call doubles

Asked = tuple[str, ...]
"""What an answer depends on beside the request: its detail, the policy of its route, and the
identity of the model that answers now, whichever the service was started with."""


class AnswerCache:
    """Kept answers, in memory, or in memory and Redis.

    Requests are known by hashes: no prompt is kept.

    Parameters
    ----------
    computing : ComputingCache or ComputingTiers
        Keeps answers of one catalogue and guard; the model is told with each request.
    """

    def __init__(self, computing: ComputingCache[KeptAnswer] | ComputingTiers[KeptAnswer]) -> None:
        self.computing = computing
        self._tiers: Tiers[KeptAnswer] | None = None
        if isinstance(computing, ComputingTiers):
            self._tiers, self.memory = computing.tiers, computing.tiers.memory
        else:
            self.memory = computing.cache
        self._keys = Cache[str](ttl=self.memory.ttl, entries=_MOST_KNOWN)

    def at_once(self, body: bytes, asked: Asked) -> KeptAnswer | None:
        """Give what was answered to the same bytes, where that is known without waiting."""
        if len(body) > _LONGEST_KNOWN or (self._tiers is not None and self._tiers.is_due):
            return None
        key = self._keys.peek(_digest(body, asked), None)
        if key is None or self.memory.peek(key, None) is None:
            return None  # is counted where it is looked for in earnest
        return self.memory.get(key)

    @property
    def is_near(self) -> bool:
        """Whether all of it is in this process, so that nothing waits for it."""
        return self._tiers is None

    def get_or_compute(self, key: str, compute: Callable[[], KeptAnswer]) -> KeptAnswer:
        """Give the answer of a key, computed where it is not kept, once for all who wait for it.

        A failure reaches all of them, in other workers as `AnswerFailures` tell it.
        """
        return self.computing.get_or_compute(key, compute)

    async def get_or_compute_async(
        self, key: str, compute: Callable[[], Awaitable[KeptAnswer]]
    ) -> KeptAnswer:
        """Do as `get_or_compute` from a task of asyncio."""
        return await self.computing.get_or_compute_async(key, compute)

    def know(self, body: bytes, asked: Asked, key: str) -> None:
        """Let `at_once` find the answer of a key by the bytes that asked for it."""
        if len(body) <= _LONGEST_KNOWN:
            self._keys.put(_digest(body, asked), key)

    def forget(self, key: str) -> None:
        """Keep the answer of a key no longer."""
        (self.memory if self._tiers is None else self._tiers).invalidate(key)


def request_key(request: PredictRequest, asked: Asked, *, now: datetime) -> str:
    """Name what a request asks for; requests of the same name have the same answer.

    A name is ``query/DETAIL/POLICY/MODEL/HASH``, so that patterns can choose among all but what was
    asked. Where the last call has a time, its age decides too: within a tenth or so it is the same.

    Parameters
    ----------
    request : PredictRequest
    asked : tuple of str
    now : datetime
        Of the question.
    """
    calls = [
        [each.api_call, each.method, each.timestamp and each.timestamp.timestamp()]
        for each in request.history
    ]
    age = _age(request, now)
    told = to_json([request.prompt, request.max_predictions, age, calls])
    return f"query/{'/'.join(asked)}/{_digest(told, asked)}"


def is_timed(request: PredictRequest) -> bool:
    """Tell whether the answer changes as time goes by."""
    return bool(request.history) and request.history[-1].timestamp is not None


def _age(request: PredictRequest, now: datetime) -> int | None:
    last = request.history[-1].timestamp if request.history else None
    if last is None:
        return None
    return math.floor(_AGES * math.log2(1 + max(0.0, (now - last).total_seconds())))


def _digest(data: bytes, asked: Asked) -> str:
    return blake2b(_begin(asked) + data, digest_size=20).hexdigest()


@lru_cache(maxsize=64)
def _begin(asked: Asked) -> bytes:
    return "\n".join([*asked, ""]).encode()
