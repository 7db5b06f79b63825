"""The bound is met with alpha by the horizon and never after; intervals and p-values agree."""

import re
from math import inf, isnan, nan, sqrt
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nextcall.abtest.crossing import crossing_probability
from nextcall.abtest.effect import Alternative, Effect, effect_of
from nextcall.abtest.horizon_sequences import (
    Horizon,
    horizon_bounds,
    horizon_effect,
    t_score,
    z_score,
)

ALTERNATIVES: tuple[Alternative, ...] = get_args(Alternative)


def effect(value: float, se: float = 1.0, dof: float = inf, null: float = 0.0) -> Effect:
    return Effect(value=value, se=se, dof=dof, ci_lower=nan, ci_upper=nan, pvalue=nan, null=null)


@pytest.mark.parametrize("alpha", [1e-3, 0.05, 0.5])
@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("shape", [0.1, 2.5, 1000.0])
def test_the_bound_is_met_by_the_horizon_with_its_share_of_alpha(
    alpha: float, alternative: Alternative, shape: float
) -> None:
    horizon = Horizon(last=3000, first=40, shape=shape, beyond=0.1)
    met = crossing_probability(
        lambda time: horizon_bounds(horizon, time, alpha=alpha, alternative=alternative),
        40,
        3000 * (1 - 1e-12),
        two_sided=alternative == "two-sided",
    )
    assert met == pytest.approx(0.9 * alpha, rel=1e-6)


