"""Trends of effects beside weighted regression, and simulated levels."""

from math import inf, isnan

import numpy as np
import pytest
import statsmodels.api as sm

from nextcall.abtest.moments import Moments
from nextcall.abtest.trends import effect_trend, weekday_effects

Days = tuple[list[Moments], list[Moments]]


def draw(days: int, *, seed: int, effects: np.ndarray | None = None, shock: float = 0.0) -> Days:
    """Give the moments of days whose arms differ by `effects`, and by a shock of each day."""
    rng = np.random.default_rng(seed)
    lifts = (np.zeros(days) if effects is None else effects) + shock * rng.normal(size=days)
    sizes = rng.integers(40, 200, size=(2, days))
    control, treatment = (
        [
            Moments.of(np.column_stack([rng.normal(size=n), rng.normal(lift * arm, 1, n)]))
            for n, lift in zip(sizes[arm], lifts, strict=True)
        ]
        for arm in (0, 1)
    )
    return control, treatment


def test_the_slope_is_that_of_weighted_regression() -> None:
    found = effect_trend(*draw(14, seed=0, effects=2.0 - 0.1 * np.arange(14), shock=0.5), column=1)
    values = [each.value for each in found.effects]
    weights = [each.se**-2 for each in found.effects]
    fit = sm.WLS(values, sm.add_constant(np.arange(14.0)), weights=weights).fit()
    assert found.slope.value == pytest.approx(fit.params[1])
    assert found.slope.se == pytest.approx(fit.bse[1])  # scatter beyond the errors
    assert found.slope.pvalue == pytest.approx(fit.pvalues[1])
    assert found.first == pytest.approx(fit.params[0])
    assert found.last == pytest.approx(fit.params[0] + 13 * fit.params[1])
    assert found.days == tuple(range(14))


@pytest.mark.parametrize("shock", [0.0, 0.4])
def test_a_steady_effect_has_a_trend_as_rarely_as_promised(shock: float) -> None:
    runs = 120
    wrong = sum(
        effect_trend(*draw(10, seed=seed, shock=shock), column=1).slope.pvalue < 0.05
        for seed in range(runs)
    )
    assert wrong / runs < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_an_effect_that_wears_off_is_found() -> None:
    found = effect_trend(*draw(14, seed=3, effects=np.exp(-np.arange(14) / 4)), column=1)
    assert found.slope.pvalue < 1e-3
    assert found.slope.ci_upper < 0 < found.first


def test_two_days_are_a_line_and_one_is_none() -> None:
    control, treatment = draw(2, seed=0, effects=np.array([0.0, 5.0]))
    found = effect_trend(control, treatment, column=1)
    step = found.effects[1].value - found.effects[0].value
    assert found.slope.value == pytest.approx(step)
    assert found.slope.se == pytest.approx(np.hypot(found.effects[0].se, found.effects[1].se))
    assert found.slope.dof == inf
    one = effect_trend(control[:1], treatment[:1], column=1)
    assert isnan(one.slope.value)
    assert one.first == one.last == found.effects[0].value
    assert isnan(effect_trend([], []).first)


def test_days_without_an_error_are_left_out() -> None:
    control, treatment = draw(5, seed=1)
    control[1], treatment[3] = Moments.empty(2), Moments.of([[1.0, 2.0]])
    assert effect_trend(control, treatment).days == (0, 2, 4)


def test_weekdays_that_differ_are_found_and_others_are_not() -> None:
    weekdays = [(day + 2) % 7 for day in range(21)]
    weekend = np.array([1.0 if day > 4 else 0.0 for day in weekdays])
    found = weekday_effects(*draw(21, seed=0, effects=weekend), weekdays, column=1)
    assert found.pvalue < 1e-4
    assert next(iter(found.segments)) == "Monday"
    assert found.segments["Saturday"].effect.value > 0.6
    runs = 60
    wrong = sum(
        weekday_effects(*draw(21, seed=seed), weekdays, column=1).pvalue < 0.05
        for seed in range(runs)
    )
    assert wrong / runs < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_what_does_not_match_is_refused() -> None:
    control, treatment = draw(3, seed=0)
    with pytest.raises(ValueError, match="the same days, got 2 and 3"):
        effect_trend(control[1:], treatment)
    with pytest.raises(ValueError, match="the same days, got 3, 3 and 1"):
        weekday_effects(control, treatment, [1])
    with pytest.raises(ValueError, match="weekdays must lie between 0 and 6, got 7"):
        weekday_effects(control, treatment, [5, 6, 7])
