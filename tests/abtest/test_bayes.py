from dataclasses import replace
from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from nextcall.abtest.bayes import NormalPrior, _upper_mean, compare_normal, compare_shares
from nextcall.abtest.beta_chances import Beta, chance_above
from nextcall.abtest.effect import Arm, difference
from nextcall.abtest.relative_effect import relative_difference
from nextcall.abtest.shares import Share

CONTROL = Arm(n=1000, estimate=10.0, variance=4.0)
TREATMENT = Arm(n=1010, estimate=10.15, variance=4.2)


@given(z=st.floats(-35, 35))
def test_expected_losses_keep_their_digits(z: float) -> None:
    # The mean of max(z + e, 0) is the integral of the chance that z + e exceeds a value.
    reach = 50 / max(1.0, -z) + max(z, 0.0)
    slow, _ = integrate.quad(
        lambda value: special.ndtr(z - value),
        0,
        reach,
        epsabs=0,
        epsrel=1e-12,
        limit=200,
        points=[min(max(z, 0.0), reach)],
    )
    assert _upper_mean(z) == pytest.approx(slow, rel=1e-10)


def test_flat_prior_repeats_the_normal_test() -> None:
    found = compare_normal(CONTROL, TREATMENT, alpha=0.1)
    for posterior, effect in (
        (found.absolute, difference(CONTROL, TREATMENT, alpha=0.1, normal=True)),
        (found.relative, relative_difference(CONTROL, TREATMENT, alpha=0.1, normal=True)),
    ):
        assert (posterior.mean, posterior.sd) == pytest.approx((effect.value, effect.se))
        assert posterior.ci_lower == pytest.approx(effect.ci_lower)
        assert posterior.ci_upper == pytest.approx(effect.ci_upper)
        assert posterior.chance_to_win == pytest.approx(1 - effect.pvalue / 2)
        assert isnan(posterior.rope_share)


def test_posterior_is_the_product_of_prior_and_likelihood() -> None:
    prior = NormalPrior(mean=-0.1, sd=0.05, relative=False)
    found = compare_normal(CONTROL, TREATMENT, prior=prior, rope=(-0.02, 0.03)).absolute
    effects = np.linspace(-2, 2, 400_001)
    data = difference(CONTROL, TREATMENT)
    weight = stats.norm.pdf(effects, -0.1, 0.05) * stats.norm.pdf(effects, data.value, data.se)
    weight /= weight.sum()
    assert found.mean == pytest.approx(weight @ effects, abs=1e-9)
    assert found.sd**2 == pytest.approx(weight @ (effects - found.mean) ** 2, rel=1e-6)
    assert found.chance_to_win == pytest.approx(weight[effects > 0].sum(), abs=1e-4)
    assert found.loss_control == pytest.approx(weight @ np.maximum(effects, 0), rel=1e-6)
    assert found.loss_treatment == pytest.approx(weight @ np.maximum(-effects, 0), rel=1e-6)
    inside = (effects > -0.02) & (effects < 0.03)
    assert found.rope_share == pytest.approx(weight[inside].sum(), abs=1e-4)


def test_relative_and_absolute_priors_say_the_same_in_two_units() -> None:
    shares = compare_normal(CONTROL, TREATMENT, prior=NormalPrior(mean=0.01, sd=0.03))
    units = compare_normal(CONTROL, TREATMENT, prior=NormalPrior(mean=0.1, sd=0.3, relative=False))
    assert shares.absolute.mean == pytest.approx(units.absolute.mean)
    assert shares.relative.sd == pytest.approx(units.relative.sd)


def test_wide_and_narrow_priors_are_limits() -> None:
    flat = compare_normal(CONTROL, TREATMENT).absolute
    wide = compare_normal(CONTROL, TREATMENT, prior=NormalPrior(sd=1e200)).absolute
    assert (wide.mean, wide.sd) == pytest.approx((flat.mean, flat.sd))
    narrow = compare_normal(CONTROL, TREATMENT, prior=NormalPrior(sd=1e-200)).absolute
    assert narrow.mean == pytest.approx(0, abs=1e-300)


def test_lower_may_be_better() -> None:
    up = compare_normal(CONTROL, TREATMENT).absolute
    down = compare_normal(CONTROL, TREATMENT, better="lower").absolute
    assert down.chance_to_win == pytest.approx(1 - up.chance_to_win)
    assert (down.loss_control, down.loss_treatment) == (up.loss_treatment, up.loss_control)


