"""Cross-validation: every figure is of services that the ranker was not trained on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nextcall.ranking.baselines import BASELINES
from nextcall.ranking.evaluation import RANKER, score_ranker, summarise
from nextcall.ranking.index import CatalogIndex
from nextcall.sessions.splits import group_folds
from nextcall.training.crossval import (
    EASY_NEGATIVES,
    TASKS,
    CrossValidation,
    _easy_rows,
    cross_validate,
    parts_of_fold,
    validation_part,
    warm_split,
)
from nextcall.training.folds import N_FOLDS, N_PARTS, operation_groups
from nextcall.training.recipe import Material, Recipe
from nextcall.training.report import headline_table, recall_curves, result_values, worst_errors

FOLDS = (0, 3)


@pytest.fixture(scope="module")
def found(index: CatalogIndex, material: Material, recipe: Recipe) -> CrossValidation:
    return cross_validate(index, material, recipe=recipe, seed=11, folds=FOLDS)


def test_every_part_is_tested_once_and_none_validates_its_own_fold() -> None:
    tested = [part for fold in range(N_FOLDS) for part in parts_of_fold(fold)]
    assert sorted(tested) == list(range(N_PARTS))
    for fold in range(N_FOLDS):
        assert 0 <= validation_part(fold) < N_PARTS
        assert validation_part(fold) not in parts_of_fold(fold)


def test_every_query_of_a_fold_is_scored_once_by_every_system(
    found: CrossValidation, material: Material
) -> None:
    rows_of = {"cold": "prompts", "after_calls": "after_calls", "sessions": "sessions"}
    for fold in FOLDS:
        for task, name in sorted(rows_of.items()):
            inside = np.isin(material.parts[name], parts_of_fold(fold))
            expected = {material.rows[name].queries[i].query_id for i in np.flatnonzero(inside)}
            scores = found.scores
            part = scores[(scores["task"] == task) & (scores["fold"] == fold)]
            assert set(part["system"]) == {*BASELINES, RANKER}
            for _, own in part.groupby("system"):
                assert len(own) == int(inside.sum())
                assert set(own["query_id"]) == expected
    assert set(found.scores["task"]) == set(TASKS) - {"warm"}
    easy = found.scores.query("task == 'sessions_easy'")
    assert set(easy["system"]) == {RANKER}


def test_a_fold_is_ranked_by_what_the_other_parts_teach(
    found: CrossValidation, material: Material, recipe: Recipe, index: CatalogIndex
) -> None:
    """The same parts fitted by hand give the same ranker and the same figures."""
    fold = FOLDS[1]
    validation = validation_part(fold)
    training = [part for part in range(N_PARTS) if part not in (*parts_of_fold(fold), validation)]
    assert len(training) == N_PARTS - 3
    ranker = material.fit(recipe, training=training, validation=[validation], seed=11 + fold)
    assert found.rankers[1].trees_.to_text() == ranker.trees_.to_text()
    chosen = np.flatnonzero(np.isin(material.parts["prompts"], parts_of_fold(fold)))
    expected = score_ranker(ranker, material.rows["prompts"].select(chosen), index)
    scores = found.scores.query("task == 'cold' and fold == @fold and system == @RANKER")
    pd.testing.assert_series_equal(
        scores["ndcg@10"].reset_index(drop=True), expected["ndcg@10"], check_names=False
    )


def test_workers_change_nothing(
    found: CrossValidation, index: CatalogIndex, material: Material, recipe: Recipe
) -> None:
    alone = cross_validate(index, material, recipe=recipe, seed=11, folds=FOLDS, workers=1)
    pd.testing.assert_frame_equal(alone.scores, found.scores)


def test_popularity_knows_nothing_of_services_never_trained_on(found: CrossValidation) -> None:
    cold = found.scores.query("task == 'cold' and system == 'popularity'")
    assert (cold["hit@1"] < 0.5).all()


def test_random_negatives_are_easier_than_the_whole_catalogue(found: CrossValidation) -> None:
    own = found.scores[found.scores["system"] == RANKER]
    means = own.groupby("task")["ndcg@10"].mean()
    assert means["sessions_easy"] > means["sessions"]


def test_easy_rows_are_the_answer_and_49_others(index: CatalogIndex, material: Material) -> None:
    easy = _easy_rows(index, material, rng=np.random.default_rng(0))
    assert easy is not None
    assert easy.queries == material.rows["sessions"].queries
    for query, candidates, relevance in zip(
        easy.queries, easy.candidates, easy.relevance, strict=True
    ):
        assert len(set(candidates.tolist())) == len(candidates) == EASY_NEGATIVES + 1
        right = index.positions(query.relevant)
        assert candidates[relevance > 0].tolist() == right.tolist()


def test_material_without_sessions_is_validated_without_them(
    index: CatalogIndex, material: Material, recipe: Recipe
) -> None:
    bare = replace(
        material,
        rows={"prompts": material.rows["prompts"]},
        parts={"prompts": material.parts["prompts"]},
    )
    found = cross_validate(index, bare, recipe=recipe, seed=0, folds=[1])
    assert set(found.scores["task"]) == {"cold"}
    assert len(found.rankers) == 1


def test_warm_queries_are_of_operations_that_were_not_trained_on(
    index: CatalogIndex, material: Material, recipe: Recipe
) -> None:
    scores = warm_split(index, material, recipe=recipe, seed=4)
    queries = material.rows["prompts"].queries
    groups = operation_groups(queries)
    folds = group_folds(groups, 5, rng=np.random.default_rng(4))
    expected = [q.query_id for q, fold in zip(queries, folds, strict=True) if fold == 0]
    for system in (*BASELINES, RANKER):
        assert scores[scores["system"] == system]["query_id"].tolist() == expected
    assert set(scores["task"]) == {"warm"}
    asked = {name for q, f in zip(queries, folds, strict=True) if f == 0 for name in q.relevant}
    known = {name for q, f in zip(queries, folds, strict=True) if f != 0 for name in q.relevant}
    assert not asked & known
    # The same folds fitted by hand: one validates, three teach.
    rng = np.random.default_rng(4)
    group_folds(groups, 5, rng=rng)
    rows = material.rows["prompts"]
    ranker = recipe.ranker().fit_rows(
        rows.select(np.flatnonzero(folds > 1)),
        validation=rows.select(np.flatnonzero(folds == 1)),
        prior=material.prior,
        rng=rng,
    )
    by_hand = score_ranker(ranker, rows.select(np.flatnonzero(folds == 0)), index)
    own = scores[scores["system"] == RANKER]
    assert own["confidence"].tolist() == by_hand["confidence"].tolist()


@pytest.fixture(scope="module")
def summaries(found: CrossValidation) -> dict[str, pd.DataFrame]:
    metrics = ("ndcg@10", "ndcg@5", "ndcg@1", "recall@5", "recall@10", "mrr", "map")
    return {
        str(task): summarise(part, rng=np.random.default_rng(0), metrics=metrics)
        for task, part in found.scores.groupby("task")
    }


def test_results_are_named_by_task_system_and_metric(
    summaries: dict[str, pd.DataFrame], found: CrossValidation
) -> None:
    values = result_values(summaries, {"cold": 0.04})
    assert values["cold.nextcall.calibration_error"] == 0.04
    for task, part in found.scores.groupby("task"):
        for system, own in part.groupby("system"):
            start = f"{task}.{str(system).lower()}"
            assert values[f"{start}.ndcg@10"] == pytest.approx(own["ndcg@10"].mean())
            assert values[f"{start}.hit@1"] == pytest.approx(own["hit@1"].mean())
            assert values[f"{start}.map.low"] <= values[f"{start}.map"]
        assert values[f"{task}.queries"] == part["query_id"].nunique()


def test_the_headline_has_a_column_a_task(summaries: dict[str, pd.DataFrame]) -> None:
    table = headline_table(summaries, {"cold": "Prompt alone", "sessions_easy": "Easy"})
    assert list(table.columns) == ["Prompt alone", "Easy"]
    row = summaries["cold"].set_index("system").loc[RANKER]
    cell = f"{row['ndcg@10']:.3f} [{row['ndcg@10.low']:.3f}, {row['ndcg@10.high']:.3f}]"
    assert table.loc[RANKER, "Prompt alone"] == cell
    assert table["Easy"].notna().tolist() == [system == RANKER for system in table.index]


def test_recall_rises_to_that_of_the_candidates(
    index: CatalogIndex, material: Material, found: CrossValidation
) -> None:
    curves = recall_curves(index, material, found, ks=(1, 5, 10, 100))
    cold = found.scores.query("task == 'cold' and system == @RANKER")
    for curve in curves.values():
        assert (np.diff(curve) >= 0).all()
    assert curves[RANKER][3] == pytest.approx(curves["retrieval alone"][3])
    assert curves[RANKER][1] == pytest.approx(cold["recall@5"].mean(), abs=0.02)
    assert curves[RANKER][3] > 0.9


def test_the_worst_errors_are_wrong_and_the_surest_first(
    index: CatalogIndex, material: Material, found: CrossValidation
) -> None:
    table = worst_errors(index, material, found, first=8)
    assert len(table) == 8
    assert table["confidence"].is_monotonic_decreasing
    by_prompt: dict[str, set[str]] = {}
    for query in material.rows["prompts"].queries:
        by_prompt.setdefault(query.prompt, set()).update(query.relevant)
    for row in table.to_dict("records"):
        assert row["answered"] not in by_prompt[row["prompt"]]
        assert set(str(row["right"]).split(", ")) <= by_prompt[row["prompt"]]
        assert row["rank of the right one"] != 1
