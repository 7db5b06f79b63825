from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.abtest.effect import Alternative
from nextcall.abtest.proportions import compare_proportions
from nextcall.abtest.score_intervals import score_difference
from nextcall.abtest.share_tests import exact_pvalue
from nextcall.abtest.shares import Share, share_interval


@given(
    x=st.integers(100, 900),
    y=st.integers(100, 900),
    alternative=st.sampled_from(["two-sided", "greater", "less"]),
    alpha=st.sampled_from([0.001, 0.05, 0.5]),
)
def test_pvalue_and_both_intervals_say_the_same(
    x: int, y: int, alternative: Alternative, alpha: float
) -> None:
    found = compare_proportions(
        Share(successes=x, n=1000),
        Share(successes=y, n=1100),
        alternative=alternative,
        alpha=alpha,
    )
    assert found.test == "score"
    for effect in (found.difference, found.relative):
        assert (effect.pvalue < alpha) == (not effect.ci_lower <= 0 <= effect.ci_upper)
        assert effect.pvalue == found.difference.pvalue


def test_small_cells_get_an_exact_test() -> None:
    control, treatment = Share(successes=0, n=30), Share(successes=4, n=30)
    found = compare_proportions(control, treatment)
    assert found.test == "boschloo"
    assert found.difference.pvalue == exact_pvalue(control, treatment)
    assert (found.difference.ci_lower, found.difference.ci_upper) == score_difference(
        control, treatment
    )
    rare = Share(successes=1, n=10**6), Share(successes=8, n=10**6)
    assert compare_proportions(*rare).test == "fisher"
    assert compare_proportions(*rare, test="score").test == "score"
    assert compare_proportions(rare[0], Share(successes=2, n=10**10)).test == "score"
    assert compare_proportions(control, control, test="exact").difference.pvalue == 1.0
    common = Share(successes=40, n=90), Share(successes=50, n=90)
    assert compare_proportions(*common, test="exact").test == "boschloo"


def test_control_without_successes_has_no_relative_effect() -> None:
    found = compare_proportions(Share(successes=0, n=500), Share(successes=20, n=500)).relative
    assert isnan(found.value)
    assert isnan(found.se)
    assert found.ci_lower > 0
    assert found.ci_upper == inf


def test_equal_constant_arms_show_nothing() -> None:
    found = compare_proportions(Share(successes=9, n=9), Share(successes=9, n=9), test="score")
    assert found.difference.pvalue == 1.0
    assert found.difference.value == found.relative.value == 0.0


def test_intervals_of_arms_are_wilson_s() -> None:
    control, treatment = Share(successes=120, n=1000), Share(successes=150, n=1010)
    found = compare_proportions(control, treatment, alpha=0.1)
    assert found.control_interval == share_interval(control, alpha=0.1)
    assert found.treatment_interval == share_interval(treatment, alpha=0.1)


@pytest.mark.parametrize(("share", "n"), [(0.3, 100), (0.02, 400)])
def test_coverage_of_difference_and_ratio(share: float, n: int) -> None:
    rng, runs = np.random.default_rng(5), 400
    lift, inside = 1.3, np.zeros(2)
    draws = rng.binomial(n, [share, share * lift], size=(runs, 2))
    for x, y in draws:
        found = compare_proportions(
            Share(successes=int(x), n=n), Share(successes=int(y), n=n), test="score"
        )
        truths = share * (lift - 1), lift - 1
        for place, effect in enumerate((found.difference, found.relative)):
            inside[place] += effect.ci_lower <= truths[place] <= effect.ci_upper
    error = np.sqrt(0.05 * 0.95 / runs)
    assert np.all(np.abs(inside / runs - 0.95) < 3 * error + 0.005)


def test_an_unknown_test_is_refused() -> None:
    share = Share(successes=1, n=2)
    with pytest.raises(ValueError, match="test must be one of"):
        compare_proportions(share, share, test="z")  # type: ignore[arg-type]  # is what is tested
