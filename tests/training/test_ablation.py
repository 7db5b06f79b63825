"""What is left out is left out, and the whole is the ranker of the cross-validation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nextcall.ranking.candidates import RETRIEVERS, retrieve
from nextcall.ranking.evaluation import RANKER
from nextcall.ranking.feature_table import FEATURE_NAMES, feature_groups
from nextcall.ranking.index import CatalogIndex
from nextcall.training.ablation import (
    ablation_values,
    differences,
    learning_curve,
    score_variants,
)
from nextcall.training.crossval import cross_validate, parts_of_fold, validation_part
from nextcall.training.recipe import Material, Recipe
from nextcall.training.variants import (
    WHOLE,
    Variant,
    count_taught,
    data_variants,
    features_of_retriever,
    ignoring,
    recompute,
    standard_variants,
    teach_share,
    teach_without,
)

FOLDS = (0, 3)


@pytest.fixture(scope="module")
def whole(material: Material, recipe: Recipe) -> Variant:
    return Variant(family=WHOLE, name=WHOLE, recipe=recipe, material=lambda: material, folds=FOLDS)


@pytest.fixture(scope="module")
def variants(
    index: CatalogIndex, material: Material, recipe: Recipe, whole: Variant
) -> list[Variant]:
    return [
        whole,
        *standard_variants(
            index, material, recipe=recipe, folds=FOLDS[:1], candidates=[20], trees=[3]
        ),
    ]


@pytest.fixture(scope="module")
def scores(index: CatalogIndex, variants: list[Variant]) -> pd.DataFrame:
    few = [v for v in variants if v.name in {WHOLE, "no calls so far", "no name", "3", "20"}]
    return score_variants(index, few, seed=11)


def test_the_whole_is_the_ranker_of_the_cross_validation(
    scores: pd.DataFrame, index: CatalogIndex, material: Material, recipe: Recipe
) -> None:
    found = cross_validate(index, material, recipe=recipe, seed=11, folds=FOLDS).scores
    columns = ["task", "fold", "query_id", "service", "ndcg@10", "confidence"]
    expected = found[(found["system"] == RANKER) & found["task"].isin(["cold", "after_calls"])]
    pd.testing.assert_frame_equal(
        scores.loc[scores["variant"] == WHOLE, columns].sort_values("query_id", ignore_index=True),
        expected[columns].sort_values("query_id", ignore_index=True),
    )


def test_ignored_features_split_nothing(material: Material, recipe: Recipe) -> None:
    names = feature_groups()["calls so far"]
    gone = np.isin(FEATURE_NAMES, [*recipe.boosting.ignored, *names])
    ranker = material.fit(ignoring(recipe, names), training=[0, 2, 4], validation=[1], seed=0)
    gains = ranker.trees_.importance()
    assert not gains[gone].any()
    assert gains[~gone].any()


def test_every_retriever_has_features_of_its_own() -> None:
    own = [features_of_retriever(name) for name in RETRIEVERS]
    names = [name for some in own for name in some]
    assert len(names) == len(set(names))
    assert set(names) < set(FEATURE_NAMES)
    for name, some in zip(RETRIEVERS, own, strict=True):
        assert f"rank_{name}" in some


def test_what_is_computed_anew_in_the_same_way_is_the_same(
    index: CatalogIndex, material: Material
) -> None:
    again = recompute(index, material)
    for kind, rows in material.rows.items():
        assert again.rows[kind].queries == rows.queries
        for one, other in zip(again.rows[kind].features, rows.features, strict=True):
            np.testing.assert_array_equal(one, other)


def test_fewer_candidates_are_those_that_retrieval_names_first(
    index: CatalogIndex, material: Material
) -> None:
    few = recompute(index, material, n_candidates=20).rows["prompts"]
    for query, candidates, features in zip(
        few.queries[::9], few.candidates[::9], few.features[::9], strict=True
    ):
        found = retrieve(index, query.prompt, n_candidates=20)
        assert set(candidates.tolist()) == set(found.rows.tolist())
        assert features.shape == (20, len(FEATURE_NAMES))


def test_a_retriever_of_no_weight_proposes_nothing(index: CatalogIndex, material: Material) -> None:
    """With names alone, every candidate shares a word with the prompt or is a mere filler."""
    alone = recompute(index, material, weights={"name": 1.0}).rows["prompts"]
    rank, fused = FEATURE_NAMES.index("rank_name"), FEATURE_NAMES.index("fused_share")
    for x in alone.features:
        listed = x[:, rank] < 200
        np.testing.assert_array_equal(x[:, fused] > 0, listed)
        assert (np.diff(x[listed, rank]) >= 0).all()


def test_a_kind_that_does_not_teach_is_tested_all_the_same(material: Material) -> None:
    less = teach_without(material, "sessions")
    taught = {query.query_id for query in less.training_rows(range(10)).queries}
    simulated = {query.query_id for query in material.rows["sessions"].queries}
    assert not taught & simulated
    assert taught
    assert less.rows is material.rows
    with pytest.raises(ValueError, match=r"kind must be one of .*, got 'dreams'"):
        teach_without(material, "dreams")


def test_smaller_shares_lie_in_greater_ones(material: Material) -> None:
    taught = []
    for share in (0.25, 0.5, 1.0):
        part = teach_share(material, share, rng=np.random.default_rng(4))
        taught.append({q.query_id for q in part.training_rows(range(10)).queries})
        about = {q.relevant[0] for q in part.training_rows(range(10)).queries}
        every = {q.relevant[0] for q in material.training_rows(range(10)).queries}
        assert len(about) == pytest.approx(share * len(every), abs=0.12 * len(every))
    assert taught[0] < taught[1] < taught[2]
    assert taught[2] == {q.query_id for q in material.training_rows(range(10)).queries}
    for share in (0.0, 1.01):
        with pytest.raises(ValueError, match="share must be in"):
            teach_share(material, share, rng=np.random.default_rng(4))


def test_taught_prompts_are_those_of_the_training_parts(material: Material) -> None:
    by_hand = []
    for fold in FOLDS:
        away = {*parts_of_fold(fold), validation_part(fold)}
        rows = material.training_rows([p for p in range(10) if p not in away])
        asked = {query.query_id for query in material.rows["prompts"].queries}
        by_hand.append(sum(query.query_id in asked for query in rows.queries))
    assert count_taught(material, folds=FOLDS) == np.mean(by_hand)


def test_every_group_retriever_and_kind_is_left_out_once(variants: list[Variant]) -> None:
    names = {(variant.family, variant.name) for variant in variants}
    assert len(names) == len(variants)
    assert {name for family, name in names if family == "retrievers"} == {
        f"no {name}" for name in RETRIEVERS
    }
    assert {f"no {group}" for group in feature_groups()} < {
        name for family, name in names if family == "features"
    }
    kinds = {name for family, name in names if family == "training queries"}
    assert kinds == {"no prompts", "no after calls", "no sessions"}
    made = {variant.name: variant.material() for variant in variants}
    assert made["no sessions"].training_rows([2]).queries
    ignored = {variant.name: variant.recipe.boosting.ignored for variant in variants}
    assert ignored[WHOLE] == ("service_size",)
    assert ignored["also service_size"] == ()
    assert {"rank_text", "bm25_text", "service_size"} < set(ignored["no text"])
    assert len(made["20"].rows["prompts"].features[0]) == 20
    (shorter,) = (variant for variant in variants if variant.family == "trees")
    assert shorter.recipe.boosting.trees == 3


def test_differences_are_of_the_same_queries(scores: pd.DataFrame) -> None:
    table = differences(scores, rng=np.random.default_rng(0)).to_dict("records")
    assert {row["task"] for row in table} == {"cold", "after_calls"}
    for row in table:
        name = row["variant"]
        part = scores[scores["task"] == row["task"]].pivot_table(
            index="query_id", columns="variant", values="ndcg@10"
        )
        both = part[[name, WHOLE]].dropna() if name != WHOLE else part[[WHOLE]]
        assert row["n_queries"] == len(both)
        assert row["mean"] == pytest.approx(both[name].mean())
        assert row["difference"] == pytest.approx(both[name].mean() - both[WHOLE].mean())
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    whole, shorter = (next(row for row in table if row["variant"] == name) for name in (WHOLE, "3"))
    assert whole["pvalue"] == 1.0
    assert whole["n_queries"] > shorter["n_queries"]


def test_differences_need_the_whole(scores: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="scores must hold the variant 'whole'"):
        differences(scores[scores["variant"] != WHOLE], rng=np.random.default_rng(0))


def test_values_are_named_by_task_family_and_variant(scores: pd.DataFrame) -> None:
    table = differences(scores, rng=np.random.default_rng(0))
    values = ablation_values(table)
    chosen = (table["task"] == "cold") & (table["variant"] == "no calls so far")
    (row,) = table[chosen].to_dict("records")
    assert values["cold.features.no_calls_so_far.difference"] == row["difference"]
    assert values["cold.features.no_calls_so_far.difference.low"] == row["difference_low"]
    assert values["after_calls.whole.ndcg@10"] > 0.5
    assert len(values) == 3 * len(table)


def test_the_learning_curve_is_of_the_same_queries_throughout(
    index: CatalogIndex, material: Material, recipe: Recipe, whole: Variant
) -> None:
    few = data_variants(material, recipe=recipe, folds=FOLDS[:1], shares=[0.25, 0.5], seed=3)
    assert [variant.name for variant in few] == ["25.0% of the prompts", "50.0% of the prompts"]
    everything = [whole, *few]
    scores = score_variants(index, everything, seed=11, tasks=["cold"])
    curve = learning_curve(scores, everything, rng=np.random.default_rng(0))
    own = scores[scores["fold"] == FOLDS[0]].groupby("variant")["ndcg@10"].mean()
    expected = [own[variant.name] for variant in (*few, whole)]
    assert curve["mean"].tolist() == pytest.approx(expected)
    assert curve["prompts"].tolist() == [
        count_taught(variant.material(), folds=FOLDS[:1]) for variant in (*few, whole)
    ]
    assert curve["prompts"].is_monotonic_increasing
    assert (curve["low"] <= curve["mean"]).all()
    assert (curve["mean"] <= curve["high"]).all()


def test_workers_change_nothing(index: CatalogIndex, whole: Variant, material: Material) -> None:
    less = replace(
        whole,
        name="half",
        material=lambda: teach_share(material, 0.5, rng=np.random.default_rng(1)),
    )
    one, two = (
        score_variants(index, [whole, less], seed=2, tasks=["cold"], workers=n) for n in (1, 2)
    )
    pd.testing.assert_frame_equal(one, two)
