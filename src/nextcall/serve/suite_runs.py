"""The performance suite on a service that is started for it, or on one that runs elsewhere."""

from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

import anyio
import httpx
import numpy as np

from nextcall.performance.run import PerformanceRun
from nextcall.performance.users import USERS
from nextcall.progress import Progress, silent
from nextcall.serve.app import app_of_parts
from nextcall.serve.loading import load_predictor
from nextcall.serve.measuring import measured_app
from nextcall.serve.safety import Safety
from nextcall.serve.server import bind, loading_for_good, running
from nextcall.serve.settings import Settings
from nextcall.serve.suite import REPEATS, ServiceParts, run_suite
from nextcall.telemetry.service_level import ServiceLevelTargets

_TIMEOUT = 30.0  # seconds: the longest that is promised


def measure_here(
    settings: Settings,
    *,
    rng: np.random.Generator,
    repeats: int = REPEATS,
    progress: Progress = silent,
) -> PerformanceRun:
    """Load a service, measure its parts, and serve it on a free port for its users.

    Clients and service share this process, and so one interpreter: a service of its own is faster.

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
    """
    with bind("127.0.0.1", 0) as listening:
        with loading_for_good():
            predictor = load_predictor(settings, progress=progress)
            predictor.warm()
            most = predictor.max_history
            safety = Safety(settings, predictor.index.catalog, max_history=most)
        own, served = (ServiceParts.of(predictor, safety, settings) for _ in range(2))
        with running(measured_app(served, settings, app_of_parts), listening) as url:
            return _run(own, url, None, settings.targets(), rng, repeats, progress)


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
    return _run(None, _checked(url), key, targets, rng, repeats, progress)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        known = False
    if not known:
        raise ValueError(f"url must be such as http://127.0.0.1:8000, got {url[:100]!r}.")
    return url


def _run(
    parts: ServiceParts | None,
    url: str,
    key: str | None,
    targets: ServiceLevelTargets,
    rng: np.random.Generator,
    repeats: int,
    progress: Progress,
) -> PerformanceRun:
    headers = {} if key is None else {"X-API-Key": key}

    def connect() -> AbstractAsyncContextManager[httpx.AsyncClient]:
        return httpx.AsyncClient(
            base_url=url,
            headers=headers,
            timeout=_TIMEOUT,
            limits=httpx.Limits(max_connections=USERS),
            trust_env=parts is None,  # no proxy stands before a service of this process
        )

    async def main() -> PerformanceRun:
        return await run_suite(
            parts,
            connect,
            targets=targets,
            rng=rng,
            source="cli",
            repeats=repeats,
            progress=progress,
        )

    return anyio.run(main)
