"""From rows to a verdict: beside plain definitions, on real data, and where data are poor."""

from dataclasses import replace
from math import isnan
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from causaldata import nsw_mixtape
from scipy import stats

from nextcall.abtest.analysis import Analysis, analyze, analyze_stream
from nextcall.abtest.look import LookPlan
from nextcall.abtest.measured import Summed
from nextcall.abtest.metrics import Aim, Mean, Proportion, Quantile, Ratio

pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'future.infer_string' option:DeprecationWarning"  # DuckDB asks pandas for it
)


def frame(n: int = 4000, *, seed: int = 0, lift: float = 0.0, variants: str = "AB") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    variant = np.resize(list(variants), n)
    before = rng.normal(20, 4, n)
    treated = variant == variants[1]
    return pd.DataFrame(
        {
            "variant": variant,
            "revenue": before + rng.normal(0, 2, n) + lift * treated,
            "before": before,
            "bought": rng.random(n) < 0.2 + 0.01 * lift * treated,
            "clicks": rng.poisson(3, n),
            "sessions": rng.poisson(4, n) + 1,
        }
    )


def run(rows: Any, *metrics: Any, **options: Any) -> Analysis:
    return analyze(rows, control="A", metrics=metrics or [Mean("revenue")], **options)


def test_the_job_training_experiment_is_told_as_published() -> None:
    rows = nsw_mixtape.load_pandas().data
    rows["variant"] = np.where(rows["treat"] == 1, "training", "none")
    found = analyze(
        rows,
        control="none",
        metrics=[Mean("re78")],
        shares={"none": 260, "training": 185},
    )
    (each,) = found.comparisons
    assert (each.n_control, each.n_treatment) == (260, 185)
    assert each.difference.value == pytest.approx(1794.34, abs=0.01)
    assert each.difference.se == pytest.approx(671.0, abs=0.05)
    assert each.pvalue == pytest.approx(0.0079, abs=5e-5)
    assert found.verdict.decision == "winner"
    assert any("skewed" in warning for warning in each.warnings)


def test_each_metric_is_tested_as_its_kind_is() -> None:
    rows = frame(lift=1.0)
    found = run(rows, Mean("revenue"), Proportion("bought"), Ratio("clicks", "sessions")).to_frame()
    one, other = (rows[rows["variant"] == name] for name in "AB")
    expected = stats.ttest_ind(other["revenue"], one["revenue"], equal_var=False).pvalue
    assert found["pvalue"][0] == pytest.approx(expected)
    table = pd.crosstab(rows["variant"], rows["bought"])
    expected = stats.chi2_contingency(table, correction=False).pvalue
    assert found["pvalue"][1] == pytest.approx(expected, rel=0.01)  # score, with n / (n - 1)
    ratio = one["clicks"].sum() / one["sessions"].sum()
    assert found["control_estimate"][2] == pytest.approx(ratio)


def test_quantiles_and_cut_means_are_metrics_too() -> None:
    rows = frame(lift=1.0)
    found = run(rows, Quantile("revenue", 0.5), Mean("clicks", winsorize=(0.0, 0.99)))
    one, other = (rows.loc[rows["variant"] == name, "revenue"] for name in "AB")
    each = found.comparisons[0]
    assert each.difference.value == pytest.approx(other.median() - one.median())
    assert each.difference.se == pytest.approx(np.sqrt(np.pi / 2) * one.std() / 31.6, rel=0.2)
    assert found.verdict.variant == "B"
    few = run(rows[:40], Quantile("revenue", 0.99)).comparisons[0].warnings
    assert any("revenue of A" in warning for warning in few)
    with pytest.raises(ValueError, match="needs all rows at once"):
        analyze_stream([rows], control="A", metrics=[Quantile("revenue", 0.5)])
    with pytest.raises(ValueError, match="needs all rows at once"):
        run(ibis.memtable(rows), Quantile("revenue", 0.5))


def test_covariates_make_the_interval_shorter_and_move_it_little() -> None:
    rows = frame(lift=0.3)
    (plain,) = run(rows).comparisons
    (adjusted,) = run(rows, Mean("revenue", covariate="before")).comparisons
    width = [each.difference.ci_upper - each.difference.ci_lower for each in (plain, adjusted)]
    assert width[1] / width[0] == pytest.approx(np.sqrt(1 - 16 / 20), rel=0.1)
    assert adjusted.variance_reduction == pytest.approx(16 / 20, rel=0.1)
    assert plain.difference.ci_lower < adjusted.difference.value < plain.difference.ci_upper


@pytest.mark.parametrize("kind", ["arrow", "ibis", "stream"])
def test_every_way_in_says_the_same(kind: str) -> None:
    rows = frame(lift=0.2)
    metrics: list[Summed] = [Mean("revenue", covariate="before"), Proportion("bought")]
    expected = run(rows, *metrics).to_frame()
    if kind == "stream":
        parts = [rows[begin : begin + 700] for begin in range(0, 4000, 700)]
        found = analyze_stream(parts, control="A", metrics=metrics).to_frame()
    else:
        data = pa.Table.from_pandas(rows) if kind == "arrow" else ibis.memtable(rows)
        found = run(data, *metrics).to_frame()
    for name in ("difference", "pvalue", "relative_ci_upper", "variance_reduction"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9)


