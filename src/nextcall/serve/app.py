"""The application, built from its parts by one function."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import anyio.to_thread
from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from nextcall import __version__
from nextcall.access.audit_log import AuditLog
from nextcall.feedback.feedback import Feedback
from nextcall.serve.assistant.runs import Runs
from nextcall.serve.caching.caches import read_requests
from nextcall.serve.caching.http_cache import HttpCache
from nextcall.serve.costs.reading import CostReading
from nextcall.serve.description import describe
from nextcall.serve.door.body_limit import BodyLimit
from nextcall.serve.door.door import Door
from nextcall.serve.door.front_door import FrontDoor
from nextcall.serve.door.gate import Gate
from nextcall.serve.errors import add_error_handlers
from nextcall.serve.feedback.online import OnlineReading
from nextcall.serve.fronted_app import FrontedApp
from nextcall.serve.jobs.service_jobs import ServiceJobs
from nextcall.serve.models.arms import answers_by
from nextcall.serve.models.interleaved import Interleaved
from nextcall.serve.observer import Observer
from nextcall.serve.parts import Parts
from nextcall.serve.performance.measuring import Measuring
from nextcall.serve.performance.suite import ServiceParts
from nextcall.serve.predictor import Predictor
from nextcall.serve.problems import RefusedError, UnsafeError
from nextcall.serve.process.state import WorkerState
from nextcall.serve.routes.assistant import assistant_routes
from nextcall.serve.routes.caches import cache_routes
from nextcall.serve.routes.costs import cost_routes
from nextcall.serve.routes.feedback import feedback_routes
from nextcall.serve.routes.health import health_routes
from nextcall.serve.routes.jobs import job_routes
from nextcall.serve.routes.metrics import metrics_routes
from nextcall.serve.routes.models import model_routes
from nextcall.serve.routes.pages import (
    ASSETS,
    STATIC,
    documentation_assets,
    page_assets,
    page_routes,
)
from nextcall.serve.routes.performance import performance_routes
from nextcall.serve.routes.performance_runs import performance_run_routes
from nextcall.serve.routes.predictions import batch_routes, predict_app, predict_routes
from nextcall.serve.routes.trials import sighting_routes, trial_routes
from nextcall.serve.safety.safety import Safety
from nextcall.serve.schemas import Limits
from nextcall.serve.settings import Settings
from nextcall.serve.shortcut import Shortcut
from nextcall.serve.trials.prediction_trial import PredictionTrial
from nextcall.telemetry.metrics import Metrics
from nextcall.trials.trials import Trials

_TITLE = "nextcall"
_NEVER_KEPT = (
    "/api/", "/cost-analytics", "/feedback", "/health", "/jobs", "/metrics", "/performance/",
)  # fmt: skip
"""What tells of now: pages and descriptions may be kept for five minutes."""
_SUMMARY = "Given a prompt and the calls so far, which API call comes next?"


def create_app(predictor: Predictor, *, settings: Settings, parts: Parts | None = None) -> FastAPI:
    """Build the service over one loaded predictor.

    Parameters
    ----------
    predictor : Predictor
        Answers; shared by all threads.
    settings : Settings
        Limits of requests, and how many are computed side by side.
    parts : Parts, optional
        What stands beside it; nothing where it is not given.

    Raises
    ------
    ValueError
        Where the settings ask for production, and there is no door; or name a file of requests
        that cannot be read, or an A/B test that there is not.
    """
    given = parts or Parts()
    trials, door, caches, observer = given.trials, given.door, given.caches, given.observer
    feedback, challenger = given.feedback, given.challenger
    if settings.environment == "production" and door is None:
        raise ValueError("door must be given in production, where everybody is asked for a key.")
    state = WorkerState(given)
    guarding = given.safety or _guarding(predictor, settings, given, state.metrics)
    limits = Limits(
        prompt_characters=settings.max_prompt_characters,
        history=settings.max_history_received,
        predictions=settings.max_predictions,
        default_predictions=settings.default_predictions,
    )
    answering = answers_by(predictor, guarding, limits, settings=settings, parts=given)
    warming = [] if settings.cache_warm_up is None else read_requests(settings.cache_warm_up)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.threads
        guarding.warm()
        for body in warming:
            with suppress(RefusedError, UnsafeError):
                await answering.reply(body, "short")
        async with _in_loop(given, state):
            yield

    app = FrontedApp(
        title=_TITLE,
        summary=_SUMMARY,
        version=__version__,
        docs_url=None,  # pages.py serves both without another host
        redoc_url=None,
        lifespan=lifespan,
        # It would tell a collector what came; `Observer` has traces without.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    # Asked most: looked at first, and by the application itself, for one that is included is
    # looked at twice.
    app.router.routes.extend(predict_routes(answering).routes)
    if trials is not None:
        app.router.routes.extend(sighting_routes(trials).routes)
    app.include_router(
        batch_routes(
            answering,
            max_batch=settings.max_batch,
            threads=settings.threads,
            seconds=settings.prediction_seconds,
        )
    )
    if feedback is not None:
        app.include_router(_feedback_routes(feedback, predictor, trials, settings))
    app.include_router(cache_routes(caches, None if challenger is None else challenger.caches))
    app.include_router(
        health_routes(
            predictor,
            guarding,
            given,
            failing=lambda: answering.failing if isinstance(answering, Interleaved) else None,
            swap=None if given.jobs is None else given.jobs.swap,
            caches=state.caches,
        )
    )
    app.include_router(metrics_routes(state, guarding))
    _include_figures(app, predictor, settings, given, state)
    measuring = Measuring(predictor, guarding, settings, build=app_of_parts)
    app.include_router(performance_run_routes(measuring, given.history))
    audit = None if door is None else door.audit
    if trials is not None:
        app.include_router(trial_routes(trials, guarding, audit))
    _include_pages(app)
    _include_assistant(app, predictor, guarding, limits, settings=settings, parts=given)
    if given.jobs is not None:
        _include_jobs(app, given.jobs, audit)
    if caches is not None:
        app.add_middleware(HttpCache, answers=caches.pages, skipped=_NEVER_KEPT)
    add_error_handlers(app)
    app.put_before(
        Shortcut,
        method="POST",
        path="/predict",
        answer=predict_app(answering),
        handlers=app.exception_handlers,
    )
    _put_door_before(app, settings, door, observer)
    needs_key = door is not None and door.mode.needs_key
    limited = door is not None and door.limiter is not None
    app.openapi = lambda: describe(app, limits, needs_key=needs_key, limited=limited)  # type: ignore[method-assign]  # the documented way
    return app


@asynccontextmanager
async def _in_loop(parts: Parts, state: WorkerState) -> AsyncIterator[None]:
    """Let parts do what they do in the loop that answers."""
    async with AsyncExitStack() as opened:
        if parts.feedback is not None and parts.feedback.elsewhere is not None:
            await opened.enter_async_context(parts.feedback.elsewhere.telling())
        if parts.assistant is not None:
            opened.push_async_callback(parts.assistant.close)
        opened.enter_context(state.telling())
        yield


def app_of_parts(parts: ServiceParts, settings: Settings) -> FastAPI:
    """Build an application to be measured: nobody else's numbers change by it."""
    given = Parts(safety=parts.safety, caches=parts.caches)
    return create_app(parts.predictor, settings=settings, parts=given)


