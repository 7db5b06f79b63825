"""The jobs of a service, opened from its settings: queue, runner, the model that they change."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from nextcall.jobs.job import Job, Status
from nextcall.jobs.runner import JobRunner, RunnerSettings
from nextcall.jobs.store import JobStore
from nextcall.ranking.model_versions import ModelVersions
from nextcall.serve.jobs.kinds import GENERATE, TRAIN, Generate, Train
from nextcall.serve.models.swap import FOLLOW_SECONDS, ModelSwap
from nextcall.serve.observer import Observer
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.upkeep import Upkeep
from nextcall.serve.settings import Settings
from nextcall.storage.database import Database
from nextcall.telemetry.families import TASK_SECONDS, TASKS, TASKS_RUNNING

_log: Final = logging.getLogger(__name__)
_DAY: Final = 86_400.0
_HELD_BACK: Final = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceJobs:
    """What the routes of jobs and models ask."""

    settings: Settings
    scope: str
    """Of the catalogue that is served: only its workers do these jobs."""
    store: JobStore
    runner: JobRunner
    swap: ModelSwap


@contextmanager
def open_jobs(
    settings: Settings,
    database: Database,
    predictor: Predictor,
    *,
    observer: Observer | None = None,
    runner: RunnerSettings | None = None,
) -> Iterator[ServiceJobs]:
    """Begin to do jobs, and to answer by the version of the model that is in use.

    Parameters
    ----------
    settings : Settings
    database : Database
        Migrated.
    predictor : Predictor
        Answers.
    observer : Observer, optional
        Counts jobs.
    runner : RunnerSettings, optional
        Made of the settings where none are given.
    """
    versions = ModelVersions(settings.model_versions)
    versions.clear()
    swap = ModelSwap(predictor, versions, settings)
    swap.follow()
    store = JobStore(database, waiting=settings.jobs_waiting)
    scope = predictor.index.catalog.content_hash
    keep = timedelta(days=settings.jobs_days)
    doing = JobRunner(
        store,
        {TRAIN: Train(settings, swap), GENERATE: Generate(settings)},
        scope=scope,
        folder=settings.data_dir / "jobs",
        settings=runner or runner_settings(settings),
        heard=JobCounts(observer),
    )
    upkeep = [
        (FOLLOW_SECONDS, swap.follow),
        (_DAY, lambda: store.forget_old(now=datetime.now(UTC), keep=keep)),
    ]
    with Upkeep(upkeep), doing:
        yield ServiceJobs(settings=settings, scope=scope, store=store, runner=doing, swap=swap)


def runner_settings(settings: Settings) -> RunnerSettings:
    """Say how jobs are done."""
    return RunnerSettings(
        nice=settings.job_nice,
        most_seconds=settings.job_seconds,
        environment={
            "NEXTCALL_CACHE_DIR": str(settings.cache_dir.absolute()),
            "NEXTCALL_DATA_DIR": str(settings.data_dir.absolute()),
        },
    )


class JobCounts:
    """Counts jobs that this worker does, and writes a line at their begin and their end.

    Parameters
    ----------
    observer : Observer, optional
        Counts; without it there are lines only.
    """

    def __init__(self, observer: Observer | None) -> None:
        self._metrics = None if observer is None else observer.metrics
        self._begun = 0.0

    def __call__(self, job: Job, status: Status) -> None:
        """Note that a job begins, ends, or goes back."""
        told = {"job_id": job.job_id, "task": job.kind, "attempt": job.attempt}
        if status == "running":
            self._begun = time.monotonic()
            if self._metrics is not None:
                self._metrics.count(TASKS_RUNNING, job.kind).add()
            _log.info("job began", extra=told)
            return
        seconds = time.monotonic() - self._begun
        outcome = _HELD_BACK if status == "queued" else status
        if self._metrics is not None:
            self._metrics.count(TASKS_RUNNING, job.kind).add(-1)
            self._metrics.count(TASKS, job.kind, outcome).add()
            self._metrics.histogram(TASK_SECONDS, job.kind).observe(seconds)
        _log.info("job ended", extra={**told, "outcome": outcome, "seconds": round(seconds, 3)})
