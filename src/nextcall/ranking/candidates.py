"""Candidates: what lexical and dense retrieval propose, fused to a fixed number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled
from nextcall.embedding.selection import best_nonzero_rows, best_places
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.list_kernels import fuse_within, look_up, rows_of_same
from nextcall.ranking.prompt_terms import PromptTerms
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
_NEWEST: Final = 10  # calls whose services propose
_SHARPNESS: Final = 5.0  # chosen among five ways; see the notebook ``operation_graph``
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
    lexical: NDArray[np.float32]
    """Score of every operation by each BM25, shape (n_fields, n_operations)."""
    listed: NDArray[np.int64]
    """Rows that each of `RETRIEVERS` proposes, best first, shape (n_retrievers, depth)."""
    counts: NDArray[np.int64]
    """How many each proposes, shape (n_retrievers,)."""
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
    return search_terms(index, terms, vector, nearest, similarity[0])


def search_terms(
    index: CatalogIndex,
    terms: PromptTerms,
    vector: NDArray[np.float32],
    nearest: NDArray[np.int64],
    similarity: float,
) -> Search:
    """Ask for a prompt's words, where it is known already which vectors are near its own.

    Parameters
    ----------
    terms : PromptTerms
        Of the prompt, as `CatalogIndex.prompt_terms` gives them.
    vector : array of shape (dimensions,)
    nearest : array of shape (n,)
        Rows, best first; 200 at most.
    similarity : float
        The cosine of the first.
    """
    listed = np.empty((len(RETRIEVERS), _DEPTH), dtype=np.int64)
    counts = np.empty(len(RETRIEVERS), dtype=np.int64)
    best = np.empty(len(RETRIEVERS), dtype=np.float32)
    listed[0, : len(nearest)] = nearest
    counts[0] = len(nearest)
    best[0] = similarity
    lexical = index.lexical.search(terms.ids, listed[1:], counts[1:], best[1:])
    highest = dict(zip(RETRIEVERS, best.tolist(), strict=True))
    return Search(terms, vector, lexical, listed, counts, highest)


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
    counted = np.array([weights.get(name, 0.0) for name in RETRIEVERS], dtype=np.float32)
    called = index.positions([call.operation_id for call in history[-_NEWEST:]])
    near = rows_of_same(index.statics.service, called) if len(called) else called
    asked = (index.vectors, found.vector, found.lexical, (found.listed, found.counts))
    both = counted, counted * np.float32(_HISTORY_WEIGHT)
    fused, proposed = fuse_within(*asked, near, both, _RECIPROCAL)
    if among is not None:
        rows = among[np.argsort(-fused[among], kind="stable")]
    elif len(proposed) >= n_candidates:
        rows = best_nonzero_rows(fused, proposed, n_candidates)
    else:
        rows = best_places(fused, n_candidates)
    scores, places = look_up(*asked, rows)
    return Retrieved(
        terms=found.terms,
        vector=found.vector,
        rows=rows,
        fused=fused[rows],
        scores=dict(zip(RETRIEVERS, scores, strict=True)),
        best=found.best,
        ranks=dict(zip(RETRIEVERS, places, strict=True)),
    )


@compiled()
def likely_right(fused: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weigh candidates by how right they look, for the operation graph: 1 for the best, down to 0.

    Parameters
    ----------
    fused : array of shape (n_candidates,)
        Fused scores of the candidates.
    """
    best = np.float32(1e-9)
    for score in fused:
        best = max(best, score)
    weights = np.empty(len(fused), dtype=np.float32)
    for place in range(len(fused)):
        weights[place] = np.exp(np.float32(_SHARPNESS) * (fused[place] / best - np.float32(1)))
    return weights
