"""Pictures of a plan: what it finds, and what it would take to find more."""

from collections.abc import Callable
from math import nan
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from nextcall.abtest.design import Plan, detectable
from nextcall.abtest.plot_parts import BLUE, LINE, QUIET, RED, count, label, units_axis
from nextcall.abtest.power import solve

_PLACES: Final = 60  # of a curve
_SIZES: Final = ((0.5, "half the units", ":"), (1.0, "planned", "-"), (2.0, "twice as many", "--"))


def plot_plan(plan: Plan) -> Figure:
    """Draw the power against the effect, and the smallest effect found against units.

    Units are those of all variants; what looks cost is in them. The plan itself is a dot.

    Examples
    --------
    >>> from nextcall.abtest.design import design
    >>> from nextcall.abtest.target import Target
    >>> figure = plot_plan(design(Target(metric="mean", baseline=10.0, mde=0.5, sd=5.0)))
    >>> len(figure.axes)
    2
    """
    figure = Figure(figsize=(11.0, 4.4), dpi=100, layout="constrained")
    by_effect, by_units = figure.subplots(1, 2)
    target, total = plan.target, sum(plan.n)
    effects = _effects(plan)
    chance = _power(plan)
    for number, (times, name, line) in enumerate(_SIZES):
        colour, width = (BLUE, 2.4) if times == 1 else (QUIET, 1.4)
        powers = chance(effects, plan.n[0] * times)
        by_effect.plot(effects, powers, color=colour, lw=width, ls=line,
                       label=f"{count(total * times)} ({name})", zorder=3 - number % 2)  # fmt: skip
    by_effect.axhline(plan.power, color=RED, lw=1.0, ls="--", zorder=1)
    by_effect.plot(target.mde, plan.power, "o", color=RED, ms=9, mec="white", zorder=4)
    by_effect.set_ylim(0, 1.02)
    by_effect.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    by_effect.legend(title="units", frameon=False, fontsize=9, loc="lower right", alignment="left")
    label(by_effect, "What it finds", "true effect, in the unit of the metric", "power")
    label(by_units, "What more units would find", "units of all variants",
          f"effect found with a power of {plan.power:.0%}")  # fmt: skip
    sizes = np.geomspace(0.25, 4.0, _PLACES)
    if target.goal == "difference":
        found = [_smallest(plan, each) for each in sizes.tolist()]
        by_units.plot(total * sizes, found, color=BLUE, lw=2.4)
        by_units.plot(total, abs(target.mde), "o", color=RED, ms=9, mec="white", zorder=4)
        by_units.set_ylim(0, None)
    else:
        chances = [float(chance(np.array([target.mde]), plan.n[0] * each)[0]) for each in sizes]
        by_units.plot(total * sizes, chances, color=BLUE, lw=2.4)
        by_units.plot(total, plan.power, "o", color=RED, ms=9, mec="white", zorder=4)
        by_units.set_ylim(0, 1.02)
        label(by_units, "What more units would give", "units of all variants", "power")
    units_axis(by_units.xaxis)
    note = f"{count(total)} units"
    if plan.days is not None:
        note += f", {plan.days} days"
    height, lift = (abs(target.mde), 8) if target.goal == "difference" else (plan.power, -14)
    by_units.annotate(note, (total, height), xytext=(10, lift), textcoords="offset points",
                      fontsize=9, color=LINE)  # fmt: skip
    by_effect.xaxis.set_major_locator(MaxNLocator(6))
    for panel in (by_effect, by_units):
        panel.grid(alpha=0.25)
    return figure


def _effects(plan: Plan) -> NDArray[np.float64]:
    """Give the effects that are drawn: to twice the planned one, or to the margin both ways."""
    target = plan.target
    if target.margin is None:
        return np.linspace(0.0, 2.0 * target.mde, _PLACES)
    found: NDArray[np.float64] = np.linspace(-target.margin, target.margin, _PLACES)
    return found


def _smallest(plan: Plan, times: float) -> float:
    """Give the smallest effect that so many times the planned units find; nan where none is."""
    try:
        return abs(detectable(plan, [max(round(each * times), 2) for each in plan.n])[0])
    except ValueError:  # no share is so far from the baseline
        return nan


def _power(plan: Plan) -> Callable[[Any, float], NDArray[np.float64]]:
    """Give the power as a function of effects and of control's units."""
    ratio = min(plan.ratios)
    test = plan.target.test(ratio)

    def power(effects: NDArray[np.float64], n: float) -> NDArray[np.float64]:
        size = max(n / plan.looks.inflation, test.least)
        alpha, found = plan.comparison_alpha, []
        for each in effects.tolist():
            share = plan.target.baseline + each
            possible = plan.target.metric != "proportion" or 0 <= share <= 1
            found.append(solve(test, n=size, effect=each, alpha=alpha).power if possible else nan)
        return np.array(found)

    return power
