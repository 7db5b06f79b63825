"""Starts a service on a socket: in this process alone, or in workers that share what is loaded."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from fastapi import FastAPI

from nextcall.resilience.breakers import Breakers
from nextcall.serve.app import create_app
from nextcall.serve.assistant.service_assistant import open_assistant
from nextcall.serve.breaker_notes import BreakerNotes
from nextcall.serve.caching.caches import open_caches
from nextcall.serve.jobs.service_jobs import open_jobs
from nextcall.serve.loading import WorkerPlace, open_stores
from nextcall.serve.models.challenger import open_challenger
from nextcall.serve.observer import open_observer
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.server import leaving, loading_for_good, run
from nextcall.serve.process.workers import Workers
from nextcall.serve.settings import Settings

_IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # a folder of its own is made there


@contextmanager
def opened_app(
    predictor: Predictor,
    settings: Settings,
    *,
    tell: Callable[[str], None],
    worker: WorkerPlace | None = None,
    rehearsal: bool = False,
) -> Iterator[FastAPI]:
    """Open what the settings name, and build the application over it.

    Parameters
    ----------
    predictor : Predictor
    settings : Settings
    tell : callable
        Hears what does not work, where this process is not one of several.
    worker : WorkerPlace, optional
        Of this process, where there are several.
    rehearsal : bool
        Whether nobody will be answered: then no job is begun.

    Raises
    ------
    ValueError, OSError
        Where something cannot be opened, or a setting does not fit.
    """
    with ExitStack() as opened:
        notes = BreakerNotes()
        breakers = Breakers(listener=notes)
        jobs, first = None, predictor.pinned()  # jobs go over to the version in use
        with loading_for_good():
            stores = opened.enter_context(open_stores(settings, worker=worker, breakers=breakers))
            observer = opened.enter_context(open_observer(settings))
            assistant = open_assistant(
                settings, stores.ledger, breakers=breakers, observer=observer
            )
            if observer is not None:
                notes.count_in(observer.metrics, breakers)
            if not rehearsal:
                jobs = opened.enter_context(
                    open_jobs(settings, stores.database, predictor, observer=observer)
                )
            caches = opened.enter_context(open_caches(settings, predictor, first=first))
            challenger = opened.enter_context(open_challenger(settings, predictor))
            if challenger is not None and challenger.predictor is not None:
                challenger.predictor.warm()
        if challenger is not None and challenger.reason is not None and worker is None:
            tell(f"warning: no challenger, the current model answers ({challenger.reason})")
        parts = Parts(
            trials=stores.trials,
            door=stores.door,
            caches=caches,
            observer=observer,
            feedback=stores.feedback,
            history=stores.history,
            ledger=stores.ledger,
            assistant=assistant,
            challenger=challenger,
            jobs=jobs,
            breakers=breakers,
            notes=notes,
        )
        yield create_app(predictor, settings=settings, parts=parts)


def run_service(
    predictor: Predictor,
    settings: Settings,
    listening: socket.socket,
    *,
    begun: Callable[[], None],
    tell: Callable[[str], None],
) -> None:
    """Serve until a signal ends it.

    Parameters
    ----------
    predictor : Predictor
        Loaded and warm; workers share it.
    settings : Settings
    listening : socket.socket
        Bound.
    begun : callable
        Called when nothing can be wrong with the settings any more.
    tell : callable
        Hears what happens to workers.

    Raises
    ------
    ValueError, OSError
        As `opened_app`.
    SystemExit
        At SIGTERM, and wherever there are several workers.
    """
    if settings.workers == 1:
        with opened_app(predictor, settings, tell=tell) as app:
            begun()
            run(app, listening)
        return
    in_memory = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None
    with leaving(), TemporaryDirectory(prefix="nextcall-", dir=in_memory) as folder:
        metrics = settings.metrics_dir or Path(folder, "metrics")
        shared = settings.model_copy(update={"metrics_dir": metrics})
        with opened_app(predictor, shared, tell=tell, rehearsal=True):
            pass  # what is wrong is told once, and the database is brought up to date by one
        if settings.redis_url is None:
            tell(
                f"{settings.workers} workers count rates and keep answers apart; with "
                "NEXTCALL_REDIS_URL they share both."
            )

        def work(number: int) -> None:
            place = WorkerPlace(folder=Path(folder), number=number)
            with opened_app(predictor, shared, tell=tell, worker=place) as app:
                run(app, listening)

        begun()
        raise SystemExit(Workers(work, settings.workers, tell=tell).run())
