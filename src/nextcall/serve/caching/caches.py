"""What a service keeps of what it computed, over one predictor and its guard."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from nextcall import __version__
from nextcall.cache.cache import Cache
from nextcall.cache.computing import ComputingCache
from nextcall.cache.layers import Caches
from nextcall.cache.redis_tier import RedisTier
from nextcall.cache.rules import Rule
from nextcall.cache.semantic import Scope, SemanticCache
from nextcall.cache.shared_flight import ComputingTiers
from nextcall.cache.stats import CacheStats
from nextcall.cache.tiers import Tiers, TierStats
from nextcall.guard.guard import packaged_guard_version
from nextcall.progress import Progress, silent
from nextcall.serve.caching.answer_cache import AnswerCache
from nextcall.serve.caching.answer_failures import AnswerFailures
from nextcall.serve.caching.kept_answer import KeptAnswer, KeptAnswerCodec
from nextcall.serve.caching.prompt_views import PromptViews
from nextcall.serve.door.access_settings import revealed
from nextcall.serve.models.content import content_digest
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.guard_settings import GuardSettings
from nextcall.serve.safety.judged_catalog import JudgedCatalog, judged_catalog
from nextcall.serve.settings import Settings
from nextcall.telemetry.families import ANSWERS_FAILURES, LAYER_EVENTS
from nextcall.telemetry.metrics import Metrics

Category = Literal["embedding", "prompt", "query", "general", "semantic"]
"""What can be forgotten by itself; answers are in ``query``."""

_ANSWERS: Final = "query"
_VECTORS: Final = "embedding"
_PROMPTS: Final = "prompt"
_GENERAL: Final = "general"
_SEMANTIC: Final = "semantic"
_SHARED: Final = "redis"
_SEMANTIC_ENTRIES: Final = 2_000  # of 384 numbers: 3 MB


class ServiceCaches:
    """The caches of a service.

    Attributes
    ----------
    layers : Caches
        By category; ``query`` holds answers, ``embedding`` the vectors of prompts, ``prompt`` what
        is known of prompts alone, ``general`` pages and descriptions.
    answers : AnswerCache
        Over ``query``, and over Redis where it is shared.
    semantic : SemanticCache or None
        Answers by the meaning of their prompts.
    views : PromptViews
        What the ranker finds of prompts alone, over ``prompt``.
    judged : JudgedCatalog or None
        Which operations are shown as they are, where that was found out before.
    """

    def __init__(
        self,
        settings: Settings,
        predictor: Predictor,
        *,
        shared: RedisTier | None = None,
        judged: JudgedCatalog | None = None,
    ) -> None:
        self.judged = judged
        self.layers = Caches(settings.layers())
        memory: Cache[KeptAnswer] = self.layers[_ANSWERS]
        self.semantic: SemanticCache[KeptAnswer] | None = None
        if settings.semantic_cache_enabled:
            self.semantic = SemanticCache(
                dimensions=predictor.index.embedder.dimensions,
                threshold=settings.semantic_cache_cosine,
                entries=_SEMANTIC_ENTRIES,
            )
        self.tiers: Tiers[KeptAnswer] | None = None
        if shared is not None:
            self.tiers = Tiers(memory, shared, codec=KeptAnswerCodec(), heard=self._forget)
        self.views = PromptViews(self.prompts)
        failures = AnswerFailures()
        self.answers = AnswerCache(
            ComputingCache(memory, is_own=lambda error: failures.told(error) is None)
            if self.tiers is None
            else ComputingTiers(self.tiers, failures=failures)
        )

    @property
    def vectors(self) -> Cache[NDArray[np.float32]]:
        """Vectors of prompts."""
        return self.layers[_VECTORS]

    @property
    def pages(self) -> Cache[Any]:
        """Answers to GET that all may see."""
        return self.layers[_GENERAL]

    @property
    def prompts(self) -> Cache[Any]:
        """What is known of prompts alone, whatever was called before them."""
        return self.layers[_PROMPTS]

    def count_in(self, metrics: Metrics) -> None:
        """Count what becomes of values where all workers read it."""
        for category in self.layers:
            self.layers[category].count_in(partial(metrics.part, LAYER_EVENTS, category))
        if self.semantic is not None:
            self.semantic.count_in(partial(metrics.part, LAYER_EVENTS, _SEMANTIC))
        if self.tiers is not None:
            self.tiers.count_in(
                hits=metrics.part(LAYER_EVENTS, _SHARED, "hits"),
                misses=metrics.part(LAYER_EVENTS, _SHARED, "misses"),
                failures=metrics.part(ANSWERS_FAILURES),
            )

    def stats(self) -> dict[str, CacheStats]:
        """Count what each did so far, in this process."""
        counts = self.layers.stats()
        if self.semantic is not None:
            counts[_SEMANTIC] = self.semantic.stats
        return counts

    def shared(self) -> TierStats | None:
        """Count what Redis did; none where there is none."""
        return None if self.tiers is None else self.tiers.stats

    def clear(self, category: Category | None = None, *, pattern: str | None = None) -> int:
        """Forget a category, what a pattern matches, or everything; with Redis, in all workers.

        Names begin with their category: ``query/DETAIL/POLICY/MODEL/HASH``, of an answer by its
        meaning ``semantic/DETAIL/POLICY/MODEL/CATALOGUE`` and the same with ``query``, so that it
        goes where the others go, ``prompt/view/MODEL/CATALOGUE/HASH``,
        ``prompt/harmless/GUARD/HASH``, ``embedding/ENCODER/HASH``, ``general/ADDRESS``.

        Parameters
        ----------
        category : str, optional
        pattern : str, optional
            As `fnmatch` reads it: of names, or in a category of what follows its name.

        Returns
        -------
        int
            How many values this process forgot.
        """
        before = sum(each.entries for each in self.stats().values())
        rule = Rule("all")
        if category is not None or pattern is not None:
            begin = "" if category is None else f"{category}/"
            rule = Rule("pattern", f"{begin}{'*' if pattern is None else pattern}")
        self._forget((rule,))
        if self.tiers is not None:
            self.tiers.forget(rule)
        return before - sum(each.entries for each in self.stats().values())

    def _forget(self, rules: Sequence[Rule]) -> None:
        """Forget here what the rules concern; what others are filled from comes first."""
        scopes = [rule for rule in rules if rule.kind != "key" and _concerns_answers(rule)]
        if self.semantic is not None and scopes:  # a key is of one answer
            self.semantic.invalidate(
                lambda scope: any(rule.matches(name) for name in _names(scope) for rule in scopes),
                is_doubt=any(rule.kind == "lost" for rule in scopes),
            )
        for category in sorted(self.layers, key=lambda name: name == _ANSWERS):
            own = [rule for rule in rules if rule.concerns(f"{category}/")]
            if own:
                self.layers[category].apply(own)


def _concerns_answers(rule: Rule) -> bool:
    return rule.concerns(f"{_ANSWERS}/") or rule.concerns(f"{_SEMANTIC}/")


def _names(scope: Scope) -> tuple[str, str]:
    """Name a scope as answers of the same detail, policy and model are named."""
    caller = scope.caller_class.replace(" ", "/")
    of_both = f"{caller}/{scope.model_hash}/{scope.catalog_hash}"
    return f"{_SEMANTIC}/{of_both}", f"{_ANSWERS}/{of_both}"


@contextmanager
def open_caches(
    settings: Settings,
    predictor: Predictor,
    *,
    first: Predictor | None = None,
    progress: Progress = silent,
) -> Iterator[ServiceCaches | None]:
    """Open the caches that are set; None where nothing is to be kept.

    The guard judges the catalogue's texts, unless the cache folder tells what it said of them.

    Parameters
    ----------
    settings : Settings
    predictor : Predictor
        Whose answers are kept.
    first : Predictor, optional
        The same with the model that the service was started with, where another answers by now.
    progress : Progress

    Raises
    ------
    ValueError
        Where the URL of Redis is none.
    """
    if not settings.cache_enabled:
        yield None
        return
    judged = None
    if settings.guard_enabled and settings.guard_output_enabled:
        judged = judged_catalog(
            predictor.index.catalog,
            threshold=settings.guard_threshold,
            folder=settings.cache_dir / "judged",
            progress=progress,
        )
    url = revealed(settings.redis_url)
    if url is None:
        yield ServiceCaches(settings, predictor, judged=judged)
        return
    shared = RedisTier(url, category=_ANSWERS, version=shared_scope(settings, first or predictor))
    try:
        caches = ServiceCaches(settings, predictor, shared=shared, judged=judged)
        if caches.tiers is not None:
            caches.tiers.begin()
        yield caches
    finally:
        shared.close()


def shared_scope(settings: Settings, first: Predictor) -> str:
    """Name whose answers are shared in Redis: workers of one setup, started with one model.

    It does not say which model answers: that changes while they run, and each answer is kept under
    the identity of the one that gave it (see `request_key`). So workers that were begun before and
    after a change share what is of one model, never what is of another, and all hear what one of
    them forgets. All of the first model is named here, for its identity tells of its trees alone.

    Parameters
    ----------
    settings : Settings
    first : Predictor
        With the model that the service was started with.
    """
    guard = {name: getattr(settings, name) for name in sorted(GuardSettings.model_fields)}
    depends: list[Any] = [
        __version__,
        first.index.catalog.content_hash,
        None if first.ranker is None else content_digest(first.ranker),
        first.model_version,
        first.index.embedder.name,
        first.max_history,
        first.none_threshold,
        first.confidence_threshold,
        packaged_guard_version(),
        guard,
        settings.feedback_enabled,
        settings.feedback_prompts,
    ]
    told = json.dumps(depends, default=str, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def read_requests(path: Path) -> list[bytes]:
    """Read the requests of a file, one a line; empty lines are passed over.

    Raises
    ------
    ValueError
        Where the file cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ValueError(f"cache_warm_up must be a file, got {path}: {error.strerror}.") from error
    return [line for line in lines if line.strip()]
