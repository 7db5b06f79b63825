"""Measures a service: each part by the objects that answer, then many users over HTTP."""

import copy
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nextcall import __version__
from nextcall.performance.figures import Figures
from nextcall.performance.promises import USER_PARTS, judged_parts
from nextcall.performance.prompts import fresh_prompts
from nextcall.performance.repeating import Budget, repeated
from nextcall.performance.run import PerformanceRun, Source
from nextcall.performance.users import USERS, measure_users
from nextcall.progress import Progress, silent
from nextcall.ranking.candidates import retrieve
from nextcall.serve.answering import Answering
from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.predictor import Predictor
from nextcall.serve.problems import RefusedError, UnsafeError
from nextcall.serve.process.memory import memory_bytes
from nextcall.serve.safety.safety import Safety
from nextcall.serve.schemas import Limits, PredictRequest
from nextcall.serve.settings import Settings
from nextcall.telemetry.service_level import ServiceLevelTargets

if TYPE_CHECKING:
    import httpx

Connect: TypeAlias = "Callable[[], AbstractAsyncContextManager[Sequence[httpx.AsyncClient]]]"
"""Opens clients of the service, one for each user."""

REPEATS: Final = 100
"""Calls of each part, where nothing else is said."""

_ROUTE: Final = "/predict"
_REFUSALS: Final = (RefusedError, UnsafeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceParts:
    """The parts of a service, apart from what it counts and keeps.

    Attributes
    ----------
    predictor : Predictor
        The same index and ranker; vectors are kept by itself, if they are.
    safety : Safety
        The same checks; counts by itself.
    caches : ServiceCaches or None
        Empty ones, in memory; None where the service keeps nothing.
    k : int
        Operations that are asked for.
    """

    predictor: Predictor
    safety: Safety
    caches: ServiceCaches | None
    k: int

    @classmethod
    def of(cls, predictor: Predictor, safety: Safety, settings: Settings) -> Self:
        """Take the parts of a service."""
        own = copy.copy(predictor)
        own.vectors = own.views = None
        return cls(
            predictor=own,
            safety=safety.apart(),
            caches=ServiceCaches(settings, own) if settings.cache_enabled else None,
            k=settings.default_predictions,
        )


async def measure_parts(
    parts: ServiceParts,
    prompts: Iterator[str],
    *,
    repeats: int,
    budget: Budget,
    progress: Progress = silent,
) -> dict[str, Figures]:
    """Call each part again and again, with prompts that are new to it.

    Parts that the service has not (the guard, a ranker, caches) are left out.

    Parameters
    ----------
    parts : ServiceParts
    prompts : iterator of str
    repeats : int
        Calls of each part.
    budget : Budget
        A share is used for each part.
    progress : Progress
    """
    figures = {}
    for name, call in _calls(parts, prompts).items():
        await call()  # what loads at the first time is no part of it
        taken = await repeated(
            call, repeats, budget, failures=_REFUSALS, description=name, progress=progress
        )
        figures[name] = Figures.of(taken)
    return figures


def count_parts(parts: ServiceParts) -> int:
    """Say how many parts would be measured."""
    return len(_calls(parts, iter(())))


def _calls(
    parts: ServiceParts, prompts: Iterator[str]
) -> dict[str, Callable[[], Awaitable[object]]]:
    predictor, ranker, index = parts.predictor, parts.predictor.ranker, parts.predictor.index
    encoded: list[tuple[str, NDArray[np.float32]]] = []  # by the part before those that need it
    places = count()
    limits = Limits(predictions=parts.k, default_predictions=parts.k)
    cold = Answering(predictor, parts.safety, limits)
    same = _body("list everything")

    async def guard() -> None:
        request = PredictRequest(prompt=next(prompts), max_predictions=parts.k)
        parts.safety.check_request(_ROUTE, request)

    async def vector() -> None:
        prompt = next(prompts)
        (found,) = index.embedder.encode([prompt])
        encoded.append((prompt, np.asarray(found, np.float32)))

    async def candidates() -> None:
        prompt, known = encoded[next(places) % len(encoded)]
        retrieve(index, prompt, vector=known)

    async def ranking() -> None:
        prompt, known = encoded[next(places) % len(encoded)]
        if ranker is not None:
            ranker.answer(index, prompt, k=parts.k, vector=known, now=datetime.now(UTC))

    async def prediction() -> None:
        await cold.reply(_body(next(prompts)), "short")

    calls: dict[str, Callable[[], Awaitable[object]]] = {}
    if parts.safety.enabled:
        calls["guard"] = guard
    calls |= {"vector": vector, "candidates": candidates}
    if ranker is not None:
        calls["ranking"] = ranking
    calls["prediction"] = prediction
    if parts.caches is not None:
        keeping = copy.copy(predictor)  # whose vectors are kept
        warm = Answering(keeping, parts.safety, limits, caches=parts.caches)
        calls["kept"] = lambda: warm.reply(same, "short")
    return calls


def _body(prompt: str) -> bytes:
    return json.dumps({"prompt": prompt}).encode()


async def run_suite(
    parts: ServiceParts | None,
    connect: Connect,
    *,
    targets: ServiceLevelTargets,
    rng: np.random.Generator,
    source: Source,
    repeats: int = REPEATS,
    seconds: float | None = None,
    memory: Callable[[], float | None] = memory_bytes,
    progress: Progress = silent,
) -> PerformanceRun:
    """Measure all parts of a service, then users at once.

    Parameters
    ----------
    parts : ServiceParts or None
        None where the service runs elsewhere: only its users are measured.
    connect : callable
        Opens clients of it, one for each user.
    targets : ServiceLevelTargets
        What was promised.
    rng : numpy.random.Generator
        Draws prompts, which must be new to the service.
    source : str
        Who asks for the run.
    repeats : int
        Calls of each part; at least 1.
    seconds : float, optional
        For all parts together, each of which is called at least once.
    memory : callable
        Tells the bytes of the service's process at the end, None where they are not known. It is
        asked where `parts` are given.
    progress : Progress

    Raises
    ------
    ValueError
        Where the service does not answer.
    """
    prompts = fresh_prompts(rng)
    figures: dict[str, Figures] = {}
    inner = 0 if parts is None else count_parts(parts)
    budget = Budget(seconds, inner + len(USER_PARTS))
    if parts is not None:
        figures |= await measure_parts(
            parts, prompts, repeats=repeats, budget=budget, progress=progress
        )
    async with connect() as clients:
        figures |= await measure_users(
            clients, prompts, repeats=repeats, budget=budget, progress=progress
        )
    return PerformanceRun(
        at=datetime.now(UTC),
        source=source,
        version=__version__,
        model_version=None if parts is None else parts.predictor.model_version,
        users=min(USERS, repeats),
        parts=figures,
        promises=judged_parts(figures, targets, memory_bytes=None if parts is None else memory()),
    )
