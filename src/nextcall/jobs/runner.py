"""Does the jobs that wait, one after the other, in a thread that watches a process."""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeAlias
from uuid import uuid4

from nextcall.jobs.job import Job, JobRefusedError, Stage, Status
from nextcall.jobs.process import JobProcess
from nextcall.jobs.store import JobStore
from nextcall.storage.database import OUT_OF_REACH

_log: Final = logging.getLogger(__name__)
_FAULT: Final = "A fault of the service; its log says where."

Heard: TypeAlias = Callable[[Job, Status], object]
"""Hears of a job that begins (``running``), ends, or goes back (``queued``)."""


class Kind(Protocol):
    """What there is to do for one kind of job."""

    def command(self, job: Job, output: Path) -> list[str]:
        """Give the command that does it, and leaves what it makes in a folder."""

    def finish(self, job: Job, output: Path) -> Mapping[str, Any]:
        """Take what was made, and give what is told of it.

        Raises
        ------
        JobRefusedError
            Where it is not accepted.
        ValueError, OSError
            Where it cannot be taken.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """How jobs are done."""

    nice: int = 10
    """By how much their processes stand back."""
    most_seconds: float = 14_400.0
    """That one may take."""
    poll: float = 0.5
    """Seconds between two looks at the queue, or at a process."""
    lapse: float = 20.0
    """Seconds after which a worker that is not heard of has lost its job."""
    environment: Mapping[str, str] | None = None
    """What their processes are told besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    status: Status
    reason: str | None = None
    result: Mapping[str, Any] | None = None


