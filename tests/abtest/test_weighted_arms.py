"""Effects over strata: beside the plain definition, a regression, simulated truth; every way in."""

from collections.abc import Callable
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import statsmodels.formula.api as smf

from nextcall.abtest.analysis import Analysis, analyze, analyze_stream
from nextcall.abtest.comparison import Comparison
from nextcall.abtest.effect import difference
from nextcall.abtest.means import adjusted_means, adjusted_ratios
from nextcall.abtest.measured import Summed
from nextcall.abtest.metrics import Mean, Metric, Quantile, Ratio
from nextcall.abtest.moments import Moments
from nextcall.abtest.strata import stratified_difference
from nextcall.abtest.weighted_arms import weighted_arms, widened

pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'future.infer_string' option:DeprecationWarning"  # DuckDB asks pandas for it
)
COUNTRIES = ["br", "de", "fr", "jp"]


def frame(n: int = 2000, *, seed: int = 0, lift: float = 0.0, variants: str = "AB") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    country = rng.choice(4, n, p=[0.1, 0.2, 0.3, 0.4])
    before = rng.normal(size=n)
    variant = rng.choice(list(variants), n)
    spent = 20 + 5 * country + before + rng.normal(size=n) + lift * (country + 1) * (variant == "B")
    visits = rng.poisson(3 + country) + 1
    return pd.DataFrame(
        {
            "variant": variant,
            "country": np.array(COUNTRIES)[country],
            "spent": spent,
            "before": before,
            "bought": rng.random(n) < 0.2 + 0.15 * country,
            "visits": visits,
            "clicks": rng.binomial(visits, 0.1 + 0.2 * country),
        }
    )


def run(rows: Any, metric: Metric, **options: Any) -> Comparison:
    found = analyze(rows, control="A", metrics=[metric], strata="country", **options)
    return found.comparisons[0]


def by_stratum(rows: pd.DataFrame, name: str) -> list[list[Moments]]:
    return [
        [Moments.of(own.loc[own["variant"] == each, name].to_numpy()) for own in parts]
        for each in "AB"
        for parts in [[own for _, own in rows.groupby("country")]]
    ]


@pytest.mark.parametrize("lift", [0.0, 2.0])
def test_a_mean_is_the_strata_s_weighted_difference(lift: float) -> None:
    rows = frame(lift=lift)
    found = run(rows, Mean("spent"))
    control, treatment = by_stratum(rows, "spent")
    expected = stratified_difference(control, treatment)
    assert found.difference.value == pytest.approx(expected.effect.value)
    assert found.difference.se == pytest.approx(expected.effect.se)
    assert found.difference.dof == pytest.approx(expected.effect.dof)
    assert found.pvalue == pytest.approx(expected.effect.pvalue)
    assert found.variance_reduction == pytest.approx(expected.variance_reduction, abs=0.05)
    assert found.control_estimate == pytest.approx(expected.control.estimate)
    assert found.relative.value == pytest.approx(
        expected.treatment.estimate / expected.control.estimate - 1
    )


def test_covariates_and_strata_are_a_regression_on_both() -> None:
    rows = frame(lift=0.1)
    found = run(rows, Mean("spent", covariate="before"))
    design = "spent ~ treated * C(country, Sum) + before"
    fit = smf.ols(design, rows.assign(treated=(rows["variant"] == "B") * 1.0)).fit(cov_type="HC3")
    shares = rows["country"].value_counts(normalize=True)[COUNTRIES].to_numpy()
    terms = ["treated"] + [f"treated:C(country, Sum)[S.{each}]" for each in COUNTRIES[:3]]
    weights = np.concatenate([[1.0], shares[:3] - shares[3]])
    value = float(fit.params[terms] @ weights)
    se = float(np.sqrt(weights @ fit.cov_params().loc[terms, terms].to_numpy() @ weights))
    assert found.difference.value == pytest.approx(value, abs=0.02 * se)
    assert found.difference.se == pytest.approx(se, rel=0.02)


def test_one_stratum_says_what_none_says() -> None:
    rows = frame().assign(country="de")
    for metric in (Mean("spent", covariate="before"), Ratio("clicks", "visits")):
        found = run(rows, metric)
        plain = analyze(rows, control="A", metrics=[metric]).comparisons[0]
        assert found.difference.value == pytest.approx(plain.difference.value)
        assert found.pvalue == pytest.approx(plain.pvalue, rel=1e-4)
        assert found.variance_reduction == pytest.approx(plain.variance_reduction, abs=1e-3)


@pytest.mark.parametrize(
    ("names", "ratios"),
    [
        (["spent", "before"], False),
        (["clicks", "visits"], True),
        (["clicks", "visits", "sold", "seen"], True),
    ],
)
def test_the_error_is_that_of_many_draws(names: list[str], *, ratios: bool) -> None:
    values, errors, plain = [], [], []
    for seed in range(60):
        rows = frame(400, seed=seed, lift=1.0)
        rows["seen"] = rows["visits"] + np.random.default_rng(seed).poisson(1, 400)
        rows["sold"] = rows["clicks"] + np.random.default_rng(seed + 1).poisson(1, 400)
        groups = rows.groupby(["country", "variant"])[names]
        moments = {key: Moments.of(own.to_numpy()) for key, own in groups}
        strata = [[moments[each, name] for name in "AB"] for each in COUNTRIES]
        found = weighted_arms(strata, ratios=ratios)
        assert found.weighting is not None
        effect = difference(*found.arms)
        effect = widened(effect, found.weighting.chances[0][0], alpha=0.05)
        values.append(effect.value)
        errors.append(effect.se)
        none = Moments.empty(len(names))
        whole = [sum((moments[each, name] for each in COUNTRIES), none) for name in "AB"]
        plain.append(difference(*(adjusted_ratios if ratios else adjusted_means)(whole).arms).se)
    assert np.std(values) == pytest.approx(np.mean(errors), rel=4 / np.sqrt(2 * 60))
    assert np.mean(errors) < 0.97 * np.mean(plain)


