"""Compiled trees beside LightGBM's own prediction: equal to the last bit, or left to it."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.ranking import compiled_trees
from nextcall.ranking.boosting import Trees
from nextcall.ranking.compiled_trees import CompiledTrees, score_rows
from nextcall.ranking.tree_text import UnsupportedTreesError, largest_left

N_FEATURES = 12
ZERO = float(np.float32(1e-35))  # LightGBM's: what is no larger counts as 0
ODD_THRESHOLDS = (
    *("inf", "-inf", "1e300", "-1e300", "0", "-0", "5e-36", "-5e-36", "1e-40", "-1e-45"),
    *(repr(ZERO), repr(-ZERO), "3.4028234663852886e+38", "-3.4028234663852886e+38", "0.1"),
)
Rows = NDArray[np.float32]


def rows_of(n: int, *, seed: int) -> Rows:
    """Rows with gaps, zeros of both signs, infinities, tiny values and whole numbers."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
    rows[:, 8:] = np.round(rows[:, 8:])
    odd = np.array([np.nan, np.nan, 0.0, -0.0, np.inf, -np.inf, 1e-36, -1e-36, 1e-45, ZERO, -ZERO])
    spots = rng.random(rows.shape) < 0.25
    rows[spots] = rng.choice(odd, spots.sum())
    return rows


def trained(*, leaves: int = 31, trees: int = 20, seed: int = 0, **parameters: Any) -> Trees:
    rng = np.random.default_rng(seed)
    rows = rows_of(6_000, seed=seed)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    known = np.nan_to_num(rows, posinf=3, neginf=-3)
    signal = known[:, 0] * known[:, 8] + np.isnan(rows[:, 1]) - np.abs(known[:, 2])
    data = lightgbm.Dataset(
        rows,
        label=(signal + rng.normal(size=len(rows)) > 1).astype(int),
        group=[10] * 600,
        params={"verbosity": -1, "zero_as_missing": parameters.get("zero_as_missing", False)}
        | {"use_missing": parameters.get("use_missing", True)},
    )
    settings = {
        "objective": "lambdarank", "num_leaves": leaves, "min_data_in_leaf": 5, "verbosity": -1,
        "num_threads": 1, "seed": seed, "min_sum_hessian_in_leaf": 0.0, "deterministic": True,
        "force_row_wise": True,
    }  # fmt: skip
    booster = lightgbm.train(settings | parameters, data, num_boost_round=trees)
    return Trees(booster.free_dataset())


def by_lightgbm(trees: Trees, rows: Rows) -> NDArray[np.float64]:
    return np.asarray(trees._booster.predict(rows, num_threads=1), dtype=np.float64)


def with_thresholds(trees: Trees, thresholds: Sequence[str]) -> Trees:
    """Give the same trees with other thresholds, one after the other in turn."""
    count = 0
    lines = []
    for line in trees.to_text().splitlines():
        name, _, values = line.partition("=")
        if name == "threshold":
            n = len(values.split())
            line = "threshold=" + " ".join(  # noqa: PLW2901  # the line anew
                thresholds[(count + i) % len(thresholds)] for i in range(n)
            )
            count += n
        if name != "tree_sizes":  # LightGBM reads on without it
            lines.append(line)
    return Trees.from_text("\n".join(lines) + "\n")


def thresholds_of(trees: Trees) -> NDArray[np.float64]:
    lines = [line for line in trees.to_text().splitlines() if line.startswith("threshold=")]
    return np.array([float(v) for line in lines for v in line.partition("=")[2].split()])


def test_ten_thousand_groups_score_as_by_lightgbm() -> None:
    trees = trained()
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 30, size=10_000)
    rows = rows_of(int(sizes.sum()), seed=2)
    at = largest_left(thresholds_of(trees))
    spots = rng.random(rows.shape) < 0.2
    rows[spots] = rng.choice(
        np.concatenate([at, np.nextafter(at, np.float32(np.inf))]), spots.sum()
    )
    expected = by_lightgbm(trees, rows)
    assert trees._compiled is not None
    scores = [trees.predict(group) for group in np.split(rows, np.cumsum(sizes)[:-1])]
    np.testing.assert_array_equal(np.concatenate(scores), expected)
    assert len(np.unique(expected)) > 10_000


@pytest.mark.parametrize("leaves", [2, 3, 8, 32, 33, 64])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"use_missing": False}, {"zero_as_missing": True}, {"objective": "rank_xendcg"}],
    ids=lambda parameters: next(iter(parameters), "plain"),
)
def test_every_kind_of_missing_value_and_size_of_tree(
    leaves: int, parameters: dict[str, Any]
) -> None:
    trees = trained(leaves=leaves, trees=6, **parameters)
    assert trees._compiled is not None
    assert trees._compiled.leaves.shape[1] == (32 if leaves <= 32 else 64)
    for n in (1, 15, 16, 17, 129, 1_000):
        rows = rows_of(n, seed=n)
        np.testing.assert_array_equal(trees.predict(rows), by_lightgbm(trees, rows))


@pytest.mark.parametrize("parameters", [{}, {"use_missing": False}, {"zero_as_missing": True}])
def test_thresholds_at_the_edges_of_float32_and_around_zero(parameters: dict[str, Any]) -> None:
    trees = with_thresholds(trained(trees=15, **parameters), ODD_THRESHOLDS)
    rows = rows_of(3_000, seed=4)
    assert trees._compiled is not None
    np.testing.assert_array_equal(trees.predict(rows), by_lightgbm(trees, rows))


