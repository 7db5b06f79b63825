"""What each feature adds, beside LightGBM's own contributions and the definition of Shapley."""

import itertools
import math
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.locations import packaged_model
from nextcall.ranking import contribution_kernels
from nextcall.ranking.boosting import Trees
from nextcall.ranking.model_files import load_ranker
from nextcall.ranking.tree_contributions import TreeContributions
from nextcall.ranking.tree_text import UnsupportedTreesError

ODD = (np.nan, 0.0, -0.0, np.inf, -np.inf, 1e-36, -1e-36, 1e-45, 1e-35, -1e-35)
ODD_THRESHOLDS = ("inf", "-inf", "1e300", "0", "-0", "5e-36", "-5e-36", "1e-40", "0.1", "-1e-45")
ROUNDING = 1e-12
Rows = NDArray[np.float32]


def rows_of(n: int, *, n_features: int = 6, seed: int = 0) -> Rows:
    """Rows with gaps, zeros of both signs, infinities, tiny values and whole numbers."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, n_features)).astype(np.float32)
    rows[:, n_features // 2 :] = np.round(rows[:, n_features // 2 :])
    spots = rng.random(rows.shape) < 0.25
    rows[spots] = rng.choice(np.array(ODD, dtype=np.float32), spots.sum())
    return rows


def trained(
    *, leaves: int = 31, trees: int = 8, n_features: int = 6, seed: int = 0, **parameters: Any
) -> Trees:
    rng = np.random.default_rng(seed)
    rows = rows_of(3_000, n_features=n_features, seed=seed)
    known = np.nan_to_num(rows, posinf=3, neginf=-3)
    signal = known[:, 0] * known[:, -1] + np.isnan(rows[:, 0]) - np.abs(known[:, -2])
    kinds = ("zero_as_missing", "use_missing", "linear_tree")
    data = lightgbm.Dataset(
        rows,
        label=(signal + rng.normal(size=len(rows)) > 1).astype(int),
        group=[10] * 300,
        categorical_feature=parameters.pop("categorical_feature", []),
        params={"verbosity": -1} | {key: parameters[key] for key in kinds if key in parameters},
    )
    options = {
        "objective": "lambdarank", "num_leaves": leaves, "min_data_in_leaf": 3, "verbosity": -1,
        "num_threads": 1, "seed": seed, "min_sum_hessian_in_leaf": 0.0, "deterministic": True,
        "force_row_wise": True,
    }  # fmt: skip
    booster = lightgbm.train(options | parameters, data, num_boost_round=trees)
    return Trees(booster.free_dataset())


def by_lightgbm(trees: Trees, rows: Rows) -> NDArray[np.float64]:
    told = trees._booster.predict(rows, pred_contrib=True, num_threads=1)
    return np.asarray(told, dtype=np.float64)


def split(trees: Trees, rows: Rows) -> NDArray[np.float64]:
    return TreeContributions.from_text(trees.to_text()).split(rows)


def with_thresholds(trees: Trees) -> Trees:
    """Give the same trees with odd thresholds, one after the other in turn."""
    odd = itertools.cycle(ODD_THRESHOLDS)
    lines = []
    for line in trees.to_text().splitlines():
        name, _, values = line.partition("=")
        told = line
        if name == "threshold":
            told = "threshold=" + " ".join(next(odd) for _ in values.split())
        if name != "tree_sizes":  # LightGBM reads on without it
            lines.append(told)
    return Trees.from_text("\n".join(lines) + "\n")


def test_the_packaged_trees_split_as_by_lightgbm() -> None:
    trees = load_ranker(packaged_model())[0].trees_
    rows = rows_of(300, n_features=len(trees.feature_names))
    rows[:, ::3] = np.abs(np.round(rows[:, ::3] * 4))
    told = trees.contributions(rows)
    assert "_booster" not in vars(trees)  # LightGBM has not read them
    np.testing.assert_allclose(told, by_lightgbm(trees, rows), rtol=0, atol=ROUNDING)
    assert (np.count_nonzero(told, axis=0) > 0).sum() > 30


@pytest.mark.parametrize("leaves", [2, 3, 8, 33, 64, 200])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"use_missing": False}, {"zero_as_missing": True}, {"objective": "rank_xendcg"}],
    ids=lambda parameters: next(iter(parameters), "plain"),
)
def test_every_kind_of_missing_value_and_size_of_tree(
    leaves: int, parameters: dict[str, Any]
) -> None:
    trees = trained(leaves=leaves, n_features=12, **parameters)
    for n in (1, 7, 300):
        rows = rows_of(n, n_features=12, seed=n)
        expected = by_lightgbm(trees, rows)
        np.testing.assert_allclose(split(trees, rows), expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("parameters", [{}, {"use_missing": False}, {"zero_as_missing": True}])
def test_thresholds_at_the_edges_of_float32_and_around_zero(parameters: dict[str, Any]) -> None:
    trees = with_thresholds(trained(**parameters))
    rows = rows_of(500, seed=4)
    expected = by_lightgbm(trees, rows)
    np.testing.assert_allclose(split(trees, rows), expected, rtol=0, atol=ROUNDING)


@given(
    seed=st.integers(0, 10_000),
    leaves=st.integers(2, 40),
    n_features=st.integers(2, 8),
    depth=st.sampled_from([-1, 1, 2, 5]),
    missing=st.sampled_from([{}, {"use_missing": False}, {"zero_as_missing": True}]),
)
@settings(max_examples=15, deadline=None)
def test_small_trees_of_any_shape_split_as_by_lightgbm(
    seed: int, leaves: int, n_features: int, depth: int, missing: dict[str, Any]
) -> None:
    trees = trained(
        leaves=leaves, trees=3, n_features=n_features, seed=seed, max_depth=depth, **missing
    )
    rows = rows_of(40, n_features=n_features, seed=seed + 1)
    told = split(trees, rows)
    np.testing.assert_allclose(told, by_lightgbm(trees, rows), rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(told.sum(axis=1), trees.predict(rows), rtol=0, atol=ROUNDING)


def expected_score(node: dict[str, Any], row: Rows, known: frozenset[int]) -> float:
    """Mean over a tree where a split of an unknown feature sends its training rows both ways."""
    if "leaf_value" in node:
        return float(node["leaf_value"])
    left, right = node["left_child"], node["right_child"]
    feature = node["split_feature"]
    if feature in known:
        return expected_score(left if row[feature] <= node["threshold"] else right, row, known)
    shares = [child.get("leaf_count", child.get("internal_count")) for child in (left, right)]
    scores = [expected_score(child, row, known) for child in (left, right)]
    return float(np.average(scores, weights=shares))


def test_these_are_shapley_values_by_their_definition() -> None:
    n_features = 5
    trees = trained(n_features=n_features, trees=3, leaves=12)
    nodes = [each["tree_structure"] for each in trees._booster.dump_model()["tree_info"]]
    rows = np.random.default_rng(1).normal(size=(4, n_features)).astype(np.float32)
    told = split(trees, rows)
    for row, added in zip(rows, told, strict=True):
        scores = {
            known: sum(expected_score(node, row, known) for node in nodes)
            for size in range(n_features + 1)
            for known in map(frozenset, itertools.combinations(range(n_features), size))
        }
        for feature in range(n_features):
            shapley = sum(
                (scores[known | {feature}] - score)
                / (n_features * math.comb(n_features - 1, len(known)))
                for known, score in scores.items()
                if feature not in known
            )
            assert added[feature] == pytest.approx(shapley, abs=ROUNDING)
        assert added[-1] == pytest.approx(scores[frozenset()], abs=ROUNDING)


def test_the_kernels_say_the_same_without_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    found = TreeContributions.from_text(trained(trees=2, leaves=12).to_text())
    rows = rows_of(3, seed=5)
    expected = found.split(rows)
    added = np.zeros_like(expected)
    added[:, -1] = found.base
    for name in ("_meet", "_integrate"):
        monkeypatch.setattr(contribution_kernels, name, getattr(contribution_kernels, name).py_func)
    contribution_kernels.add_contributions.py_func(
        rows,
        (found.counts, found.values),
        (found.features, found.above, found.highest, found.odd, found.shares),
        (found.points, found.weights),
        added,
    )
    np.testing.assert_allclose(added, expected, rtol=0, atol=ROUNDING)


def test_trees_without_a_split_add_their_constant() -> None:
    trees = trained(trees=3, min_data_in_leaf=3_000)
    assert "num_leaves=1\n" in trees.to_text()
    rows = rows_of(5)
    np.testing.assert_array_equal(split(trees, rows), by_lightgbm(trees, rows))


def test_rows_of_any_layout_are_split() -> None:
    trees = trained(trees=3)
    rows = rows_of(40, seed=6)
    expected = split(trees, rows)
    np.testing.assert_array_equal(split(trees, np.asfortranarray(rows)), expected)
    np.testing.assert_array_equal(split(trees, rows[::-1]), expected[::-1])
    rows.flags.writeable = False
    np.testing.assert_array_equal(split(trees, rows), expected)
    assert split(trees, rows[:0]).shape == (0, 7)


def test_rows_of_another_type_or_width_are_left_to_lightgbm() -> None:
    trees = trained(trees=3)
    rows = np.random.default_rng(0).normal(size=(40, 6))
    told = trees.contributions(rows)  # type: ignore[arg-type]  # float64
    np.testing.assert_array_equal(told, by_lightgbm(trees, rows))  # type: ignore[arg-type]  # as above
    with pytest.raises(lightgbm.basic.LightGBMError, match="number of features"):
        trees.contributions(rows_of(4)[:, :5])


@pytest.mark.parametrize(
    "parameters", [{"objective": "binary"}, {"categorical_feature": [5]}], ids=["binary", "kinds"]
)
def test_other_kinds_of_trees_are_left_to_lightgbm(parameters: dict[str, Any]) -> None:
    trees = trained(**parameters)
    with pytest.raises(UnsupportedTreesError):
        split(trees, rows_of(1))
    rows = rows_of(20, seed=8)
    np.testing.assert_array_equal(trees.contributions(rows), by_lightgbm(trees, rows))


def test_trees_that_do_not_tell_what_came_to_each_leaf_are_left_to_lightgbm() -> None:
    text = trained(trees=1, leaves=3).to_text()
    line = next(line for line in text.splitlines() if line.startswith("leaf_count="))
    empty = "leaf_count=0 " + " ".join(line.split(" ")[1:])
    with pytest.raises(UnsupportedTreesError, match="each leaf must have training rows"):
        TreeContributions.from_text(text.replace(line, empty))
    without = Trees("\n".join(each for each in text.splitlines() if each != line))
    rows = rows_of(4)
    np.testing.assert_array_equal(without.predict(rows), Trees(text).predict(rows))
    assert without._compiled is not None
    assert without._split is None
