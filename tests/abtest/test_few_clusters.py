"""The error of a few units with several rows: beside the definition, by matrices, by its level."""

import ibis
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.abtest.analysis import analyze, analyze_stream
from nextcall.abtest.clusters import Clusters, clustered_difference
from nextcall.abtest.effect import Effect, difference
from nextcall.abtest.few_clusters import sandwich_arms
from nextcall.abtest.means import adjusted_ratios
from nextcall.abtest.metrics import Mean, Metric, Ratio
from nextcall.abtest.moments import Moments

pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'future.infer_string' option:DeprecationWarning"  # DuckDB asks pandas for it
)


def frame(n_units: int, *, seed: int = 0, variants: str = "AB") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    sizes = rng.poisson(rng.gamma(2.0, 4.0, n_units)) + 1
    user = np.repeat(np.arange(n_units), sizes)
    before = rng.normal(size=n_units)[user]
    return pd.DataFrame(
        {
            "variant": np.array(list(variants))[user % len(variants)],
            "user": user,
            "spent": 5 + before + rng.normal(size=len(user)) + rng.normal(size=n_units)[user],
            "before": before,
            "visits": rng.poisson(3, len(user)) + 1,
        }
    )


def effect(rows: pd.DataFrame, metric: Metric | None = None) -> Effect:
    found = analyze(rows, control="A", metrics=[metric or Mean("spent")], unit="user")
    return found.comparisons[0].difference


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), n_units=st.integers(6, 60), offset=st.sampled_from([0.0, 1e6]))
def test_few_units_have_bell_and_mccaffreys_error(seed: int, n_units: int, offset: float) -> None:
    rows = frame(n_units, seed=seed)
    rows["spent"] += offset
    found = effect(rows)
    treated = (rows["variant"] == "B").to_numpy()
    clusters = Clusters.of(rows["spent"], treated, rows["user"].to_numpy())
    expected = clustered_difference(clusters)
    assert found.value == pytest.approx(expected.value, rel=1e-6)
    assert found.se == pytest.approx(expected.se, rel=1e-6)
    assert found.dof == pytest.approx(expected.dof)
    assert found.pvalue == pytest.approx(expected.pvalue, rel=1e-5)


def test_the_error_lies_above_that_of_statsmodels_and_nears_it() -> None:
    rows = frame(30)
    design = sm.add_constant((rows["variant"] == "B").astype(float))
    fit = sm.OLS(rows["spent"], design).fit(cov_type="cluster", cov_kwds={"groups": rows["user"]})
    found = effect(rows)
    assert found.value == pytest.approx(fit.params["variant"])
    assert 1 < found.se / fit.bse["variant"] < 1.1
    assert found.dof < 28


def test_few_beside_many_and_just_enough_units_have_one_law() -> None:
    few = frame(76)  # 38 of each: the last numbers before errors are left as they are
    more = frame(84)
    for rows in (few, more):
        treated = (rows["variant"] == "B").to_numpy()
        clusters = Clusters.of(rows["spent"], treated, rows["user"].to_numpy())
        expected = clustered_difference(clusters)
        assert effect(rows).se == pytest.approx(expected.se, rel=0.03)
    mixed = few[(few["variant"] == "A") | (few["user"] < 12)]
    many = pd.concat(
        [mixed, frame(200, seed=1).query("variant == 'A'").assign(user=lambda x: -x.user - 1)]
    )
    treated = (many["variant"] == "B").to_numpy()
    units = pd.factorize(many["user"])[0]
    expected = clustered_difference(Clusters.of(many["spent"], treated, units))
    assert effect(many).se == pytest.approx(expected.se, rel=0.02)
    assert effect(many).dof == pytest.approx(expected.dof, rel=0.05)


@pytest.mark.parametrize("metric", [Mean("spent", covariate="before"), Ratio("spent", "visits")])
def test_every_way_in_says_the_same(metric: Mean | Ratio) -> None:
    rows = frame(50)
    expected = effect(rows, metric)
    alone = rows.drop_duplicates("user").assign(user=lambda each: each["user"] + 1000)
    both = pd.concat([rows, alone])
    pairs = [
        (analyze(ibis.memtable(rows), control="A", metrics=[metric], unit="user"), expected),
        (
            analyze_stream(
                [rows[rows["user"] < 20], rows[rows["user"] >= 20]],
                control="A",
                metrics=[metric],
                unit="user",
            ),
            expected,
        ),
        (
            analyze_stream([rows, alone], control="A", metrics=[metric], unit="user"),
            effect(both, metric),
        ),
    ]
    for found, wanted in pairs:
        each = found.comparisons[0].difference
        assert (each.value, each.se) == pytest.approx((wanted.value, wanted.se))
        assert each.pvalue == pytest.approx(wanted.pvalue)


def simulated(n_units: tuple[int, ...], *, covariate: bool, rng: np.random.Generator) -> float:
    units = []
    for n in n_units:
        rows = (rng.poisson(rng.gamma(2.0, 10.0, n)) + 1).astype(np.float64)
        before = rng.normal(size=n) * rows
        spent = rng.normal(size=n) * np.sqrt(rows) + 0.5 * rng.normal(size=n) * rows + before
        columns = [spent, rows, before, rows] if covariate else [spent - before, rows]
        units.append(np.column_stack(columns))
    moments = [Moments.of(each) for each in units]
    arms = sandwich_arms(adjusted_ratios(moments), moments, units).arms
    return difference(arms[0], arms[1]).pvalue


@pytest.mark.parametrize("covariate", [False, True])
@pytest.mark.parametrize("n_units", [(4, 4), (6, 6, 6)])
def test_the_level_holds_with_few_units(n_units: tuple[int, ...], *, covariate: bool) -> None:
    rng = np.random.default_rng(5)
    runs = 200
    wrong = [simulated(n_units, covariate=covariate, rng=rng) < 0.05 for _ in range(runs)]
    assert np.mean(wrong) < 0.055 + 3 * np.sqrt(0.05 * 0.95 / runs)  # benchmarks: 0.05 to 0.067


def test_very_few_units_are_told() -> None:
    rows = frame(5)
    found = analyze(rows, control="A", metrics=[Mean("spent")], unit="user").comparisons[0]
    assert found.difference.dof < 4
    assert any("so few units with several rows leave" in each for each in found.warnings)
    assert not any("told too small" in each for each in found.warnings)


def test_what_has_no_error_says_so() -> None:
    rows = frame(8)
    alone = rows[(rows["variant"] == "A") | (rows["user"] == 1)]
    assert np.isnan(effect(alone).pvalue)
    whole = rows.assign(visits=np.where(rows["user"].isin([0, 1]), 1, 0))
    assert np.isnan(effect(whole, Ratio("spent", "visits")).pvalue)  # one unit has all visits
    below = rows.assign(visits=np.where(rows["user"] == 0, -1, rows["visits"]))
    assert effect(below, Ratio("spent", "visits")).se > 0  # no counts: the delta method
    assert effect(rows.assign(spent=0.1)).se == 0.0
    many = Mean("spent", covariate=("before", "visits"))
    assert np.isnan(effect(frame(4), many).pvalue)  # no degree of freedom is left
