import math
import re
from collections.abc import Callable, Iterator
from itertools import pairwise, permutations
from statistics import fmean
from types import ModuleType
from typing import Any

import ir_measures
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, nDCG
from sklearn.metrics import (
    average_precision_score,
    label_ranking_average_precision_score,
    ndcg_score,
)

from nextcall.ranking import metrics
from nextcall.ranking.metrics import (
    average_precision,
    metrics_table,
    ndcg,
    precision,
    rank_metrics,
    recall,
    reciprocal_rank,
)

KS = (1, 5, 10)


# What the metrics are, plainly, of one list of gains in rank order without ties.
def plain_ndcg(gains: list[float], ideal: list[float], k: int | None) -> float:
    def dcg(row: list[float]) -> float:
        return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(row[:k]))

    return dcg(gains) / dcg(sorted(ideal, reverse=True))


def plain_recall(gains: list[float], ideal: list[float], k: int | None) -> float:
    return sum(gain > 0 for gain in gains[:k]) / sum(gain > 0 for gain in ideal)


def plain_precision(gains: list[float], _ideal: list[float], k: int | None) -> float:
    assert k is not None
    return sum(gain > 0 for gain in gains[:k]) / k


def plain_reciprocal_rank(gains: list[float], _ideal: list[float], _k: int | None) -> float:
    return next((1 / rank for rank, gain in enumerate(gains, 1) if gain > 0), 0.0)


def plain_average_precision(gains: list[float], ideal: list[float], _k: int | None) -> float:
    hits = [rank for rank, gain in enumerate(gains, 1) if gain > 0]
    return sum(n / rank for n, rank in enumerate(hits, 1)) / sum(gain > 0 for gain in ideal)


Plain = Callable[[list[float], list[float], int | None], float]
PAIRS: list[tuple[Callable[..., float], Plain, int | None]] = [
    (ndcg, plain_ndcg, None),
    (ndcg, plain_ndcg, 1),
    (ndcg, plain_ndcg, 3),
    (ndcg, plain_ndcg, 9),
    (recall, plain_recall, None),
    (recall, plain_recall, 2),
    (precision, plain_precision, 1),
    (precision, plain_precision, 4),
    (precision, plain_precision, 9),
    (reciprocal_rank, plain_reciprocal_rank, None),
    (average_precision, plain_average_precision, None),
]


def by_enumeration(gains: list[float], scores: list[float], plain: Plain, k: int | None) -> float:
    """Mean of the plain metric over every order that a sort of these scores may give."""
    values = []
    for order in permutations(range(len(gains))):
        if all(scores[a] >= scores[b] for a, b in pairwise(order)):
            found = [gains[i] for i in order if scores[i] > -math.inf]
            values.append(plain(found, gains, k))
    return fmean(values)


def candidates(gain: st.SearchStrategy[float], score: st.SearchStrategy[float]) -> Any:
    return st.lists(st.tuples(gain, score), min_size=1, max_size=6).filter(
        lambda rows: any(gain > 0 for gain, _ in rows)
    )


@pytest.mark.parametrize(("metric", "plain", "k"), PAIRS)
@settings(max_examples=60)
@given(
    rows=candidates(
        st.sampled_from([0.0, 0.0, 1.0, 3.0]), st.sampled_from([0.1, 0.2, 0.3, -math.inf])
    )
)
def test_ties_count_as_the_mean_over_all_orders(
    metric: Callable[..., float], plain: Plain, k: int | None, rows: list[tuple[float, float]]
) -> None:
    gains, scores = [gain for gain, _ in rows], [score for _, score in rows]
    options = {} if k is None else {"k": k}
    expected = by_enumeration(gains, scores, plain, k)
    assert metric(gains, scores, **options) == pytest.approx(expected, abs=1e-12)


queries = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any),
        st.lists(st.integers(-4, 4), min_size=n, max_size=n),
    )
)
untied = queries.map(lambda query: (query[0], list(range(len(query[0])))))


@given(query=queries, k=st.none() | st.integers(1, 12))
def test_ndcg_agrees_with_scikit_learn_ties_and_all(
    query: tuple[list[int], list[int]], k: int | None
) -> None:
    relevance, scores = query
    expected = ndcg_score([relevance], [scores], k=k)
    assert ndcg(relevance, scores, k=k) == pytest.approx(expected, abs=1e-12)


