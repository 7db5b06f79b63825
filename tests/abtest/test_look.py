"""Each look gets the interval that holds there, and all looks together hold alpha."""

import re
from collections.abc import Callable
from math import inf, nan

import numpy as np
import pytest

from nextcall.abtest.effect import Effect, effect_of
from nextcall.abtest.group_sequential import spending_bounds
from nextcall.abtest.horizon_sequences import horizon_bounds, horizon_effect
from nextcall.abtest.look import LookPlan, Method, look


def effect(value: float, se: float = 1.0, dof: float = inf) -> Effect:
    return Effect(value=value, se=se, dof=dof, ci_lower=nan, ci_upper=nan, pvalue=nan)


FIXED = LookPlan(n=1000, method="fixed-horizon")


def test_a_fixed_test_is_plain_at_its_end() -> None:
    found = look(FIXED, effect(2.1), 1000)
    assert found.method == "fixed-horizon"
    assert found.effect == found.naive == effect_of(2.1, 1.0)
    assert found.shown
    assert found.ended
    assert "nobody looked before" in found.reason


@pytest.mark.parametrize(("n", "earlier"), [(400, ()), (400, (200,)), (1000, (400,))])
def test_a_fixed_test_that_is_looked_at_early_is_always_valid(
    n: float, earlier: tuple[float, ...]
) -> None:
    found = look(FIXED, effect(2.1), n, earlier=earlier)
    assert found.method == "always-valid"
    assert found.effect == horizon_effect(effect(2.1), n, horizon=FIXED.horizon)
    assert found.effect.ci_lower < 0 < found.naive.ci_lower
    assert not found.shown
    assert found.reason.startswith("It is early" if n < 1000 else "It was looked at before")


def test_a_late_last_look_counts_as_the_planned_one_and_one_more_does_not() -> None:
    plan = LookPlan(n=1000)
    on_time = look(plan, effect(2.7), 1000, earlier=[500])
    late = look(plan, effect(2.7), 1099, earlier=[500])
    assert on_time.shown
    assert late.effect == on_time.effect
    for n, earlier in ((1101, ()), (1099, (1000,))):
        after = look(plan, effect(2.7), n, earlier=earlier)
        assert not after.shown
        assert after.reason.startswith("The planned size is past")
    assert look(plan, effect(9.9), 30).reason == "Nothing is said before 60 units."
    assert look(LookPlan(n=40), effect(9.9), 40).shown  # a plan that is smaller than a first look


def test_a_group_sequential_test_runs_by_its_bounds_and_stops_with_its_estimate() -> None:
    plan = LookPlan(n=1000, method="group-sequential")
    bounds = spending_bounds([0.3, 0.6, 1.0])
    running = look(plan, effect(bounds.upper[1] - 0.01), 600, earlier=[300, 600])
    assert (running.shown, running.ended) == (False, False)
    assert running.effect.value == bounds.upper[1] - 0.01
    stopped = look(plan, effect(bounds.upper[1] + 0.01), 600, earlier=[300])
    assert (stopped.shown, stopped.ended) == (True, False)
    assert stopped.effect.value < bounds.upper[1] + 0.01  # what stops early is on average too high
    assert "stops here" in stopped.reason
    ended = look(plan, effect(0.3), 1000, earlier=[300, 600])
    assert (ended.shown, ended.ended) == (False, True)
    assert ended.effect.pvalue > 0.5
    past = look(plan, effect(9.0), 1200, earlier=[300, 1000])
    assert not past.shown
    assert "spent" in past.reason


@pytest.mark.parametrize("method", ["group-sequential", "always-valid", "fixed-horizon"])
def test_a_look_shows_what_the_bounds_that_hold_alpha_show(method: Method) -> None:
    rng = np.random.default_rng(2)
    plan, sizes = LookPlan(n=1000, method=method), [200, 400, 600, 800, 1000]
    bounds = horizon_bounds(plan.horizon, sizes)
    if method == "group-sequential":
        bounds = np.array(spending_bounds([0.2, 0.4, 0.6, 0.8, 1.0]).upper)
    for place, n in enumerate(sizes):
        for score in rng.normal(0, bounds[place], 8).tolist():
            found = look(plan, effect(score), n, earlier=sizes[:place])
            assert found.shown == (abs(score) >= bounds[place])
            assert found.naive.pvalue <= found.effect.pvalue * (1 + 1e-9)


def test_what_does_not_vary_is_not_shown() -> None:
    assert not look(FIXED, effect(2.0, 0.0), 1000).shown


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LookPlan(n=0), "n must be above 0 and finite, got 0."),
        (lambda: LookPlan(n=9, method="peek"), "method must be one of"),  # type: ignore[arg-type]
        (lambda: LookPlan(n=9, first=0), "first must be above 0, got 0."),
        (lambda: LookPlan(n=9, alpha=0), "alpha must lie between 0 and 1, got 0."),
        (lambda: look(FIXED, effect(1), inf), "n must be above 0 and finite, got inf."),
        (
            lambda: look(FIXED, effect(1), 10, earlier=[20]),
            "earlier must lie above 0 and not beyond n = 10, got [20].",
        ),
    ],
)
def test_what_cannot_be_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
