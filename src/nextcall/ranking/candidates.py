"""Candidates: what lexical and dense retrieval propose, fused to a fixed number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.embedding.scan import dots_of_rows
from nextcall.embedding.selection import best_nonzero_rows, best_places
from nextcall.ranking.index import CatalogIndex, PromptTerms
from nextcall.ranking.lexical_index import BM25_FIELDS
from nextcall.ranking.list_kernels import add_gains, places_in_lists
from nextcall.sessions import Call

N_CANDIDATES: Final = 100
"""Candidates of a query; all operations where the catalogue has fewer."""

_DEPTH: Final = 200  # operations of each retriever's list that take part in the fusion
_RRF_CONSTANT: Final = 40.0  # of reciprocal-rank fusion: Cormack, Clarke & Buettcher (2009), SIGIR
RETRIEVER_WEIGHTS: Final[Mapping[str, float]] = {
    "dense": 1.3, "text": 0.3, "name": 0.3, "full": 1.0,
}  # fmt: skip
"""What each retriever's list counts in the fusion."""
_HISTORY_WEIGHT: Final = 1.0
RETRIEVERS: Final = tuple(RETRIEVER_WEIGHTS)
_RECIPROCAL: Final = (1.0 / (_RRF_CONSTANT + 1.0 + np.arange(_DEPTH))).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What the retrievers say of one query; `rows` are the candidates, best first."""

    terms: PromptTerms
    vector: NDArray[np.float32]
    """The prompt, shape (dimensions,)."""
    rows: NDArray[np.int64]
    """Rows of the candidates, shape (n_candidates,)."""
    vectors: NDArray[np.float32]
    """Their vectors, shape (n_candidates, dimensions)."""
    fused: NDArray[np.float32]
    """Their fused scores."""
    scores: dict[str, NDArray[np.float32]]
    """Their scores by each of `RETRIEVERS`."""
    best: dict[str, float]
    """The highest score of each retriever over the whole catalogue."""
    ranks: dict[str, NDArray[np.float32]]
    """Their ranks by each retriever from 0; 200 where beyond that, or where no word is shared."""


def retrieve(
    index: CatalogIndex,
    prompt: str,
    history: Sequence[Call] = (),
    *,
    vector: NDArray[np.float32] | None = None,
    scanned: NDArray[np.float32] | None = None,
    n_candidates: int = N_CANDIDATES,
    among: NDArray[np.int64] | None = None,
) -> Retrieved:
    """Propose operations for a prompt after some calls.

    Four lists (the prompt's vector, and BM25 over short text, name, and whole text) are fused by
    reciprocal rank. After calls, the same lists within the services called so far take part too,
    for what comes next mostly stays where the session is.

    Parameters
    ----------
    vector : array of shape (dimensions,), optional
        The prompt's vector where the caller has it already.
    scanned : array of shape (n_operations,), optional
        ``index.nearest.scan(vector)`` where the caller has computed it for many prompts in one go.
    n_candidates : int
        At least 1; fewer come back only where the catalogue is smaller.
    among : array of shape (n,), optional
        Rows that are the candidates, whatever the retrievers say; for tests with chosen negatives.
    """
    found = search(index, prompt, vector=vector, scanned=scanned)
    return propose(index, found, history, n_candidates=n_candidates, among=among)


@dataclass(frozen=True, slots=True)
class Search:
    """What the retrievers say of a prompt, whatever came before it."""

    terms: PromptTerms
    vector: NDArray[np.float32]
    lexical: dict[str, NDArray[np.float32]]
    """Score of every operation by each BM25, each of shape (n_operations,)."""
    lists: dict[str, NDArray[np.int64]]
    """Rows that each retriever proposes, best first."""
    best: dict[str, float]
    """As in `Retrieved`."""


def search(
    index: CatalogIndex,
    prompt: str,
    *,
    vector: NDArray[np.float32] | None = None,
    scanned: NDArray[np.float32] | None = None,
) -> Search:
    """Ask every retriever for a prompt; one answer serves any number of histories.

    Parameters are those of `retrieve`.
    """
    terms = index.prompt_terms(prompt)
    if vector is None:
        vector = index.embedder.encode([prompt])[0]
    nearest, similarity = index.nearest.top(vector, _DEPTH, scanned=scanned)
    found = Search(terms, vector, {}, {"dense": nearest}, {"dense": float(similarity[0])})
    for name in BM25_FIELDS:
        scores, listed = index.lexical.bm25[name].search(terms.ids, _DEPTH)
        found.lexical[name] = scores
        found.lists[name] = listed
        found.best[name] = float(scores[listed[0]]) if len(listed) else 0.0
    return found


def propose(
    index: CatalogIndex,
    found: Search,
    history: Sequence[Call] = (),
    *,
    n_candidates: int = N_CANDIDATES,
    among: NDArray[np.int64] | None = None,
    weights: Mapping[str, float] = RETRIEVER_WEIGHTS,
) -> Retrieved:
    """Fuse what `search` found, with the services of the calls so far.

    Parameters are those of `retrieve`, and

    Parameters
    ----------
    weights : mapping of str to float
        What the list of each retriever counts; one that is not named proposes nothing.
    """
    lists = [(found.lists[name], weight) for name, weight in weights.items()]
    near = _history_rows(index, history)
    if near is not None:
        similarity = dots_of_rows(index.vectors, near, found.vector)
        within = {"dense": near[best_places(similarity, _DEPTH)]} | {
            name: best_nonzero_rows(found.lexical[name], near, _DEPTH) for name in BM25_FIELDS
        }
        lists += [(within[name], weight * _HISTORY_WEIGHT) for name, weight in weights.items()]
    fused, proposed = _fuse(lists, len(index))
    if among is not None:
        rows = among[np.argsort(-fused[among], kind="stable")]
    elif len(proposed) >= n_candidates:
        rows = best_nonzero_rows(fused, proposed, n_candidates)
    else:
        rows = best_places(fused, n_candidates)
    vectors = index.vectors[rows]
    scores = {"dense": dots_of_rows(index.vectors, rows, found.vector)}
    scores |= {name: values[rows] for name, values in found.lexical.items()}
    places = places_in_lists(rows, tuple(found.lists.values()), _DEPTH, len(index))
    return Retrieved(
        terms=found.terms,
        vector=found.vector,
        rows=rows,
        vectors=vectors,
        fused=fused[rows],
        scores=scores,
        best=found.best,
        ranks=dict(zip(found.lists, places, strict=True)),
    )


def _fuse(
    lists: Sequence[tuple[NDArray[np.int64], float]], n_operations: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Sum up reciprocal ranks by weight: of all operations, and the rows where they are not 0."""
    fused = np.zeros(n_operations, dtype=np.float32)
    seen = np.empty(len(lists) * _DEPTH + 1, dtype=np.int64)
    n = 0
    for listed, weight in lists:
        n = add_gains(fused, seen, n, listed, _RECIPROCAL, np.float32(weight))
    return fused, seen[:n]


def _history_rows(index: CatalogIndex, history: Sequence[Call]) -> NDArray[np.int64] | None:
    called = index.positions([call.operation_id for call in history[-10:]])
    if len(called) == 0:
        return None
    services = np.unique(index.statics.service[called])
    return np.sort(np.concatenate([index.rows_of_service[code] for code in services]))