@given(query=queries, seed=st.integers(0, 99))
def test_average_precision_agrees_with_scikit_learn(
    query: tuple[list[int], list[int]], seed: int
) -> None:
    relevance = np.array(query[0]) > 0
    scores = np.random.default_rng(seed).permutation(len(relevance))
    ours = average_precision(relevance, scores)
    assert ours == pytest.approx(average_precision_score(relevance, scores), abs=1e-12)
    # It also calls the mean over the labels of a sample by this name.
    expected = label_ranking_average_precision_score([relevance], [scores])
    assert ours == pytest.approx(expected, abs=1e-12)


@pytest.fixture(scope="module")
def retrieved() -> tuple[list[list[str]], list[set[str]]]:
    """300 rankings of up to 30 of 40 ids, best first, and what is relevant of the 40."""
    rng = np.random.default_rng(3)
    ids = np.array([f"d{i}" for i in range(40)])
    rankings = [rng.permutation(ids)[: rng.integers(1, 31)].tolist() for _ in range(300)]
    relevant = [set(rng.permutation(ids)[: rng.integers(1, 9)].tolist()) for _ in range(300)]
    return rankings, relevant


def test_rank_metrics_agree_with_trec_eval(
    retrieved: tuple[list[list[str]], list[set[str]]],
) -> None:
    rankings, relevant = retrieved
    measures = {f"ndcg@{k}": nDCG @ k for k in KS} | {f"recall@{k}": R @ k for k in KS}
    measures |= {"hit@1": P @ 1, "mrr": RR, "map": AP}
    run = [
        ir_measures.ScoredDoc(str(query), identifier, -float(rank))
        for query, ranking in enumerate(rankings)
        for rank, identifier in enumerate(ranking)
    ]
    qrels = [
        ir_measures.Qrel(str(query), identifier, 1)
        for query, wanted in enumerate(relevant)
        for identifier in wanted
    ]
    ours = [rank_metrics(*pair, ks=KS) for pair in zip(rankings, relevant, strict=True)]
    names = {measure: name for name, measure in measures.items()}
    seen = 0
    for value in ir_measures.iter_calc(list(measures.values()), qrels, run):
        expected = ours[int(value.query_id)][names[value.measure]]
        assert expected == pytest.approx(value.value, abs=1e-9)
        seen += 1
    assert seen == len(rankings) * len(measures)