def test_units_that_went_astray_forbid_a_winner() -> None:
    rows = frame(lift=2.0)
    lost = rows[(rows["variant"] == "A") | (np.arange(4000) % 6 != 1)]
    found = run(lost)
    assert found.comparisons[0].outcome == "better"
    assert found.verdict.decision == "invalid"
    assert not found.verdict.valid
    assert "A has 2,000 units where 1,666 were planned (+20.0%" in found.verdict.sentence
    planned = {"A": 2000, "B": float((lost["variant"] == "B").sum())}
    assert run(lost, shares=planned).verdict.decision == "winner"


def test_an_early_look_gets_the_interval_that_holds_at_every_look() -> None:
    rows = frame(lift=0.35)
    late = run(rows)
    early = run(rows, plan=LookPlan(n=40_000, method="fixed-horizon"))
    assert late.verdict.decision == "winner"
    (each,) = early.comparisons
    assert each.look.method == "always-valid"
    assert each.pvalue > late.comparisons[0].pvalue
    assert each.look.naive.pvalue == late.comparisons[0].pvalue
    assert early.verdict.decision == "keep running"
    assert early.verdict.sentence.startswith("Keep running: nothing is shown yet of B")
    assert early.srm_pvalue == 1.0


def test_unequal_arms_of_skewed_values_are_told_at_an_early_look() -> None:
    rows = frame(8000)
    rows = rows[(rows["variant"] == "A") | (np.arange(8000) % 8 == 1)]
    plan = LookPlan(n=40_000, method="always-valid")
    shares = {"A": 0.8, "B": 0.2}
    told = run(rows, Proportion("bought"), plan=plan, shares=shares).comparisons[0].warnings
    assert any("B is the smaller variant and skewed (1." in text for text in told)
    assert not run(rows, plan=plan, shares=shares).comparisons[0].warnings
    assert not run(rows, Proportion("bought"), shares=shares).comparisons[0].warnings


def test_the_verdict_says_what_is_shown() -> None:
    assert run(frame(lift=1.0)).verdict.variant == "B"
    worse = run(frame(lift=-1.0)).verdict
    assert worse.decision == "loser"
    assert worse.sentence.startswith("B is worse than A on revenue: -")
    cost = Mean("revenue", aim=Aim(better="lower"))
    assert run(frame(lift=-1.0), cost).verdict.decision == "winner"
    same = run(frame(seed=3)).verdict
    assert same.decision == "no difference"
    assert same.sentence.startswith("No difference of B from A on revenue is shown: ")


def test_a_control_at_zero_is_told_in_the_unit_of_the_metric() -> None:
    rows = frame(lift=1.0)
    rows["gain"] = np.where(rows["variant"] == "A", 0.0, rows["revenue"])
    assert "B is better than A on gain: +21" in run(rows, Mean("gain")).verdict.sentence
    assert "in its own unit" in run(rows, Mean("gain")).verdict.sentence


def test_a_guardrail_that_is_harmed_forbids_a_winner() -> None:
    rows = frame(lift=1.0)
    rows["crashes"] = rows["revenue"]
    guard = Mean("crashes", aim=Aim(better="lower", guardrail=True))
    found = run(rows, Mean("revenue"), guard)
    assert found.comparisons[0].outcome == "better"
    assert found.verdict.decision == "loser"
    assert "worse than A on crashes" in found.verdict.sentence
    assert found.comparisons[1].adjusted_pvalue == found.comparisons[1].pvalue


def test_margins_ask_whether_it_is_not_worse_and_equal() -> None:
    rows = frame(seed=3)
    margin = Mean("revenue", aim=Aim(margin=0.05))
    found = run(rows, margin)
    assert found.comparisons[0].outcome == "not worse"
    assert found.verdict.decision == "winner"
    (each,) = found.comparisons
    z = (each.relative.value + 0.05) / each.relative.se
    assert each.pvalue == pytest.approx(stats.t(each.relative.dof).sf(z))
    lower = replace(margin, aim=Aim(margin=0.05, better="lower"))
    assert run(rows, lower).comparisons[0].outcome == "not worse"
    equal = run(rows, Mean("revenue", aim=Aim(equivalence=0.05))).comparisons[0]
    assert equal.outcome == "equal"
    close = (0.05 - abs(equal.relative.value)) / equal.relative.se
    assert equal.pvalue == pytest.approx(stats.t(equal.relative.dof).sf(close))
    tight = run(rows, Mean("revenue", aim=Aim(equivalence=0.0001)))
    assert tight.comparisons[0].outcome == "undecided"
    assert tight.verdict.decision == "no difference"


