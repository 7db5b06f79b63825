"""Queries turned into rows: the candidates of each, their features, and which of them are right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.progress import Progress, silent
from nextcall.ranking.boosting import RankingRows
from nextcall.ranking.candidates import N_CANDIDATES, RETRIEVER_WEIGHTS, propose, search
from nextcall.ranking.features import compute_features
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Query

_BLOCK: Final = 128  # prompts that are multiplied with the catalogue at once


@dataclass(frozen=True, slots=True)
class QueryRows:
    """All candidates of many queries over one catalogue; what belongs to one query shares a row."""

    queries: tuple[Query, ...]
    candidates: tuple[NDArray[np.int64], ...]
    """Rows in the catalogue, in the order of fusion, one array a query."""
    features: tuple[NDArray[np.float32], ...]
    """Shape (n_candidates, n_features) each."""
    relevance: tuple[NDArray[np.int8], ...]
    """1 for a right answer, shape (n_candidates,) each."""

    def __len__(self) -> int:
        return len(self.queries)

    def __add__(self, other: "QueryRows") -> "QueryRows":
        return QueryRows(
            self.queries + other.queries,
            self.candidates + other.candidates,
            self.features + other.features,
            self.relevance + other.relevance,
        )

    def select(self, positions: Sequence[int] | NDArray[np.int64]) -> "QueryRows":
        """Take some queries, in the order given."""
        return QueryRows(
            tuple(self.queries[i] for i in positions),
            tuple(self.candidates[i] for i in positions),
            tuple(self.features[i] for i in positions),
            tuple(self.relevance[i] for i in positions),
        )

    def sample(self, *, hard: int, random: int, rng: np.random.Generator) -> RankingRows:
        """Keep the right answers, the first `hard` candidates and some of the others.

        A query with no right answer among its candidates teaches no order and is left out.

        Parameters
        ----------
        hard : int
            Negatives from the top of the fusion, at least 1.
        random : int
            Negatives drawn from the rest, at least 0.

        Raises
        ------
        ValueError
            Where a number is out of range, or no query has a right answer among its candidates.
        """
        if hard < 1 or random < 0:
            raise ValueError(
                f"hard must be at least 1 and random at least 0, got {hard}, {random}."
            )
        features, relevance, sizes = [], [], []
        for x, y in zip(self.features, self.relevance, strict=True):
            if not y.any():
                continue
            keep = y > 0
            keep[:hard] = True
            rest = np.flatnonzero(~keep)
            keep[rng.choice(rest, min(random, len(rest)), replace=False)] = True
            features.append(x[keep])
            relevance.append(y[keep])
            sizes.append(int(keep.sum()))
        if not sizes:
            raise ValueError(
                "queries must include one whose right answer is a candidate, got none."
            )
        return RankingRows(
            np.concatenate(features), np.concatenate(relevance), np.array(sizes, dtype=np.int64)
        )


def check_answers(index: CatalogIndex, queries: Sequence[Query]) -> None:
    """Refuse queries that nothing can be learned or measured from.

    Raises
    ------
    ValueError
        Where a query has no relevant operation, or one that the catalogue does not know.
    """
    for query in queries:
        unknown = [name for name in query.relevant if name not in index.catalog]
        if unknown or not query.relevant:
            raise ValueError(
                f"query {query.query_id!r} must have relevant operations that the catalogue "
                f"{index.catalog.name!r} knows, got {unknown or 'none'}."
            )


def query_rows(
    index: CatalogIndex,
    queries: Sequence[Query],
    prior: WorkflowPrior,
    *,
    among: Sequence[NDArray[np.int64]] | None = None,
    n_candidates: int = N_CANDIDATES,
    weights: Mapping[str, float] = RETRIEVER_WEIGHTS,
    progress: Progress = silent,
) -> QueryRows:
    """Retrieve and compute features for many queries; their prompts are encoded in one go.

    Parameters
    ----------
    among : sequence of arrays, optional
        Candidates of each query where they are chosen, not retrieved.
    n_candidates, weights
        As in `propose`.

    Raises
    ------
    ValueError
        As `check_answers`.
    """
    check_answers(index, queries)
    distinct = list(dict.fromkeys(query.prompt for query in queries))
    vectors = index.encode_prompts(distinct, progress=progress)
    row_of = {prompt: row for row, prompt in enumerate(distinct)}
    # In the order of their prompts: one matrix product serves a block of them, and one search
    # all queries that ask the same.
    order = sorted(range(len(queries)), key=lambda i: row_of[queries[i].prompt])
    found_of: dict[int, tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int8]]] = {}
    block, scanned = -1, np.empty((0, 0), dtype=np.float32)
    asked, searched = -1, None
    for i in progress(order, description="Computing features", total=len(order)):
        query = queries[i]
        row = row_of[query.prompt]
        if row // _BLOCK != block:
            block = row // _BLOCK
            scanned = index.nearest.scan(vectors[block * _BLOCK : (block + 1) * _BLOCK])
        right = index.positions(query.relevant)
        if searched is None or row != asked:
            asked = row
            searched = search(
                index, query.prompt, vector=vectors[row], scanned=scanned[row % _BLOCK]
            )
        chosen = None if among is None else among[i]
        found = propose(
            index, searched, query.history,
            n_candidates=n_candidates, among=chosen, weights=weights,
        )  # fmt: skip
        features = compute_features(index, found, query.history, prior, now=query.time)
        found_of[i] = (found.rows, features, np.isin(found.rows, right).astype(np.int8))
    parts = [found_of[i] for i in range(len(queries))]
    return QueryRows(
        tuple(queries),
        tuple(part[0] for part in parts),
        tuple(part[1] for part in parts),
        tuple(part[2] for part in parts),
    )
