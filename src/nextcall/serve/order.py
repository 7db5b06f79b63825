"""One request on its way through guard and ranker."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextcall.cache.semantic import Scope, SemanticCache
from nextcall.serve.answers import PerformanceMetrics
from nextcall.serve.caching.answer_cache import is_timed
from nextcall.serve.caching.kept_answer import NOTHING, KeptAnswer
from nextcall.serve.feedback.shown_answers import ShownAnswers
from nextcall.serve.observer import Observer
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.safety import Checked, Safety
from nextcall.serve.schemas import PredictRequest
from nextcall.serve.short_answer import short_answer
from nextcall.serve.watching import Notes, Watch, drained

Detail = Literal["short", "full"]
"""How much is answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What answers are made with."""

    safety: Safety
    semantic: SemanticCache[KeptAnswer] | None
    """Answers by the meaning of their prompts, where they are kept."""
    observer: Observer | None
    shown: ShownAnswers | None

    def watch(self) -> Watch:
        """Give what times the parts of one answer."""
        return Watch({}) if self.observer is None else self.observer.watch()


class Fresh(NamedTuple):
    """An answer that was just made."""

    kept: KeptAnswer
    performance: PerformanceMetrics | None


class Order:
    """One request on its way through guard and ranker; the model is that of its begin."""

    def __init__(
        self,
        means: Means,
        predictor: Predictor,
        route: str,
        request: PredictRequest,
        detail: Detail,
        user: str | None,
    ) -> None:
        self._means, self._route = means, route
        self.predictor, self.detail = predictor, detail
        self.request, self.user = request, user
        self.is_begun = False
        """Whether the guard was asked, and so has counted it."""
        self.untold: list[Callable[[], None]] = []
        """What is to be told of a refusal; it may wait for a database."""
        self.later: Callable[[], object] | None = None
        """What may be done once the answer is given, but `note`."""
        self.fresh: Fresh | None = None
        """What the ranker answered; None where the answer to another request serves."""
        self.is_whole = True
        """Whether no check of the guard failed by itself while it was made."""
        self._failures = 0
        self._watch = means.watch()
        self.notes: Notes = []
        """What else is to be noted of it, once somebody has time."""

    def check(self) -> None:
        """Let the guard look at it."""
        try:
            self._look()
        finally:
            self.note()
            self.tell()

    def make(self) -> KeptAnswer:
        """Make the answer, note how, and tell of a refusal."""
        try:
            return self.attempt()
        finally:
            self.note()
            self.tell()

    def note(self) -> None:
        """Note how it went, as far as that is not noted yet."""
        self._watch.count()
        for note in drained(self.notes):
            note()

    def tell(self) -> None:
        """Tell of a refusal whoever hears of them."""
        for tell in drained(self.untold):
            tell()

    def _look(self) -> Checked:
        self.is_begun, self._failures = True, self._means.safety.failures
        check, later = self._means.safety.check_request, self.untold.append
        with self._watch("guard"):
            return check(self._route, self.request, later=later)

    def attempt(self) -> KeptAnswer:
        """Make the answer, or find that of a prompt that means the same; waits for nothing.

        What is to be noted and told of it is left to whoever asks.
        """
        semantic = self._means.semantic
        checked = self._look()
        if semantic is None or not checked.is_plain or is_timed(self.request):
            return self._made(checked)
        prompt = self.request.prompt
        with self._watch("embedding"):
            vector = self.predictor.vector(prompt, later=self.notes)
        if not vector @ vector:  # none of its words is known
            return self._made(checked, vector)
        scope, mark = self._scope(), semantic.mark
        hit = semantic.get(scope, prompt, vector)
        if hit is not None:
            return hit.value
        kept = self._made(checked, vector)
        if self.is_whole:
            self.later = partial(semantic.put, scope, prompt, vector, kept, since=mark)
        return kept

    def _made(self, checked: Checked, vector: NDArray[np.float32] | None = None) -> KeptAnswer:
        predictor, safety, shown = self.predictor, self._means.safety, self._means.shown
        watch = self._watch
        asking = NOTHING if shown is None else shown.asking(self.request)
        performance = None
        if self.detail == "full":
            with watch("ranking"):
                answer = predictor.predict_fully(self.request, vector=vector)
            with watch("filter"):
                released = safety.released(answer, checked)
            performance = released.metadata.performance_metrics
            kept = KeptAnswer.of(released, checked.noted, asking=asking)
        else:
            with watch("ranking"):
                outcome = predictor.outcome(self.request, vector=vector)
            with watch("filter"):
                heads = safety.heads([each.operation for each in outcome.found], checked)
            marks = None if checked.findings is None else checked.marks
            told = predictor.told(outcome, safety_flags=marks)
            kept = short_answer(outcome.found, heads, told, checked.noted, asking=asking)
        self.fresh, self.is_whole = Fresh(kept, performance), safety.failures == self._failures
        return kept

    def _scope(self) -> Scope:
        predictor = self.predictor
        calls = [f"{each.method or ''} {each.api_call}" for each in self.request.history]
        return Scope(
            caller_class=f"{self.detail} {self._means.safety.policy(self._route)}",
            catalog_hash=predictor.index.catalog.content_hash,
            model_hash=predictor.identity,
            history=tuple(calls),
            k=self.request.max_predictions,
        )
