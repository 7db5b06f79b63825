"""Features of every candidate of a query, computed for all of them at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextcall.embedding.scan import dots_of_rows
from nextcall.ranking.candidates import RETRIEVERS, Retrieved
from nextcall.ranking.feature_table import FEATURES
from nextcall.ranking.index import STATIC_FEATURES, CatalogIndex
from nextcall.ranking.lexical_index import BM25_FIELDS, FIELDS
from nextcall.ranking.list_kernels import field_sums
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Call

_COLUMN: Final = {feature.name: column for column, feature in enumerate(FEATURES)}
_NEED_HISTORY: Final = tuple(feature.name for feature in FEATURES if feature.needs_history)
_HISTORY: Final = 100  # the newest calls that are used
_RECENT: Final = 10
_UNKNOWN: Final = np.float32(np.nan)


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
    rows = retrieved.rows
    values = np.zeros((len(FEATURES), len(rows)), dtype=np.float32)  # a feature is a row, for speed
    _retrieval(values, index, retrieved)
    _words(values, index, retrieved)
    _services(values, index, retrieved)
    _static(values, index, rows)
    _history_features(values, index, retrieved, history[-_HISTORY:], prior, now)
    return np.ascontiguousarray(values.T)


def has_history(features: NDArray[np.float32]) -> bool:
    """Tell from the features of a query's candidates whether a known call came before it."""
    return not bool(np.isnan(features[0, _COLUMN["last_endpoint_type"]]))


def _put(values: NDArray[np.float32], name: str, column: ArrayLike) -> None:
    values[_COLUMN[name]] = column


def _retrieval(values: NDArray[np.float32], index: CatalogIndex, retrieved: Retrieved) -> None:
    rows = retrieved.rows
    dense = retrieved.scores["dense"]
    _put(values, "dense_similarity", dense)
    _put(values, "dense_similarity_gap", retrieved.best["dense"] - dense)
    text = dots_of_rows(index.text_vectors, rows, retrieved.vector)
    _put(values, "prompt_similarity", text)
    _put(values, "prompt_similarity_gap", text.max() - text)
    label = dense * index.norms[rows] - text  # the searched vector is their sum, to norm 1
    _put(values, "label_similarity", label)
    _put(values, "label_similarity_gap", label.max() - label)
    for name in BM25_FIELDS:
        score = retrieved.scores[name]
        best = max(retrieved.best[name], 1e-6)
        _put(
            values,
            f"bm25_{name}",
            score / retrieved.terms.n_words if retrieved.terms.n_words else 0.0,
        )
        _put(values, f"bm25_{name}_share", score / best)
    for name in RETRIEVERS:
        _put(values, f"rank_{name}", retrieved.ranks[name])
    fused = retrieved.fused
    _put(values, "rank_fused", np.arange(len(rows), dtype=np.float32))
    _put(values, "fused_share", fused / max(float(fused[0]), 1e-9))


def _words(values: NDArray[np.float32], index: CatalogIndex, retrieved: Retrieved) -> None:
    prompt, rows = retrieved.terms, retrieved.rows
    present = np.zeros(len(index.lexical.weights), dtype=np.float32)
    present[prompt.ids] = index.lexical.weights[prompt.ids]
    shared_of = field_sums(present, *index.field_terms, rows)
    for field, shared in zip(FIELDS, shared_of, strict=True):
        _put(values, f"{field}_covers_prompt", shared / prompt.weight)
        own = np.maximum(index.lexical.terms[field].weight[rows], 1e-6)
        name = "resource_match" if field == "resource" else f"prompt_covers_{field}"
        if name in _COLUMN:
            _put(values, name, shared / own)
        if field == "name":
            _put(values, "name_unmatched", own - shared)
    bigrams = index.lexical.terms["bigrams"]
    matched = prompt.bigram_flags[bigrams.ids[rows]].sum(axis=1)
    _put(values, "name_bigrams", matched)
    _put(values, "name_bigram_share", matched / np.maximum(bigrams.weight[rows], 1.0))
    statics = index.statics
    known = prompt.action >= 0
    _put(
        values, "action_verb_match", (statics.action[rows] == prompt.action) if known else _UNKNOWN
    )
    _put(
        values, "verb_match", (statics.verb[rows] == prompt.verb) if prompt.verb >= 0 else _UNKNOWN
    )
    _put(values, "plural_match", 1.0 - np.abs(statics.plural[rows] - np.float32(prompt.plural)))
    _put(values, "prompt_action", prompt.action)
    _put(values, "prompt_words", prompt.n_words)


