from io import BytesIO

import numpy as np
import pytest

from nextcall.abtest.design import design
from nextcall.abtest.plan_plots import plot_plan
from nextcall.abtest.target import Target, Traffic


@pytest.mark.parametrize("mde", [0.01, -0.01])
def test_the_curve_of_the_planned_units_meets_the_plan(mde: float) -> None:
    target = Target(metric="proportion", baseline=0.1, mde=mde)
    plan = design(target, method="group-sequential", looks=4, traffic=Traffic(daily_units=3_000))
    figure = plot_plan(plan)
    figure.savefig(BytesIO())
    by_effect, by_units = figure.axes
    half, planned, twice = (np.asarray(line.get_ydata(), float) for line in by_effect.lines[:3])
    effects = np.asarray(by_effect.lines[1].get_xdata(), float)
    order = np.argsort(effects)
    assert np.interp(mde, effects[order], planned[order]) == pytest.approx(0.8, abs=0.005)
    assert (half <= planned).all()
    assert (planned <= twice).all()
    units, found = (np.asarray(each, float) for each in by_units.lines[0].get_data())
    assert np.interp(sum(plan.n), units, found) == pytest.approx(0.01, rel=0.01)
    assert "14 days" in by_units.texts[0].get_text()


@pytest.mark.parametrize("goal", ["non-inferiority", "equivalence"])
def test_a_goal_with_a_margin_shows_the_power_over_units(goal: str) -> None:
    target = Target(metric="mean", baseline=10.0, mde=0.0, sd=5.0, goal=goal,  # type: ignore[arg-type]
                    alternative="greater", margin=0.3)  # fmt: skip
    plan = design(target)
    figure = plot_plan(plan)
    figure.savefig(BytesIO())
    by_effect, by_units = figure.axes
    assert by_effect.get_xlim()[0] < -0.29
    units, power = (np.asarray(each, float) for each in by_units.lines[0].get_data())
    assert np.interp(sum(plan.n), units, power) == pytest.approx(0.8, abs=0.005)


def test_shares_beyond_1_are_not_drawn() -> None:
    figure = plot_plan(design(Target(metric="proportion", baseline=0.9, mde=0.06)))
    powers = np.asarray(figure.axes[0].lines[1].get_ydata(), float)
    assert np.isnan(powers[-1])
    assert np.isfinite(powers[:40]).all()
