"""The ranker: what was learned, free of any catalogue."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.progress import Progress, silent
from nextcall.ranking.abstention import Abstention
from nextcall.ranking.answers import Answer, Ranked, list_answers
from nextcall.ranking.boosting import BoostingSettings, Trees, train_trees
from nextcall.ranking.calibration import Calibration, calibrate
from nextcall.ranking.candidates import Retrieved, propose, retrieve, search
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.features import compute_features
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.prompt_view import PromptView
from nextcall.ranking.rows import QueryRows, query_rows
from nextcall.ranking.training_prompts import TrainingPrompts
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Call, Query, Session
from nextcall.sessions.queries import next_call_queries

if TYPE_CHECKING:
    import pandas as pd

    from nextcall.ranking.adapted_ranker import AdaptedRanker

_HISTORY: Final = 100


class CallRanker:
    """Rank the operations of any catalogue by how likely each is the next call.

    Retrieval proposes 100 candidates, features describe them, LambdaMART orders them, and a
    calibration turns scores into probabilities. No feature names an operation, so a ranker that
    was fitted on one catalogue ranks any other.

    Parameters
    ----------
    settings : BoostingSettings
        How the trees are grown.
    hard_negatives, random_negatives : int
        Wrong candidates of each training query: the first of the fusion, and some of the others.

    Attributes
    ----------
    trees_ : Trees
    prior_ : WorkflowPrior
    calibration_ : Calibration
    abstention_ : Abstention or None
        Set it to what `Abstention.fit` gave, so that `answer` can say "none of these".
    prompts_ : TrainingPrompts or None
        What it learned from, where training kept it; saved beside the ranker, and read only by
        `load_prompts`.
    """

    trees_: Trees
    prior_: WorkflowPrior
    calibration_: Calibration
    abstention_: Abstention | None
    prompts_: TrainingPrompts | None

    def __init__(
        self,
        *,
        settings: BoostingSettings | None = None,
        hard_negatives: int = 25,
        random_negatives: int = 15,
    ) -> None:
        self.settings = settings or BoostingSettings()
        self.hard_negatives = hard_negatives
        self.random_negatives = random_negatives
        self.abstention_ = None
        self.prompts_ = None

    @property
    def digest(self) -> str:
        """SHA-256 of the trees, by which one trained ranker is told from another."""
        return hashlib.sha256(self.trees_.to_text().encode()).hexdigest()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of ``Ranked.features``."""
        return FEATURE_NAMES

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Split scores into what each feature adds, as `Trees.contributions` does."""
        return self.trees_.contributions(features)

    def fit(
        self,
        index: CatalogIndex,
        queries: Sequence[Query],
        *,
        validation: Sequence[Query],
        rng: np.random.Generator,
        prior: WorkflowPrior | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Learn from queries whose answers are known.

        Parameters
        ----------
        validation : sequence of Query
            Other queries, best of other services: they decide how many trees are kept, and the
            calibration is fitted on them.
        prior : WorkflowPrior, optional
            Transitions between abstract calls; uniform where none is given.
        """
        known = prior or WorkflowPrior.uniform()
        rows = query_rows(index, queries, known, progress=progress)
        held_out = query_rows(index, validation, known, progress=progress)
        return self.fit_rows(rows, validation=held_out, prior=known, rng=rng)

    def fit_rows(
        self,
        rows: QueryRows,
        *,
        validation: QueryRows,
        prior: WorkflowPrior,
        rng: np.random.Generator,
    ) -> Self:
        """Learn as `fit` does, from rows that were computed before with the same prior."""
        draw, hold, grow = rng.spawn(3)  # so that what validates changes nothing in the trees
        hard, random = self.hard_negatives, self.random_negatives
        self.trees_ = train_trees(
            rows.sample(hard=hard, random=random, rng=draw),
            settings=self.settings,
            validation=validation.sample(hard=hard, random=random, rng=hold),
            rng=grow,
        )
        self.prior_ = prior
        scores = [self.trees_.predict(x) for x in validation.features]
        self.calibration_ = calibrate(validation, scores)
        return self

    def adapt(
        self,
        index: CatalogIndex,
        sessions_or_queries: Sequence[Session] | Sequence[Query],
        *,
        rng: np.random.Generator,
        progress: Progress = silent,
    ) -> "AdaptedRanker":
        """Learn from a target's own sessions, a few dozen or more; this ranker stays as it is.

        Parameters
        ----------
        index : CatalogIndex
            The target's catalogue, which the adapted ranker alone ranks.
        sessions_or_queries : sequence of Session or of Query
            Sessions whose calls have prompts, or queries with right answers.

        Raises
        ------
        ValueError
            Where there are fewer than two sessions, or an answer is not of the catalogue.
        """
        from nextcall.ranking.adaptation import adapt_ranker  # noqa: PLC0415  # it builds on this

        queries: list[Query] = []
        for given in sessions_or_queries:
            queries += next_call_queries([given]) if isinstance(given, Session) else [given]
        return adapt_ranker(self, index, queries, rng=rng, progress=progress)

    def rank(
        self,
        index: CatalogIndex,
        prompt: str,
        history: Sequence[Call] = (),
        *,
        k: int = 5,
        vector: NDArray[np.float32] | None = None,
        now: datetime | None = None,
    ) -> list[Ranked]:
        """Rank a catalogue's operations for a prompt after some calls.

        Parameters
        ----------
        history : sequence of Call
            Oldest first; the newest 100 are used, unknown operations are passed over.
        k : int
            Answers that come back, at least 1; fewer where there are fewer candidates.
        vector : array of shape (dimensions,), optional
            The prompt's vector where the caller has it already.
        now : datetime, optional
            When the question is asked, UTC; tells how long ago the last call was.

        Returns
        -------
        list of Ranked
            Best first.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}.")
        recent = history[-_HISTORY:]
        found = retrieve(index, prompt, recent, vector=vector)
        return self._rank(index, found, recent, k=k, now=now)

    def answer(
        self,
        index: CatalogIndex,
        prompt: str,
        history: Sequence[Call] = (),
        *,
        k: int = 5,
        vector: NDArray[np.float32] | None = None,
        now: datetime | None = None,
        view: PromptView | None = None,
    ) -> Answer:
        """Rank as `rank` does, and say how likely it is that none of the catalogue answers.

        Parameters are those of `rank`, and

        Parameters
        ----------
        view : PromptView, optional
            Of the same prompt, index and ranker, where it was kept; spares most of the work.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}.")
        recent = history[-_HISTORY:]
        searched = search(index, prompt, vector=vector) if view is None else view.search(index)
        found = propose(index, searched, recent)
        none = None if view is None else view.none_probability
        if view is None and self.abstention_ is not None and self.abstention_.knows(index):
            alone = propose(index, searched) if recent else found
            none = self.abstention_.probability(index, prompt, alone)
        ranked = self._rank(index, found, recent, k=k, now=now)
        return Answer(ranked=ranked, none_probability=none, searched=searched)

    def _rank(
        self,
        index: CatalogIndex,
        found: Retrieved,
        history: Sequence[Call],
        *,
        k: int,
        now: datetime | None,
    ) -> list[Ranked]:
        features = compute_features(index, found, history, self.prior_, now=now)
        scores = self.trees_.predict(features)
        return list_answers(
            index, found.rows, scores, features=features, calibration=self.calibration_, k=k
        )

    def explain(
        self, index: CatalogIndex, prompt: str, history: Sequence[Call] = (), *, k: int = 5
    ) -> "pd.DataFrame":
        """Say what each feature added to the scores of the first `k` answers (TreeSHAP).

        Returns
        -------
        DataFrame
            One row an answer and feature: ``rank, operation_id, feature, value, contribution``,
            the largest contributions of an answer first; a row ``(base)`` holds the constant, so
            that an answer's contributions sum to its score.
        """
        from nextcall.ranking.explanation import score_parts  # noqa: PLC0415  # pandas: 45 MB

        return score_parts(self.rank(index, prompt, history, k=k), self.trees_)

    def contrast(
        self,
        index: CatalogIndex,
        prompt: str,
        history: Sequence[Call] = (),
        *,
        first: str,
        second: str,
    ) -> "pd.DataFrame":
        """Say why one operation stands above another: what each feature added to either score.

        Parameters
        ----------
        first, second : str
            Operation ids; both must be candidates of the prompt.

        Returns
        -------
        DataFrame
            One row a feature: ``feature, first_value, second_value, first_contribution,
            second_contribution, difference``, the largest differences first; ``difference`` sums
            to the first score minus the second.

        Raises
        ------
        ValueError
            Where the two are one, or one is no candidate of the prompt.
        """
        from nextcall.ranking.explanation import (  # noqa: PLC0415  # as above
            candidate,
            score_difference,
        )

        if first == second:
            raise ValueError(f"first and second must be two operations, got {first!r} twice.")
        answers = self.rank(index, prompt, history, k=len(index))
        one, other = (
            candidate(answers, operation_id, argument=argument)
            for argument, operation_id in (("first", first), ("second", second))
        )
        return score_difference(one, other, self.trees_)
