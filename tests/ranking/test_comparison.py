import re
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from nextcall.ranking.comparison import compare_all, mean_interval, paired_difference


def clustered(
    rng: np.random.Generator, *, n_clusters: int, shift: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw values that share a part by cluster; clusters of 1 to 12, their true mean is `shift`."""
    sizes = rng.integers(1, 13, n_clusters)
    groups = np.repeat(np.arange(n_clusters), sizes)
    own = rng.normal(shift, 1.0, n_clusters)
    return own[groups] + rng.normal(0, 1.0, len(groups)), groups


@pytest.mark.parametrize("n_clusters", [12, 60])
def test_intervals_hold_the_true_mean_as_often_as_they_say(n_clusters: int) -> None:
    rng = np.random.default_rng(5)
    trials, held, held_alone = 400, 0, 0
    for _ in range(trials):
        values, groups = clustered(rng, n_clusters=n_clusters, shift=0.3)
        interval = mean_interval(values, groups=groups, rng=rng, resamples=400, level=0.9)
        held += interval.ci_lower <= 0.3 <= interval.ci_upper
        naive = mean_interval(values, rng=rng, resamples=400, level=0.9)
        held_alone += naive.ci_lower <= 0.3 <= naive.ci_upper
    # Binomial standard error 0.015; the bootstrap is a little narrow where clusters are few.
    assert 0.84 <= held / trials <= 0.95
    assert held_alone / trials < 0.75  # what forgetting the clusters would have cost


def test_pvalue_is_uniform_when_nothing_differs() -> None:
    rng = np.random.default_rng(8)
    pvalues = []
    for _ in range(400):
        values, groups = clustered(rng, n_clusters=25)
        result = paired_difference(
            values, np.zeros_like(values), groups=groups, rng=rng, resamples=400
        )
        pvalues.append(result.pvalue)
    assert stats.kstest(pvalues, "uniform").pvalue > 0.01


def test_a_planted_difference_is_found() -> None:
    rng = np.random.default_rng(0)
    baseline, groups = clustered(rng, n_clusters=80)
    better = baseline + 0.2 + rng.normal(0, 0.3, len(baseline))
    result = paired_difference(better, baseline, groups=groups, rng=rng)
    assert result.ci_lower < 0.2 < result.ci_upper
    assert result.ci_lower > 0.1
    assert result.pvalue < 0.001
    assert result.difference == pytest.approx(result.mean - result.baseline_mean)


def test_interval_agrees_with_scipy_where_queries_stand_alone() -> None:
    rng = np.random.default_rng(4)
    values = rng.beta(2, 1, 3000)
    ours = mean_interval(values, rng=rng)
    theirs = stats.bootstrap((values,), np.mean, rng=rng, method="percentile", n_resamples=3000)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.ci_lower == pytest.approx(theirs.confidence_interval.low, abs=width / 15)
    assert ours.ci_upper == pytest.approx(theirs.confidence_interval.high, abs=width / 15)


def test_few_clusters_give_students_interval() -> None:
    # The bootstrap's normal quantile is widened to Student's, for its n is n - 1 too small.
    rng = np.random.default_rng(4)
    values = rng.normal(0, 1, 8)
    ours = mean_interval(values, rng=rng, resamples=200_000)
    exact = stats.t.interval(0.95, 7, values.mean(), stats.sem(values))
    assert ours.ci_upper - ours.ci_lower == pytest.approx(exact[1] - exact[0], rel=0.08)


@given(
    differences=st.lists(
        st.sampled_from([-1.0, -0.5, -0.1, 0.0, 0.1, 0.2, 0.7]), min_size=2, max_size=8
    )
)
def test_pvalue_of_few_clusters_counts_every_sign(differences: list[float]) -> None:
    total = abs(sum(differences))
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, differences, strict=True)))
        for signs in product([1, -1], repeat=len(differences))
    ]
    expected = np.mean([value >= total - 1e-9 for value in sums])
    result = paired_difference(
        differences, np.zeros(len(differences)), rng=np.random.default_rng(0), resamples=300
    )
    assert result.pvalue == pytest.approx(expected)


def test_pvalue_agrees_with_scipy() -> None:
    rng = np.random.default_rng(2)
    ours, theirs = rng.random(60) + 0.08, rng.random(60)
    result = paired_difference(ours, theirs, rng=rng, resamples=40_000)
    peer = stats.permutation_test(
        (ours, theirs),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=20_000,
        rng=rng,
    )
    assert result.pvalue == pytest.approx(peer.pvalue, abs=0.015)


def test_blocks_of_draws_change_no_law() -> None:
    # 30,000 clusters do not fit in one block; every value the same leaves nothing to chance.
    rng = np.random.default_rng(0)
    result = paired_difference(np.ones(30_000), np.zeros(30_000), rng=rng, resamples=100)
    assert (result.ci_lower, result.ci_upper) == (1, 1)
    assert result.pvalue == pytest.approx(1 / 101)


def test_labels_of_groups_may_be_anything_and_their_order_does_not_matter() -> None:
    values = np.array([0.1, 0.9, 0.4, 0.6, 0.3])
    named = mean_interval(
        values, groups=["s3", "ec2", "s3", "iam", "ec2"], rng=np.random.default_rng(1)
    )
    numbered = mean_interval(values, groups=[2, 0, 2, 1, 0], rng=np.random.default_rng(1))
    assert named == numbered
    assert (named.n_queries, named.n_clusters) == (5, 3)


def test_the_same_generator_gives_the_same_result() -> None:
    values, groups = clustered(np.random.default_rng(3), n_clusters=30)
    first, second = (
        paired_difference(values, values[::-1], groups=groups, rng=np.random.default_rng(7))
        for _ in range(2)
    )
    assert first == second


def test_equal_rankers_do_not_differ() -> None:
    values = np.random.default_rng(3).random(20)
    result = paired_difference(values, values, rng=np.random.default_rng(0))
    assert (result.difference, result.ci_lower, result.ci_upper, result.pvalue) == (0, 0, 0, 1)


def test_results_are_rows() -> None:
    rng = np.random.default_rng(0)
    result = paired_difference([1, 0, 1], [0, 0, 1], rng=rng)
    interval = mean_interval([1, 0, 1], rng=rng)
    assert result.to_frame().to_dict("records") == [asdict(result)]
    assert interval.to_frame().to_dict("records") == [asdict(interval)]


def test_compare_all_holds_every_pair() -> None:
    rng = np.random.default_rng(6)
    base, groups = clustered(rng, n_clusters=40)
    scores = {"bm25": base, "ranker": base + 0.5, "noise": rng.permutation(base)}
    table = compare_all(scores, baseline="bm25", groups=groups, rng=rng).set_index("ranker")
    assert table.index.tolist() == ["bm25", "ranker", "noise"]
    assert table.loc["bm25", ["difference", "pvalue"]].isna().all()
    assert table.loc["ranker", "difference"] == pytest.approx(0.5)
    assert table.loc["ranker", "difference_lower"] == pytest.approx(0.5)
    assert float(str(table.loc["ranker", "pvalue"])) < 0.01
    assert float(str(table.loc["noise", "pvalue"])) == 1  # the sums of all are equal
    assert (table["ci_lower"] < table["mean"]).all()
    assert (table["mean"] < table["ci_upper"]).all()
    assert (table["n_clusters"] == 40).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": [[1.0]]}, "values must have 1 dimension, got 2."),
        ({"values": [1.0, np.nan]}, "values must be finite, got nan at 1."),
        ({"values": []}, "groups must hold at least 2 clusters, got 0."),
        ({"values": [1.0]}, "groups must hold at least 2 clusters, got 1."),
        ({"values": [1, 2], "groups": ["a", "a"]}, "groups must hold at least 2 clusters, got 1."),
        ({"values": [1, 2], "groups": ["a"]}, "groups must have shape (2,), got (1,)."),
        ({"values": [1, 2], "resamples": 99}, "resamples must be at least 100, got 99."),
        ({"values": [1, 2], "level": 1.0}, "level must be in (0, 1), got 1.0."),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        mean_interval(**arguments, rng=np.random.default_rng(0))


def test_bad_pairs_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"baseline must have 2 values, got 3\."):
        paired_difference([1, 2], [1, 2, 3], rng=rng)
    with pytest.raises(ValueError, match=r"baseline must be one of \['a'\], got 'b'\."):
        compare_all({"a": [1, 2]}, baseline="b", rng=rng)