def _guarding(predictor: Predictor, settings: Settings, parts: Parts, metrics: Metrics) -> Safety:
    """Make the guard of a service, which counts where all workers read."""
    return Safety(
        settings,
        predictor.index.catalog,
        max_history=predictor.max_history,
        on_block=None if parts.door is None else parts.door.tell_of_block,
        metrics=metrics,
        judged=None if parts.caches is None else parts.caches.judged,
        prompts=None if parts.caches is None else parts.caches.prompts,
    )


def _include_figures(
    app: FastAPI, predictor: Predictor, settings: Settings, parts: Parts, state: WorkerState
) -> None:
    """Let an application tell people and pages how fast it is, how good, and what it costs."""
    app.include_router(
        performance_routes(
            predictor,
            observer=parts.observer,
            state=state,
            targets=settings.targets(),
            online=None if parts.feedback is None else OnlineReading(parts.feedback.database),
            cost=None if parts.ledger is None else CostReading(parts.ledger),
        )
    )
    app.include_router(cost_routes(parts.ledger, settings.budget()))


def _include_pages(app: FastAPI) -> None:
    """Give browsers their pages."""
    app.include_router(page_routes(_TITLE))
    app.mount(f"/{STATIC}", documentation_assets(), name=STATIC)
    app.mount(f"/{ASSETS}", page_assets(), name=ASSETS)


def _include_assistant(
    app: FastAPI,
    predictor: Predictor,
    safety: Safety,
    limits: Limits,
    *,
    settings: Settings,
    parts: Parts,
) -> None:
    """Let an application propose calls with arguments."""
    if parts.assistant is None:
        return
    runs = Runs(
        predictor,
        safety,
        limits,
        assistant=parts.assistant.assistant,
        observer=parts.observer,
        seconds=settings.prediction_seconds,
    )
    app.include_router(assistant_routes(runs))


def _include_jobs(app: FastAPI, jobs: ServiceJobs, audit: AuditLog | None) -> None:
    """Let an application take jobs, and go back to the model before; who asks is audited."""
    if jobs.settings.jobs_enabled:
        app.include_router(job_routes(jobs, audit))
    app.include_router(model_routes(jobs.swap, audit))


def _feedback_routes(
    feedback: Feedback, predictor: Predictor, trials: Trials | None, settings: Settings
) -> APIRouter:
    trial = None
    if trials is not None and settings.predict_trial is not None:
        two = settings.challenger_model is not None
        trial = PredictionTrial(trials, settings.predict_trial, as_shown=two)
    return feedback_routes(feedback, predictor, trial)


def _put_door_before(
    app: FrontedApp, settings: Settings, door: Door | None, observer: Observer | None
) -> None:
    """Put up what a request passes; the last that is put up is the first that it meets."""
    if door is not None:
        app.put_before(FrontDoor, door=door, open_prefixes=[f"/{STATIC}/", f"/{ASSETS}/"])
    app.put_before(BodyLimit, most=settings.max_body_bytes, seconds=settings.body_seconds)
    addresses = None if door is None else door.addresses
    app.put_before(Gate, rates=addresses, trusted=settings.proxies, observer=observer)
    if settings.allowed_origins:
        app.put_before(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_credentials=settings.allow_credentials,
            allow_methods=["GET", "POST", "PUT"],
            allow_headers=["Authorization", "X-API-Key", "X-Request-ID", "X-User-ID"],
            expose_headers=["RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"],
        )
