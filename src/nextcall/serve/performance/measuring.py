"""Runs the performance suite inside a service, on a copy of its application that keeps no door."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
import numpy as np
from fastapi import FastAPI

from nextcall.performance.run import PerformanceRun
from nextcall.performance.users import USERS
from nextcall.serve.performance.suite import ServiceParts, run_suite
from nextcall.serve.predictor import Predictor
from nextcall.serve.problems import Problem, RefusedError
from nextcall.serve.safety.safety import Safety
from nextcall.serve.settings import Settings

if TYPE_CHECKING:
    import httpx

Build = Callable[[ServiceParts, Settings], FastAPI]
"""Makes an application of parts."""

_HERE: Final = "http://127.0.0.1"  # never asked: the application is called


def measured_app(parts: ServiceParts, settings: Settings, build: Build) -> FastAPI:
    """Make an application like that of a service, which asks for no key and counts no rates."""
    changed = {"environment": "development", "cache_warm_up": None, "predict_trial": None}
    return build(parts, settings.model_copy(update=changed))


class Measuring:
    """Measures a service from within, in a thread, one run at a time.

    Parameters
    ----------
    predictor : Predictor
    safety : Safety
        Of the service.
    settings : Settings
    build : callable
        Makes an application of parts.
    """

    def __init__(
        self, predictor: Predictor, safety: Safety, settings: Settings, *, build: Build
    ) -> None:
        self._predictor, self._safety, self._settings = predictor, safety, settings
        self._build = build
        self._running = threading.Lock()

    async def run(self, repeats: int) -> PerformanceRun:
        """Measure; the loop goes on meanwhile.

        Parameters
        ----------
        repeats : int
            Calls of each part, fewer where the time that is set is over.

        Raises
        ------
        RefusedError
            Where a run is under way (409).
        """
        if not self._running.acquire(blocking=False):
            refusal = Problem(error="A run is under way; ask again when it has ended")
            raise RefusedError(refusal, status=HTTPStatus.CONFLICT)
        try:  # of its own limiter: no prediction waits for it
            return await anyio.to_thread.run_sync(
                lambda: self._measure(repeats), limiter=anyio.CapacityLimiter(1)
            )
        finally:
            self._running.release()

    def _measure(self, repeats: int) -> PerformanceRun:
        settings = self._settings

        async def main() -> PerformanceRun:
            return await run_suite(
                self._parts(),
                self._connect,
                targets=settings.targets(),
                rng=np.random.default_rng(),
                source="route",
                repeats=repeats,
                seconds=settings.performance_seconds,
            )

        return anyio.run(main)

    def _parts(self) -> ServiceParts:
        return ServiceParts.of(self._predictor, self._safety, self._settings)

    @asynccontextmanager
    async def _connect(self) -> "AsyncIterator[list[httpx.AsyncClient]]":
        import httpx  # noqa: PLC0415  # 6 MB, and only where something is measured

        app = measured_app(self._parts(), self._settings, self._build)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url=_HERE) as client,
        ):
            yield [client] * USERS  # which has no pool of connections
