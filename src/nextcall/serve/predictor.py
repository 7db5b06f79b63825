"""From a request to an answer: the one place between HTTP and the ranker."""

import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nextcall.cache.cache import Cache
from nextcall.catalog import Operation
from nextcall.catalog.paths import CallMatcher
from nextcall.ranking.abstention import NONE_THRESHOLD
from nextcall.ranking.any_ranker import AnyRanker
from nextcall.ranking.cold_start import CONFIDENCE_THRESHOLD, ColdStartLevel, choose_level
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import ModelCard
from nextcall.serve.answers import Answer, FullAnswer, Metadata
from nextcall.serve.caching.kept_answer import new_id
from nextcall.serve.caching.prompt_views import PromptViews
from nextcall.serve.found import AnyFound, full_prediction, short_prediction
from nextcall.serve.outcome import Outcome, Told, full_metadata
from nextcall.serve.reasons import WITHOUT_RANKER, reasoning
from nextcall.serve.schemas import HistoryEvent, PredictRequest
from nextcall.serve.watching import Notes
from nextcall.serve.without_ranker import METHODS, WithoutRanker
from nextcall.sessions import Call


class Predictor:
    """Answers requests over one catalogue, from many threads at once.

    Whoever answers takes it as it is at one moment (`pinned`), for it may change meanwhile
    (`become`).

    Parameters
    ----------
    index : CatalogIndex
    ranker : CallRanker or AdaptedRanker, optional
        Where none is given, the fusion of keyword and meaning search answers, without confidence.
    card : ModelCard, optional
        What the ranker was made of.
    fallback_reason : str, optional
        Why there is no ranker.
    max_history : int
        Newest calls of a history that are used; 1 to 100.
    none_threshold : float
        Probability from which it is said that none of the catalogue answers.
    confidence_threshold : float
        Confidence from which a first answer counts as sure.
    version : str, optional
        Of the model's files, where they have one.
    """

    def __init__(
        self,
        index: CatalogIndex,
        *,
        ranker: "AnyRanker | None" = None,
        card: ModelCard | None = None,
        fallback_reason: str | None = None,
        max_history: int = 100,
        none_threshold: float = NONE_THRESHOLD,
        confidence_threshold: float = CONFIDENCE_THRESHOLD,
        version: str | None = None,
    ) -> None:
        self.index = index
        self.ranker = ranker
        self.card = card
        self.fallback_reason = fallback_reason
        self.max_history = max_history
        self.none_threshold = none_threshold
        self.confidence_threshold = confidence_threshold
        self.version = version
        self.model_version = None if ranker is None else _model_version(ranker, card)
        self.identity = f"{self.model_version} {version} {index.embedder.name}"
        """Names all that a change of the model changes; answers are kept under it."""
        self.vectors: Cache[NDArray[np.float32]] | None = None
        """Where vectors of prompts are kept, if they are."""
        self.views: PromptViews | None = None
        """Where what prompts alone find is kept, if it is."""
        self._matcher = CallMatcher(index.catalog)
        self._trained_here = card is not None and card.catalog_hash == index.catalog.content_hash

    def pinned(self) -> Self:
        """Give it as it is now: its model never changes."""
        own = object.__new__(type(self))  # a quarter of the time of copy.copy
        own.__dict__.update(self.__dict__)  # all that it holds, read at once
        return own

    def become(self, other: "Predictor") -> None:
        """Answer as another does, from the next request on; vectors of prompts are kept on.

        What the model before found of prompts is forgotten.

        Parameters
        ----------
        other : Predictor
            Over the same catalogue.
        """
        # One assignment: whoever copies it at this moment has all of the one or of the other.
        self.__dict__ = {**other.__dict__, "vectors": self.vectors, "views": self.views}
        if self.views is not None:
            self.views.forget()

    def warm(self) -> None:
        """Answer once in each detail, so that all that an answer needs is loaded."""
        first = HistoryEvent(api_call=self.index.catalog.operations[0].operation_id)
        request = PredictRequest(prompt="list everything", history=[first], max_predictions=1)
        self.predict(request)
        self.predict_fully(request)
        if self.ranker is None:
            self._without_ranker.warm()

    @cached_property
    def _without_ranker(self) -> WithoutRanker:
        return WithoutRanker(self.index)

    def operation(self, api_call: str, *, method: str | None = None) -> Operation | None:
        """Find the operation that a call belongs to, as of those of a history."""
        return self._matcher.match(api_call, method=method)

    def predict(self, request: PredictRequest, *, now: datetime | None = None) -> Answer:
        """Answer in short; `now` is the time of the question, the present where none is given."""
        outcome = self.outcome(request, now=now)
        return Answer(
            prediction_id=new_id(),
            predictions=[short_prediction(found) for found in outcome.found],
            confidence_scores=[found.confidence for found in outcome.found],
            metadata=Metadata(**self.told(outcome)._asdict()),
            processing_time_ms=_milliseconds(time.perf_counter() - outcome.start),
        )

    def predict_fully(
        self,
        request: PredictRequest,
        *,
        now: datetime | None = None,
        vector: NDArray[np.float32] | None = None,
    ) -> FullAnswer:
        """Answer with all that is known; says why each operation stands where it stands.

        Parameters are those of `outcome`.
        """
        outcome = self.outcome(request, now=now, vector=vector)
        reasons = self._reasons(outcome)
        cold = outcome.level != ColdStartLevel.NONE
        names = FEATURE_NAMES if self.ranker is None else self.ranker.feature_names
        return FullAnswer(
            prediction_id=new_id(),
            predictions=[
                full_prediction(found, reason, is_cold=cold, names=names)
                for found, reason in zip(outcome.found, reasons, strict=True)
            ],
            confidence_scores=[found.confidence for found in outcome.found],
            metadata=full_metadata(
                outcome,
                short=self.told(outcome),
                operations=len(self.index),
                confidence_threshold=self.confidence_threshold,
            ),
            processing_time_ms=_milliseconds(time.perf_counter() - outcome.start),
        )

    def vector(self, prompt: str, *, later: Notes | None = None) -> NDArray[np.float32]:
        """Encode a prompt, where its vector is not kept; the prompt itself is not.

        Parameters
        ----------
        prompt : str
        later : list of callable, optional
            Takes what keeps a new vector, which is done at once without.
        """
        digest = hashlib.blake2b(prompt.encode(), digest_size=20).hexdigest()
        key = f"embedding/{self.index.embedder.name}/{digest}"
        vectors = self.vectors
        if vectors is None:
            return np.asarray(self.index.embedder.encode([prompt])[0], np.float32)
        mark, kept = vectors.mark, vectors.get(key)
        if kept is not None:
            return kept
        (vector,) = self.index.embedder.encode([prompt])
        keep = partial(vectors.put, key, vector, since=mark)
        if later is None:
            keep()
        else:
            later.append(keep)
        return np.asarray(vector, np.float32)

    def told(self, outcome: Outcome, *, safety_flags: list[str] | None = None) -> Told:
        """Tell how an answer came about, in short.

        Parameters
        ----------
        outcome : Outcome
            What this predictor came to.
        safety_flags : list of str, optional
            What the guard marks it with; None where it is off.
        """
        stated = outcome.none_probability
        return Told(
            model_version=self.model_version,
            processing_method=METHODS.get(outcome.level, "lambdamart"),
            fallback_method=outcome.level,
            none_probability=stated,
            none_of_these=None if stated is None else stated >= self.none_threshold,
            safety_flags=safety_flags,
        )

    def outcome(
        self,
        request: PredictRequest,
        *,
        now: datetime | None = None,
        vector: NDArray[np.float32] | None = None,
    ) -> Outcome:
        """Rank the catalogue for a request.

        Parameters
        ----------
        request : PredictRequest
        now : datetime, optional
            The time of the question, the present where none is given.
        vector : array of shape (dimensions,), optional
            Of the prompt, where it is known.
        """
        start = time.perf_counter()
        events = request.history[-self.max_history :]
        history = [self._call(event) for event in events]
        if vector is None:
            vector = self.vector(request.prompt)
        known = sum(call.operation_id in self.index.catalog for call in history)
        scoring = time.perf_counter()
        none_probability = None
        found: Sequence[AnyFound]
        if self.ranker is None:
            level, found = self._without_ranker.answer(
                request, history, known_calls=known, vector=vector
            )
        else:
            level = choose_level(
                has_ranker=True, trained_here=self._trained_here, known_calls=known
            )
            ask = self.ranker.answer
            if self.views is not None:
                ask = partial(self.views.answer, self.ranker, self.identity)
            answer = ask(
                self.index,
                request.prompt,
                history,
                k=request.max_predictions,
                vector=vector,
                now=now or datetime.now(UTC),
            )
            found = answer.ranked
            none_probability = answer.none_probability
        end = time.perf_counter()
        return Outcome(
            found=found,
            level=level,
            events=len(history),
            known_events=known,
            none_probability=none_probability,
            scoring_ms=None if self.ranker is None else _milliseconds(end - scoring),
            start=start,
        )

    def _call(self, event: HistoryEvent) -> Call:
        """Resolve a call; an unknown one stays what it is and counts as a call of the session."""
        operation = self.operation(event.api_call, method=event.method)
        known = event.api_call if operation is None else operation.operation_id
        return Call(operation_id=known, time=event.timestamp)

    def _reasons(self, outcome: Outcome) -> list[str]:
        rows = [one.features for one in outcome.found if one.features is not None]
        if self.ranker is None or not rows:
            return [WITHOUT_RANKER[outcome.level]] * len(outcome.found)
        added = self.ranker.contributions(np.stack(rows))
        return [reasoning(self.ranker.feature_names, row) for row in added]


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _model_version(ranker: AnyRanker, card: ModelCard | None) -> str:
    """Name of the catalogue, day of the training, start of the ranker's hash."""
    digest = ranker.digest[:8]
    return digest if card is None else f"{card.catalog}-{card.trained_at[:10]}-{digest}"
