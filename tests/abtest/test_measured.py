"""What was measured says what the rows say, in parts or whole, by row or by unit."""

from math import isnan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nextcall.abtest.effect import difference
from nextcall.abtest.measured import Measured, Summed, measure
from nextcall.abtest.metrics import Mean, Metric, Proportion, Quantile, Ratio
from nextcall.abtest.rows import read_rows

METRICS: tuple[Summed, ...] = (
    Mean("revenue"),
    Mean("revenue", covariate=("before", "visits")),
    Proportion("bought"),
    Ratio("clicks", "sessions"),
    Ratio("clicks", "sessions", covariate=("before", "visits")),
)
COLUMNS = tuple(dict.fromkeys(name for metric in METRICS for name in metric.columns))


def frame(n: int = 400, *, seed: int = 0, gaps: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    before, visits = rng.gamma(2, 5, n), rng.poisson(4, n) + 1
    rows = pd.DataFrame(
        {
            "variant": rng.choice(["A", "B", "C"], n),
            "user": rng.integers(0, n // 3, n),
            "revenue": before + rng.normal(0, 2, n),
            "before": before,
            "visits": visits,
            "bought": rng.random(n) < 0.3,
            "sessions": visits + rng.poisson(1, n),
        }
    )
    rows["clicks"] = rng.poisson(rows["sessions"] * 0.7)
    rows["variant"] = rows.groupby("user")["variant"].transform("first")
    if gaps:
        rows.loc[rng.random(n) < 0.1, "revenue"] = np.nan
    return rows


def measured(rows: pd.DataFrame, *, unit: str | None = None) -> Measured:
    return measure(read_rows(rows, variant="variant", columns=COLUMNS, unit=unit), METRICS)


@pytest.mark.parametrize("gaps", [False, True])
def test_plain_means_are_those_of_the_rows(*, gaps: bool) -> None:
    rows = frame(gaps=gaps)
    found = measured(rows)
    assert found.n_rows == rows["variant"].value_counts().to_dict() == found.n_units
    whole = rows.dropna()
    one, other = (whole.loc[whole["variant"] == name, "revenue"] for name in "AB")
    result = difference(*found.adjusted(METRICS[0], ["A", "B"]).arms)
    assert result.pvalue == pytest.approx(stats.ttest_ind(other, one, equal_var=False).pvalue)
    assert found.skewness(METRICS[0], "A") == pytest.approx(stats.skew(one))
    lost = rows.loc[rows["variant"] == "A", "revenue"].isna().sum()
    assert found.missing[METRICS[0]]["A"] == lost
    assert found.missing[METRICS[2]]["A"] == 0
    assert found.grouped[METRICS[2]]["A"].n == (rows["variant"] == "A").sum()
    (share,) = found.adjusted(METRICS[2], ["A"]).arms
    assert share.estimate == rows.loc[rows["variant"] == "A", "bought"].mean()


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(0, 400), gaps=st.booleans())
def test_parts_add_up_to_the_whole(cut: int, *, gaps: bool) -> None:
    rows = frame(gaps=gaps)
    whole, parts = measured(rows), measured(rows[:cut]) + measured(rows[cut:])
    assert parts.n_rows == {**dict.fromkeys(parts.n_rows, 0), **whole.n_rows}
    for metric in METRICS:
        skewness = whole.skewness(metric, "B")
        assert parts.skewness(metric, "B") == pytest.approx(skewness, nan_ok=True)
        assert dict(parts.missing[metric]) == dict(whole.missing[metric])
        found, expected = (each.adjusted(metric, ["A", "B", "C"]) for each in (parts, whole))
        assert found.theta == pytest.approx(expected.theta)
        for one, other in zip(found.arms, expected.arms, strict=True):
            assert one.estimate == pytest.approx(other.estimate, rel=1e-9)
            assert one.variance == pytest.approx(other.variance, rel=1e-9)


def test_several_rows_a_unit_count_as_one() -> None:
    rows = frame(gaps=True)
    found = measured(rows, unit="user")
    assert found.n_units == rows.groupby("variant")["user"].nunique().to_dict()
    for metric in METRICS:
        if getattr(metric, "covariates", ()):
            continue
        (arm,) = found.adjusted(metric, ["A"]).arms
        own = rows[rows["variant"] == "A"].dropna(subset=list(metric.columns))
        top, bottom = (metric.columns[0], metric.columns[1] if "/" in metric.name else None)
        counts = own[bottom] if bottom else pd.Series(1.0, index=own.index)
        sums = pd.DataFrame({"top": own[top], "bottom": counts, "user": own["user"]})
        sums = sums.groupby("user")[["top", "bottom"]].sum()
        off = sums["top"] - arm.estimate * sums["bottom"]
        assert arm.estimate == pytest.approx(sums["top"].sum() / sums["bottom"].sum())
        assert arm.n == len(sums)
        assert arm.variance == pytest.approx(off.var() / sums["bottom"].mean() ** 2)


def test_a_unit_copied_says_no_more_than_once() -> None:
    rows = frame().drop_duplicates("user")
    copied = pd.concat([rows] * 5)
    once = measured(rows).adjusted(METRICS[0], "AB").arms
    often = measured(copied, unit="user").adjusted(METRICS[0], "AB").arms
    for one, other in zip(once, often, strict=True):
        assert other.estimate == pytest.approx(one.estimate)
        assert other.se == pytest.approx(one.se)


def test_what_cannot_be_measured_is_refused() -> None:
    rows = frame()
    with pytest.raises(ValueError, match=r"bought must hold 0 and 1, got 2\.0 in row 3\."):
        measured(rows.assign(bought=np.where(np.arange(400) == 3, 2.0, 1.0)))
    with pytest.raises(ValueError, match="visits must be finite or missing, got inf in row 5"):
        measured(rows.assign(visits=np.where(np.arange(400) == 5, np.inf, 1.0)))
    with pytest.raises(ValueError, match="visits, summed over each unit's rows, must be finite"):
        measured(rows.assign(visits=np.inf), unit="user")
    part = measure(read_rows(rows, variant="variant", columns=COLUMNS), METRICS[:1])
    with pytest.raises(ValueError, match="same metrics adds up"):
        _ = measured(rows) + part


def test_a_variant_without_values_says_nothing() -> None:
    rows = frame()
    rows.loc[rows["variant"] == "A", "revenue"] = np.nan
    for unit in (None, "user"):
        arm, _ = measured(rows, unit=unit).adjusted(METRICS[1], ["A", "B"]).arms
        assert arm.n == 0
        assert isnan(arm.estimate)


@pytest.mark.parametrize("unit", [None, "user"])
def test_quantiles_and_cut_means_need_all_rows(unit: str | None) -> None:
    rows = frame(gaps=True)
    metrics: list[Metric] = [Quantile("revenue", 0.9), Mean("revenue", winsorize=(0.1, 0.9))]
    found = measure(read_rows(rows, variant="variant", columns=["revenue"], unit=unit), metrics)
    own = rows.loc[rows["variant"] == "A", "revenue"]
    assert found.missing[metrics[0]]["A"] == own.isna().sum() == found.missing[metrics[1]]["A"]
    (quantile,), (mean,) = (found.adjusted(metric, ["A"]).arms for metric in metrics)
    assert quantile.estimate == pytest.approx(own.quantile(0.9))
    cut = own.clip(*rows["revenue"].quantile([0.1, 0.9]))
    assert mean.estimate == pytest.approx(cut.mean())
    assert isnan(found.skewness(metrics[0], "A"))
    if unit is None:
        assert found.n_units["A"] == mean.n + own.isna().sum()
    with pytest.raises(ValueError, match="needs all rows at once: its parts do not add up"):
        _ = found + found
