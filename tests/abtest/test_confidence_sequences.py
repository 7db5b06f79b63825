"""Evidence is 1 on average under the null; intervals and p-values say the same."""

import re
from math import exp, inf, isnan, log, nan, sqrt
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import lambertw

from nextcall.abtest.confidence_sequences import (
    AnytimeEffect,
    asymptotic_sequence,
    mixture_rate,
    running,
    sprt_mixture,
    t_mixture_sequence,
)
from nextcall.abtest.effect import Alternative, Effect

ALTERNATIVES: tuple[Alternative, ...] = get_args(Alternative)


def effect(value: float, se: float = 1.0, dof: float = inf, null: float = 0.0) -> Effect:
    return Effect(value=value, se=se, dof=dof, ci_lower=nan, ci_upper=nan, pvalue=nan, null=null)


@pytest.mark.parametrize("alpha", [1e-9, 0.001, 0.05, 0.5, 0.99])
def test_the_rate_is_lamberts_and_narrowest_at_its_size(alpha: float) -> None:
    rate = mixture_rate(300, alpha)
    assert 300 * rate == pytest.approx(-lambertw(-(alpha**2) / np.e, -1).real - 1, rel=1e-6)
    widths = [
        asymptotic_sequence(effect(0.0), 300, rate=rate * each, alpha=alpha).ci_upper
        for each in (0.9, 1.0, 1.1)
    ]
    assert widths[1] < min(widths[0], widths[2])


def test_the_rate_of_a_tiny_alpha_solves_its_equation() -> None:
    rate = mixture_rate(1, 1e-300)
    assert rate - np.log1p(rate) == pytest.approx(-2 * log(1e-300), rel=1e-12)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("ratio", [0.01, 1.0, 50.0])
def test_evidence_is_1_on_average_under_the_null(alternative: Alternative, ratio: float) -> None:
    def weighed(z: float) -> float:
        found = asymptotic_sequence(effect(z), 1, rate=ratio, alternative=alternative)
        return exp(found.log_evalue + float(stats.norm.logpdf(z)))

    total, _ = integrate.quad(weighed, -80, 80, points=[-5, 0, 5], limit=500)
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("dof", [2, 8, 60])
def test_evidence_of_a_t_score_is_1_on_average_under_the_null(dof: float) -> None:
    def weighed(t: float) -> float:
        found = t_mixture_sequence(effect(t, dof=dof), 10, rate=0.2)
        return exp(found.log_evalue + float(stats.t(dof).logpdf(t)))

    total = 2 * integrate.quad(weighed, 0, inf, limit=500)[0]
    assert total == pytest.approx(1, abs=1e-6)


def test_the_ratio_of_the_mixture_test_is_the_mean_over_its_prior() -> None:
    found = sprt_mixture(effect(0.7, se=0.3, null=0.1), prior_sd=0.5)

    def likelihood(true: float) -> float:
        prior = stats.norm.pdf(true, 0.1, 0.5)
        ratio = stats.norm.pdf(0.7, true, 0.3) / stats.norm.pdf(0.7, 0.1, 0.3)
        return float(prior * ratio)

    assert exp(found.log_evalue) == pytest.approx(integrate.quad(likelihood, -9, 9)[0], rel=1e-8)
    assert found.pvalue == pytest.approx(exp(-found.log_evalue))


@given(
    value=st.floats(-1e6, 1e6),
    se=st.floats(1e-3, 1e3),
    null=st.floats(-10, 10),
    n=st.floats(1, 1e7),
    alpha=st.sampled_from([1e-6, 0.05, 0.5]),
    alternative=st.sampled_from(ALTERNATIVES),
)
def test_an_interval_leaves_out_the_null_where_the_pvalue_is_small(
    value: float, se: float, null: float, n: float, alpha: float, alternative: Alternative
) -> None:
    seen, rate = effect(value, se, null=null, dof=20), mixture_rate(1000, alpha)
    found = [asymptotic_sequence(seen, n, rate=rate, alpha=alpha, alternative=alternative)]
    if alternative == "two-sided":
        found.append(t_mixture_sequence(seen, n, rate=rate, alpha=alpha))
    for each in found:
        assert 0 <= each.pvalue <= 1
        distance = min(abs(each.ci_lower - null), abs(each.ci_upper - null))
        if distance > 1e-9 * (abs(value) + se):
            assert (each.pvalue <= alpha) == (not each.ci_lower <= null <= each.ci_upper)


@given(z=st.floats(-60, 60), ratio=st.floats(1e-3, 1e3))
def test_sides_mirror_each_other(z: float, ratio: float) -> None:
    above = asymptotic_sequence(effect(z), 1, rate=ratio, alternative="greater")
    below = asymptotic_sequence(effect(-z), 1, rate=ratio, alternative="less")
    assert (above.ci_lower, above.pvalue, above.log_evalue) == (
        -below.ci_upper,
        below.pvalue,
        below.log_evalue,
    )
    assert above.ci_upper == inf
    assert below.ci_lower == -inf
    # The paper's closed form is on the safe side of the mixture's own evidence.
    assert above.pvalue >= min(1, exp(-above.log_evalue)) * (1 - 1e-9)


