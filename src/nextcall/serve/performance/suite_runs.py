"""The performance suite on a service that is started for it, or on one that runs elsewhere."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

import httpx
import numpy as np
from anyio.from_thread import start_blocking_portal

from nextcall.performance.run import PerformanceRun
from nextcall.performance.users import USERS
from nextcall.progress import Progress, silent
from nextcall.serve.loading import load_predictor
from nextcall.serve.performance.suite import REPEATS, Connect, run_suite
from nextcall.serve.performance.suite_service import parts_of, service_process
from nextcall.serve.process.server import bind, loading_for_good
from nextcall.serve.settings import Settings
from nextcall.telemetry.service_level import ServiceLevelTargets

_TIMEOUT = 30.0  # seconds: the longest that is promised


def measure_here(
    settings: Settings,
    *,
    rng: np.random.Generator,
    repeats: int = REPEATS,
    progress: Progress = silent,
) -> PerformanceRun:
    """Load a service and measure its parts; another process serves the same for its users.

    So clients and service share no interpreter, and the memory that is told is the service's.

    Parameters
    ----------
    settings : Settings
        Which catalogue and model, and what was promised.
    rng : numpy.random.Generator
        Draws prompts.
    repeats : int
        Calls of each part.
    progress : Progress

    Raises
    ------
    CatalogError, OSError
        Where the catalogue cannot be read.
    RuntimeError
        Where the service does not start.
    """
    with bind("127.0.0.1", 0) as listening:
        with loading_for_good():
            predictor = load_predictor(settings, progress=progress)
            predictor.warm()
            parts = parts_of(predictor, settings)
        with service_process(settings, listening) as service:
            service.wait()
            connect = _connecting(service.url, proxies=False)
            suite = partial(
                run_suite,
                parts,
                connect,
                targets=settings.targets(),
                rng=rng,
                source="cli",
                repeats=repeats,
                memory=service.memory_bytes,
                progress=progress,
            )
            return _run(suite)


def measure_there(
    url: str,
    *,
    targets: ServiceLevelTargets,
    rng: np.random.Generator,
    key: str | None = None,
    repeats: int = REPEATS,
    progress: Progress = silent,
) -> PerformanceRun:
    """Measure the users of a service that runs.

    Parameters
    ----------
    url : str
        Where ``/predict`` lies beneath.
    targets : ServiceLevelTargets
        What was promised.
    rng : numpy.random.Generator
        Draws prompts, which must be new to the service.
    key : str, optional
        Of somebody who may predict, and so often.
    repeats : int
        Calls of each part.
    progress : Progress

    Raises
    ------
    ValueError
        Where `url` is none, or nobody answers there with success.
    """
    connect = _connecting(_checked(url), key=key)
    suite = partial(
        run_suite,
        None,
        connect,
        targets=targets,
        rng=rng,
        source="cli",
        repeats=repeats,
        progress=progress,
    )
    return _run(suite)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        known = False
    if not known:
        raise ValueError(f"url must be such as http://127.0.0.1:8000, got {url[:100]!r}.")
    return url


def _run(suite: Callable[[], Awaitable[PerformanceRun]]) -> PerformanceRun:
    with start_blocking_portal() as portal:  # a loop of its own: a notebook has one already
        return portal.call(suite)


def _connecting(url: str, *, key: str | None = None, proxies: bool = True) -> Connect:
    @asynccontextmanager
    async def connect() -> AsyncIterator[list[httpx.AsyncClient]]:
        trusted = httpx.create_ssl_context(trust_env=proxies)  # made once, for it takes a while
        async with AsyncExitStack() as opened:
            yield [
                await opened.enter_async_context(
                    httpx.AsyncClient(
                        base_url=url,
                        headers={} if key is None else {"X-API-Key": key},
                        timeout=_TIMEOUT,
                        trust_env=proxies,
                        verify=trusted,
                    )
                )
                for _ in range(USERS)
            ]

    return connect
