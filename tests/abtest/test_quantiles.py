"""Quantiles of arms beside scipy's intervals, tea-tasting's bootstrap and simulated coverage."""

from math import inf, isnan, nan
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tea_tasting as tt
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextcall.abtest.effect import difference
from nextcall.abtest.metrics import Quantile
from nextcall.abtest.quantiles import quantile_arm, quantile_arms, quantile_interval
from nextcall.abtest.relative_effect import relative_difference
from nextcall.abtest.resampled_quantiles import resampled_difference
from nextcall.abtest.rows import read_rows


@given(
    n=st.integers(1, 400),
    share=st.floats(0.01, 0.99),
    alpha=st.sampled_from([0.001, 0.05, 0.5]),
    ties=st.booleans(),
)
def test_intervals_of_order_statistics_are_scipys(
    n: int, share: float, alpha: float, *, ties: bool
) -> None:
    values = np.random.default_rng(n).normal(size=n).round(0 if ties else 9)
    low, high = quantile_interval(values, share, alpha=alpha)
    known: Any = stats.quantile_test(values, p=share).confidence_interval(1 - alpha)
    assert low == (-inf if isnan(known.low) else known.low)
    assert high == (inf if isnan(known.high) else known.high)


def test_no_rows_have_no_interval() -> None:
    assert quantile_interval([], 0.5) == (-inf, inf)


def test_the_bootstraps_interval_is_tea_tastings() -> None:
    rng = np.random.default_rng(5)
    control, treatment = rng.lognormal(size=500), rng.lognormal(0.2, size=400)
    frame = pd.DataFrame(
        {"variant": [0] * 500 + [1] * 400, "y": np.concatenate([control, treatment])}
    )
    metric = tt.Quantile("y", 0.8, n_resamples=4_000, method="basic", rng=1)
    known = tt.Experiment(y=metric).analyze(frame)["y"]
    found = resampled_difference(control, treatment, 0.8, interval="basic")
    assert found.value == pytest.approx(known.effect_size)
    assert found.ci_lower == pytest.approx(known.effect_size_ci_lower, abs=0.2 * found.se)
    assert found.ci_upper == pytest.approx(known.effect_size_ci_upper, abs=0.2 * found.se)


@pytest.mark.parametrize("interval", ["percentile", "basic"])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_pvalues_are_the_levels_whose_interval_just_holds_the_null(
    interval: str, alternative: str
) -> None:
    rng = np.random.default_rng(8)
    options = {"interval": interval, "alternative": alternative, "null": 0.1}
    data = rng.gamma(2.0, size=90), rng.gamma(2.3, size=110)
    pvalue = resampled_difference(*data, 0.6, **options).pvalue  # type: ignore[arg-type]
    assert 0.01 < pvalue < 0.99
    for alpha in (pvalue * 0.99, min(pvalue * 1.01, 0.999)):
        found = resampled_difference(*data, 0.6, alpha=alpha, **options)  # type: ignore[arg-type]
        assert (found.ci_lower <= 0.1 <= found.ci_upper) == (alpha < pvalue)


def test_methods_agree_where_rows_are_many() -> None:
    values = np.random.default_rng(0).normal(size=50_000)
    density = stats.norm.pdf(stats.norm.ppf(0.9))
    known = np.sqrt(0.9 * 0.1 / 50_000) / density
    for method in ("resampled", "spacing"):
        found = quantile_arm(values, 0.9, method=method)
        assert found.arm.se == pytest.approx(known, rel=0.15)
        assert (found.design_effect, found.warnings) == (1.0, ())


def test_rows_of_a_unit_that_are_copies_tell_nothing_new() -> None:
    values = np.random.default_rng(1).normal(size=400)
    alone = quantile_arm(values, 0.5, units=np.arange(400) * 3)
    copies = quantile_arm(np.repeat(values, 5), 0.5, units=np.repeat(np.arange(400), 5))
    assert alone.design_effect == pytest.approx(1.0)
    assert alone.arm == quantile_arm(values, 0.5).arm
    assert copies.design_effect == pytest.approx(5.0, rel=0.01)
    assert copies.arm.n == 400
    assert copies.arm.se == pytest.approx(alone.arm.se, rel=0.3)


def covered(share: float, n: int, runs: int, *, units: int = 0) -> float:
    """Give the share of runs of equal arms whose interval holds 0."""
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(runs):
        arms = []
        for _ in range(2):
            codes = np.sort(rng.integers(0, units or n, n)) if units else None
            shift = 0.0 if codes is None else rng.normal(size=units)[codes]
            arms.append(quantile_arm(np.exp(rng.normal(size=n) + shift), share, units=codes).arm)
        effect = difference(*arms)
        hits += effect.ci_lower <= 0 <= effect.ci_upper
    return hits / runs


@pytest.mark.parametrize(("share", "n", "units"), [(0.5, 100, 0), (0.9, 100, 0), (0.5, 400, 80)])
def test_intervals_cover_what_they_promise(share: float, n: int, units: int) -> None:
    runs = 150
    error = np.sqrt(0.05 * 0.95 / runs)
    assert abs(covered(share, n, runs, units=units) - 0.95) < 0.01 + 3 * error


