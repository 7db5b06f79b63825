from itertools import product
from math import comb, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextcall.abtest.effect import Alternative
from nextcall.abtest.share_tests import ExactMethod, exact_pvalue, yates_pvalue
from nextcall.abtest.shares import Share


@st.composite
def shares(draw: st.DrawFn, most: int) -> Share:
    n = draw(st.integers(1, most))
    return Share(successes=draw(st.integers(0, n)), n=n)


def plain_fisher(control: Share, treatment: Share, *, mid: bool) -> float:
    """Sum over every table with these margins, in whole numbers."""
    total = control.successes + treatment.successes
    ways = {
        x: comb(treatment.n, x) * comb(control.n, total - x)
        for x in range(max(0, total - control.n), min(treatment.n, total) + 1)
    }
    own = ways[treatment.successes]
    tail = sum(each for each in ways.values() if each <= own)
    return (tail - (own / 2 if mid else 0)) / sum(ways.values())


@given(control=shares(60), treatment=shares(60))
def test_fisher_and_mid_p_are_sums_over_tables(control: Share, treatment: Share) -> None:
    found = exact_pvalue(control, treatment, method="fisher")
    assert found == pytest.approx(plain_fisher(control, treatment, mid=False), rel=1e-9)
    if 0 < control.successes + treatment.successes < control.n + treatment.n:
        found = exact_pvalue(control, treatment, method="mid-p")
        assert found == pytest.approx(plain_fisher(control, treatment, mid=True), rel=1e-9)


@pytest.mark.parametrize("method", ["boschloo", "barnard"])
def test_unconditional_tests_hold_their_level_whatever_the_share(method: ExactMethod) -> None:
    n, m, alpha = 6, 8, 0.1
    tables = [
        (x, y)
        for x, y in product(range(n + 1), range(m + 1))
        if exact_pvalue(Share(successes=x, n=n), Share(successes=y, n=m), method=method) <= alpha
    ]
    for share in (0.05, 0.2, 0.37, 0.5, 0.8):
        chance = sum(stats.binom.pmf(x, n, share) * stats.binom.pmf(y, m, share) for x, y in tables)
        assert chance <= alpha + 1e-6


@pytest.mark.parametrize("side", ["greater", "less"])
def test_one_sided_tests_look_at_the_treatment(side: Alternative) -> None:
    control, treatment = Share(successes=1, n=12), Share(successes=8, n=12)
    for method in ("fisher", "mid-p", "boschloo", "barnard"):
        pvalue = exact_pvalue(control, treatment, method=method, alternative=side)
        assert (pvalue < 0.05) == (side == "greater")


@given(control=shares(10**5), treatment=shares(10**5))
def test_yates_agrees_with_scipy(control: Share, treatment: Share) -> None:
    if 0 < control.successes + treatment.successes < control.n + treatment.n:
        table = [
            [treatment.successes, treatment.failures],
            [control.successes, control.failures],
        ]
        other = stats.chi2_contingency(table, correction=True).pvalue
        assert yates_pvalue(control, treatment) == pytest.approx(other, rel=1e-6, abs=1e-300)
    else:
        assert isnan(yates_pvalue(control, treatment))


def test_fisher_holds_at_the_most_units_it_takes() -> None:
    n = 10**9
    control, treatment = Share(successes=n // 10, n=n), Share(successes=n // 10 + 31_623, n=n)
    found = exact_pvalue(control, treatment, method="fisher")
    assert found == pytest.approx(yates_pvalue(control, treatment), rel=1e-5)


def test_what_is_no_option_is_refused() -> None:
    share = Share(successes=1, n=2)
    with pytest.raises(ValueError, match="exact tests take at most 2000000000 units, got 2000000"):
        exact_pvalue(share, Share(successes=1, n=2 * 10**9), method="fisher")
    with pytest.raises(ValueError, match="method must be one of"):
        exact_pvalue(share, share, method="z")  # type: ignore[arg-type]  # is what is tested
    with pytest.raises(ValueError, match="alternative must be one of"):
        exact_pvalue(share, share, alternative="both")  # type: ignore[arg-type]  # is tested
