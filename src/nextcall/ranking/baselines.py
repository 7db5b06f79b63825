"""What a ranker must beat: popularity, BM25, one embedding, and their fusion."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.list_kernels import reciprocal_ranks
from nextcall.sessions import Query

BASELINES: Final = ("popularity", "BM25", "MiniLM", "fusion")
"""Names of the baselines; ``fusion`` is the reciprocal-rank fusion of BM25 and MiniLM."""

_CONSTANT: Final = 60.0  # Cormack, Clarke & Buettcher (2009), SIGIR


def popularity(index: CatalogIndex, training: Iterable[Query]) -> NDArray[np.float32]:
    """Count how often each operation was the answer of a training query, shape (n_operations,)."""
    counts = Counter(operation for query in training for operation in query.relevant)
    return np.array([counts[o.operation_id] for o in index.catalog], dtype=np.float32)


def baseline_scores(
    index: CatalogIndex,
    query: Query,
    dense: NDArray[np.float32],
    *,
    popular: NDArray[np.float32],
    called: NDArray[np.int64] | None = None,
) -> Mapping[str, NDArray[np.float32]]:
    """Score every operation by each of `BASELINES`, each of shape (n_operations,).

    BM25 and MiniLM read the same text: service, name, and the start of the documentation.

    Parameters
    ----------
    dense : array of shape (n_operations,)
        Cosines of the prompt and every operation's text.
    called : array of shape (n_calls,), optional
        Rows of calls whose services are known to be meant: their operations go first, and the
        fusion is of the ranks among them.
    """
    lexical = index.lexical.bm25["text"].scores(index.prompt_terms(query.prompt).ids.tolist())
    known = {"popularity": popular, "BM25": lexical, "MiniLM": dense}
    if called is not None:
        inside = np.isin(index.statics.service, index.statics.service[called])
        known = {name: _first(v, inside) for name, v in known.items()}
    fused = _reciprocal_ranks(known["BM25"]) + _reciprocal_ranks(known["MiniLM"])
    return {**known, "fusion": fused}


def within_services(
    index: CatalogIndex, scores: NDArray[np.float32], called: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Put the operations of the services called so far before all others.

    Each part stays in the order of `scores`. What an oracle that knows the service would answer;
    after calls of one service it is a strong baseline.

    Parameters
    ----------
    called : array of shape (n_calls,)
        Rows of the calls so far; where there are none, `scores` come back.
    """
    return _first(scores, np.isin(index.statics.service, index.statics.service[called]))


def _first(scores: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Lift some scores above all others; where none is to be lifted, they stay."""
    if not inside.any():
        return scores
    span = float(scores.max() - scores.min()) + 1.0
    return scores + (inside * span).astype(np.float32)


def _reciprocal_ranks(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give ``1 / (60 + rank)``, where ties share their mean rank."""
    return reciprocal_ranks(scores, np.argsort(-scores), _CONSTANT)