@pytest.mark.parametrize("leaves", [7, 40])
def test_the_kernel_says_the_same_without_compiling(leaves: int) -> None:
    trees = trained(leaves=leaves, trees=3)
    compiled = CompiledTrees.from_text(trees.to_text())
    rows = rows_of(20, seed=5)
    scores = np.empty(20)
    with np.errstate(over="ignore"):  # the hash of a bit wraps on purpose
        score_rows.py_func(
            rows,
            (compiled.features, compiled.fills, compiled.limits),
            (compiled.columns, compiled.thresholds, compiled.masks, compiled.starts),
            compiled.leaves,
            np.uint64(compiled_trees._DE_BRUIJN[compiled.leaves.shape[1]]),
            scores,
        )
    np.testing.assert_array_equal(scores, trees.predict(rows))


def test_trees_without_a_split_add_their_constant() -> None:
    trees = trained(trees=3, min_data_in_leaf=6_000)
    assert "num_leaves=1\n" in trees.to_text()
    assert trees._compiled is not None
    rows = rows_of(5, seed=0)
    np.testing.assert_array_equal(trees.predict(rows), by_lightgbm(trees, rows))


def test_rows_of_any_layout_are_scored() -> None:
    trees = trained(trees=3)
    rows = rows_of(40, seed=6)
    expected = by_lightgbm(trees, rows)
    np.testing.assert_array_equal(trees.predict(np.asfortranarray(rows)), expected)
    np.testing.assert_array_equal(trees.predict(rows[::-1]), expected[::-1])
    rows.flags.writeable = False
    np.testing.assert_array_equal(trees.predict(rows), expected)
    assert trees.predict(rows[:0]).shape == (0,)


def test_rows_of_another_type_or_width_are_left_to_lightgbm() -> None:
    trees = trained(trees=3)
    rows = np.random.default_rng(0).normal(size=(40, N_FEATURES))
    np.testing.assert_array_equal(
        trees.predict(rows),  # type: ignore[arg-type]  # float64
        trees._booster.predict(rows),
    )
    with pytest.raises(lightgbm.basic.LightGBMError, match="number of features"):
        trees.predict(rows_of(4, seed=0)[:, :5])


@pytest.mark.parametrize(
    ("parameters", "rule"),
    [
        ({"leaves": 65}, "at most 64 leaves, got 65"),
        ({"objective": "binary"}, "objective must be of .*, got 'binary'"),
        ({"objective": "multiclass", "num_class": 2}, "objective must be of"),
        ({"categorical_feature": [11]}, "splits must be numerical"),
        ({"linear_tree": True}, "leaves must be constant"),
        (
            {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
            "scores must be sums, got means",
        ),
    ],
)
def test_other_kinds_of_trees_are_left_to_lightgbm(parameters: dict[str, Any], rule: str) -> None:
    trees = trained_plainly(**parameters)
    with pytest.raises(UnsupportedTreesError, match=rule):
        CompiledTrees.from_text(trees.to_text())
    rows = np.random.default_rng(1).integers(0, 5, size=(50, N_FEATURES)).astype(np.float32)
    np.testing.assert_array_equal(trees.predict(rows), by_lightgbm(trees, rows))


def trained_plainly(
    *, leaves: int = 8, categorical_feature: Sequence[int] = (), **parameters: Any
) -> Trees:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2_000, N_FEATURES)).astype(np.float32)
    rows[:, 11] = rng.integers(0, 8, size=len(rows))
    label = (rows[:, 0] + rows[:, 1] * rows[:, 2] + (rows[:, 11] % 3 == 0) > 1).astype(int)
    linear = bool(parameters.get("linear_tree", False))
    data = lightgbm.Dataset(
        rows,
        label=label,
        group=None if "objective" in parameters else [10] * 200,
        categorical_feature=list(categorical_feature),
        params={"verbosity": -1, "linear_tree": linear},
    )
    settings = {
        "objective": "lambdarank", "num_leaves": leaves, "min_data_in_leaf": 3, "verbosity": -1,
        "num_threads": 1, "min_sum_hessian_in_leaf": 0.0,
    }  # fmt: skip
    return Trees(lightgbm.train(settings | parameters, data, num_boost_round=3))


def test_several_scores_a_row_are_refused() -> None:
    text = trained(trees=2).to_text()
    several = text.replace("num_tree_per_iteration=1", "num_tree_per_iteration=2")
    with pytest.raises(UnsupportedTreesError, match="a row must have one score, got 2"):
        CompiledTrees.from_text(several)


def test_without_numba_lightgbm_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = trained(trees=2)
    rows = rows_of(10, seed=7)
    for module in (compiled_trees.__name__, "nextcall.compiling"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr("nextcall.ranking.compiled_trees")
    monkeypatch.setitem(sys.modules, "numba", None)  # what is None cannot be imported
    np.testing.assert_array_equal(trees.predict(rows), by_lightgbm(trees, rows))
    assert trees._compiled is None


def test_numba_is_not_loaded_before_the_first_prediction() -> None:
    code = (
        "import sys, nextcall.cli.main, nextcall.ranking.boosting;"
        "assert 'numba' not in sys.modules, 'numba loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
