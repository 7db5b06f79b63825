from collections import Counter
from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from nextcall.abtest.dunnett import Largest, dunnett
from nextcall.abtest.effect import Alternative, Arm, difference
from nextcall.abtest.multiplicity import adjusted_pvalues

SIDES: tuple[Alternative, ...] = ("two-sided", "greater", "less")


def arm_of(values: NDArray[np.float64]) -> Arm:
    return Arm(n=len(values), estimate=float(values.mean()), variance=float(values.var(ddof=1)))


@pytest.mark.parametrize("sizes", [(20, 20, 20, 20), (1000, 100, 30, 30), (8, 60)])
@pytest.mark.parametrize("side", SIDES)
def test_agrees_with_scipy_s_simulation(sizes: tuple[int, ...], side: Alternative) -> None:
    rng = np.random.default_rng(sum(sizes))
    rows = [rng.normal(0.3 * (place > 0), 1, n) for place, n in enumerate(sizes)]
    found = dunnett(arm_of(rows[0]), [arm_of(row) for row in rows[1:]], alternative=side)
    other = stats.dunnett(*rows[1:], control=rows[0], alternative=side, rng=rng)
    assert [each.pvalue for each in found.effects] == pytest.approx(other.pvalue, abs=2e-4)
    interval = other.confidence_interval()
    assert [each.ci_lower for each in found.effects] == pytest.approx(interval.low, abs=5e-3)
    assert [each.ci_upper for each in found.effects] == pytest.approx(interval.high, abs=5e-3)


# Dunnett (1964), Biometrics 20(3), and (1955), JASA 50(272): tables of critical values.
@pytest.mark.parametrize(
    ("treatments", "dof", "alpha", "two_sided", "value"),
    [
        (3, 20, 0.05, True, 2.54),
        (3, 20, 0.05, False, 2.19),
        (9, 5, 0.05, True, 3.97),
        (2, 10, 0.01, False, 3.11),
    ],
)
def test_critical_values_are_those_of_the_tables(
    treatments: int, dof: int, alpha: float, *, two_sided: bool, value: float
) -> None:
    law = Largest(dof=dof, sizes=Counter({1.0: treatments}), two_sided=two_sided)
    assert law.critical(alpha) == pytest.approx(value, abs=0.0051)


@settings(max_examples=25)
@given(
    dof=st.sampled_from([1, 3, 30, 1000, 10**6]),
    size=st.sampled_from([1e-4, 0.1, 1.0, 50.0, 1e6]),
    value=st.floats(0.01, 30),
)
def test_one_treatment_is_student_s_test(dof: int, size: float, value: float) -> None:
    law = stats.t(dof)
    both = Largest(dof=dof, sizes=Counter([size]), two_sided=True).beyond(-value)
    assert both == pytest.approx(2 * law.sf(value), rel=1e-6, abs=1e-300)
    one = Largest(dof=dof, sizes=Counter([size]), two_sided=False)
    assert one.beyond(value) == pytest.approx(law.sf(value), rel=1e-6, abs=1e-300)
    assert one.beyond(-value) == pytest.approx(law.cdf(value), rel=1e-9)


def test_a_huge_control_leaves_treatments_independent() -> None:
    law = Largest(dof=1e9, sizes=Counter({1e-9: 4}), two_sided=True)
    assert law.beyond(2.5) == pytest.approx(1 - (1 - 2 * stats.norm.sf(2.5)) ** 4, rel=1e-5)
    tiny = Largest(dof=1e9, sizes=Counter({1e12: 4}), two_sided=True)
    assert tiny.beyond(2.5) == pytest.approx(2 * stats.norm.sf(2.5), rel=1e-3)


def test_sharper_than_holm_and_never_below_the_plain_test() -> None:
    control = Arm(n=50, estimate=10.0, variance=4.0)
    others = [Arm(n=50, estimate=10 + step, variance=4.0) for step in (0.2, 0.7, 0.9)]
    found = [each.pvalue for each in dunnett(control, others).effects]
    plain = [difference(control, other, pooled=True).pvalue for other in others]
    assert all(found > np.array(plain))
    assert min(found) < adjusted_pvalues(plain, method="holm").min()


def test_pvalue_and_interval_say_the_same() -> None:
    control = Arm(n=500, estimate=10.0, variance=4.0)
    others = [
        Arm(n=n, estimate=10 + step, variance=4.0)
        for n, step in ((40, 0.5), (500, 0.3), (2000, -0.25), (2000, 0.2))
    ]
    for side in SIDES:
        for alpha in (0.001, 0.05, 0.5):
            for each in dunnett(control, others, alpha=alpha, alternative=side).effects:
                assert (each.pvalue < alpha) == (not each.ci_lower <= 0 <= each.ci_upper)


def test_all_intervals_hold_together() -> None:
    rng, runs, alpha = np.random.default_rng(8), 3000, 0.1
    law = Largest(dof=27, sizes=Counter({1.0: 2}), two_sided=True)
    rows = rng.normal(size=(runs, 3, 10))
    means, sd = rows.mean(axis=2), np.sqrt(rows.var(axis=2, ddof=1).mean(axis=1))
    t = (means[:, 1:] - means[:, :1]) / (sd * np.sqrt(0.2))[:, None]
    false = np.mean(np.abs(t).max(axis=1) > law.critical(alpha))
    assert false == pytest.approx(alpha, abs=3 * np.sqrt(alpha * (1 - alpha) / runs))


def test_small_pvalues_keep_their_digits() -> None:
    law = Largest(dof=50, sizes=Counter({1.0: 3}), two_sided=True)
    # Far out, at most one treatment is beyond: three times the plain test's.
    assert law.beyond(40) == pytest.approx(6 * stats.t(50).sf(40), rel=0.05)
    assert Largest(dof=10**4, sizes=Counter({1.0: 3}), two_sided=True).beyond(1e9) == 0


def test_arms_that_do_not_vary_or_stand_alone_allow_no_test() -> None:
    still = Arm(n=50, estimate=10.0, variance=0.0)
    found = dunnett(still, [still, Arm(n=5, estimate=11.0, variance=0.0)], alternative="less")
    assert isnan(found.critical)
    assert isnan(found.effects[1].pvalue)
    assert (found.effects[1].ci_lower, found.effects[1].ci_upper) == (-inf, 1.0)
    alone = Arm(n=1, estimate=1.0, variance=nan)
    found = dunnett(alone, [alone])
    assert (found.effects[0].ci_lower, found.effects[0].ci_upper) == (-inf, inf)
    one = dunnett(Arm(n=10, estimate=1.0, variance=2.0), [alone])
    assert one.dof == 9
    assert one.effects[0].se == pytest.approx(np.sqrt(2 * 1.1))


def test_what_is_no_arm_is_refused() -> None:
    control = Arm(n=50, estimate=10.0, variance=4.0)
    with pytest.raises(ValueError, match="treatments must hold at least one arm, got 0"):
        dunnett(control, [])
    with pytest.raises(ValueError, match=r"n of each arm must be at least 1, got 0\."):
        dunnett(control, [Arm(n=0, estimate=1.0, variance=1.0)])
