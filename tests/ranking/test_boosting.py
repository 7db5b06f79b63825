"""LambdaMART beside LightGBM's own training, and what must not depend on where a row stands."""

from dataclasses import replace

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.ranking.boosting import (
    BoostingSettings,
    RankingRows,
    Trees,
    _parameters,
    train_trees,
)
from nextcall.ranking.metrics import metrics_table

NAMES = ("signal", "noise", "more_noise")
SETTINGS = BoostingSettings(trees=25, leaves=7, min_rows_in_leaf=5)
N_ROWS = 12


def planted(seed: int, n_queries: int = 60) -> RankingRows:
    """Queries whose right row has the highest signal, but for some noise."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_queries, N_ROWS, len(NAMES))).astype(np.float32)
    best = (features[:, :, 0] + rng.normal(scale=0.3, size=(n_queries, N_ROWS))).argmax(axis=1)
    relevance = np.zeros((n_queries, N_ROWS), dtype=np.int8)
    relevance[np.arange(n_queries), best] = 1
    return RankingRows(
        features.reshape(-1, len(NAMES)),
        relevance.ravel(),
        np.full(n_queries, N_ROWS, dtype=np.int64),
    )


def trained(rows: RankingRows, *, validation: RankingRows | None = None, seed: int = 0) -> Trees:
    return train_trees(
        rows,
        settings=SETTINGS,
        rng=np.random.default_rng(seed),
        validation=validation,
        feature_names=NAMES,
    )


def mean_ndcg(trees: Trees, rows: RankingRows) -> float:
    scores = trees.predict(rows.features).reshape(-1, N_ROWS)
    return float(metrics_table(rows.relevance.reshape(-1, N_ROWS), scores)["ndcg@10"].mean())


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_rows_are_shuffled_inside_their_queries_only(sizes: list[int], seed: int) -> None:
    total = sum(sizes)
    features = np.arange(2 * total, dtype=np.float32).reshape(total, 2)
    relevance = (np.arange(total) % 3 == 0).astype(np.int8)
    rows = RankingRows(features, relevance, np.array(sizes))
    shuffled = rows.shuffled(np.random.default_rng(seed))
    assert shuffled.group_sizes.tolist() == sizes
    start = 0
    for size in sizes:
        part = slice(start, start + size)
        pairs = [
            sorted(zip(r.features[part].tolist(), r.relevance[part].tolist(), strict=True))
            for r in (rows, shuffled)
        ]
        assert pairs[0] == pairs[1]
        start += size


def test_rows_do_move() -> None:
    rows = planted(0)
    order = rows.shuffled(np.random.default_rng(0)).features[:, 1]
    assert (order != rows.features[:, 1]).mean() > 0.8


@pytest.mark.parametrize(
    ("n_features", "n_relevance", "n_grouped"), [(3, 4, 4), (4, 3, 4), (4, 4, 3)]
)
def test_arrays_that_disagree_are_refused(
    n_features: int, n_relevance: int, n_grouped: int
) -> None:
    with pytest.raises(ValueError, match=rf"got {n_features}, {n_relevance} and {n_grouped}\."):
        RankingRows(
            np.zeros((n_features, 2), dtype=np.float32),
            np.zeros(n_relevance, dtype=np.int8),
            np.array([n_grouped]),
        )


def test_training_is_lightgbms_own_on_the_shuffled_rows() -> None:
    rows = planted(0)
    rng = np.random.default_rng(7)
    ours = train_trees(rows, settings=SETTINGS, rng=rng, feature_names=NAMES)
    again = np.random.default_rng(7)
    shuffled = rows.shuffled(again)
    data = lightgbm.Dataset(
        shuffled.features, label=shuffled.relevance, group=shuffled.group_sizes,
        params={"verbosity": -1},
    )  # fmt: skip
    parameters = {
        "objective": "lambdarank", "num_leaves": 7, "learning_rate": 0.1, "min_data_in_leaf": 5,
        "lambdarank_truncation_level": 30, "num_threads": 1, "deterministic": True,
        "force_row_wise": True, "seed": int(again.integers(2**31)), "verbosity": -1,
    }  # fmt: skip
    theirs = lightgbm.train(parameters, data, num_boost_round=25)
    np.testing.assert_array_equal(ours.predict(rows.features), theirs.predict(rows.features))


def test_what_is_ignored_decides_nothing_and_the_rows_stay() -> None:
    rows, validation = planted(0), planted(1)
    before = rows.features.copy()
    settings = replace(SETTINGS, ignored=("signal",))
    trees = train_trees(
        rows,
        settings=settings,
        rng=np.random.default_rng(0),
        validation=validation,
        feature_names=NAMES,
    )
    np.testing.assert_array_equal(rows.features, before)
    other = rows.features.copy()
    other[:, 0] = 1_000.0
    np.testing.assert_array_equal(trees.predict(rows.features), trees.predict(other))
    assert trees.importance()[0] == 0
    assert mean_ndcg(trees, validation) < mean_ndcg(trained(rows), validation) - 0.2


def test_an_ignored_feature_must_be_one() -> None:
    with pytest.raises(ValueError, match=r"settings\.ignored must name features, got \['colour'\]"):
        train_trees(
            planted(0),
            settings=replace(SETTINGS, ignored=("colour",)),
            rng=np.random.default_rng(0),
            feature_names=NAMES,
        )


def test_validation_keeps_as_many_trees_as_lightgbms_own_early_stopping() -> None:
    rows, validation = planted(0, 20), planted(3, 20)
    settings = BoostingSettings(trees=150, patience=6, leaves=7, min_rows_in_leaf=5)
    ours = train_trees(
        rows,
        settings=settings,
        rng=np.random.default_rng(5),
        validation=validation,
        feature_names=NAMES,
    )
    rng = np.random.default_rng(5)
    data: list[lightgbm.Dataset] = []
    for part in (rows.shuffled(rng), validation.shuffled(rng)):
        one = lightgbm.Dataset(
            part.features, label=part.relevance, group=part.group_sizes,
            reference=data[0] if data else None, params={"verbosity": -1},
        )  # fmt: skip
        data.append(one)
    theirs = lightgbm.train(
        _parameters(settings, seed=int(rng.integers(2**31))),
        data[0],
        num_boost_round=150,
        valid_sets=[data[1]],
        callbacks=[lightgbm.early_stopping(6, verbose=False)],
    )
    assert 0 < ours.n_trees == theirs.best_iteration < 150
    np.testing.assert_array_equal(ours.predict(rows.features), theirs.predict(rows.features))


def test_a_seed_decides_every_score() -> None:
    rows, validation = planted(0), planted(1)
    one, same = trained(rows, validation=validation), trained(rows, validation=validation)
    assert one.to_text() == same.to_text()


def test_settings_reach_lightgbm() -> None:
    settings = BoostingSettings(
        leaves=5, learning_rate=0.3, min_rows_in_leaf=9, feature_fraction=0.5, l2=2.0, max_bins=15,
        truncation=7, threads=2,
    )  # fmt: skip
    parameters = _parameters(settings, seed=3)
    expected = {
        "num_leaves": 5, "learning_rate": 0.3, "min_data_in_leaf": 9, "feature_fraction": 0.5,
        "lambda_l2": 2.0, "max_bin": 15, "lambdarank_truncation_level": 7, "num_threads": 2,
        "seed": 3, "objective": "lambdarank",
    }  # fmt: skip
    assert parameters.items() >= expected.items()
    coarse = train_trees(
        planted(0), settings=settings, rng=np.random.default_rng(0), feature_names=NAMES
    )
    assert coarse.n_trees == settings.trees
    thresholds = {
        value
        for line in coarse.to_text().splitlines()
        if line.startswith("threshold=")
        for value in line.removeprefix("threshold=").split()
    }
    assert len(thresholds) <= 15 * len(NAMES)


def test_validation_stops_the_growth() -> None:
    """Where nothing can be learned, a few trees are as good as all."""
    rng = np.random.default_rng(0)
    rows = planted(0)
    lottery = RankingRows(rows.features, rng.permutation(rows.relevance), rows.group_sizes)
    settings = BoostingSettings(trees=200, patience=5, leaves=7, min_rows_in_leaf=5)
    stopped = train_trees(
        lottery, settings=settings, rng=rng, validation=planted(3), feature_names=NAMES
    )
    assert stopped.n_trees < 100
    assert trained(rows).n_trees == SETTINGS.trees


def test_trees_find_the_planted_signal() -> None:
    trees = trained(planted(0), validation=planted(1))
    assert trees.importance().argmax() == 0
    assert trees.feature_names == NAMES
    assert mean_ndcg(trees, planted(2)) > 0.75


@pytest.mark.parametrize("place", ["first", "last"])
def test_where_the_right_row_stands_makes_no_difference(place: str) -> None:
    """LightGBM breaks tied scores by position: rows in answer order would teach it the order."""

    def moved(rows: RankingRows) -> RankingRows:
        group = np.repeat(np.arange(len(rows.group_sizes)), rows.group_sizes)
        key = -rows.relevance if place == "first" else rows.relevance
        order = np.lexsort((key, group))
        return RankingRows(rows.features[order], rows.relevance[order], rows.group_sizes)

    tested = planted(2, 200)
    figures = [
        mean_ndcg(trained(change(planted(0)), validation=change(planted(1))), tested)
        for change in (lambda rows: rows, moved)
    ]
    assert figures[1] == pytest.approx(figures[0], abs=0.03)
    # Rows that say nothing stay at chance, wherever the right one stands.
    blank = RankingRows(np.zeros_like(tested.features), tested.relevance, tested.group_sizes)
    shown = moved(blank)
    assert mean_ndcg(trained(shown, validation=shown), shown) == pytest.approx(
        mean_ndcg(trained(blank), blank), abs=1e-9
    )


def test_contributions_sum_to_the_score() -> None:
    rows = planted(0)
    trees = trained(rows)
    contributions = trees.contributions(rows.features)
    assert contributions.shape == (len(rows.features), len(NAMES) + 1)
    np.testing.assert_allclose(contributions.sum(axis=1), trees.predict(rows.features), atol=1e-9)
    assert np.ptp(contributions[:, -1]) == 0


def test_text_brings_the_same_trees_back() -> None:
    rows = planted(0)
    trees = trained(rows)
    again = Trees.from_text(trees.to_text())
    np.testing.assert_array_equal(again.predict(rows.features), trees.predict(rows.features))
    assert again.feature_names == NAMES
    assert again.n_trees == trees.n_trees
    assert again.to_text() == trees.to_text()


def test_text_that_is_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match="trees must be LightGBM's text form"):
        Trees.from_text("not a tree\n")


def test_rows_without_an_answer_are_refused() -> None:
    rows = planted(0)
    empty = RankingRows(rows.features, np.zeros_like(rows.relevance), rows.group_sizes)
    with pytest.raises(ValueError, match="at least one relevant row, got none"):
        trained(empty)
