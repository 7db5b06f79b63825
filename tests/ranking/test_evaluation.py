"""Scores of every system, query by query, against metrics of explicit lists of ids."""

from math import log2

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from nextcall.ranking import evaluation
from nextcall.ranking.baselines import BASELINES, baseline_scores, popularity
from nextcall.ranking.evaluation import (
    RANKER,
    calibration_error,
    compare_systems,
    score_baselines,
    score_ranker,
    slices,
    summarise,
)
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.metrics import rank_metrics
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.reliability import expected_calibration_error
from nextcall.ranking.rows import QueryRows
from nextcall.sessions import Query, calls_of

METRICS = [
    "ndcg@1",
    "ndcg@5",
    "ndcg@10",
    "recall@1",
    "recall@5",
    "recall@10",
    "hit@1",
    "mrr",
    "map",
]


@pytest.fixture(scope="module")
def own(
    ranker: CallRanker, aws_rows: dict[str, QueryRows], aws_index: CatalogIndex
) -> pd.DataFrame:
    return score_ranker(ranker, aws_rows["held_out"], aws_index)


@pytest.fixture(scope="module")
def both(
    own: pd.DataFrame, aws_rows: dict[str, QueryRows], aws_index: CatalogIndex
) -> pd.DataFrame:
    popular = popularity(aws_index, aws_rows["training"].queries)
    baselines = score_baselines(aws_index, aws_rows["held_out"].queries, popular=popular)
    return pd.concat([baselines, own], ignore_index=True)


def averaged(
    scores: NDArray[np.float32] | NDArray[np.float64], right: set[int], rng: np.random.Generator
) -> dict[str, float]:
    """Mean over orders in which ties stand at random; plain definitions over lists."""
    drawn = []
    for _ in range(300):
        order = np.lexsort((rng.random(len(scores)), -scores)).tolist()
        hits = [rank for rank, row in enumerate(order, 1) if row in right]
        ideal = sum(1 / log2(rank + 1) for rank in range(1, min(len(right), 10) + 1))
        drawn.append(
            {
                "ndcg@10": sum(1 / log2(rank + 1) for rank in hits if rank <= 10) / ideal,
                "recall@5": sum(rank <= 5 for rank in hits) / len(right),
                "hit@1": float(1 in hits),
                "mrr": 1 / hits[0] if hits else 0.0,
                "map": sum(n / rank for n, rank in enumerate(hits, 1)) / len(right),
            }
        )
    return {name: float(np.mean([row[name] for row in drawn])) for name in drawn[0]}


def test_the_ranker_is_scored_by_the_lists_that_it_gives(
    ranker: CallRanker,
    own: pd.DataFrame,
    aws_rows: dict[str, QueryRows],
    aws_index: CatalogIndex,
) -> None:
    queries = aws_rows["held_out"].queries
    rng = np.random.default_rng(0)
    assert own["query_id"].tolist() == [query.query_id for query in queries]
    assert (own["system"] == RANKER).all()
    for i in range(0, len(queries), 5):
        query = queries[i]
        answers = ranker.rank(aws_index, query.prompt, query.history, k=1000)
        row = own.iloc[i]
        assert row["service"] == aws_index.catalog[query.relevant[0]].service
        scores = np.array([answer.score for answer in answers])
        ids = [answer.operation.operation_id for answer in answers]
        right = {place for place, name in enumerate(ids) if name in query.relevant}
        for metric, expected in averaged(scores, right, rng).items():
            assert row[metric] == pytest.approx(expected, abs=0.08), metric
        assert row["confidence"] == pytest.approx(answers[0].confidence, abs=1e-3)
        assert row["correct"] == (ids[0] in query.relevant)


@pytest.mark.parametrize("know_service", [False, True])
def test_baselines_are_scored_by_the_lists_that_they_give(
    shop_index: CatalogIndex, *, know_service: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "_BLOCK", 1)
    queries = [
        Query(
            query_id="1",
            prompt="refund an invoice",
            relevant=("billing:CreateRefund",),
            history=calls_of(["billing:GetInvoice", "no:Such"]),
        ),
        Query(
            query_id="2",
            prompt="add labels to somebody",
            relevant=("users:TagResource", "orders:TagResource"),
        ),
    ]
    rng = np.random.default_rng(0)
    popular = rng.permutation(len(shop_index)).astype(np.float32)
    table = score_baselines(shop_index, queries, popular=popular, know_service=know_service)
    assert table["system"].unique().tolist() == list(BASELINES)
    vectors = shop_index.encode_prompts([query.prompt for query in queries])
    for query, vector in zip(queries, vectors, strict=True):
        called = shop_index.positions([c.operation_id for c in query.history])
        systems = baseline_scores(
            shop_index,
            query,
            shop_index.text_vectors @ vector,
            popular=popular,
            called=called if know_service else None,
        )
        right = set(shop_index.positions(query.relevant).tolist())
        for name, scores in systems.items():
            found = table[(table["query_id"] == query.query_id) & (table["system"] == name)]
            for metric, expected in averaged(scores, right, rng).items():
                assert found.iloc[0][metric] == pytest.approx(expected, abs=0.06), (name, metric)
            if len(set(scores.tolist())) == len(shop_index):
                ids = list(shop_index.catalog.positions)
                ranking = [ids[row] for row in np.argsort(-scores)]
                exact = rank_metrics(ranking, query.relevant)
                assert found.iloc[0][list(exact)].to_dict() == pytest.approx(exact)


