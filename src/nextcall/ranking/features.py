"""Features of every candidate of a query, computed for all of them at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.embedding.scan import dots_among_rows, dots_of_rows
from nextcall.ranking.candidates import N_CANDIDATES, Retrieved, likely_right
from nextcall.ranking.feature_kernels import (
    FLOW_FEATURES,
    HISTORY_FEATURES,
    RETRIEVAL_FEATURES,
    SERVICE_FEATURES,
    WORD_FEATURES,
    fill_flow,
    fill_history,
    fill_retrieval,
    fill_services,
    fill_words,
)
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.index import STATIC_FEATURES, CatalogIndex
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Call

_COLUMN: Final = {name: column for column, name in enumerate(FEATURE_NAMES)}
_RETRIEVAL: Final = _COLUMN[RETRIEVAL_FEATURES[0]]
_WORDS: Final = _COLUMN[WORD_FEATURES[0]]
_SERVICES: Final = _COLUMN[SERVICE_FEATURES[0]]
_STATIC: Final = slice(_COLUMN[STATIC_FEATURES[0]], _COLUMN[STATIC_FEATURES[-1]] + 1)
_CALLS: Final = _COLUMN[HISTORY_FEATURES[0]]
_FLOW: Final = _COLUMN[FLOW_FEATURES[0]]
_LENGTH, _SINCE = _COLUMN["session_length"], _COLUMN["time_since_last"]
_HISTORY: Final = 100  # the newest calls that are used
_RECENT: Final = 10


def compute_features(
    index: CatalogIndex,
    retrieved: Retrieved,
    history: Sequence[Call],
    prior: WorkflowPrior,
    *,
    now: datetime | None = None,
) -> NDArray[np.float32]:
    """Compute the features of `FEATURES` for the candidates of one query.

    Returns
    -------
    array of shape (n_candidates, n_features)
        Columns in the order of `FEATURES`; NaN where a value is not known.
    """
    rows, dense, terms = retrieved.rows, retrieved.scores["dense"], retrieved.terms
    values = np.empty((len(rows), len(FEATURE_NAMES)), dtype=np.float32)
    values.fill(np.nan)
    fill_retrieval(
        values,
        _RETRIEVAL,
        tuple(retrieved.scores.values()),
        tuple(retrieved.best.values()),
        tuple(retrieved.ranks.values()),
        retrieved.fused,
        dots_of_rows(index.text_vectors, rows, retrieved.vector),
        index.norms.take(rows),
        terms.n_words,
    )
    fill_words(
        values,
        _WORDS,
        index.words,
        index.facts,
        rows,
        (terms.ids, terms.bigrams),
        terms.weight,
        (terms.action, terms.verb, terms.n_words),
        terms.plural,
    )
    fill_services(values, _SERVICES, index.statics.service, rows, dense)
    values[:, _STATIC] = index.static_features.take(rows, axis=0)
    recent = history[-_HISTORY:]
    called = index.positions([call.operation_id for call in recent])
    tables = index.graph.tables
    fill_flow(
        values,
        _FLOW,
        (tables.need_terms, tables.need_weights, tables.need_required, tables.need_taken),
        (tables.yield_terms, tables.yield_weights),
        rows,
        called,
        likely_right(retrieved.fused),
        len(tables.terms),
        N_CANDIDATES,
    )
    _history_features(values, index, rows, (recent, called), prior, now)
    return values


def has_history(features: NDArray[np.float32]) -> bool:
    """Tell from the features of a query's candidates whether a known call came before it."""
    return not bool(np.isnan(features[0, _COLUMN["last_endpoint_type"]]))


def _history_features(
    values: NDArray[np.float32],
    index: CatalogIndex,
    rows: NDArray[np.int64],
    calls: tuple[Sequence[Call], NDArray[np.int64]],
    prior: WorkflowPrior,
    now: datetime | None,
) -> None:
    """What the calls and their rows say; some calls may be unknown."""
    history, called = calls
    values[:, _LENGTH] = len(history)
    last_time = history[-1].time if history else None
    if now and last_time:
        gap = (now - last_time).total_seconds()
        values[:, _SINCE] = np.log1p(max(gap, 0.0))
    if len(called) == 0:
        return
    similar = dots_among_rows(index.vectors, rows, called[-_RECENT:])
    steps = (*prior.probabilities(index.statics, called), prior.distance)
    fill_history(values, _CALLS, index.words, index.facts, rows, called, similar, steps)