@pytest.fixture(scope="module")
def ranx() -> Iterator[ModuleType]:
    """ranx without its compiler, which takes a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numba.config, "DISABLE_JIT", True)
        yield pytest.importorskip("ranx")


def test_metrics_table_agrees_with_ranx(
    ranx: ModuleType, retrieved: tuple[list[list[str]], list[set[str]]]
) -> None:
    rankings, relevant = (part[:60] for part in retrieved)
    width = max(map(len, rankings))
    gains, scores = np.zeros((60, width)), np.full((60, width), -np.inf)
    for row, (ranking, wanted) in enumerate(zip(rankings, relevant, strict=True)):
        gains[row, : len(ranking)] = [identifier in wanted for identifier in ranking]
        scores[row, : len(ranking)] = -np.arange(len(ranking))
    ours = metrics_table(gains, scores, n_relevant=[len(wanted) for wanted in relevant], ks=KS)
    names = {name: "precision@1" if name == "hit@1" else name for name in ours.columns}
    qrels = ranx.Qrels({f"q{i:03}": dict.fromkeys(w, 1) for i, w in enumerate(relevant)})
    run = ranx.Run(
        {
            f"q{i:03}": {name: 100.0 - rank for rank, name in enumerate(ranking)}
            for i, ranking in enumerate(rankings)
        }
    )
    theirs = ranx.evaluate(qrels, run, list(names.values()), return_mean=False)
    for name in ours.columns:
        np.testing.assert_allclose(ours[name], theirs[names[name]], atol=1e-9, err_msg=name)


def test_table_is_the_single_metrics_row_by_row_and_chunk_by_chunk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    gains = rng.integers(0, 2, (23, 9)).astype(float)
    gains[4] = 0
    scores = rng.integers(0, 4, (23, 9)).astype(float)
    whole = metrics_table(gains, scores, ks=[3])
    monkeypatch.setattr(metrics, "_CHUNK", 9 * 5)
    chunked = metrics_table(gains, scores, ks=[3])
    assert chunked.equals(whole)
    rows = [
        [
            ndcg(gain, score, k=3),
            recall(gain, score, k=3),
            precision(gain, score),
            reciprocal_rank(gain, score),
            average_precision(gain, score),
        ]
        for gain, score in zip(gains, scores, strict=True)
    ]
    np.testing.assert_allclose(whole.to_numpy(), rows, atol=1e-12)
    assert list(whole.columns) == ["ndcg@3", "recall@3", "hit@1", "mrr", "map"]


def test_many_tied_candidates_have_the_known_expectations() -> None:
    n = 18_378
    relevance = np.zeros(n)
    relevance[7] = 1
    harmonic = float((1 / np.arange(1, n + 1)).sum())
    assert reciprocal_rank(relevance, np.zeros(n)) == pytest.approx(harmonic / n)
    assert average_precision(relevance, np.zeros(n)) == pytest.approx(harmonic / n)
    assert recall(relevance, np.zeros(n), k=10) == pytest.approx(10 / n)


@given(query=queries, shift=st.integers(1, 5), seed=st.integers(0, 99))
def test_order_of_candidates_and_scale_of_scores_make_no_difference(
    query: tuple[list[int], list[int]], shift: int, seed: int
) -> None:
    relevance, scores = np.array(query[0]), np.array(query[1])
    order = np.random.default_rng(seed).permutation(len(scores))
    one = metrics_table([relevance], [scores], ks=KS)
    other = metrics_table([relevance[order]], [np.exp(scores[order] / shift)], ks=KS)
    np.testing.assert_allclose(one, other, atol=1e-12)


@given(query=untied)
def test_the_best_order_has_ndcg_1(query: tuple[list[int], list[int]]) -> None:
    relevance = sorted(query[0], reverse=True)
    assert ndcg(relevance, [-score for score in query[1]]) == pytest.approx(1)


def test_nothing_relevant_is_nan_but_for_precision() -> None:
    table = metrics_table([[0, 0]], [[1, 2]], ks=[2])
    assert table.drop(columns="hit@1").isna().all(axis=None)
    assert table["hit@1"].tolist() == [0]
    assert math.isnan(ndcg([0, 0], [1, 2]))


def test_nothing_retrieved_is_0() -> None:
    assert rank_metrics([], ["a"], ks=[5]) == {
        "ndcg@5": 0,
        "recall@5": 0,
        "hit@1": 0,
        "mrr": 0,
        "map": 0,
    }


def test_a_repeated_id_counts_once_at_its_first_place() -> None:
    assert rank_metrics(["b", "b", "a", "a"], ["a"]) == rank_metrics(["b", "a"], ["a"])


def test_no_queries_have_the_columns_too() -> None:
    table = metrics_table(np.zeros((0, 4)), np.zeros((0, 4)), n_relevant=[], ks=[2])
    assert list(table.columns) == ["ndcg@2", "recall@2", "hit@1", "mrr", "map"]
    assert len(table) == 0


@pytest.mark.parametrize(
    ("relevance", "scores", "message"),
    [
        ([[1]], [[1]], "relevance must have 1 dimension(s), got 2."),
        ([1, 0], [1], "scores must have the shape of relevance, (2,), got (1,)."),
        ([-1, 0], [1, 2], "relevance must be finite and non-negative."),
        ([math.nan, 0], [1, 2], "relevance must be finite and non-negative."),
        ([1, 0], [1, math.nan], "scores must be numbers, got nan at [1]."),
    ],
)
def test_bad_arguments_are_refused(relevance: Any, scores: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ndcg(relevance, scores)


def test_bad_cuts_and_counts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"k must be at least 1, got 0\."):
        ndcg([1], [1], k=0)
    with pytest.raises(ValueError, match=r"k must be at least 1, got 0\."):
        precision([1], [1], k=0)
    with pytest.raises(ValueError, match=r"n_relevant must have one value a query, \(1,\), got"):
        metrics_table([[1]], [[1]], n_relevant=[1, 2])
    with pytest.raises(ValueError, match=r"got 1 for query 1 that has 2\."):
        metrics_table([[1, 0], [1, 1]], [[1, 2], [1, 2]], n_relevant=[1, 1])
