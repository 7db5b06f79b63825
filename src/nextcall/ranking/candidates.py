"""Candidates: what lexical and dense retrieval propose, fused to a fixed number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.ranking.index import CatalogIndex, PromptTerms
from nextcall.ranking.lexical_index import BM25_FIELDS
from nextcall.sessions import Call

N_CANDIDATES: Final = 100
"""Candidates of a query; all operations where the catalogue has fewer."""

_DEPTH: Final = 200  # operations of each retriever's list that take part in the fusion
_RRF_CONSTANT: Final = 40.0  # of reciprocal-rank fusion: Cormack, Clarke & Buettcher (2009), SIGIR
_WEIGHTS: Final[Mapping[str, float]] = {
    "dense": 1.3, "text": 0.3, "name": 0.3, "full": 1.0,
}  # fmt: skip
_HISTORY_WEIGHT: Final = 1.0
RETRIEVERS: Final = tuple(_WEIGHTS)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What the retrievers say of one query; `rows` are the candidates, best first."""

    terms: PromptTerms
    vector: NDArray[np.float32]
    """The prompt, shape (dimensions,)."""
    scores: dict[str, NDArray[np.float32]]
    """Score of every operation by each of `RETRIEVERS`, each of shape (n_operations,)."""
    best: dict[str, float]
    """The highest score of each retriever."""
    rows: NDArray[np.int64]
    """Rows of the candidates, shape (n_candidates,)."""
    fused: NDArray[np.float32]
    """Their fused scores."""
    ranks: dict[str, NDArray[np.float32]]
    """Their ranks by each retriever from 0; 200 where beyond that, or where no word is shared."""


def retrieve(
    index: CatalogIndex,
    prompt: str,
    history: Sequence[Call] = (),
    *,
    vector: NDArray[np.float32] | None = None,
    dense: NDArray[np.float32] | None = None,
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
    dense : array of shape (n_operations,), optional
        ``index.vectors @ vector`` where the caller has computed it for many prompts in one go.
    n_candidates : int
        At least 1; fewer come back only where the catalogue is smaller.
    among : array of shape (n,), optional
        Rows that are the candidates, whatever the retrievers say; for tests with chosen negatives.
    """
    found = search(index, prompt, vector=vector, dense=dense)
    return propose(index, found, history, n_candidates=n_candidates, among=among)


@dataclass(frozen=True, slots=True)
class Search:
    """What the retrievers say of a prompt, whatever came before it."""

    terms: PromptTerms
    vector: NDArray[np.float32]
    scores: dict[str, NDArray[np.float32]]
    """As in `Retrieved`."""
    lists: dict[str, NDArray[np.int64]]
    """Rows that each retriever proposes, best first."""


def search(
    index: CatalogIndex,
    prompt: str,
    *,
    vector: NDArray[np.float32] | None = None,
    dense: NDArray[np.float32] | None = None,
) -> Search:
    """Ask every retriever for a prompt; one answer serves any number of histories.

    Parameters are those of `retrieve`.
    """
    terms = index.prompt_terms(prompt)
    if vector is None:
        vector = index.embedder.encode([prompt])[0]
    scores = {"dense": (index.vectors @ vector) if dense is None else dense}
    for name in BM25_FIELDS:
        scores[name] = index.lexical.bm25[name].scores(terms.ids.tolist())
    lists = {name: _listed(values, name) for name, values in scores.items()}
    return Search(terms, vector, scores, lists)


def propose(
    index: CatalogIndex,
    found: Search,
    history: Sequence[Call] = (),
    *,
    n_candidates: int = N_CANDIDATES,
    among: NDArray[np.int64] | None = None,
) -> Retrieved:
    """Fuse what `search` found, with the services of the calls so far.

    Parameters are those of `retrieve`.
    """
    fused = np.zeros(len(index), dtype=np.float32)
    ranks: dict[str, NDArray[np.float32]] = {}
    near = _history_rows(index, history)
    for name, weight in _WEIGHTS.items():
        rank = np.full(len(index), _DEPTH, dtype=np.float32)
        top = found.lists[name]
        rank[top] = np.arange(len(top))
        ranks[name] = rank
        fused[top] += _reciprocal(len(top)) * weight
        if near is not None:
            within = near[_listed(found.scores[name][near], name)]
            fused[within] += _reciprocal(len(within)) * weight * _HISTORY_WEIGHT
    if among is None:
        rows = top_rows(fused, n_candidates)
    else:
        rows = among[np.argsort(-fused[among], kind="stable")]
    return Retrieved(
        terms=found.terms,
        vector=found.vector,
        scores=found.scores,
        best={name: float(values.max()) for name, values in found.scores.items()},
        rows=rows,
        fused=fused[rows],
        ranks={name: rank[rows] for name, rank in ranks.items()},
    )


def _history_rows(index: CatalogIndex, history: Sequence[Call]) -> NDArray[np.int64] | None:
    called = index.positions([call.operation_id for call in history[-10:]])
    if len(called) == 0:
        return None
    inside = np.zeros(len(index.services), dtype=np.bool_)
    inside[index.statics.service[called]] = True
    return np.flatnonzero(inside[index.statics.service])


def top_rows(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Rows of the `k` highest scores, best first; ties by row, at the cut too.

    Examples
    --------
    >>> top_rows(np.array([0.5, 2.0, 0.5, 1.0]), 3)
    array([1, 3, 0])
    """
    if k < len(scores):
        edge = np.partition(scores, len(scores) - k)[len(scores) - k]
        above = np.flatnonzero(scores > edge)
        tied = np.flatnonzero(scores == edge)[: k - len(above)]
        part = np.sort(np.concatenate([above, tied]))
    else:
        part = np.arange(len(scores))
    order: NDArray[np.int64] = part[np.argsort(-scores[part], kind="stable")]
    return order


def _listed(scores: NDArray[np.float32], name: str) -> NDArray[np.int64]:
    """Rows that a retriever proposes; BM25 has nothing to say of what shares no word."""
    if name == "dense":
        return top_rows(scores, _DEPTH)
    sharing = np.flatnonzero(scores != 0)  # far fewer than all
    return sharing[top_rows(scores[sharing], _DEPTH)]


def _reciprocal(n: int) -> NDArray[np.float32]:
    return (1.0 / (_RRF_CONSTANT + 1.0 + np.arange(n))).astype(np.float32)
