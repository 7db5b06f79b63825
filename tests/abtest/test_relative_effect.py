"""Relative effects beside simulation, the tests that they invert, and scipy."""

from math import inf, isnan, nan, sqrt

import numpy as np
import pytest
from scipy import stats

from nextcall.abtest.effect import Arm
from nextcall.abtest.means import mean_arm
from nextcall.abtest.moments import Moments
from nextcall.abtest.relative_effect import fieller, relative_difference


def arms(n: tuple[int, int] = (40, 70)) -> tuple[Arm, Arm]:
    rng = np.random.default_rng(0)
    one, other = rng.normal(10, 2, n[0]), rng.normal(11, 3, n[1])
    return mean_arm(Moments.of(one)), mean_arm(Moments.of(other))


def test_the_relative_difference_is_the_delta_methods() -> None:
    control, treatment = arms(n=(4000, 7000))
    found = relative_difference(control, treatment, null=0.05)
    rng = np.random.default_rng(1)
    drawn = rng.normal(treatment.estimate, treatment.se, 400_000) / rng.normal(
        control.estimate, control.se, 400_000
    )
    assert found.value == pytest.approx(treatment.estimate / control.estimate - 1)
    assert found.se == pytest.approx(drawn.std(), rel=0.01)
    assert found.null == 0.05


def test_fiellers_interval_holds_where_the_test_of_its_linear_form_does() -> None:
    control, treatment = arms()
    for bound in fieller(control, treatment, alpha=0.1, normal=True):
        ratio = bound + 1
        error = sqrt(treatment.se**2 + ratio**2 * control.se**2)
        z = (treatment.estimate - ratio * control.estimate) / error
        assert abs(z) == pytest.approx(stats.norm.isf(0.05), rel=1e-9)


def test_a_control_near_zero_has_no_relative_effect_to_speak_of() -> None:
    control, treatment = Arm(n=50, estimate=0.1, variance=9.0), Arm(n=50, estimate=1, variance=9)
    assert fieller(control, treatment) == (-inf, inf)
    zero = Arm(n=50, estimate=0.0, variance=9.0)
    assert fieller(zero, treatment) == (-inf, inf)
    found = relative_difference(zero, treatment)
    assert isnan(found.value)
    assert (found.ci_lower, found.ci_upper) == (-inf, inf)


def test_a_control_that_never_varies_is_a_plain_divisor() -> None:
    one, other = np.full(50, 3.0), np.random.default_rng(0).normal(4, 1, 50)
    control, treatment = mean_arm(Moments.of(one)), mean_arm(Moments.of(other))
    expected = stats.ttest_1samp(other, 3.0).confidence_interval()
    assert fieller(control, treatment) == pytest.approx(
        (expected.low / 3 - 1, expected.high / 3 - 1)
    )


def test_two_arms_that_never_vary_have_a_difference_and_no_test() -> None:
    control, treatment = Arm(n=5, estimate=1.0, variance=0), Arm(n=5, estimate=2.0, variance=0)
    found = relative_difference(control, treatment)
    assert (found.value, found.ci_lower, found.ci_upper) == (1.0, 1.0, 1.0)
    assert isnan(found.pvalue)
    assert fieller(control, treatment) == (-inf, inf)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_units_say_nothing(n: int) -> None:
    control, treatment = Arm(n=n, estimate=1.0, variance=nan), Arm(n=5, estimate=2.0, variance=1)
    found = relative_difference(control, treatment)
    assert isnan(found.pvalue)
    assert (found.ci_lower, found.ci_upper) == (-inf, inf)


def test_a_relative_effect_of_arms_a_world_apart_has_its_error() -> None:
    near, far = Arm(n=9, estimate=2e-100, variance=1e-200), Arm(n=9, estimate=4e100, variance=1e200)
    found = relative_difference(near, far)
    assert found.value == pytest.approx(2e200, rel=1e-12)
    assert found.se == pytest.approx(2e200 * sqrt(1 / 36 + 1 / 144), rel=1e-12)  # shares: 1/6, 1/12