def test_knowing_the_service_helps_every_baseline(
    aws_rows: dict[str, QueryRows], aws_index: CatalogIndex
) -> None:
    queries = [query for query in aws_rows["held_out"].queries if query.history]
    popular = popularity(aws_index, [])
    blind, knowing = (
        score_baselines(aws_index, queries, popular=popular, know_service=known)
        .groupby("system")["ndcg@10"]
        .mean()
        for known in (False, True)
    )
    for name in ("BM25", "MiniLM", "fusion"):
        assert knowing[name] > blind[name]


def test_a_summary_has_the_mean_of_each_system_inside_its_interval(both: pd.DataFrame) -> None:
    table = summarise(both, rng=np.random.default_rng(0), metrics=("ndcg@10", "mrr"))
    assert table["system"].tolist() == [*BASELINES, RANKER]
    for _, row in table.iterrows():
        part = both[both["system"] == row["system"]]
        for metric in ("ndcg@10", "mrr"):
            assert row[metric] == pytest.approx(part[metric].mean())
            assert row[f"{metric}.low"] <= row[metric] <= row[f"{metric}.high"]
        assert row["n_queries"] == part["query_id"].nunique()
        assert row["n_services"] == 3


def test_a_comparison_has_the_sign_of_the_difference_from_its_baseline(both: pd.DataFrame) -> None:
    means = both.groupby("system")["ndcg@10"].mean()
    table = compare_systems(both, rng=np.random.default_rng(0))
    assert set(table["system"]) == {*BASELINES, RANKER}
    for _, row in table[table["system"] != RANKER].iterrows():
        expected = means[row["system"]] - means[RANKER]
        assert row["difference"] == pytest.approx(expected)
    other = compare_systems(both, rng=np.random.default_rng(0), baseline="BM25")
    swapped = other.set_index("system")["difference"]
    assert swapped[RANKER] == pytest.approx(means[RANKER] - means["BM25"])


def test_a_comparison_needs_every_query_of_every_system_once(both: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"one row a query and system, got query 'awscli-\d+"):
        compare_systems(pd.concat([both, both.iloc[[3]]]), rng=rng)
    with pytest.raises(ValueError, match="finite"):
        compare_systems(both.drop(index=3), rng=rng)


def test_slices_average_within_values_and_join_small_ones() -> None:
    scores = pd.DataFrame(
        {
            "query_id": [1, 2, 3, 4, 5] * 2,
            "kind": ["a", "a", "b", "c", "b"] * 2,
            "system": [RANKER] * 5 + ["BM25"] * 5,
            "ndcg@10": [1.0, 0.5, 0.25, 1.0, 0.25, 0.0, 0.1, 0.2, 0.3, 0.4],
        }
    )
    table = slices(scores, "kind", fewest=2)
    assert table["kind"].tolist() == ["b", "a", "(small)"]  # the weakest first
    assert table["n_queries"].tolist() == [2, 2, 1]
    assert table[RANKER].tolist() == pytest.approx([0.25, 0.75, 1.0])
    assert table["BM25"].tolist() == pytest.approx([0.3, 0.05, 0.3])
    joined = slices(scores, "kind", fewest=20)
    assert joined["kind"].tolist() == ["(small)"]
    assert joined["n_queries"].tolist() == [5]
    alone = slices(scores[scores["system"] == "BM25"], "kind", fewest=1)
    assert alone["kind"].tolist() == ["a", "c", "b"]
    assert list(alone.columns) == ["kind", "n_queries", "BM25"]


def test_the_calibration_error_is_that_of_the_first_answers(own: pd.DataFrame) -> None:
    expected = expected_calibration_error(own["correct"], own["confidence"], bins=15)
    assert calibration_error(own) == expected
    assert calibration_error(own.assign(confidence=own["correct"])) == 0
