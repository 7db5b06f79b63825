from math import inf, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats import proportion as peer

from nextcall.abtest.effect import Alternative
from nextcall.abtest.share_effects import (
    agresti_caffo_difference,
    log_ratio,
    newcombe_difference,
    ratio_se,
    share_difference,
)
from nextcall.abtest.shares import Share

SIDES: dict[Alternative, str] = {"two-sided": "two-sided", "greater": "larger", "less": "smaller"}


@st.composite
def shares(draw: st.DrawFn) -> Share:
    n = draw(st.integers(2, 10**6))
    return Share(successes=draw(st.integers(1, n - 1)), n=n)


def interval(control: Share, treatment: Share, **options: object) -> tuple[float, float]:
    found = peer.confint_proportions_2indep(
        treatment.successes, treatment.n, control.successes, control.n, **options
    )
    return float(found[0]), float(found[1])


@given(control=shares(), treatment=shares(), alternative=st.sampled_from(list(SIDES)))
def test_z_tests_agree_with_statsmodels(
    control: Share, treatment: Share, alternative: Alternative
) -> None:
    counts, sizes = [treatment.successes, control.successes], [treatment.n, control.n]
    side = SIDES[alternative]
    pooled = share_difference(control, treatment, pooled=True, alternative=alternative)
    z, pvalue = peer.proportions_ztest(counts, sizes, alternative=side)
    assert pooled.value / pooled.se == pytest.approx(z, rel=1e-6, abs=1e-9)
    assert pooled.pvalue == pytest.approx(pvalue, rel=1e-5, abs=1e-12)
    wald = share_difference(control, treatment, alternative=alternative)
    other = peer.test_proportions_2indep(
        counts[0], sizes[0], counts[1], sizes[1], method="wald", correction=False, alternative=side
    )
    assert wald.pvalue == pytest.approx(other.pvalue, rel=1e-5, abs=1e-12)


@given(control=shares(), treatment=shares(), alpha=st.sampled_from([0.001, 0.05, 0.5]))
def test_intervals_agree_with_statsmodels(control: Share, treatment: Share, alpha: float) -> None:
    wald = share_difference(control, treatment, alpha=alpha)
    pairs = [
        ((wald.ci_lower, wald.ci_upper), {"method": "wald"}),
        (newcombe_difference(control, treatment, alpha=alpha), {"method": "newcomb"}),
        (agresti_caffo_difference(control, treatment, alpha=alpha), {"method": "agresti-caffo"}),
        (log_ratio(control, treatment, alpha=alpha), {"compare": "ratio", "method": "log"}),
        (
            log_ratio(control, treatment, adjusted=True, alpha=alpha),
            {"compare": "ratio", "method": "log-adjusted"},
        ),
    ]
    for found, options in pairs:
        other = interval(control, treatment, alpha=alpha, **options)
        assert found == pytest.approx(other, rel=1e-9, abs=1e-11)


def test_newcombe_s_published_interval() -> None:
    # Newcombe (1998), Statistics in Medicine 17(8), table II, method 10.
    low, high = newcombe_difference(Share(successes=0, n=29), Share(successes=5, n=56))
    assert (low, high) == pytest.approx((-0.0381, 0.1926), abs=5e-5)


@pytest.mark.parametrize("side", ["greater", "less"])
def test_one_sided_intervals_are_the_wider_level_s_ends(side: Alternative) -> None:
    control, treatment = Share(successes=12, n=90), Share(successes=30, n=100)
    place = 0 if side == "greater" else 1
    for method in (newcombe_difference, agresti_caffo_difference, log_ratio):
        one = method(control, treatment, alpha=0.025, alternative=side)
        two = method(control, treatment, alpha=0.05)
        assert one[place] == pytest.approx(two[place], rel=1e-12)
        assert one[1 - place] in {inf, -inf, 0.0}
    past = newcombe_difference(control, treatment, alpha=0.9, alternative=side)
    value = treatment.value - control.value
    assert (past[place] > value) == (side == "greater")


def test_arms_without_successes() -> None:
    none, some = Share(successes=0, n=20), Share(successes=5, n=20)
    assert log_ratio(none, some) == (0.0, inf)
    assert log_ratio(some, none) == (0.0, inf)
    low, high = log_ratio(none, some, adjusted=True)
    assert 0 < low < high < inf
    assert isnan(ratio_se(none, some))
    assert isnan(share_difference(none, none).pvalue)
    assert newcombe_difference(none, none)[0] < 0 < newcombe_difference(none, none)[1]
