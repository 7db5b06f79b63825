"""Puts another model into use while the service answers, and the one before it back."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from nextcall.jobs.job import JobRefusedError
from nextcall.ranking.model_files import ModelError
from nextcall.ranking.model_versions import InUse, ModelVersions, UnreadableModelError, Version
from nextcall.serve.models.checks import validation_ndcg
from nextcall.serve.models.lag import Lag, wait_after
from nextcall.serve.models.quality import Quality, check_quality, quality
from nextcall.serve.models.version_loading import UNUSABLE, VersionLoading, may_pass
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings
from nextcall.training.judged import load_judged, model_digest

_log: Final = logging.getLogger(__name__)

FOLLOW_SECONDS: Final = 2.0
"""Between two looks at which version is in use: another worker may have changed it."""

_Mark: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """One model in the place of another."""

    version: Version
    """None for the model that the service was started with."""
    before: Version
    model_version: str | None
    """As answers tell it; None without a trained ranker."""
    validation_ndcg: float | None
    quality: Quality | None = None
    """Of a new model beside the one before; None on the way back."""


class ModelSwap:
    """Which version of the model answers.

    A version is loaded and checked before it takes the place of another, in one assignment. Where
    the version in use cannot be used, at a start or after another worker, the former answers in its
    place; `predictor` then says why. Where its files may only not be seen yet, it is tried again
    after growing waits (`lag`). A new model that is refused changes nothing in what answers:
    `versions` then says why.

    Parameters
    ----------
    predictor : Predictor
        Answers; with the model that the service was started with.
    versions : ModelVersions
    settings : Settings
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        predictor: Predictor,
        versions: ModelVersions,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.predictor, self.versions, self.clock = predictor, versions, clock
        self.lag: Lag | None = None
        """What keeps this worker behind; None where nothing does that may pass."""
        self._settings = settings
        self._loading = VersionLoading(predictor.pinned(), versions, settings)
        self._lock = threading.Lock()
        self._mark: _Mark | None = None  # of the file that says which is in use
        self._known: InUse | None = None  # what it said last

    def follow(self) -> None:
        """Go over to the version in use, or the latest before it that can be used.

        So a service begins; later another worker, or a command, may have chosen another.
        """
        with self._lock:
            mark = self._marked()
            if mark != self._mark:
                self._settle()
                self._mark = mark  # what raises is tried again
            elif self.lag is not None and not self.lag.left(self.clock()):
                self._settle(self.lag.tries)

    def take(self, trained: Path) -> Swapped:
        """Publish a model and put it into use.

        Raises
        ------
        JobRefusedError
            Where it does not pass a check; the model in use stays.
        UnreadableModelError
            Where it cannot be seen just now which is in use: another worker's choice is not lost.
        TimeoutError
            Where another process changes which is in use, and does not end.
        OSError
            Where it cannot be written that it is in use.
        """
        with self._lock:
            try:
                candidate = self._published(trained)
                with self.versions.changing():
                    in_use = self._chosen()
                    if in_use.current != self.predictor.version:
                        self._settle()  # another worker was first: it is held against that one
                    found = self._as_good(candidate)
                    self._use(in_use.to(candidate.version))
            except JobRefusedError as error:
                self._refuse(str(error))
                raise
            return replace(self._put(candidate), quality=found)

    def folder_in_use(self) -> Path | None:
        """Give the folder of the model that answers; None where there is none, or not whole."""
        present = self.predictor.pinned()
        if present.ranker is None:
            return None
        try:
            if present.version is not None:
                return self.versions.verify(present.version)
            model_digest(self._settings.model)
        except ModelError:
            return None
        return self._settings.model

    def roll_back(self) -> Swapped:
        """Put the version before into use again.

        Raises
        ------
        ValueError
            Where there was none, or it cannot be used.
        UnreadableModelError
            As `take`.
        TimeoutError
            Where another process changes which is in use, and does not end.
        OSError
            Where it cannot be written that it is in use.
        """
        with self._lock, self.versions.changing():
            back = self._chosen().back()
            try:
                candidate = self._loading.load(back.current)
            except UNUSABLE as error:
                raise ValueError(f"The model before cannot be used: {self._told(error)}") from error
            self._use(back)
            return self._put(candidate)

    def _published(self, trained: Path) -> Predictor:
        """Publish a model, and load it."""
        try:
            return self._loading.load(self.versions.publish(trained))
        except TimeoutError:
            raise  # it says nothing against the model
        except UNUSABLE as error:
            raise self._unusable(error) from error

    def _as_good(self, candidate: Predictor) -> Quality:
        """See whether a model is as good as the one that answers."""
        try:
            path = self.versions.path(str(candidate.version))
            judged = load_judged(path, trees=_digest(candidate))
        except UNUSABLE as error:
            raise self._unusable(error) from error
        folder, present = self.folder_in_use(), self.predictor.pinned()
        against = None if folder is None else model_digest(folder)
        found = quality(candidate.card, present.card, judged, against=against)
        check_quality(found, margin=self._settings.model_margin)
        return found

    def _unusable(self, error: Exception) -> JobRefusedError:
        return JobRefusedError(f"The new model cannot be used: {self._told(error)}")

    def _refuse(self, reason: str) -> None:
        try:
            self.versions.refuse(reason)
        except OSError:  # the job tells it all the same
            _log.warning("refusal not kept", extra={"reason": reason})

    def _settle(self, tries: int = 0) -> None:
        """Load the version in use, or the latest before it; `tries` failed so far."""
        in_use, trouble = self._in_use()
        should, hidden = in_use.current, may_pass(trouble)
        chosen = self.predictor.pinned()  # where none can be used
        for version in in_use.order():
            if hidden and version == chosen.version:
                break  # it is in memory, whole
            try:
                chosen = self._loading.load(version)
                break
            except UNUSABLE as error:
                trouble = trouble or error
                told = {"version": version, "reason": self._told(error)}
                _log.warning("model refused", extra=told)
                if may_pass(error) and not hidden:
                    should, hidden = version, True
        reason = None if trouble is None else self._told(trouble)
        lag = None
        if reason is not None and hidden:
            lag = Lag(
                serves=chosen.version,
                should=should,
                reason=reason,
                tries=tries + 1,
                again=self.clock() + wait_after(tries + 1),
            )
        self._put(chosen, reason, lag)

    def _chosen(self) -> InUse:
        """Read which version is in use, to put another in its place; a damaged file may go."""
        in_use, trouble = self._in_use()
        if may_pass(trouble):
            told = f"It cannot be seen which model is in use; ask again. {trouble}"
            raise UnreadableModelError(told) from trouble
        return in_use

    def _in_use(self) -> tuple[InUse, Exception | None]:
        """Read which version is in use; where that cannot be known, it is what was last."""
        try:
            found = self.versions.in_use()
            if self._known is not None and self._marked() is None:
                name = self.versions.pointer.name
                raise UnreadableModelError(f"{name}: was there, and cannot be found.")
        except ModelError as error:
            present = self.predictor.version
            usual = InUse(current=present, before=() if present is None else (None,))
            return self._known or usual, error
        if self._marked() is not None:
            self._known = found
        return found, None

    def _use(self, chosen: InUse) -> None:
        """Say which version is in use, while no other process may."""
        self.versions.use(chosen)
        self._mark, self._known = self._marked(), chosen

    def _marked(self) -> "_Mark | None":
        try:
            found = self.versions.pointer.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _put(
        self, candidate: Predictor, trouble: str | None = None, lag: Lag | None = None
    ) -> Swapped:
        """Let a model answer from the next request on; why another does not is told with it."""
        before, taken = self.predictor.version, candidate.pinned()
        taken.fallback_reason = trouble or candidate.fallback_reason
        self.predictor.become(taken)
        self.lag = lag
        return Swapped(
            version=taken.version,
            before=before,
            model_version=taken.model_version,
            validation_ndcg=validation_ndcg(taken.card),
        )

    def _told(self, error: Exception) -> str:
        """Say what is wrong to those who need not know the folders above."""
        return str(error).replace(f"{self.versions.folder}/", "")


def _digest(predictor: Predictor) -> str:
    return "" if predictor.ranker is None else predictor.ranker.digest