@pytest.mark.parametrize("metric", [Mean("profit"), Ratio("profit", "sessions")])
@pytest.mark.parametrize("better", ["higher", "lower"])
def test_shares_of_a_control_below_nothing_are_of_its_size(metric: Any, better: Any) -> None:
    rows = frame(seed=6)
    rows["profit"] = rows["revenue"] - 50  # a loss of some 30
    rows.loc[rows["variant"] == "B", "profit"] -= 6
    for margin, good, bad in ((None, "better", "worse"), (0.05, "not worse", "undecided")):
        (each,) = run(rows, replace(metric, aim=Aim(better=better, margin=margin))).comparisons
        assert each.outcome == (bad if better == "higher" else good)
        assert each.relative.ci_lower < each.relative.value < each.relative.ci_upper < -0.1
        assert each.relative.value == pytest.approx(
            each.difference.value / abs(each.control_estimate)
        )


def test_of_several_treatments_the_best_that_is_shown_wins() -> None:
    rows = frame(n=9000, variants="ABC", lift=1.0)
    rows.loc[rows["variant"] == "C", "revenue"] += 2.0
    found = run(rows)
    assert found.verdict.variant == "C"
    assert found.verdict.sentence.endswith("1 more treatment is shown too.")
    rows = rows[rows["variant"] != "C"]
    more = pd.concat([rows, *(rows[rows["variant"] == "B"].assign(variant=name) for name in "DE")])
    assert run(more).verdict.sentence.endswith("2 more treatments are shown too.")
    pvalues = [each.pvalue for each in found.comparisons]
    adjusted = [each.adjusted_pvalue for each in found.adjusted("bonferroni").comparisons]
    assert adjusted == pytest.approx([2 * pvalue for pvalue in pvalues])


def test_a_test_that_runs_on_names_its_variants_as_they_are_written() -> None:
    rows = frame(n=9000, variants="ABC", lift=-1.0)
    found = run(rows, plan=LookPlan(n=60_000)).verdict
    assert found.decision == "keep running"
    assert found.sentence.startswith("Keep running: B is worse than A on revenue")


def test_more_questions_need_more_evidence() -> None:
    rows = frame(seed=3)
    metrics: list[Summed] = [Mean("revenue")]
    for place in range(20):
        rows[f"noise{place}"] = np.random.default_rng(place).normal(size=4000)
        metrics.append(Mean(f"noise{place}"))
    found = run(rows, *metrics).to_frame()
    assert (found["pvalue"][1:] < 0.05).any()
    assert (found["outcome"][1:] == "no difference").all()


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_level_holds_where_nothing_differs(alpha: float) -> None:
    found = [
        run(frame(200, seed=seed), plan=alpha).verdict.decision != "no difference"
        for seed in range(200)
    ]
    assert np.mean(found) == pytest.approx(alpha, abs=4 * np.sqrt(alpha * (1 - alpha) / 200))


def test_poor_data_are_told() -> None:
    rows = frame(40)
    constant = run(rows.assign(revenue=1.0))
    assert constant.comparisons[0].outcome == "unknown"
    assert constant.verdict.decision == "invalid"
    assert "no unit differs from another" in constant.verdict.sentence
    gone = rows.assign(revenue=np.where(rows["variant"] == "B", np.nan, rows["revenue"]))
    found = run(gone)
    assert "B has 0 units with a value" in found.verdict.sentence
    assert isnan(found.comparisons[0].pvalue)
    both = run(rows.assign(other=1.0), Mean("revenue"), Mean("other"))
    assert both.comparisons[1].outcome == "unknown"
    assert both.verdict.decision == "no difference"
    rows = frame(3000)
    rows.loc[(rows["variant"] == "B") & (np.arange(3000) % 10 < 2), "revenue"] = np.nan
    assert any("missing more often" in text for text in run(rows).comparisons[0].warnings)
    users = frame(200).assign(user=np.arange(200) // 20 * 2 + np.arange(200) % 2)
    warnings = run(users, Quantile("revenue", 0.5), unit="user").comparisons[0].warnings
    assert "A has 10 units with several rows: below 40, errors are told too small" in warnings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"control": "Z"}, "control must be among the variants, .*, got 'Z'"),
        ({"metrics": []}, "metrics must hold at least one"),
        ({"metrics": [Mean("revenue", aim=Aim(guardrail=True))]}, "revenue is a guardrail"),
        ({"metrics": [Mean("revenue"), Mean("revenue")]}, "names of their own"),
        ({"shares": {"A": 1.0}}, "shares must name each variant"),
        ({"shares": {"A": 1.0, "B": 1.0, "C": 1.0}}, "each planned variant must have rows; .'C'."),
        ({"plan": 2.0}, "alpha must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], message: str) -> None:
    asked: dict[str, Any] = {"control": "A", "metrics": [Mean("revenue")], **options}
    with pytest.raises(ValueError, match=message):
        analyze(frame(40), **asked)


def test_a_test_needs_a_treatment_and_a_batch() -> None:
    rows = frame(40)
    with pytest.raises(ValueError, match="there must be a treatment beside control"):
        run(rows[rows["variant"] == "A"])
    with pytest.raises(ValueError, match="batches must hold at least one"):
        analyze_stream([], control="A", metrics=[Mean("revenue")])


def test_a_notebook_shows_verdict_and_table() -> None:
    shown = run(frame(lift=1.0))._repr_html_()
    assert "<b>winner</b>: B is better than A on revenue" in shown
    assert "<table" in shown
