"""Adjusted means and ratios beside regression on the rows and a jackknife."""

from dataclasses import replace
from math import isnan

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from nextcall.abtest.effect import difference
from nextcall.abtest.means import adjusted_means, adjusted_ratios, mean_arm, ratio_arm
from nextcall.abtest.moments import Moments


def users(n: int, *, seed: int, lift: float = 0.0) -> np.ndarray:
    """Give numerator, denominator and the same before the test, of each user."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(4.0, 0.5, n)
    sessions, before = rng.poisson(5, n) + 1, rng.poisson(5, n) + 1
    clicks = rng.poisson(sessions * (rate + lift))
    return np.column_stack([clicks, sessions, rng.poisson(before * rate), before]).astype(float)


def test_one_covariate_takes_out_what_a_regression_on_it_explains() -> None:
    arms = [users(300, seed=seed)[:, [0, 2, 1]] for seed in (0, 1)]
    found = adjusted_means([Moments.of(arm) for arm in arms])
    rows = np.concatenate(arms)
    fit = sm.OLS(rows[:, 0], sm.add_constant(rows[:, 1:])).fit()
    assert found.theta == pytest.approx(fit.params[1:].tolist())
    centred = rows[:, 0] - (rows[:, 1:] - rows[:, 1:].mean(axis=0)) @ fit.params[1:]
    for arm, values in zip(found.arms, np.split(centred, 2), strict=True):
        assert arm.estimate == pytest.approx(values.mean())
        assert arm.variance == pytest.approx(values.var(ddof=1))


@pytest.mark.parametrize("rho", [0.5, 0.7, 0.9])
def test_the_variance_falls_to_one_minus_rho_squared(rho: float) -> None:
    rng = np.random.default_rng(3)
    before = rng.normal(size=200_000)
    values = np.column_stack(
        [rho * before + np.sqrt(1 - rho**2) * rng.normal(size=200_000), before]
    )
    found = adjusted_means([Moments.of(half) for half in np.split(values, 2)])
    assert 1 - found.variance_reduction == pytest.approx(1 - rho**2, rel=0.02)


def test_without_covariates_nothing_changes() -> None:
    arms = [Moments.of(users(50, seed=seed)[:, 0]) for seed in (0, 1)]
    found = adjusted_means(arms)
    for one, other in zip(found.arms, arms, strict=True):
        assert replace(one, rest=0.0) == replace(mean_arm(other), rest=0.0)
    assert (found.theta, found.variance_reduction) == ((), 0.0)


def test_a_constant_covariate_and_a_copy_do_no_harm() -> None:
    rows = users(100, seed=0)
    good = rows[:, [0, 2]]
    poor = np.column_stack([good, np.full(100, 7.0), good[:, 1]])
    expected = adjusted_means([Moments.of(good[:50]), Moments.of(good[50:])])
    found = adjusted_means([Moments.of(poor[:50]), Moments.of(poor[50:])])
    for one, other in zip(found.arms, expected.arms, strict=True):
        assert one.estimate == pytest.approx(other.estimate)
        assert one.variance == pytest.approx(other.variance)


def test_a_metric_that_never_varies_loses_nothing() -> None:
    rows = np.column_stack([np.full(20, 2.0), np.arange(20.0)])
    assert adjusted_means([Moments.of(rows)] * 2).variance_reduction == 0.0


def test_a_ratios_error_is_that_of_the_jackknife() -> None:
    rows = users(400, seed=0)[:, :2]
    arm = ratio_arm(Moments.of(rows))
    without = (rows[:, 0].sum() - rows[:, 0]) / (rows[:, 1].sum() - rows[:, 1])
    jackknife = np.sqrt((len(rows) - 1) * without.var())
    assert arm.estimate == pytest.approx(rows[:, 0].sum() / rows[:, 1].sum())
    assert arm.se == pytest.approx(jackknife, rel=0.01)


def test_an_adjusted_ratio_is_right_on_average_and_varies_less() -> None:
    found, raw = [], []
    for seed in range(300):
        arms = [Moments.of(users(200, seed=2 * seed)), Moments.of(users(200, seed=2 * seed + 1))]
        adjusted = adjusted_ratios(arms)
        found.append((difference(*adjusted.arms), adjusted.variance_reduction))
        raw.append(difference(*(ratio_arm(arm.columns([0, 1])) for arm in arms)).value)
    values = np.array([effect.value for effect, _ in found])
    errors = np.array([effect.se for effect, _ in found])
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(300)
    assert values.std() == pytest.approx(errors.mean(), rel=0.15)
    kept = 1 - np.mean([share for _, share in found])
    assert values.var() / np.var(raw) == pytest.approx(kept, rel=0.25)
    assert kept < 0.6


def test_a_ratio_of_nothing_is_unknown() -> None:
    rows = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [0.0, 0.0, 0.0]}).to_numpy()
    assert isnan(ratio_arm(Moments.of(rows)).estimate)
    assert isnan(ratio_arm(Moments.empty(2)).variance)
    whole = Moments.of(np.column_stack([rows, rows]))
    assert adjusted_ratios([whole, whole]).theta == ()


def test_ratios_to_a_count_are_means() -> None:
    rows = [users(300, seed=seed)[:, [0, 2, 1]] for seed in (0, 1)]
    expected = adjusted_means([Moments.of(arm) for arm in rows])
    ones = np.ones(300)
    found = adjusted_ratios(
        [Moments.of(np.column_stack([a[:, 0], ones, a[:, 1], ones, a[:, 2], ones])) for a in rows]
    )
    assert found.theta == pytest.approx(expected.theta, rel=0.1)  # within arms, not over both
    for one, other in zip(found.arms, expected.arms, strict=True):
        assert one.estimate == pytest.approx(other.estimate, rel=0.01)
        assert one.variance == pytest.approx(other.variance, rel=0.01)


def test_a_ratio_that_no_unit_departs_from_has_no_error() -> None:
    rng = np.random.default_rng(5)
    sessions = rng.poisson(4, 300) + 1.0
    for share in (1.0, 0.3, 1 / 3):
        arm = ratio_arm(Moments.of(np.column_stack([share * sessions, sessions])))
        assert arm.estimate == pytest.approx(share)
        assert arm.variance == 0
    before = rng.poisson(4, (300, 2)) + 1.0
    rows = np.column_stack([0.3 * sessions, sessions, before])
    found = adjusted_ratios([Moments.of(rows[:100]), Moments.of(rows[100:])])
    assert [arm.variance for arm in found.arms] == [0.0, 0.0]


def test_a_covariate_that_tells_all_leaves_no_variance() -> None:
    before = np.random.default_rng(6).gamma(2.0, 5.0, 203)
    for metric in (before, 0.3 * before, before * 1e30, np.full(203, 0.7e30)):
        rows = np.column_stack([metric, before])
        found = adjusted_means([Moments.of(rows[:200]), Moments.of(rows[200:])])
        assert [arm.variance for arm in found.arms] == [0.0, 0.0]
    noisy = np.column_stack([before + 1e-5 * np.arange(203.0), before])
    found = adjusted_means([Moments.of(noisy[:200]), Moments.of(noisy[200:])])
    assert all(arm.variance > 1e-11 for arm in found.arms)


def test_scales_of_metric_and_covariate_may_be_a_world_apart() -> None:
    rng = np.random.default_rng(7)
    before = rng.gamma(2.0, 5.0, 60)
    rows = np.column_stack([before + rng.normal(size=60), before])
    far = rows * np.array([1e70, 1e-100])
    plain, found = (
        adjusted_means([Moments.of(each[:30]), Moments.of(each[30:])]) for each in (rows, far)
    )
    for arm, other in zip(plain.arms, found.arms, strict=True):
        assert other.variance == pytest.approx(arm.variance * 1e140, rel=1e-9)