def _services(values: NDArray[np.float32], index: CatalogIndex, retrieved: Retrieved) -> None:
    """What the candidates say together about the service that is meant."""
    service = index.statics.service[retrieved.rows]
    _, code = np.unique(service, return_inverse=True)
    mass = 1.0 / (np.arange(len(code)) + 5.0)
    votes = np.bincount(code, weights=mass)
    share = votes / votes.sum()
    _put(values, "service_vote", share[code])
    _put(values, "service_vote_gap", share.max() - share[code])
    dense = retrieved.scores["dense"]
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(len(votes)))
    best = np.maximum.reduceat(dense[order], starts)[code]
    _put(values, "service_best_similarity", best)
    _put(values, "similarity_within_service", best - dense)
    position = np.empty(len(code), dtype=np.float32)
    position[order] = np.arange(len(code)) - starts[code[order]]
    _put(values, "rank_within_service", position)


def _static(values: NDArray[np.float32], index: CatalogIndex, rows: NDArray[np.int64]) -> None:
    first = _COLUMN[STATIC_FEATURES[0]]
    values[first : first + len(STATIC_FEATURES)] = index.static_features[rows].T


def _history_features(
    values: NDArray[np.float32],
    index: CatalogIndex,
    retrieved: Retrieved,
    history: Sequence[Call],
    prior: WorkflowPrior,
    now: datetime | None,
) -> None:
    rows, statics = retrieved.rows, index.statics
    _put(values, "session_length", len(history))
    last_time = history[-1].time if history else None
    gap = (now - last_time).total_seconds() if now and last_time else None
    _put(values, "time_since_last", _UNKNOWN if gap is None else np.log1p(max(gap, 0.0)))
    called = index.positions([call.operation_id for call in history])
    if len(called) == 0:
        for name in _NEED_HISTORY:
            _put(values, name, _UNKNOWN)
        return
    last = called[-1]
    _put(values, "last_endpoint_type", statics.action[last])
    resource = index.lexical.terms["resource"]
    ids = resource.ids[rows]
    weights = index.lexical.weights
    named = np.zeros(len(weights), dtype=np.float32)
    named[resource.ids[last]] = weights[resource.ids[last]]  # the padding's weight is 0
    shared = named[ids].sum(axis=1)
    union = np.maximum(resource.weight[rows] + resource.weight[last] - shared, 1e-6)
    _put(values, "last_resource", shared / union)
    others = resource.ids[called[-_RECENT:]].ravel()
    named[others] = weights[others]
    recent = named[ids].sum(axis=1)
    _put(values, "history_resource", recent / np.maximum(resource.weight[rows], 1e-6))
    service = statics.service
    _put(values, "last_service", service[rows] == service[last])
    calls_of_service = np.bincount(service[called], minlength=len(index.services))
    _put(values, "same_service_share", calls_of_service[service[rows]] / len(called))
    _put(values, "times_called", (called[:, None] == rows).sum(axis=0))
    _put(values, "called_last", rows == last)
    same = statics.resource[called][:, None] == statics.resource[rows]
    _put(values, "same_resource_share", same.sum(axis=0) / len(called))
    earlier = index.vectors[called[-_RECENT:]]
    similar = earlier @ retrieved.vectors.T
    _put(values, "last_similarity", similar[-1])
    _put(values, "history_similarity", similar.sum(axis=0) / len(earlier))
    relation = prior.relations(statics, last, rows)
    bigram, trigram = prior.probabilities(statics, called)
    action = statics.action[rows].astype(np.int64)
    _put(values, "bigram_prob", bigram[action, relation])
    _put(values, "trigram_prob", trigram[action, relation])
    _put(values, "workflow_distance", prior.distance[statics.action[last], action] + (relation > 0))
