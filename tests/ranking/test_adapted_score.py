"""The score of an adapted ranker: each part weighs what it is worth on sessions held out."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.ranking import adapted_score
from nextcall.ranking.adaptation import ADAPTED_SETTINGS
from nextcall.ranking.adapted_features import ADAPTED_NAMES
from nextcall.ranking.adapted_score import WEIGHED, AdaptedScore
from nextcall.ranking.boosting import BoostingSettings, Trees
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.metrics import ndcg
from nextcall.ranking.rows import QueryRows
from nextcall.sessions import Query

SETTINGS = replace(ADAPTED_SETTINGS, trees=30, min_rows_in_leaf=5)
NAMES = (*FEATURE_NAMES, *ADAPTED_NAMES)
N_CANDIDATES = 20


def _rows(n: int, *, told_by: str, seed: int = 0) -> QueryRows:
    """Noise in every column; the right answer has the highest value in one of them."""
    rng = np.random.default_rng(seed)
    features, relevance = [], []
    for _ in range(n):
        x = rng.normal(size=(N_CANDIDATES, len(NAMES))).astype(np.float32)
        features.append(x)
        best = x[:, NAMES.index(told_by)].argmax()
        relevance.append((np.arange(N_CANDIDATES) == best).astype(np.int8))
    queries = tuple(Query(query_id=str(i), prompt=str(i)) for i in range(n))
    return QueryRows(queries, (np.arange(N_CANDIDATES),) * n, tuple(features), tuple(relevance))


def _fit(rows: QueryRows, settings: BoostingSettings = SETTINGS) -> AdaptedScore:
    parts = np.arange(len(rows)) % 10
    return AdaptedScore.fit(rows, parts, settings=settings, rng=np.random.default_rng(0))[0]


def _mean_ndcg(score: AdaptedScore, rows: QueryRows) -> float:
    each = [
        ndcg(relevance, score.predict(features), k=10)
        for features, relevance in zip(rows.features, rows.relevance, strict=True)
    ]
    return float(np.mean(each))


def _share_of_trees(score: AdaptedScore, features: NDArray[np.float32]) -> float:
    """How far the trees spread the candidates, of all that spreads them."""
    trees = score.tree_weight * score.trees.predict(features)
    return float(trees.std() / (trees.std() + (score.predict(features) - trees).std()))


def test_the_score_is_the_sum_of_its_weighted_parts() -> None:
    rows = _rows(40, told_by="bm25_full_share")
    score, x = _fit(rows), rows.features[0]
    columns = x[:, [NAMES.index(name) for name in WEIGHED]].astype(np.float64)
    expected = score.tree_weight * score.trees.predict(x) + (columns * score.weights).sum(axis=1)
    np.testing.assert_allclose(score.predict(x), expected)
    assert score.tree_weight >= 0


@pytest.mark.parametrize("name", WEIGHED)
def test_what_tells_the_answer_weighs_most(name: str) -> None:
    score = _fit(_rows(30, told_by=name))
    assert WEIGHED[int(np.abs(score.weights).argmax())] == name
    assert _mean_ndcg(score, _rows(30, told_by=name, seed=1)) > 0.8


def test_trees_weigh_where_only_evidence_tells() -> None:
    told_by, x = "prompt_regression", _rows(1, told_by="base_score").features[0]
    evidence = _fit(_rows(120, told_by=told_by))
    base = _fit(_rows(120, told_by="base_score"))
    assert _share_of_trees(evidence, x) > 0.6
    assert _share_of_trees(base, x) < 0.4
    assert _mean_ndcg(evidence, _rows(30, told_by=told_by, seed=1)) > 0.8


def test_a_handful_of_prompts_stays_near_the_base() -> None:
    """Trees over noise that eight prompts fit must not bury the base."""
    test = _rows(60, told_by="base_score", seed=1)
    score = _fit(_rows(8, told_by="base_score"))
    trees = replace(score, tree_weight=1.0, weights=np.zeros(len(WEIGHED)))
    assert _share_of_trees(score, test.features[0]) < 0.3
    assert _mean_ndcg(score, test) > max(_mean_ndcg(trees, test), 0.85)


def test_many_queries_are_held_out_by_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    grown: list[int] = []
    grow = adapted_score._grow

    def counted(rows: QueryRows, settings: BoostingSettings, rng: np.random.Generator) -> Trees:
        grown.append(len(rows))
        return grow(rows, settings, rng)

    monkeypatch.setattr(adapted_score, "_grow", counted)
    rows = _rows(40, told_by="base_score")
    _fit(rows, replace(SETTINGS, trees=2))
    assert grown == [40, 32, 32, 32, 32, 32]
    grown.clear()
    monkeypatch.setattr(adapted_score, "_MANY", 39)
    _fit(rows, replace(SETTINGS, trees=2))
    assert grown == [40, 20, 20]


def test_a_constant_column_is_no_fault() -> None:
    rows = _rows(30, told_by="base_score")
    for x in rows.features:
        x[:, NAMES.index("bm25_name_share")] = 0.0
    score = _fit(rows)
    assert score.weights[WEIGHED.index("bm25_name_share")] == 0
    assert np.isfinite(score.predict(rows.features[0])).all()


def test_one_right_candidate_at_least_is_needed() -> None:
    rows = _rows(6, told_by="base_score")
    none = replace(rows, relevance=tuple(np.zeros_like(y) for y in rows.relevance))
    with pytest.raises(ValueError, match="right answer is a candidate, got none"):
        _fit(none)