def test_a_t_mixture_becomes_the_normal_one() -> None:
    plain = asymptotic_sequence(effect(3.0), 500, rate=0.01)
    assert t_mixture_sequence(effect(3.0), 500, rate=0.01) == plain
    near = t_mixture_sequence(effect(3.0, dof=1e9), 500, rate=0.01)
    assert near.ci_lower == pytest.approx(plain.ci_lower, rel=1e-6)
    assert near.log_evalue == pytest.approx(plain.log_evalue, rel=1e-6)


def test_few_units_allow_no_conclusion() -> None:
    found = t_mixture_sequence(effect(1e200, dof=1), 2, rate=0.01)
    assert (found.ci_lower, found.ci_upper) == (-inf, inf)
    assert found.pvalue > 0.05
    limit = t_mixture_sequence(effect(inf, dof=1), 2, rate=0.01)
    assert limit.log_evalue == pytest.approx(found.log_evalue, abs=1e-9)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_extremes_stay_finite_or_say_so(alternative: Alternative) -> None:
    for value, se in ((1e300, 1e-300), (-1e300, 1e-300), (1e-300, 1e300), (5.0, 5e-324)):
        found = sprt_mixture(effect(value, se), prior_sd=1.0, alternative=alternative)
        assert 0 <= found.pvalue <= 1
        assert not isnan(found.log_evalue)
    constant = asymptotic_sequence(effect(2.0, 0.0), 10, rate=1.0, alternative=alternative)
    assert isnan(constant.pvalue)
    assert 2.0 in {constant.ci_lower, constant.ci_upper}
    for value, se in ((2.0, nan), (nan, 1.0)):
        unknown = asymptotic_sequence(effect(value, se), 10, rate=1.0, alternative=alternative)
        assert (unknown.ci_lower, unknown.ci_upper) == (-inf, inf)
        assert isnan(unknown.pvalue)
    assert isnan(sprt_mixture(effect(2.0, 0.0), prior_sd=1.0).pvalue)
    assert isnan(t_mixture_sequence(effect(2.0, 0.0, dof=3), 10, rate=1.0).pvalue)


def test_what_looks_have_shown_stays_shown() -> None:
    looks = [
        asymptotic_sequence(effect(value, se), n, rate=0.01)
        for value, se, n in ((4.0, 1.0, 100), (1.0, 0.8, 200), (1.2, nan, 300))
    ]
    last = running(looks)
    assert last.pvalue == min(looks[0].pvalue, looks[1].pvalue)
    assert (last.ci_lower, last.ci_upper) == (
        max(look.ci_lower for look in looks),
        min(look.ci_upper for look in looks),
    )
    assert last.value == 1.2
    apart = [
        AnytimeEffect(value=v, se=1, ci_lower=v - 1, ci_upper=v + 1, pvalue=nan, log_evalue=0)
        for v in (0.0, 9.0)
    ]
    assert isnan(running(apart).ci_lower)
    assert isnan(running(apart).pvalue)
    with pytest.raises(ValueError, match=re.escape("looks must hold at least 1, got 0.")):
        running([])


def test_a_mixture_holds_at_all_looks_at_once() -> None:
    rng = np.random.default_rng(7)
    runs, size = 2000, 1000
    path = rng.standard_normal((runs, size)).cumsum(axis=1) / np.sqrt(np.arange(1, size + 1))
    ratio = mixture_rate(size) * np.arange(1, size + 1)
    bounds = np.sqrt((1 + ratio) / ratio * (np.log1p(ratio) - 2 * log(0.05)))
    share = float((np.abs(path) >= bounds).any(axis=1).mean())
    assert 0.01 < share < 0.05 + 3 * sqrt(0.05 * 0.95 / runs)
    at_end = asymptotic_sequence(effect(0.0), size, rate=mixture_rate(size))
    assert at_end.ci_upper == pytest.approx(bounds[-1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mixture_rate(0), "n must be above 0 and finite, got 0."),
        (lambda: mixture_rate(10, 2.0), "alpha must lie between 0 and 1, got 2.0."),
        (lambda: asymptotic_sequence(effect(1), 0, rate=1), "n must be above 0 and finite, got 0."),
        (
            lambda: asymptotic_sequence(effect(1), 9, rate=-1),
            "rate must be above 0 and finite, got -1.",
        ),
        (
            lambda: sprt_mixture(effect(1), prior_sd=inf),
            "prior_sd must be above 0 and finite, got inf.",
        ),
    ],
)
def test_what_cannot_be_is_refused(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
