import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from nextcall.abtest.shares import (
    Share,
    ShareMethod,
    critical_z,
    exact_difference,
    share_interval,
    wilson_reach,
)

NAMES: dict[ShareMethod, str] = {
    "wilson": "wilson",
    "exact": "beta",
    "agresti-coull": "agresti_coull",
    "jeffreys": "jeffreys",
}


@st.composite
def shares(draw: st.DrawFn, most: int = 10**6) -> Share:
    n = draw(st.integers(1, most))
    return Share(successes=draw(st.integers(0, n)), n=n)


@pytest.mark.parametrize("method", NAMES)
@given(share=shares(), alpha=st.sampled_from([0.001, 0.05, 0.5, 0.9]))
def test_intervals_agree_with_statsmodels(method: ShareMethod, share: Share, alpha: float) -> None:
    low, high = share_interval(share, method=method, alpha=alpha)
    other = proportion_confint(share.successes, share.n, alpha=alpha, method=NAMES[method])
    assert (low, high) == pytest.approx(other, rel=1e-9, abs=1e-13)
    assert 0 <= low <= high <= 1


@given(share=shares(), alpha=st.floats(1e-6, 0.9))
def test_wilson_holds_what_a_score_test_does_not_reject(share: Share, alpha: float) -> None:
    low, high = share_interval(share, alpha=alpha)
    z = critical_z(alpha, "two-sided")
    for bound in (low, high):
        if 1e-12 < bound < 1 - 1e-12:
            off = (share.value - bound) ** 2 * share.n / (bound * (1 - bound))
            assert off == pytest.approx(z * z, rel=1e-5, abs=1e-9)
    below, above = wilson_reach(share, z)
    assert share.value - below == pytest.approx(low, abs=1e-14)
    assert share.value + above == pytest.approx(high, abs=1e-14)


@given(share=shares(most=300), alpha=st.floats(1e-6, 0.9))
def test_exact_ends_leave_half_of_alpha_to_each_tail(share: Share, alpha: float) -> None:
    low, high = share_interval(share, method="exact", alpha=alpha)
    if share.successes:
        tail = stats.binom.sf(share.successes - 1, share.n, low)
        assert tail == pytest.approx(alpha / 2, rel=1e-6)
    if share.failures:
        assert stats.binom.cdf(share.successes, share.n, high) == pytest.approx(alpha / 2, rel=1e-6)


def test_small_shares_keep_their_digits() -> None:
    low, high = share_interval(Share(successes=1, n=10**15), alpha=1e-10)
    scaled, other = share_interval(Share(successes=1, n=10**12), alpha=1e-10)
    assert (low * 1e3, high * 1e3) == pytest.approx((scaled, other), rel=1e-9)
    assert low > 0


def test_no_alpha_reaches_nowhere() -> None:
    assert wilson_reach(Share(successes=1, n=2), 0.0) == (0.0, 0.0)


def test_a_difference_is_rounded_once() -> None:
    one = Share(successes=10**17 + 1, n=3 * 10**17)
    other = Share(successes=10**17, n=3 * 10**17)
    assert exact_difference(other, one) == 1 / (3 * 10**17)


def test_what_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match=r"n must be at least 1, got 0\."):
        Share(successes=0, n=0)
    with pytest.raises(ValueError, match=r"successes must lie between 0 and n=5, got 6\."):
        Share(successes=6, n=5)
    with pytest.raises(TypeError):
        Share(successes=1.5, n=5)  # type: ignore[arg-type]  # is what is tested
    with pytest.raises(ValueError, match="method must be one of"):
        share_interval(Share(successes=1, n=2), method="wald")  # type: ignore[arg-type]  # tested
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
        share_interval(Share(successes=1, n=2), alpha=1)


def test_counts_may_come_from_numpy() -> None:
    share = Share(successes=np.int64(3), n=np.int64(4))  # type: ignore[arg-type]  # has __index__
    assert type(share.n) is int
    assert share.complement == Share(successes=1, n=4)


def test_upper_ends_of_small_shares_keep_their_digits() -> None:
    # Of x in n, n large, the ends are x + z^2 / 2 -+ z sqrt(x + z^2 / 4), over n.
    for x in (0, 1, 7):
        n, zz = 10**15, 1.959963984540054**2
        _, high = share_interval(Share(successes=x, n=n))
        assert high * n == pytest.approx(x + zz / 2 + (zz * (x + zz / 4)) ** 0.5, rel=1e-12)
