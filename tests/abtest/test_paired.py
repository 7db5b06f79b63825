from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from nextcall.abtest.metrics import Aim, RankQuality
from nextcall.abtest.paired import compare_rankers

QUALITY = RankQuality("old", "new")


def scores(n: int, rng: np.random.Generator, *, lift: float = 0.05) -> pd.DataFrame:
    hard = rng.random(n)
    old = np.clip(hard + 0.1 * rng.normal(size=n), 0, 1)
    new = np.clip(hard + lift + 0.1 * rng.normal(size=n), 0, 1)
    return pd.DataFrame({"old": old, "new": new, "service": rng.integers(12, size=n)})


def test_the_effect_is_the_paired_t_test_and_the_rest_are_its_kin() -> None:
    data = scores(80, np.random.default_rng(0))
    found = compare_rankers(data, QUALITY, rng=np.random.default_rng(1), alpha=0.1)
    expected = stats.ttest_rel(data["new"], data["old"])
    interval = expected.confidence_interval(0.9)
    assert found.effect.pvalue == pytest.approx(expected.pvalue)
    assert found.effect.ci_lower == pytest.approx(interval.low)
    assert found.effect.ci_upper == pytest.approx(interval.high)
    assert found.treatment_mean - found.control_mean == pytest.approx(found.effect.value)
    ahead = (data["new"] - data["old"]).to_numpy()
    assert found.signed_rank_pvalue == pytest.approx(stats.wilcoxon(ahead, method="exact").pvalue)
    assert found.permutation_pvalue == pytest.approx(expected.pvalue, abs=0.005)
    assert found.bootstrap_lower == pytest.approx(interval.low, abs=0.004)
    assert found.bootstrap_upper == pytest.approx(interval.high, abs=0.004)
    assert (found.wins, found.ties, found.losses) == (
        (ahead > 0).sum(),
        (ahead == 0).sum(),
        (ahead < 0).sum(),
    )
    assert found.worst_slice is None
    assert found.name == "new - old"


def test_over_clusters_the_error_is_the_cluster_robust_one() -> None:
    data = scores(150, np.random.default_rng(2))
    quality = RankQuality("old", "new", cluster="service")
    found = compare_rankers(data, quality, rng=np.random.default_rng(3))
    model = sm.OLS(data["new"] - data["old"], np.ones(150)).fit(
        cov_type="cluster", cov_kwds={"groups": data["service"]}, use_t=True
    )
    assert found.effect.value == pytest.approx(model.params.iloc[0])
    assert found.effect.se == pytest.approx(model.bse.iloc[0])
    assert found.effect.pvalue == pytest.approx(model.pvalues.iloc[0])
    assert (found.n_queries, found.n_clusters, found.effect.dof) == (150, 12, 11)
    sums = (data["new"] - data["old"]).groupby(data["service"]).sum()
    expected = stats.permutation_test(
        (sums.to_numpy(),), np.sum, permutation_type="samples", n_resamples=5_000
    )
    assert found.permutation_pvalue == pytest.approx(expected.pvalue)


def test_services_that_differ_make_no_false_alarms() -> None:
    rng = np.random.default_rng(4)
    service = np.repeat(np.arange(14), 10)
    names = ("effect", "permutation_pvalue", "signed_rank_pvalue")
    alarms = dict.fromkeys((*names, "naive"), 0)
    for _ in range(150):
        lean = rng.normal(size=14)[service]
        data = pd.DataFrame({"old": 0.0, "new": lean + rng.normal(size=140), "service": service})
        quality = RankQuality("old", "new", cluster="service")
        found = compare_rankers(data, quality, rng=rng, resamples=99)
        alarms["effect"] += found.effect.pvalue < 0.05
        alarms["permutation_pvalue"] += found.permutation_pvalue <= 0.05
        alarms["signed_rank_pvalue"] += found.signed_rank_pvalue <= 0.05
        alarms["naive"] += stats.ttest_rel(data["new"], data["old"]).pvalue < 0.05
    for name in names:
        assert alarms[name] / 150 < 0.05 + 4 * (0.05 * 0.95 / 150) ** 0.5
    assert alarms["naive"] / 150 > 0.2


def test_the_worst_slice_stands_first_and_small_ones_are_left_out() -> None:
    rng = np.random.default_rng(5)
    data = scores(300, rng, lift=0.1)
    data["kind"] = np.repeat(["read", "write", "rare"], [150, 145, 5])
    data.loc[data["kind"] == "write", "new"] -= 0.2
    quality = RankQuality("old", "new", by="kind", cluster="service")
    found = compare_rankers(data, quality, rng=rng)
    assert [(each.name, each.n) for each in found.slices] == [("write", 145), ("read", 150)]
    assert found.worst_slice is not None
    inside = data[data["kind"] == "write"]
    alone = compare_rankers(
        inside, RankQuality("old", "new", cluster="service"), rng=rng, alpha=0.025
    )
    assert found.worst_slice.effect == alone.effect
    lower = RankQuality("old", "new", by="kind", aim=Aim(better="lower"))
    turned = compare_rankers(data, lower, rng=rng)
    assert turned.worst_slice is not None
    assert turned.worst_slice.name == "read"
    assert turned.wins == found.losses


def test_scores_that_are_alike_or_alone_have_an_answer() -> None:
    rng = np.random.default_rng(6)
    alike = compare_rankers(pd.DataFrame({"old": [0.5, 1], "new": [0.5, 1]}), QUALITY, rng=rng)
    assert (alike.effect.value, alike.ties, alike.permutation_pvalue) == (0.0, 2, 1.0)
    assert alike.signed_rank_pvalue == 1.0
    alone = compare_rankers(pd.DataFrame({"old": [0.5], "new": [1.0]}), QUALITY, rng=rng)
    assert (alone.effect.value, alone.effect.ci_lower) == (0.5, -np.inf)
    assert alone.permutation_pvalue == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"new": [0.1, np.nan]}, "column new must be finite, got nan in row 1"),
        ({"old": [np.inf, 0.1]}, "column old must be finite, got inf in row 0"),
        (
            {"service": [None, 1]},
            "column service must have a value in every row, got none in row 0",
        ),
    ],
)
def test_rows_that_cannot_be_compared_are_named(changes: dict[str, Any], message: str) -> None:
    data = pd.DataFrame({"old": [0.1, 0.2], "new": [0.1, 0.2], "service": [1, 2]} | changes)
    quality = RankQuality("old", "new", cluster="service")
    with pytest.raises(ValueError, match=message):
        compare_rankers(data, quality, rng=np.random.default_rng(0))


def test_what_cannot_be_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="data must have a column new"):
        compare_rankers(pd.DataFrame({"old": [1.0]}), QUALITY, rng=rng)
    with pytest.raises(ValueError, match="data must have rows"):
        compare_rankers(pd.DataFrame({"old": [], "new": []}), QUALITY, rng=rng)
    for aim in (Aim(margin=0.01), Aim(equivalence=0.01)):
        with pytest.raises(ValueError, match=r"aim must have no margin, got Aim\(.*=0\.01"):
            compare_rankers(pd.DataFrame(), RankQuality("old", "new", aim=aim), rng=rng)
    with pytest.raises(ValueError, match="treatment must be another column than control"):
        RankQuality("old", "old")


def test_a_quality_names_its_columns_once() -> None:
    quality = RankQuality("old", "new", cluster="service", by="service")
    assert quality.columns == ("old", "new", "service")
