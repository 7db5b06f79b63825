"""Errors from clusters beside statsmodels, plain matrices and simulated levels."""

from math import inf, isnan, nan

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

from nextcall.abtest.clusters import ClusterMethod, Clusters, clustered_difference

Data = tuple[np.ndarray, np.ndarray, np.ndarray]


def draw(
    n_clusters: int, *, seed: int, crossed: bool = False, size: float = 8.0, spread: float = 1.0
) -> Data:
    """Give values, treated and clusters of arms that do not differ."""
    rng = np.random.default_rng(seed)
    sizes = rng.poisson(rng.gamma(2.0, size / 2, n_clusters)) + 1
    clusters = np.repeat(np.arange(n_clusters), sizes)
    treated = rng.random(len(clusters)) < 0.5 if crossed else clusters % 2 == 1
    values = rng.normal(size=len(clusters)) + spread * rng.normal(size=n_clusters)[clusters]
    return values, treated, clusters


@given(seed=st.integers(0, 10_000), crossed=st.booleans(), offset=st.sampled_from([0.0, 1e8]))
def test_cr1_is_statsmodels(seed: int, *, crossed: bool, offset: float) -> None:
    values, treated, clusters = draw(9, seed=seed, crossed=crossed)
    if len(np.unique(treated)) < 2:
        return
    found = clustered_difference(Clusters.of(values + offset, treated, clusters), method="cr1")
    design = sm.add_constant(treated.astype(float))
    fit = sm.OLS(values, design).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    close = 1e-9 if offset == 0 else 1e-5
    assert found.value == pytest.approx(fit.params[1], rel=close, abs=close)
    assert found.se == pytest.approx(fit.bse[1], rel=close)
    assert found.pvalue == pytest.approx(fit.pvalues[1], rel=10 * close)
    assert found.ci_lower == pytest.approx(fit.conf_int()[1][0], rel=close, abs=close)


@pytest.mark.parametrize("crossed", [False, True])
def test_cr2_is_that_of_the_matrices(*, crossed: bool) -> None:
    values, treated, clusters = draw(7, seed=4, crossed=crossed)
    design = np.column_stack([np.ones(len(values)), treated.astype(float)])
    bread = np.linalg.inv(design.T @ design)
    hat = design @ bread @ design.T
    residuals = values - hat @ values
    left = np.eye(len(values)) - hat
    scores, columns = [], []
    for cluster in range(7):
        rows = np.flatnonzero(clusters == cluster)
        inflate = linalg.sqrtm(np.linalg.inv(left[np.ix_(rows, rows)])).real
        weights = inflate @ design[rows] @ bread[:, 1]
        scores.append(residuals[rows] @ weights)
        columns.append(left[:, rows] @ weights)
    law = np.linalg.eigvalsh(np.array(columns) @ np.array(columns).T)
    found = clustered_difference(Clusters.of(values, treated, clusters))
    assert found.se == pytest.approx(np.sqrt(np.sum(np.square(scores))))
    assert found.dof == pytest.approx(law.sum() ** 2 / (law**2).sum())


def test_equal_clusters_are_units() -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(size=20)
    values = np.repeat(means, 3)
    clusters = Clusters.of(values, np.repeat(np.arange(20) < 12, 3), np.repeat(np.arange(20), 3))
    arms = means[12:], means[:12]
    se = np.sqrt(sum(arm.var(ddof=1) / len(arm) for arm in arms))
    methods: tuple[ClusterMethod, ...] = ("cr2", "delta")
    for method in methods:
        found = clustered_difference(clusters, method=method)
        assert found.value == pytest.approx(arms[1].mean() - arms[0].mean())
        assert found.se == pytest.approx(se)


def test_cr2_holds_its_level_with_few_clusters() -> None:
    runs = 300
    wrong: dict[ClusterMethod, int] = {"cr2": 0, "cr1": 0}
    for seed in range(runs):
        clusters = Clusters.of(*draw(8, seed=seed))
        for method in wrong:
            wrong[method] += clustered_difference(clusters, method=method).pvalue < 0.05
    assert wrong["cr2"] / runs < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert wrong["cr1"] > 1.3 * wrong["cr2"]


@pytest.mark.parametrize("values", [(0.1, 0.3), (0.1, 0.1), (1e8 + 0.3, 1e8 + 0.7)])
def test_constant_arms_leave_nothing_to_test(values: tuple[float, float]) -> None:
    treated = np.arange(60) % 20 < 7
    clusters = Clusters.of(np.where(treated, *values[::-1]), treated, np.arange(60) % 20)
    methods: tuple[ClusterMethod, ...] = ("cr2", "cr1")
    for method in methods:
        found = clustered_difference(clusters, method=method)
        assert found.value == pytest.approx(values[1] - values[0])
        assert found.se == 0.0
        assert isnan(found.pvalue)


def test_too_few_clusters_leave_the_error_unknown() -> None:
    values, treated = np.arange(6.0), np.array([0, 0, 1, 1, 1, 1], dtype=bool)
    one = Clusters.of(values, treated, np.array([0, 0, 1, 1, 2, 2]))
    assert one.counts == (1, 2)
    unknown: tuple[ClusterMethod, ...] = ("cr2", "delta")
    for method in unknown:
        found = clustered_difference(one, method=method)
        assert (found.value, found.ci_lower, found.ci_upper) == (3.0, -inf, inf)
    assert clustered_difference(one, method="cr1").se > 0
    same = Clusters.of(values, treated, np.zeros(6, dtype=np.int64))
    assert isnan(clustered_difference(same, method="cr1").se)
    empty = Clusters.of(values, np.ones(6, dtype=bool), np.arange(6))
    for method in (*unknown, "cr1"):
        assert isnan(clustered_difference(empty, method=method).value)
    assert isnan(Clusters.of([], np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64)).difference)


def test_what_cannot_be_is_refused() -> None:
    clusters = Clusters.of(*draw(8, seed=1, crossed=True))
    with pytest.raises(ValueError, match="each cluster in one arm, got one in both"):
        clustered_difference(clusters, method="delta")
    with pytest.raises(ValueError, match="method must be one of"):
        clustered_difference(clusters, method="cr3")  # type: ignore[arg-type]
    values, treated, codes = draw(8, seed=1)
    with pytest.raises(ValueError, match="one shape"):
        Clusters.of(values[1:], treated, codes)
    values[3] = nan
    with pytest.raises(ValueError, match="values must have finite squares, got nan in row 3"):
        Clusters.of(values, treated, codes)
