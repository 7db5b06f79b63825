from math import inf, isnan, log, sqrt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize
from statsmodels.stats.proportion import confint_proportions_2indep

from nextcall.abtest.effect import Alternative
from nextcall.abtest.score_intervals import (
    _difference_variance,
    _lower_share,
    _root,
    score_difference,
    score_ratio,
    score_statistic,
)
from nextcall.abtest.shares import Share, critical_z, exact_difference


@st.composite
def shares(draw: st.DrawFn, most: int = 2000) -> Share:
    n = draw(st.integers(1, most))
    return Share(successes=draw(st.integers(0, n)), n=n)


def plain_lower_share(low: Share, high: Share, step: float) -> float:
    """Maximise the likelihood of two shares `step` apart by a search."""

    def loss(share: float) -> float:
        terms = [
            (low.successes, share),
            (low.failures, 1 - share),
            (high.successes, share + step),
            (high.failures, 1 - share - step),
        ]
        return -sum(count * log(chance) for count, chance in terms if count)

    found = optimize.minimize_scalar(
        loss, bounds=(1e-12, 1 - step - 1e-12), method="bounded", options={"xatol": 1e-12}
    )
    return float(found.x)


@given(low=shares(), high=shares(), step=st.floats(0.001, 0.95))
def test_the_likeliest_shares_are_those_of_a_search(low: Share, high: Share, step: float) -> None:
    share, lack = _lower_share(low, high, step)
    assert share == pytest.approx(plain_lower_share(low, high, step), abs=2e-6)
    assert share + lack == pytest.approx(1 - step, abs=1e-15)


# Newcombe (1998), Statistics in Medicine 17(8), table II, method 6.
@pytest.mark.parametrize(
    ("treatment", "control", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0528, 0.3382),
        ((9, 10), (3, 10), 0.1700, 0.8406),
        ((6, 7), (2, 7), 0.0342, 0.8534),
        ((5, 56), (0, 29), -0.0326, 0.1933),
        ((0, 10), (0, 20), -0.1658, 0.2844),
        ((0, 10), (0, 10), -0.2879, 0.2879),
        ((10, 10), (0, 20), 0.7156, 1.0),
        ((10, 10), (0, 10), 0.6636, 1.0),
    ],
)
def test_differences_are_those_that_newcombe_published(
    treatment: tuple[int, int], control: tuple[int, int], low: float, high: float
) -> None:
    found = score_difference(
        Share(successes=control[0], n=control[1]), Share(successes=treatment[0], n=treatment[1])
    )
    assert found == pytest.approx((low, high), abs=5.1e-5)


@given(control=shares(), treatment=shares(), alpha=st.sampled_from([0.001, 0.05, 0.5]))
def test_ends_of_a_difference_are_just_rejected(
    control: Share, treatment: Share, alpha: float
) -> None:
    z = critical_z(alpha, "two-sided")
    low, high = score_difference(control, treatment, alpha=alpha)
    assert -1 <= low <= exact_difference(control, treatment) <= high <= 1
    for bound, sign in ((low, 1), (high, -1)):
        if abs(bound) < 1 - 1e-9:
            found = score_statistic(control, treatment, null=bound)
            assert found == pytest.approx(sign * z, rel=1e-6)


@given(control=shares(10**9), treatment=shares(10**9), alpha=st.sampled_from([0.001, 0.05, 0.5]))
def test_both_intervals_and_the_test_agree_on_no_effect(
    control: Share, treatment: Share, alpha: float
) -> None:
    z = score_statistic(control, treatment)
    assume(not isnan(z) and abs(abs(z) - critical_z(alpha, "two-sided")) > 1e-6)
    rejected = abs(z) > critical_z(alpha, "two-sided")
    low, high = score_difference(control, treatment, alpha=alpha)
    assert (not low <= 0 <= high) == rejected
    low, high = score_ratio(control, treatment, alpha=alpha)
    assert (not low <= 1 <= high) == rejected


