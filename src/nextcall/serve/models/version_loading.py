"""Versions of the model, loaded and checked; what may go well the next time is tried again."""

from typing import Final

from nextcall.embedding.static_files import EncoderError
from nextcall.ranking.any_ranker import check_ranker, load_any_ranker
from nextcall.ranking.model_files import ModelError
from nextcall.ranking.model_versions import ModelVersions, UnreadableModelError, Version
from nextcall.resilience.category import Category
from nextcall.resilience.retry import Retry
from nextcall.serve.loading import gathering
from nextcall.serve.models.checks import check_answers
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings
from nextcall.training.opening import encoded_for_model

UNUSABLE: Final = (ModelError, EncoderError, OSError)
"""What loading a version raises."""


def may_pass(error: BaseException | None) -> bool:
    """Say whether files could not be read, or not all, and may be there the next time.

    On a network volume a folder is often seen in part for a while. What was read and is wrong stays
    wrong.

    Examples
    --------
    >>> may_pass(OSError(116, "Stale file handle")), may_pass(ModelError("files must match"))
    (True, False)
    """
    while error is not None:
        if isinstance(error, UnreadableModelError):
            return True
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            return True
        error = error.__cause__
    return False


class VersionLoading:
    """Loads versions over the catalogue that is served.

    Parameters
    ----------
    first : Predictor
        With the model that the service was started with; gives its index and options to others.
    versions : ModelVersions
    settings : Settings
    """

    def __init__(self, first: Predictor, versions: ModelVersions, settings: Settings) -> None:
        self._first, self._versions, self._settings = first, versions, settings
        self._retry = Retry(tries=3, first_wait=0.05, jitter=0.05, categorise=_category)

    def load(self, version: Version) -> Predictor:
        """Load a version, and see that it works; that of the start is there already.

        Three times at most, within half a second, where it may pass what is in the way.

        Raises
        ------
        ModelError, EncoderError, OSError
            Where it cannot be used; see `may_pass`.
        """
        return self._retry.call(lambda: self._loaded(version))

    def _loaded(self, version: Version) -> Predictor:
        if version is None:
            return self._first
        self._versions.verify(version)
        try:
            return self._checked(version)
        except UNUSABLE:
            self._versions.verify(version)  # what has gone since is told as that
            raise

    def _checked(self, version: str) -> Predictor:
        folder, first = self._versions.path(version), self._first
        ranker, card = load_any_ranker(folder)
        index = encoded_for_model(
            first.index,
            folder,
            card,
            encoder=self._settings.encoder,
            cache=self._settings.cache_dir,
        )
        check_ranker(ranker, index, folder)
        candidate = Predictor(
            gathering(index),
            ranker=ranker,
            card=card,
            max_history=first.max_history,
            none_threshold=first.none_threshold,
            confidence_threshold=first.confidence_threshold,
            version=version,
        )
        check_answers(candidate)
        return candidate


def _category(error: BaseException) -> Category:
    return Category.TRANSIENT if may_pass(error) else Category.FATAL