class JobRunner:
    """A thread that does jobs of one scope; several processes may have one over one database.

    When the block ends, a job that runs is stopped and waits again.

    Parameters
    ----------
    store : JobStore
    kinds : mapping of str to Kind
    scope : str
        Whose jobs are done.
    folder : Path
        Where they work; it is cleared behind them.
    settings : RunnerSettings, optional
    heard : callable, optional
        Hears what becomes of jobs.
    now : callable
        The time, with a zone.
    """

    def __init__(
        self,
        store: JobStore,
        kinds: Mapping[str, Kind],
        *,
        scope: str,
        folder: Path,
        settings: RunnerSettings | None = None,
        heard: Heard = lambda _, __: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._kinds, self._scope = store, kinds, scope
        self._folder, self._settings = folder.absolute(), settings or RunnerSettings()
        self._heard, self._now = heard, now
        self._worker = uuid4().hex
        self._ended, self._woken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._woken.set()
        self._thread.join()

    def wake(self) -> None:
        """Look at the queue now."""
        self._woken.set()

    def _run(self) -> None:
        clears_at = time.monotonic()
        cut_off = False  # a claim may have been kept that was not heard of
        while not self._ended.is_set():
            job = None
            try:
                if time.monotonic() >= clears_at:
                    self._clear()
                    clears_at = time.monotonic() + self._settings.lapse
                if cut_off:
                    self._store.release(self._worker)
                lapse, cut_off = timedelta(seconds=self._settings.lapse), True
                job = self._store.claim(
                    self._worker, scope=self._scope, now=self._now(), lapse=lapse
                )
                cut_off = False
                if job is not None:
                    self._do(job)
            except OUT_OF_REACH:
                _log.warning("jobs wait for the database")
            except Exception:  # noqa: BLE001  # the next job may fare better
                _log.exception("a job was lost")
            if job is None:
                self._woken.wait(self._settings.poll)
                self._woken.clear()

    def _clear(self) -> None:
        """Remove the folders of jobs that have ended: who did them was killed before.

        Of a job that is not known nothing is removed, for it may be another database's.
        """
        left = [path for path in self._folder.glob("*-*") if path.is_dir()]
        of_jobs = {path: path.name.rpartition("-")[0] for path in left}
        ended = self._store.ended(set(of_jobs.values())) if left else set()
        for path, job_id in of_jobs.items():
            if job_id in ended:
                shutil.rmtree(path, ignore_errors=True)

    def _do(self, job: Job) -> None:
        """Do a job, and keep how it ended; None of it where it is another's by now."""
        self._heard(job, "running")
        status: Status = "failed"
        folder = self._folder / f"{job.job_id}-{job.attempt}"
        try:
            end = self._outcome(job, folder)
            status = "queued" if end is None else end.status
            self._keep(job, end)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            self._heard(job, status)

    def _outcome(self, job: Job, folder: Path) -> _End | None:
        """Work; None where the job is to go back, or is another's."""
        kind = self._kinds.get(job.kind)
        if kind is None:
            return _End(status="failed", reason=f"There is no kind of job {job.kind!r}.")
        output = folder / "output"
        try:
            for old in self._folder.glob(f"{job.job_id}-*"):  # of an attempt that was cut off
                shutil.rmtree(old, ignore_errors=True)
            folder.mkdir(parents=True)
            command = kind.command(job, output)
            end = self._process(job, command, folder)
            if end is None or end.status != "done":
                return end
            return self._finished(job, kind, output)
        except (ValueError, OSError) as error:
            return _End(status="failed", reason=str(error))
        except Exception:  # noqa: BLE001  # whatever it is, the job has ended
            _log.exception("a job failed")
            return _End(status="failed", reason=_FAULT)

    def _process(self, job: Job, command: list[str], folder: Path) -> _End | None:
        settings = self._settings
        most = time.monotonic() + settings.most_seconds
        with JobProcess(
            command, folder, nice=settings.nice, environment=settings.environment
        ) as process:
            end = self._attend(
                job, lambda: process.code is not None or time.monotonic() > most, process.stage
            )
            if end is None or end.status != "done":
                return end
            if process.code is None:
                told = f"The job took longer than {settings.most_seconds:g} seconds."
                return _End(status="failed", reason=told)
            if process.code:
                return _End(status="failed", reason=process.failure())
            return end

    def _finished(self, job: Job, kind: Kind, output: Path) -> _End | None:
        """Let the outcome be taken, while the job is held."""
        begun = self._now()
        stage = Stage(name="Taking the outcome", started_at=begun)
        with ThreadPoolExecutor(1, thread_name_prefix="job-outcome") as pool:
            end = self._attend(job, lambda: True, lambda: stage)  # the last moment to cancel
            if end is None or end.status != "done":
                return end
            taken = pool.submit(kind.finish, job, output)
            while wait([taken], timeout=self._settings.poll).not_done:
                self._beat(job, stage)
            try:
                return _End(status="done", result=taken.result())
            except JobRefusedError as error:
                return _End(status="refused", reason=str(error), result=error.result)

    def _attend(
        self, job: Job, is_over: Callable[[], bool], stage: Callable[[], Stage | None]
    ) -> _End | None:
        """Hold a job until something is over; None where it is lost, or the runner ends."""
        while True:
            over = is_over()
            cancelled = self._beat(job, stage())
            if cancelled is None:
                return None
            if cancelled:
                return _End(status="cancelled")
            if over:
                return _End(status="done")
            if self._ended.wait(self._settings.poll):
                return None

    def _beat(self, job: Job, stage: Stage | None) -> bool | None:
        """Say that the job runs; while the database is away it is held until it lapses."""
        until = time.monotonic() + self._settings.lapse
        while True:
            try:
                return self._store.beat(job, now=self._now(), stage=stage)
            except OUT_OF_REACH:
                if time.monotonic() > until or self._ended.wait(self._settings.poll):
                    return None

    def _keep(self, job: Job, end: _End | None) -> None:
        """Keep how a job ended, again and again until the database takes it."""
        while True:
            try:
                if end is None:
                    self._store.give_back(job)
                else:
                    told = {"reason": end.reason, "result": end.result}
                    self._store.end(job, end.status, now=self._now(), **told)  # type: ignore[arg-type]  # as they are named
            except OUT_OF_REACH:
                if self._ended.wait(self._settings.poll):
                    return
            else:
                return
