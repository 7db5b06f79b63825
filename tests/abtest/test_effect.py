"""Tests and intervals of two arms beside scipy, statsmodels and simulation."""

from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from nextcall.abtest.effect import (
    Alternative,
    Arm,
    difference,
    effect_of,
)
from nextcall.abtest.means import mean_arm
from nextcall.abtest.moments import Moments

SIDES: tuple[Alternative, ...] = ("two-sided", "greater", "less")


def arms(seed: int = 0, n: tuple[int, int] = (40, 70)) -> tuple[Any, Any, Arm, Arm]:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(10, 2, n[0]), rng.normal(11, 3, n[1])
    return one, other, mean_arm(Moments.of(one)), mean_arm(Moments.of(other))


@pytest.mark.parametrize("alternative", SIDES)
@pytest.mark.parametrize("pooled", [False, True])
def test_differences_are_scipys(alternative: Alternative, *, pooled: bool) -> None:
    one, other, control, treatment = arms()
    found = difference(control, treatment, alpha=0.01, alternative=alternative, pooled=pooled)
    expected = stats.ttest_ind(other, one, equal_var=pooled, alternative=alternative)
    interval = expected.confidence_interval(0.99)
    assert found.pvalue == pytest.approx(expected.pvalue, rel=1e-12)
    assert found.dof == pytest.approx(expected.df, rel=1e-12)
    assert (found.ci_lower, found.ci_upper) == pytest.approx((interval.low, interval.high))


def test_the_normal_law_and_another_null_are_statsmodels() -> None:
    one, other, control, treatment = arms()
    found = difference(control, treatment, null=0.5, normal=True)
    compared = CompareMeans(DescrStatsW(other), DescrStatsW(one))
    _, expected = compared.ztest_ind(value=0.5, usevar="unequal")
    assert found.pvalue == pytest.approx(expected, rel=1e-10)
    low, high = compared.zconfint_diff(usevar="unequal")
    assert (found.ci_lower, found.ci_upper) == pytest.approx((low, high))


@given(
    value=st.floats(-1e6, 1e6),
    se=st.floats(1e-3, 1e3),
    dof=st.one_of(st.just(inf), st.floats(0.5, 1e9)),
    alpha=st.floats(1e-9, 0.999),
)
def test_laws_are_scipys_to_the_last_bit(value: float, se: float, dof: float, alpha: float) -> None:
    law = stats.norm() if dof == inf else stats.t(dof)
    z = value / se
    expected = {
        "two-sided": (law.isf(alpha / 2), min(1.0, 2 * law.sf(abs(z)))),
        "greater": (law.isf(alpha), law.sf(z)),
        "less": (law.isf(alpha), law.sf(-z)),
    }
    for side in SIDES:
        found = effect_of(value, se, dof=dof, alpha=alpha, alternative=side)
        reach, pvalue = expected[side]
        ends = (
            -inf if side == "less" else value - reach * se,
            inf if side == "greater" else value + reach * se,
        )
        assert (found.ci_lower, found.ci_upper, found.pvalue) == (*ends, pvalue)


def test_a_far_tail_keeps_its_digits() -> None:
    assert effect_of(30.0, 1.0).pvalue == pytest.approx(2 * stats.norm.sf(30.0), rel=1e-12)
    assert 0 < effect_of(30.0, 1.0).pvalue < 1e-190


def test_an_arm_that_never_varies_is_no_obstacle() -> None:
    one, other = np.full(50, 3.0), np.random.default_rng(0).normal(4, 1, 50)
    control, treatment = mean_arm(Moments.of(one)), mean_arm(Moments.of(other))
    found = difference(control, treatment)
    assert found.dof == pytest.approx(49)
    assert found.pvalue == pytest.approx(stats.ttest_1samp(other, 3.0).pvalue, rel=1e-9)


def test_two_arms_that_never_vary_have_a_difference_and_no_test() -> None:
    control, treatment = Arm(n=5, estimate=1.0, variance=0), Arm(n=5, estimate=2.0, variance=0)
    found = difference(control, treatment)
    assert (found.value, found.ci_lower, found.ci_upper) == (1.0, 1.0, 1.0)
    assert isnan(found.pvalue)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_units_say_nothing(n: int) -> None:
    control, treatment = Arm(n=n, estimate=1.0, variance=nan), Arm(n=5, estimate=2.0, variance=1)
    found = difference(control, treatment)
    assert isnan(found.pvalue)
    assert (found.ci_lower, found.ci_upper) == (-inf, inf)
    assert isnan(difference(control, control, pooled=True).se)
    assert isnan(Arm(n=0, estimate=nan, variance=nan).se)


def test_one_unit_beside_an_arm_of_the_same_variance_is_enough() -> None:
    control, treatment = [4.0], [1.0, 2.0, 2.5]
    arms = Arm(n=1, estimate=4.0, variance=nan), Arm(n=3, estimate=5.5 / 3, variance=7 / 12)
    found, peer = difference(*arms, pooled=True), stats.ttest_ind(treatment, control)
    assert (found.dof, found.pvalue) == pytest.approx((2, peer.pvalue), rel=1e-12)
    low, high = peer.confidence_interval()
    assert (found.ci_lower, found.ci_upper) == pytest.approx((low, high), rel=1e-12)


@given(value=st.floats(-5, 5), se=st.floats(0.01, 3), alpha=st.floats(0.001, 0.5))
def test_an_interval_excludes_the_null_where_the_test_rejects(
    value: float, se: float, alpha: float
) -> None:
    for side in SIDES:
        found = effect_of(value, se, dof=9.5, alpha=alpha, alternative=side, null=0.25)
        outside = not found.ci_lower <= 0.25 <= found.ci_upper
        if abs(found.pvalue - alpha) > 1e-9:
            assert outside == (found.pvalue < alpha)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha must lie between 0 and 1, got 2\."):
        effect_of(1.0, 1.0, alpha=2.0)
    with pytest.raises(ValueError, match=r"alternative must be one of .*, got 'both'"):
        effect_of(1.0, 1.0, alternative="both")  # type: ignore[arg-type]