def test_a_watched_path_meets_the_bound_as_often_as_it_may() -> None:
    rng = np.random.default_rng(11)
    runs, first, last, beyond = 4000, 30, 900, 0.3
    sizes = np.arange(1, 4 * last + 1)
    horizon = Horizon(last=last, first=first, beyond=beyond)
    bounds = horizon_bounds(horizon, sizes)
    met = late = 0
    for _ in range(runs // 500):
        path = rng.standard_normal((500, len(sizes))).cumsum(axis=1) / np.sqrt(sizes)
        hits = np.abs(path) >= bounds
        met += int(hits[:, :last].any(axis=1).sum())
        late += int(hits.any(axis=1).sum())
    error = sqrt(0.05 * 0.95 / runs)
    assert 0.05 * (1 - beyond) * 0.75 - 3 * error < met / runs < 0.05 * (1 - beyond) + 3 * error
    assert met / runs <= late / runs < 0.05 + 3 * error


@pytest.mark.parametrize("law", ["normal", "lognormal", "bernoulli"])
def test_arms_that_are_alike_are_shown_to_differ_no_more_often_than_alpha(law: str) -> None:
    rng = np.random.default_rng(4)
    runs, size = 800, 400
    count = np.arange(1, size + 1)
    estimates, errors = [], []
    for _ in range(2):
        values = {
            "normal": rng.standard_normal((runs, size)),
            "lognormal": rng.lognormal(size=(runs, size)),
            "bernoulli": (rng.random((runs, size)) < 0.1).astype(float),
        }[law]
        mean = values.cumsum(axis=1) / count
        square = (values**2).cumsum(axis=1) / count - mean**2
        estimates.append(mean[:, 29:])
        errors.append(np.maximum(square, 0)[:, 29:] / (count[29:] - 1))
    one, other = errors
    scores = (estimates[1] - estimates[0]) / np.sqrt(np.maximum(one + other, 1e-12))
    dof = (one + other) ** 2 / np.maximum(one**2 + other**2, 1e-30) * (count[29:] - 1)
    bounds = horizon_bounds(Horizon(last=2 * size, first=60), 2 * count[29:])
    as_rare = stats.norm.isf(stats.t(np.maximum(dof, 1)).sf(np.abs(scores)))
    share = float((as_rare >= bounds).any(axis=1).mean())
    error = sqrt(0.05 * 0.95 / runs)
    assert 0.03 - 3 * error < share < 0.05 + 3 * error


def test_one_look_is_a_plain_test_but_for_what_is_kept() -> None:
    horizon = Horizon(last=100, first=100)
    assert float(horizon_bounds(horizon, 100)) == pytest.approx(stats.norm.isf(0.95 * 0.05 / 2))
    one_sided = horizon_bounds(horizon, 100, alternative="less")
    assert float(one_sided) == pytest.approx(stats.norm.isf(0.95 * 0.05))


@settings(deadline=None, max_examples=40)
@given(
    value=st.floats(-60, 60),
    null=st.floats(-3, 3),
    n=st.sampled_from([60, 77, 1000, 4000, 4001, 1e6]),
    dof=st.sampled_from([3.0, 58.0, inf]),
    alpha=st.sampled_from([1e-12, 0.001, 0.05, 0.5, 0.9]),
    alternative=st.sampled_from(ALTERNATIVES),
)
def test_an_interval_leaves_out_the_null_where_the_pvalue_is_small(
    value: float, null: float, n: float, dof: float, alpha: float, alternative: Alternative
) -> None:
    found = horizon_effect(
        effect(value, dof=dof, null=null),
        n,
        horizon=Horizon(last=4000),
        alpha=alpha,
        alternative=alternative,
    )
    assert 0 <= found.pvalue <= 1
    distance = min(abs(found.ci_lower - null), abs(found.ci_upper - null))
    if distance > 1e-4:
        assert (found.pvalue <= alpha) == (not found.ci_lower <= null <= found.ci_upper)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("n", [60, 500, 4000, 5000])
def test_the_pvalue_is_the_alpha_at_which_the_bound_is_met(
    alternative: Alternative, n: float
) -> None:
    horizon = Horizon(last=4000)
    for alpha in (1e-300, 1e-9, 0.01, 0.3):
        bound = float(horizon_bounds(horizon, n, alpha=alpha, alternative=alternative))
        seen = effect(-bound if alternative == "less" else bound)
        found = horizon_effect(seen, n, horizon=horizon, alternative=alternative)
        assert found.pvalue == pytest.approx(alpha, rel=1e-5)


def test_pvalues_fall_as_effects_grow_all_the_way() -> None:
    horizon = Horizon(last=4000)
    for alternative in ALTERNATIVES[:2]:
        for n in (100, 4000, 9000):
            pvalues = [
                horizon_effect(effect(z), n, horizon=horizon, alternative=alternative).pvalue
                for z in np.linspace(0, 30, 40)
            ]
            assert pvalues == sorted(pvalues, reverse=True)
            assert pvalues[0] == 1


def test_no_one_sided_bound_can_be_as_likely_as_a_huge_alpha() -> None:
    horizon = Horizon(last=4000, beyond=1e-6)
    bounds = horizon_bounds(horizon, [60, 4000], alpha=0.999999, alternative="greater")
    assert bounds.tolist() == [0, 0]


def test_nothing_is_said_before_the_first_look_or_without_a_law() -> None:
    horizon = Horizon(last=4000)
    early = horizon_effect(effect(9.0), 59, horizon=horizon)
    assert (early.ci_lower, early.ci_upper, early.pvalue) == (-inf, inf, 1.0)
    for value, se, dof in ((2.0, nan, 9.0), (nan, 1.0, 9.0), (2.0, 0.0, 9.0), (2.0, 1.0, nan)):
        found = horizon_effect(effect(value, se, dof), 99, horizon=horizon, alternative="less")
        plain = effect_of(value, se, dof=dof, alternative="less")
        assert (found.ci_lower, found.ci_upper) == (plain.ci_lower, plain.ci_upper)
        assert isnan(found.pvalue)


@given(t=st.floats(-35, 35), dof=st.floats(1, 1e5))
def test_scores_are_as_rare_as_each_other(t: float, dof: float) -> None:
    z = z_score(t, dof)
    assert stats.norm.logsf(abs(z)) == pytest.approx(np.log(stats.t(dof).sf(abs(t))), rel=1e-8)
    assert t_score(abs(z), dof) == pytest.approx(abs(t), rel=1e-6, abs=1e-9)
    assert z * t >= 0


def test_scores_too_rare_for_a_float_rise_on() -> None:
    scores = [z_score(t, 2000.0) for t in (40.0, 50.0, 100.0, 1e9, 1e200)]
    assert scores == sorted(scores)
    assert scores[0] > 33
    assert t_score(z_score(100.0, 2000.0), 2000.0) == pytest.approx(100.0)
    assert t_score(1e4, 5.0) == inf
    assert t_score(inf, 5.0) == inf
    assert z_score(-inf, inf) == -inf
    assert z_score(0.0, 4.0) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Horizon(last=50), "first and last must rise and lie above 0, got 60.0 and 50."),
        (lambda: Horizon(last=inf), "first and last must rise and lie above 0, got 60.0 and inf."),
        (lambda: Horizon(last=90, shape=0), "shape must be above 0 and finite, got 0."),
        (lambda: Horizon(last=90, beyond=1), "beyond must lie between 0 and 1, got 1."),
        (
            lambda: horizon_effect(effect(1), 0, horizon=Horizon(last=90)),
            "n must be above 0 and finite, got 0.",
        ),
        (
            lambda: horizon_bounds(Horizon(last=90), 70, alpha=0),
            "alpha must lie between 0 and 1, got 0.",
        ),
    ],
)
def test_what_cannot_be_is_refused(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