@given(control=shares(), treatment=shares())
def test_swapping_arms_or_outcomes_mirrors_the_interval(control: Share, treatment: Share) -> None:
    low, high = score_difference(control, treatment)
    assert score_difference(treatment, control) == pytest.approx((-high, -low), abs=1e-12)
    turned = score_difference(control.complement, treatment.complement)
    assert turned == pytest.approx((-high, -low), abs=1e-12)
    if control.successes and treatment.successes:
        least, most = score_ratio(control, treatment)
        assert score_ratio(treatment, control) == pytest.approx((1 / most, 1 / least), rel=1e-9)


@given(control=shares(), treatment=shares())
def test_ratios_agree_with_statsmodels(control: Share, treatment: Share) -> None:
    assume(0 < control.successes < control.n and 0 < treatment.successes < treatment.n)
    other = confint_proportions_2indep(
        treatment.successes,
        treatment.n,
        control.successes,
        control.n,
        compare="ratio",
        method="score",
    )
    assume(other[0] <= exact_ratio(control, treatment) <= other[1])  # its roots lose their order
    assert score_ratio(control, treatment) == pytest.approx(tuple(other), rel=1e-5)


def exact_ratio(control: Share, treatment: Share) -> float:
    return treatment.successes * control.n / (control.successes * treatment.n)


def test_no_successes_or_no_failures_have_intervals() -> None:
    none, some, all_ = (Share(successes=x, n=20) for x in (0, 5, 20))
    assert score_ratio(none, none) == (0.0, inf)
    assert score_ratio(some, none)[0] == 0.0
    assert score_ratio(none, some)[1] == inf
    assert score_ratio(all_, all_)[0] < 1 < score_ratio(all_, all_)[1]
    low, high = score_difference(all_, all_)
    assert low == -high
    assert isnan(score_statistic(all_, all_))
    # Given no success in either arm, the likeliest shares are 0 and the difference itself.
    factor = critical_z(0.05, "two-sided") ** 2 * 40 / 39 / 20
    assert score_difference(none, none)[1] == pytest.approx(factor / (1 + factor), rel=1e-12)


@pytest.mark.parametrize("alternative", ["greater", "less"])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.5, 0.9])
def test_one_sided_intervals_have_one_end(alternative: Alternative, alpha: float) -> None:
    control, treatment = Share(successes=12, n=90), Share(successes=30, n=100)
    sign = 1 if alternative == "greater" else -1
    difference = score_difference(control, treatment, alpha=alpha, alternative=alternative)
    ratio = score_ratio(control, treatment, alpha=alpha, alternative=alternative)
    place = 0 if alternative == "greater" else 1
    assert difference[1 - place] == sign * inf
    assert ratio[1 - place] == (inf if alternative == "greater" else 0.0)
    z = score_statistic(control, treatment, null=difference[place])
    assert sign * z == pytest.approx(critical_z(alpha, alternative), abs=1e-6)
    if alpha < 0.5:
        two_sided = score_ratio(control, treatment, alpha=2 * alpha)
        assert ratio[place] == pytest.approx(two_sided[place], rel=1e-12)
    if alpha == 0.5:
        assert difference[place] == exact_difference(control, treatment)
        assert ratio[place] == pytest.approx(exact_ratio(control, treatment), rel=1e-12)


def test_intervals_shrink_with_the_root_of_the_units() -> None:
    spans = []
    for n in (10**4, 10**8, 10**12):
        low, high = score_difference(
            Share(successes=n // 10, n=n), Share(successes=n // 10 + n // 100, n=n)
        )
        spans.append((high - low) * sqrt(n))
    assert spans == pytest.approx([spans[-1]] * 3, rel=1e-3)


def test_an_interval_narrower_than_floats_is_the_estimate() -> None:
    assert _root(lambda place: place, 0.5, 1.0) == 0.5


def test_no_room_leaves_no_variance() -> None:
    assert _difference_variance(Share(successes=1, n=2), Share(successes=1, n=2), 1.0) == 0


def test_what_is_no_option_is_refused() -> None:
    share = Share(successes=1, n=2)
    with pytest.raises(ValueError, match=r"null must lie between -1 and 1, got 1\."):
        score_statistic(share, share, null=1)
    with pytest.raises(ValueError, match="alternative must be one of"):
        score_difference(share, share, alternative="both")  # type: ignore[arg-type]  # is tested
    with pytest.raises(ValueError, match="alternative must be one of"):
        score_ratio(share, share, alternative="both")  # type: ignore[arg-type]  # is tested