def test_rows_without_their_units_would_cover_too_little() -> None:
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(100), 10)
    values = rng.normal(size=1_000) + 2 * rng.normal(size=100)[codes]
    clustered, naive = quantile_arm(values, 0.5, units=codes), quantile_arm(values, 0.5)
    assert clustered.arm.se > 1.8 * naive.arm.se


def test_equal_rows_leave_nothing_to_test() -> None:
    arm = quantile_arm(np.full(50, 3.0), 0.5, name="latency")
    assert arm.arm.variance == 0.0
    assert arm.warnings == (
        "latency: rows around the quantile 0.5 are equal; no test can be made.",
    )
    effect = difference(arm.arm, quantile_arm(np.full(40, 5.0), 0.5).arm)
    assert (effect.value, effect.ci_lower, effect.ci_upper) == (2.0, 2.0, 2.0)
    assert isnan(effect.pvalue)
    found = resampled_difference(np.full(5, 3.0), np.full(5, 3.0), 0.5)
    assert (found.ci_lower, found.ci_upper, found.pvalue) == (0.0, 0.0, 1.0)


def test_few_rows_and_ties_are_told() -> None:
    few = quantile_arm(np.arange(100.0), 0.99).warnings
    assert few == (
        (
            "values: too few rows for the quantile 0.99; some 1 lie beyond it, and below 25 "
            "intervals may miss their level."
        ),
    )
    tied = quantile_arm(np.random.default_rng(0).poisson(2.0, 400), 0.5).warnings
    assert len(tied) == 1
    assert "it moves in steps" in tied[0]


def test_one_unit_has_no_error() -> None:
    for units in (None, np.array([4])):
        found = quantile_arm([2.0], 0.5, units=units)
        assert (found.arm.n, found.arm.estimate) == (1, 2.0)
        assert isnan(found.arm.variance)
    cluster = quantile_arm(np.arange(9.0), 0.5, units=np.zeros(9, dtype=np.int64))
    assert cluster.warnings == ("values: one unit; the error of the quantile is unknown.",)
    other = quantile_arm(np.arange(20.0), 0.5)
    effect = difference(cluster.arm, other.arm)
    assert (effect.ci_lower, effect.ci_upper) == (-inf, inf)
    none = resampled_difference([1.0], [2.0, 3.0], 0.5)
    assert (none.value, none.ci_lower, none.ci_upper) == (1.5, -inf, inf)


@pytest.mark.parametrize("unit", [None, "user"])
def test_arms_of_a_table_leave_missing_rows_out(unit: str | None) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": np.arange(600) // 3, "latency": rng.gamma(2.0, size=600)})
    frame["variant"] = np.where(frame["user"] % 3 == 0, "A", "B")
    frame.loc[::7, "latency"] = nan
    rows = read_rows(frame, variant="variant", columns=["latency"], unit=unit)
    found = quantile_arms(rows, Quantile("latency", 0.5))
    whole = frame.dropna()
    for variant, arm in found.items():
        own = whole[whole["variant"] == variant]
        units = None if unit is None else own["user"].to_numpy()
        assert arm == quantile_arm(own["latency"], 0.5, units=units)
    frame.loc[1, "latency"] = inf
    rows = read_rows(frame, variant="variant", columns=["latency"])
    with pytest.raises(ValueError, match="latency of A must be finite, got inf"):
        quantile_arms(rows, Quantile("latency", 0.5))


def test_no_rows_are_unknown() -> None:
    found = quantile_arm([], 0.5)
    assert isnan(found.arm.estimate)
    assert found.warnings == ("values: no rows; the quantile is unknown.",)
    assert isnan(resampled_difference([], [1.0], 0.5).value)
    assert isnan(relative_difference(found.arm, quantile_arm(np.arange(9.0), 0.5).arm).value)


@pytest.mark.parametrize("values", [[1.0, nan], [inf, 1.0]])
def test_what_is_not_finite_is_refused_by_name(values: list[float]) -> None:
    with pytest.raises(ValueError, match="latency must be finite, got"):
        quantile_arm(values, 0.5, name="latency")
    with pytest.raises(ValueError, match="treatment must be finite, got"):
        resampled_difference([1.0], values, 0.5)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="share must lie between 0 and 1, got 1"):
        quantile_arm([1.0], 1.0)
    with pytest.raises(ValueError, match="method must be one of"):
        quantile_arm([1.0], 0.5, method="kernel")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="interval must be one of"):
        resampled_difference([1.0], [1.0], 0.5, interval="bca")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one dimension, got 2"):
        quantile_arm([[1.0]], 0.5)
    with pytest.raises(ValueError, match="units must be as many as values, got 2 for 1"):
        quantile_arm([1.0], 0.5, units=np.array([0, 1]))


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_an_error_whose_square_is_no_float_is_refused(scale: float) -> None:
    values = np.arange(40.0) * scale
    with pytest.raises(ValueError, match="latency must have an error whose square is a float"):
        quantile_arm(values, 0.5, name="latency")
    assert quantile_arm(np.full(40, 3 * scale), 0.5).arm.variance == 0
