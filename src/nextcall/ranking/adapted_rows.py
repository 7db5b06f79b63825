"""Queries of one catalogue looked at by a base ranker and by the evidence of other sessions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from nextcall.progress import Progress, silent
from nextcall.ranking.adapted_features import ADAPTED_NAMES, Asked, TargetEvidence, ask
from nextcall.ranking.candidates import Retrieved, Search, propose, search
from nextcall.ranking.features import compute_features
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.rows import QueryRows, check_answers
from nextcall.sessions import Query

if TYPE_CHECKING:
    from nextcall.ranking.ranker import CallRanker

_SUGGESTED: Final = 50
_FIRST_ADAPTED: Final = -len(ADAPTED_NAMES)  # column, from the end


@dataclass(frozen=True, slots=True)
class Examined:
    """The candidates of one query and all of their features."""

    found: Retrieved
    features: NDArray[np.float32]
    """Columns of the base ranker, then `ADAPTED_FEATURES`; shape (n_candidates, n_features)."""


class Examiner:
    """Look at the queries of one catalogue, each as often as there is evidence to look with.

    What does not depend on evidence is computed once.

    Parameters
    ----------
    base : CallRanker
        Knows nothing of the queries' sessions.
    queries : sequence of Query
        With right answers.

    Raises
    ------
    ValueError
        As `check_answers`.
    """

    def __init__(
        self,
        index: CatalogIndex,
        base: "CallRanker",
        queries: Sequence[Query],
        *,
        progress: Progress = silent,
    ) -> None:
        check_answers(index, queries)
        texts = [text for query in queries for text in (query.prompt, *query.context)]
        index.encode_prompts(texts, progress=progress)
        self.index, self.base, self.queries = index, base, tuple(queries)
        self._asked = [ask(index, query) for query in queries]
        self._searches: dict[str, Search] = {}
        self._plain: dict[int, tuple[Retrieved, NDArray[np.float32], NDArray[np.float64]]] = {}

    def examine(self, position: int, evidence: TargetEvidence) -> Examined:
        """Look at one query with evidence, which must not know the query's own session."""
        asked = self._asked[position]
        if position not in self._plain:
            query = self.queries[position]
            if query.prompt not in self._searches:
                self._searches[query.prompt] = search(
                    self.index, query.prompt, vector=asked.question.vector
                )
            searched = self._searches[query.prompt]
            plain = look(self.index, self.base, query, asked, searched, evidence)
            if len(plain[0].rows) < len(self.index):
                return _join(asked, plain, evidence)
            self._plain[position] = plain  # all are candidates, whatever the evidence
        return _join(asked, self._plain[position], evidence)

    def rows(
        self, positions: NDArray[np.int64], inner: NDArray[np.int64], *, progress: Progress = silent
    ) -> QueryRows:
        """Look at queries with the evidence of all the inner folds that they are not in.

        Candidates stand with those first that the base ranker or the evidence puts first.

        Parameters
        ----------
        positions : array of shape (n,)
            Places of the queries.
        inner : array of shape (n,)
            Fold of each; queries of one session share a fold.
        """
        examined: dict[int, Examined] = {}
        for fold in progress(np.unique(inner).tolist(), description="Learning from sessions"):
            evidence = self.evidence(positions[inner != fold])
            for position in positions[inner == fold].tolist():
                examined[position] = self.examine(position, evidence)
        return self._stacked(positions, [examined[position] for position in positions.tolist()])

    def evidence(self, positions: NDArray[np.int64]) -> TargetEvidence:
        """Learn from some of the queries."""
        queries = [self.queries[position] for position in positions.tolist()]
        return TargetEvidence(self.index, queries, self.base.prior_)

    def _stacked(self, positions: NDArray[np.int64], examined: Sequence[Examined]) -> QueryRows:
        queries = tuple(self.queries[position] for position in positions.tolist())
        candidates, features, relevance = [], [], []
        for query, one in zip(queries, examined, strict=True):
            order = _promising_first(one.features)
            rows = one.found.rows[order]
            candidates.append(rows)
            features.append(one.features[order])
            right = np.isin(rows, self.index.positions(query.relevant))
            relevance.append(right.astype(np.int8))
        return QueryRows(queries, tuple(candidates), tuple(features), tuple(relevance))


def look(
    index: CatalogIndex,
    base: "CallRanker",
    query: Query,
    asked: Asked,
    searched: Search,
    evidence: TargetEvidence,
) -> tuple[Retrieved, NDArray[np.float32], NDArray[np.float64]]:
    """Propose candidates, those of the evidence too; give the base's features and scores."""
    found = propose(index, searched, query.history)
    if len(found.rows) < len(index):
        suggested = np.setdiff1d(evidence.suggest(asked, n=_SUGGESTED), found.rows)
        among = np.concatenate([found.rows, suggested])
        found = propose(index, searched, query.history, among=among)
    features = compute_features(index, found, query.history, base.prior_, now=query.time)
    return found, features, base.trees_.predict(features)


def examine_once(
    index: CatalogIndex,
    base: "CallRanker",
    query: Query,
    evidence: TargetEvidence,
    *,
    vectors: NDArray[np.float32],
    searched: Search | None = None,
) -> Examined:
    """Look at one query whose prompt and earlier turns have the vectors given, in that order."""
    asked = ask(index, query, vectors=vectors)
    if searched is None:
        searched = search(index, query.prompt, vector=vectors[0])
    return _join(asked, look(index, base, query, asked, searched, evidence), evidence)


def _join(
    asked: Asked,
    plain: tuple[Retrieved, NDArray[np.float32], NDArray[np.float64]],
    evidence: TargetEvidence,
) -> Examined:
    found, features, scores = plain
    return Examined(found, np.hstack([features, evidence.features(asked, found.rows, scores)]))


def _promising_first(features: NDArray[np.float32]) -> NDArray[np.int64]:
    adapted = features[:, _FIRST_ADAPTED:]
    places = [
        np.argsort(np.argsort(-adapted[:, ADAPTED_NAMES.index(name)], kind="stable"))
        for name in ("base_score", "prompt_regression", "popularity")
    ]
    order: NDArray[np.int64] = np.argsort(np.min(places, axis=0), kind="stable")
    return order