ROADS: dict[str, Callable[[pd.DataFrame, list[Summed], str | None], Analysis]] = {
    "arrow": lambda rows, metrics, unit: analyze(
        pa.Table.from_pandas(rows), control="A", metrics=metrics, strata="country", unit=unit
    ),
    "ibis": lambda rows, metrics, unit: analyze(
        ibis.memtable(rows), control="A", metrics=metrics, strata="country", unit=unit
    ),
    "stream": lambda rows, metrics, unit: analyze_stream(
        [own for _, own in rows.groupby(rows["user"] % 7)],
        control="A",
        metrics=metrics,
        strata="country",
        unit=unit,
    ),
}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("unit", [None, "user"])
def test_every_way_in_says_the_same(road: str, unit: str | None) -> None:
    rows = frame(1000)
    rows["user"] = np.arange(1000)
    rows.loc[rows["country"] == "jp", "country"] = None
    if unit:
        rows = pd.concat([rows, rows[rows["user"] % 3 == 0]])
    metrics: list[Summed] = [Mean("spent", covariate="before"), Ratio("clicks", "visits")]
    expected = analyze(rows, control="A", metrics=metrics, strata="country", unit=unit)
    found = ROADS[road](rows, metrics, unit)
    for name in ("difference", "pvalue", "relative_ci_upper", "variance_reduction"):
        np.testing.assert_allclose(found.to_frame()[name], expected.to_frame()[name], rtol=1e-8)
    assert found.units == expected.units


def test_strata_that_lack_a_variant_are_one_with_the_smallest() -> None:
    rows = frame(variants="ABC")
    kept = rows[(rows["country"] != "br") | (rows["variant"] == "C")]
    found = run(kept, Mean("spent"))
    assert "strata br, de are held as one: some have too few units" in found.warnings
    joined = kept.assign(country=kept["country"].replace("br", "de"))
    expected = run(joined, Mean("spent"))
    assert found.difference.value == pytest.approx(expected.difference.value)
    assert found.pvalue == pytest.approx(expected.pvalue)
    assert not any("mix" in each for each in found.warnings)
    lost = rows[(rows["country"] != "jp") | (rows["variant"] == "B")]
    assert any("the same mix of strata" in each for each in run(lost, Mean("spent")).warnings)


def test_where_strata_take_no_part_it_is_told() -> None:
    rows = frame(lift=0.5)
    both: list[Metric] = [Mean("spent"), Quantile("spent", 0.5)]
    found = analyze(rows, control="A", metrics=both, strata="country")
    plain = analyze(rows, control="A", metrics=both)
    assert found.comparisons[1].difference == plain.comparisons[1].difference
    assert any("no part in a quantile" in each for each in found.comparisons[1].warnings)
    few = rows[:60].assign(user=np.arange(60) // 2)
    few[["variant", "country"]] = few.groupby("user")[["variant", "country"]].transform("first")
    assert any(
        "nor with few units" in each for each in run(few, Mean("spent"), unit="user").warnings
    )


def test_nothing_is_said_of_too_few_and_of_what_does_not_vary() -> None:
    rows = frame()
    alone = pd.concat([rows[rows["variant"] == "A"], rows[rows["variant"] == "B"][:1]])
    assert run(alone, Mean("spent")).outcome == "unknown"
    assert run(rows.assign(spent=1.0), Mean("spent")).outcome == "unknown"
    assert run(rows.assign(spent=np.nan), Mean("spent")).outcome == "unknown"
    assert run(rows.assign(visits=0), Ratio("clicks", "visits")).outcome == "unknown"
    alike = rows.assign(clicks=0.1 * rows["visits"])
    assert run(alike, Ratio("clicks", "visits")).outcome == "unknown"
    zero = rows.assign(spent=np.where(rows["variant"] == "A", 0.0, rows["spent"]))
    assert np.isnan(run(zero, Mean("spent")).relative.value)
    assert weighted_arms([[Moments.empty(1)] * 2], ratios=False).weighting is None


@pytest.mark.parametrize("road", ["frame", "ibis"])
def test_what_cannot_be_a_stratum_is_refused(road: str) -> None:
    rows = frame()
    rows["user"] = np.arange(2000) // 2
    rows["variant"] = rows.groupby("user")["variant"].transform("first")
    rows["number"] = np.arange(2000) / 7

    def ask(name: str, unit: str | None = None) -> Analysis:
        data = rows if road == "frame" else ibis.memtable(rows)
        return analyze(data, control="A", metrics=[Mean("spent")], strata=name, unit=unit)

    with pytest.raises(ValueError, match=r"country must be one for each unit; \d+ have two"):
        ask("country", "user")
    with pytest.raises(ValueError, match="number must hold at most 1,000 values, got 2,000"):
        ask("number")
    with pytest.raises(ValueError, match="data must have a column 'gone'"):
        ask("gone")


@pytest.mark.parametrize("seed", range(8))
def test_strata_of_units_that_never_depart_from_a_ratio_have_no_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    strata = []
    for _ in range(3):
        visits = rng.poisson(4, (2, 50)) + 1.0
        strata.append([Moments.of(np.column_stack([0.3 * each, each])) for each in visits])
    arms = weighted_arms(strata, ratios=True).arms
    assert [arm.variance for arm in arms] == [0.0, 0.0]
    assert [arm.estimate for arm in arms] == pytest.approx([0.3, 0.3])
