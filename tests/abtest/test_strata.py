"""Stratified differences beside regressions, plain tests and simulated coverage."""

from math import inf, isnan

import numpy as np
import pytest
import statsmodels.api as sm

from nextcall.abtest.effect import difference
from nextcall.abtest.means import mean_arm
from nextcall.abtest.moments import Moments
from nextcall.abtest.strata import Stratified, stratified_difference


def draw(n: int, *, seed: int, effects: tuple[float, ...] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """Give columns value, treated, stratum; strata differ by 3."""
    rng = np.random.default_rng(seed)
    stratum = rng.choice(3, size=n, p=[0.2, 0.3, 0.5])
    treated = rng.random(n) < 0.4
    values = rng.normal(size=n) * (1 + stratum) + 3.0 * stratum
    return np.column_stack([values + treated * np.array(effects)[stratum], treated, stratum])


def reduced(rows: np.ndarray, n_strata: int = 3) -> list[list[Moments]]:
    """Give the moments of control and treatment by stratum."""
    return [
        [
            Moments.of(rows[(rows[:, 1] == arm) & (rows[:, 2] == stratum), 0])
            for stratum in range(n_strata)
        ]
        for arm in (0, 1)
    ]


def test_one_stratum_is_welchs_test() -> None:
    rows = draw(60, seed=0)
    arms = [Moments.of(rows[rows[:, 1] == arm, 0]) for arm in (0, 1)]
    found = stratified_difference([arms[0]], [arms[1]])
    assert found.effect.pvalue == pytest.approx(difference(*map(mean_arm, arms)).pvalue)
    assert found.variance_reduction == pytest.approx(0.0)
    for arm, moments in zip((found.control, found.treatment), arms, strict=True):
        assert arm.estimate == pytest.approx(mean_arm(moments).estimate)
        assert arm.variance == pytest.approx(mean_arm(moments).variance)


def test_known_weights_give_the_regression_with_all_interactions() -> None:
    rows = draw(300, seed=1, effects=(1.0, 0.0, -2.0))
    shares = np.array([0.5, 0.25, 0.25])
    dummies = (rows[:, 2, None] == np.arange(3)).astype(float)
    fit = sm.OLS(rows[:, 0], np.hstack([dummies, dummies * rows[:, [1]]])).fit(cov_type="HC2")
    found = stratified_difference(*reduced(rows), weights=shares * 8)
    assert found.effect.value == pytest.approx(shares @ fit.params[3:])
    known = shares @ fit.cov_params()[3:, 3:] @ shares
    assert found.effect.se == pytest.approx(np.sqrt(known))
    arms = difference(found.control, found.treatment)
    assert arms.value == pytest.approx(found.effect.value)
    assert arms.se == pytest.approx(found.effect.se)
    assert found.weights == pytest.approx(shares)


def test_intervals_cover_an_effect_that_differs_between_strata() -> None:
    runs, effects = 400, (6.0, 0.0, -3.0)
    truth = float(np.dot([0.2, 0.3, 0.5], effects))
    found = [
        stratified_difference(*reduced(draw(60, seed=s, effects=effects))) for s in range(runs)
    ]
    held = np.mean([f.effect.ci_lower <= truth <= f.effect.ci_upper for f in found])
    assert abs(held - 0.95) < 3.5 * np.sqrt(0.05 * 0.95 / runs)
    spread = np.std([f.effect.value for f in found])
    assert spread == pytest.approx(np.mean([f.effect.se for f in found]), rel=0.15)


def test_what_strata_explain_is_gone_from_the_variance() -> None:
    rows = draw(50_000, seed=5)
    within, between = 0.2 * 1 + 0.3 * 4 + 0.5 * 9, 9 * (0.3 + 0.5 * 4 - 1.3**2)
    found = stratified_difference(*reduced(rows))
    assert found.variance_reduction == pytest.approx(between / (within + between), abs=0.01)


def test_small_strata_are_merged_and_told() -> None:
    rows = np.vstack([draw(60, seed=2), [[9.0, 1.0, 3.0], [8.0, 0.0, 4.0], [8.5, 0.0, 4.0]]])
    arms = reduced(rows, 6)
    found = stratified_difference(*arms)
    assert found.members == ((1,), (2,), (0, 3, 4, 5))
    assert found.warnings == (
        "strata 0, 3, 4, 5 were merged: some had fewer than 2 units of an arm.",
    )
    joined = [
        [arm[1], arm[2], Moments.of(rows[(rows[:, 1] == place) & ~np.isin(rows[:, 2], [1, 2]), 0])]
        for place, arm in enumerate(arms)
    ]
    assert found.effect.value == pytest.approx(stratified_difference(*joined).effect.value)
    assert found.effect.se == pytest.approx(stratified_difference(*joined).effect.se)


def test_an_offset_costs_no_digits() -> None:
    rows = draw(200, seed=3)
    rows[:, 0] = (rows[:, 0] * 1024).round() / 1024  # which 1e12 leaves as they are
    plain = stratified_difference(*reduced(rows))
    rows[:, 0] += 1e12
    moved = stratified_difference(*reduced(rows))
    arms = [difference(each.control, each.treatment) for each in (plain, moved)]
    for one, other in ((plain.effect, moved.effect), arms):
        assert other.se == pytest.approx(one.se, rel=1e-9)
        assert other.value == pytest.approx(one.value, abs=1e-9)


def unbounded(found: Stratified) -> bool:
    """Say whether nothing is known of the effect's error."""
    return (found.effect.ci_lower, found.effect.ci_upper) == (-inf, inf)


def test_too_few_units_leave_the_error_unknown() -> None:
    one, none, many = Moments.of([1.0]), Moments.empty(1), Moments.of([1.0, 2.0, 4.0])
    assert unbounded(stratified_difference([one], [many]))
    assert unbounded(stratified_difference([one, none], [many, many]))
    for found in (
        stratified_difference([none], [many]),
        stratified_difference([none], [none]),
    ):
        assert unbounded(found)
        assert isnan(found.effect.value)
        assert isnan(found.control.estimate)
        assert isnan(found.variance_reduction)


def test_constant_strata_leave_nothing_to_test() -> None:
    low, high = Moments.of([1.0] * 3), Moments.of([4.0] * 3)
    found = stratified_difference([low, high], [high, high])
    assert found.effect.value == 1.5
    assert found.effect.se > 0  # the sizes of the strata are of chance
    known = stratified_difference([low, high], [high, high], weights=[1, 1])
    assert (known.effect.ci_lower, known.effect.ci_upper) == (1.5, 1.5)
    assert isnan(known.effect.pvalue)
    alike = stratified_difference([low], [low])
    assert (alike.effect.value, alike.variance_reduction) == (0.0, 0.0)


def test_what_does_not_match_is_refused() -> None:
    arm = Moments.of([1.0, 2.0])
    with pytest.raises(ValueError, match="the same strata, at least one, got 1 and 2"):
        stratified_difference([arm], [arm, arm])
    with pytest.raises(ValueError, match="same strata, at least one, got 0 and 0"):
        stratified_difference([], [])
    for weights in ([1.0, 2.0], [-1.0], [0.0], [inf]):
        with pytest.raises(ValueError, match="weights must be 1 sizes"):
            stratified_difference([arm], [arm], weights=weights)
