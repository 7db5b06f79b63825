"""From settings to something that answers: catalogue, index, ranker, tests, each where it lies."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from nextcall.catalog.load import load_catalog
from nextcall.embedding.gathering import GatheringEmbedder
from nextcall.embedding.static_embedder import StaticEmbedder
from nextcall.embedding.static_files import EncoderError
from nextcall.feedback.elsewhere import ShownElsewhere
from nextcall.feedback.feedback import Feedback
from nextcall.feedback.retention import forget_old
from nextcall.feedback.shown import ShownPredictions
from nextcall.llm.calls import forget_old as forget_old_calls
from nextcall.llm.ledger import Ledger
from nextcall.performance.history import RunHistory
from nextcall.progress import Progress, silent
from nextcall.ranking.any_ranker import check_ranker, load_any_ranker
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import ModelError
from nextcall.resilience.breakers import Breakers
from nextcall.serve.door.door import Door, open_door
from nextcall.serve.outside_calls import DATABASE
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.upkeep import Upkeep
from nextcall.serve.settings import Settings
from nextcall.storage.database import Database
from nextcall.storage.opening import open_database
from nextcall.training.opening import open_for_model, open_index
from nextcall.trials.trials import Trials

_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What a service keeps in its database: A/B tests, keys, feedback, runs, costs, jobs."""

    database: Database
    trials: Trials
    door: Door
    feedback: Feedback | None
    """None where it is turned off."""
    history: RunHistory
    ledger: Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlace:
    """Where a worker finds the others."""

    folder: Path
    """Of their sockets."""
    number: int
    """Of this one, from 0."""


@contextmanager
def open_stores(
    settings: Settings,
    *,
    worker: WorkerPlace | None = None,
    breakers: Breakers | None = None,
) -> Iterator[Stores]:
    """Open what is kept in the database that is set; when the block ends, what waits is written.

    Parameters
    ----------
    settings : Settings
    worker : WorkerPlace, optional
        Of this process, where there are several.
    breakers : Breakers, optional
        Of the program; of these stores alone where none are given.

    Raises
    ------
    ValueError, OSError
        Where the database cannot be opened (see `open_database`), or the front door (`open_door`).
    """
    sides = Breakers() if breakers is None else breakers
    breaker = sides.of(DATABASE.name, open_seconds=DATABASE.open_seconds)
    patience = settings.database_seconds
    with (
        open_database(settings.database_url, patience=patience, breaker=breaker) as database,
        Trials(database) as trials,
        open_door(settings, database, breakers=sides) as door,
        ExitStack() as opened,
    ):
        feedback = None
        if settings.feedback_enabled:
            feedback = opened.enter_context(_open_feedback(settings, database, worker))
        yield Stores(
            database=database,
            trials=trials,
            door=door,
            feedback=feedback,
            history=RunHistory(database),
            ledger=opened.enter_context(_open_ledger(settings, database)),
        )


@contextmanager
def _open_feedback(
    settings: Settings, database: Database, worker: WorkerPlace | None
) -> Iterator[Feedback]:
    shown = ShownPredictions(
        most=settings.feedback_shown, keep=timedelta(seconds=settings.feedback_seconds)
    )
    elsewhere = None if worker is None else ShownElsewhere(worker.folder, worker.number, shown)
    keep = timedelta(days=settings.feedback_days)
    forget = (_DAY, lambda: forget_old(database, now=datetime.now(UTC), keep=keep))
    with Feedback(database, shown, elsewhere=elsewhere) as feedback, Upkeep([forget]):
        yield feedback


@contextmanager
def _open_ledger(settings: Settings, database: Database) -> Iterator[Ledger]:
    keep = timedelta(days=settings.llm_days)
    forget = (_DAY, lambda: forget_old_calls(database, now=datetime.now(UTC), keep=keep))
    with Upkeep([forget]):
        yield Ledger(database, budget=settings.budget())


def load_predictor(settings: Settings, *, progress: Progress = silent) -> Predictor:
    """Load what `settings` name; vectors come from the cache folder, or are left there.

    Where the model is missing or damaged, the predictor answers by fused retrieval and says why.

    Raises
    ------
    CatalogError, OSError
        Where the catalogue cannot be read.
    """
    catalog = load_catalog(settings.catalog)
    ranker = card = reason = None
    try:
        ranker, card = load_any_ranker(settings.model)
        index = open_for_model(
            catalog,
            settings.model,
            card,
            encoder=settings.encoder,
            cache=settings.cache_dir,
            progress=progress,
        )
        check_ranker(ranker, index, settings.model)
    except (ModelError, EncoderError) as error:
        ranker = card = None
        index = open_index(catalog, cache=settings.cache_dir, progress=progress)
        # The reason is shown to whoever asks for /health, who need not know the folders above.
        reason = str(error).replace(str(settings.model), settings.model.name)
    return Predictor(
        gathering(index),
        ranker=ranker,
        card=card,
        fallback_reason=reason,
        max_history=settings.max_history,
        none_threshold=settings.none_threshold,
        confidence_threshold=settings.cold_start_confidence,
    )


def gathering(index: CatalogIndex) -> CatalogIndex:
    """Let prompts that come side by side be encoded together, where that costs less."""
    if isinstance(index.embedder, StaticEmbedder):  # a prompt is encoded before another comes
        return index
    can_tell = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if can_tell else os.cpu_count() or 1
    return index.with_embedder(GatheringEmbedder(index.embedder, side_by_side=cores))
