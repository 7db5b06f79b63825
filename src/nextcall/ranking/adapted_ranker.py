"""A ranker that learned from a target's own sessions, above one that ranks any catalogue."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from nextcall.ranking.abstention import Abstention
from nextcall.ranking.adapted_features import TargetEvidence
from nextcall.ranking.adapted_rows import Examined, examine_once
from nextcall.ranking.adapted_score import ADAPTED_COLUMNS, AdaptedScore
from nextcall.ranking.answers import Answer, Ranked, list_answers
from nextcall.ranking.calibration import Calibration
from nextcall.ranking.candidates import Search, propose, search
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.prompt_view import PromptView
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import Call, Query

if TYPE_CHECKING:
    import pandas as pd

_HISTORY: Final = 100


class AdaptedRanker:
    """Rank the operations of the one catalogue whose sessions were learned from.

    Parameters
    ----------
    base : CallRanker
        Its score and features are among those of this ranker.
    evidence : TargetEvidence
        What the sessions say.
    score : AdaptedScore
        Trees above the base's features and those of `ADAPTED_FEATURES`, weighed beside the base.
    calibration : Calibration
    """

    def __init__(
        self,
        base: CallRanker,
        evidence: TargetEvidence,
        score: AdaptedScore,
        calibration: Calibration,
    ) -> None:
        self.base = base
        self.evidence = evidence
        self.score = score
        self.calibration = calibration

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that it learned, its base with it."""
        told = hashlib.sha256(self.base.digest.encode())
        told.update(self.score.trees.to_text().encode())
        told.update(np.array([self.score.tree_weight, *self.score.weights]).tobytes())
        told.update(np.array(self.calibration.weights).tobytes())
        for name, array in sorted(self.evidence.to_arrays().items()):
            told.update(name.encode())
            told.update(np.ascontiguousarray(array).data)
        return told.hexdigest()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of ``Ranked.features``."""
        return ADAPTED_COLUMNS

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Split scores into what each feature adds, as `AdaptedScore.contributions` does."""
        return self.score.contributions(features)

    @property
    def abstention_(self) -> Abstention | None:
        """What the base has learned of abstaining."""
        return self.base.abstention_

    def check(self, index: CatalogIndex) -> None:
        """Make sure that an index is of the catalogue, and with vectors, that it learned from.

        Raises
        ------
        ValueError
            Where it is not.
        """
        if index.catalog.content_hash != self.evidence.content_hash:
            raise ValueError(
                f"index must be of the catalogue that was adapted to, got {index.catalog.name!r}."
            )
        if index.embedder.name != self.evidence.encoder:
            raise ValueError(
                f"index must encode prompts by {self.evidence.encoder!r}, as when the ranker was "
                f"adapted, got {index.embedder.name!r}."
            )

    def rank(
        self,
        index: CatalogIndex,
        prompt: str,
        history: Sequence[Call] = (),
        *,
        k: int = 5,
        vector: NDArray[np.float32] | None = None,
        now: datetime | None = None,
        context: Sequence[str] = (),
        task: str = "next_call",
    ) -> list[Ranked]:
        """Rank as `CallRanker.rank` does; the index must be of the catalogue learned from.

        Parameters
        ----------
        context : sequence of str
            Earlier turns of the user, oldest first.
        task : str
            ``next_call``, or ``retrieval`` where any call of the task is a right answer.

        Returns
        -------
        list of Ranked
            Best first; ``features`` are those of the base, then `ADAPTED_FEATURES`.

        Raises
        ------
        ValueError
            Where `k` is below 1, or the index is not one to `check`.
        """
        return self._rank(
            index,
            prompt,
            history,
            k=k,
            vector=vector,
            now=now,
            context=context,
            task=task,
        )

    def answer(
        self,
        index: CatalogIndex,
        prompt: str,
        history: Sequence[Call] = (),
        *,
        k: int = 5,
        vector: NDArray[np.float32] | None = None,
        now: datetime | None = None,
        context: Sequence[str] = (),
        task: str = "next_call",
        view: PromptView | None = None,
    ) -> Answer:
        """Rank as `rank` does, and say how likely it is that none of the catalogue answers.

        Parameters are those of `rank`, and `view` as `CallRanker.answer` has it; the base judges
        whether none answers.
        """
        self.check(index)
        if vector is None:
            vector = index.embedder.encode([prompt])[0]
        searched = search(index, prompt, vector=vector) if view is None else view.search(index)
        ranked = self._rank(
            index,
            prompt,
            history,
            k=k,
            vector=vector,
            now=now,
            context=context,
            task=task,
            searched=searched,
        )
        none = None if view is None else view.none_probability
        if view is None and self.abstention_ is not None and self.abstention_.knows(index):
            none = self.abstention_.probability(index, prompt, propose(index, searched))
        return Answer(ranked=ranked, none_probability=none, searched=searched)

    def _rank(
        self,
        index: CatalogIndex,
        prompt: str,
        history: Sequence[Call],
        *,
        k: int,
        vector: NDArray[np.float32] | None,
        now: datetime | None,
        context: Sequence[str],
        task: str,
        searched: Search | None = None,
    ) -> list[Ranked]:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}.")
        self.check(index)
        query = Query(
            query_id="",
            prompt=prompt,
            history=tuple(history[-_HISTORY:]),
            task=task,
            time=now,
            context=tuple(context),
        )
        if vector is None:
            vectors = index.embedder.encode([prompt, *context])
        else:
            vectors = vector[None]
            if context:
                vectors = np.concatenate([vectors, index.embedder.encode(list(context))])
        examined = examine_once(
            index, self.base, query, self.evidence, vectors=vectors, searched=searched
        )
        return self.rank_examined(index, examined, k=k)

    def explain(
        self, index: CatalogIndex, prompt: str, history: Sequence[Call] = (), *, k: int = 5
    ) -> "pd.DataFrame":
        """Say what each feature added to the scores of the first answers, as `CallRanker.explain`.

        What a feature adds through the trees and by its own weight is one sum.
        """
        from nextcall.ranking.explanation import score_parts  # noqa: PLC0415  # pandas: 45 MB

        return score_parts(self.rank(index, prompt, history, k=k), self)

    def rank_examined(self, index: CatalogIndex, examined: Examined, *, k: int) -> list[Ranked]:
        """Order candidates that were examined; best first."""
        scores = self.score.predict(examined.features)
        return list_answers(
            index,
            examined.found.rows,
            scores,
            features=examined.features,
            calibration=self.calibration,
            k=k,
        )