def test_large_offsets_and_small_scales_are_kept() -> None:
    far = [
        Arm(n=arm.n, estimate=arm.estimate + 1e12, variance=arm.variance)
        for arm in (CONTROL, TREATMENT)
    ]
    assert compare_normal(*far).absolute.chance_to_win == pytest.approx(0.9516, abs=1e-3)
    for scale in (1e-150, 1e150):
        arms = [
            Arm(n=arm.n, estimate=arm.estimate * scale, variance=arm.variance * scale * scale)
            for arm in (CONTROL, TREATMENT)
        ]
        found = compare_normal(*arms, prior=NormalPrior(sd=0.1))
        plain = compare_normal(CONTROL, TREATMENT, prior=NormalPrior(sd=0.1))
        assert found.absolute.mean == pytest.approx(plain.absolute.mean * scale)
        assert found.relative.loss_control == pytest.approx(plain.relative.loss_control)


def test_what_cannot_be_known_is_nan() -> None:
    still = Arm(n=10, estimate=1.0, variance=0.0)
    found = compare_normal(still, still, rope=(-1, 1), prior=NormalPrior(sd=1)).absolute
    assert found.mean == 0
    assert isnan(found.chance_to_win)
    assert isnan(found.loss_control)
    assert isnan(found.rope_share)
    zero = compare_normal(Arm(n=10, estimate=0.0, variance=1.0), TREATMENT, prior=NormalPrior(sd=1))
    assert isnan(zero.relative.mean)
    assert isnan(zero.relative.chance_to_win)
    one = compare_normal(still, TREATMENT)
    assert one.absolute.chance_to_win == 1
    assert isnan(compare_normal(Arm(n=1, estimate=1.0, variance=nan), still).absolute.sd)


def test_rope_is_counted_in_the_far_tail() -> None:
    rope = (0.15 + 0.09032394943526417 * 20, 0.15 + 0.09032394943526417 * 30)
    found = compare_normal(CONTROL, TREATMENT, rope=rope, relative_rope=(-inf, inf))
    assert found.absolute.rope_share == pytest.approx(stats.norm.sf(20), rel=1e-6)
    assert found.relative.rope_share == 1.0


def test_shares_are_updated_by_counts() -> None:
    control, treatment = Share(successes=30, n=400), Share(successes=41, n=390)
    prior = Beta(a=0.5, b=0.5)
    found = compare_shares(control, treatment, prior=prior, rope=(-0.005, 0.005))
    assert found.control == Beta(a=30.5, b=370.5)
    assert found.treatment_interval == pytest.approx(stats.beta.interval(0.95, 41.5, 349.5))
    posterior = found.difference
    assert posterior.mean == pytest.approx(posterior.loss_control - posterior.loss_treatment)
    assert posterior.ci_lower < posterior.mean < posterior.ci_upper
    assert 0 < posterior.rope_share < 1
    turned = compare_shares(control.complement, treatment.complement, prior=prior, better="lower")
    assert turned.difference.chance_to_win == pytest.approx(posterior.chance_to_win, rel=1e-10)
    assert turned.difference.loss_treatment == pytest.approx(posterior.loss_treatment, rel=1e-10)
    assert isnan(turned.difference.rope_share)


def test_truths_drawn_from_the_prior_win_as_often_as_said() -> None:
    rng, runs, prior = np.random.default_rng(11), 150, Beta(a=20, b=80)
    truths = rng.beta(prior.a, prior.b, size=(runs, 2))
    drawn = rng.binomial(200, truths)
    chances = np.array(
        [
            chance_above(*(Beta(a=20 + count, b=280 - count) for count in pair[::-1]))
            for pair in drawn.tolist()
        ]
    )
    wins = truths[:, 1] > truths[:, 0]
    for group in (chances < 0.3, (chances >= 0.3) & (chances < 0.7), chances >= 0.7):
        error = np.sqrt(np.sum(chances[group] * (1 - chances[group]))) / group.sum()
        assert wins[group].mean() == pytest.approx(chances[group].mean(), abs=3 * error)


def test_what_is_no_option_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sd must be finite and above 0, got 0\."):
        NormalPrior(sd=0)
    with pytest.raises(ValueError, match="mean must be finite, got nan"):
        NormalPrior(mean=nan, sd=1)
    with pytest.raises(ValueError, match="rope must rise"):
        compare_normal(CONTROL, TREATMENT, rope=(1, 1))
    with pytest.raises(ValueError, match="better must be one of"):
        compare_normal(CONTROL, TREATMENT, better="up")  # type: ignore[arg-type]  # is tested
    share = Share(successes=1, n=2)
    with pytest.raises(ValueError, match="rope must rise"):
        compare_shares(share, share, rope=(1, 0))


def test_a_share_of_nothing_says_nothing() -> None:
    nothing = replace(CONTROL, estimate=0.0)
    found = compare_normal(nothing, TREATMENT, prior=NormalPrior(sd=0.3))
    assert isnan(found.absolute.mean)
    assert isnan(found.absolute.chance_to_win)
    assert isnan(found.relative.mean)
    units = compare_normal(nothing, TREATMENT, prior=NormalPrior(sd=1e9, relative=False))
    assert units.absolute.mean == pytest.approx(TREATMENT.estimate)
