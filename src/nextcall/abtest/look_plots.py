"""Pictures of a test that is looked at as it runs: its effect, and its sample ratio."""

from collections.abc import Sequence
from math import sqrt
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from nextcall.abtest.analysis import Analysis
from nextcall.abtest.comparison import Comparison
from nextcall.abtest.effect import Effect, effect_of
from nextcall.abtest.group_sequential import spending_bounds
from nextcall.abtest.horizon_sequences import horizon_bounds, z_score
from nextcall.abtest.look import LookPlan
from nextcall.abtest.plot_parts import (
    BLUE,
    GREEN,
    LINE,
    NARROW,
    ORANGE,
    QUIET,
    RED,
    WIDE,
    count,
    label,
    units_axis,
)
from nextcall.abtest.srm import SampleRatio
from nextcall.abtest.verdict import MISMATCH, pvalue_text

_GRID: Final = 200  # places at which a curve of bounds is drawn
_TALLEST: Final = 6.0  # z-scores: bounds above are left out of the picture
_FEW: Final = 25  # looks that are marked one by one
_LIMIT: Final = 3.2905  # Phi^-1(0.9995)
_LEAST: Final = 1e-12  # p-values below are drawn there


def plot_path(
    path: Sequence[Analysis],
    *,
    plan: LookPlan,
    metric: str | None = None,
    treatment: str | None = None,
    truth: float | None = None,
) -> Figure:
    """Draw an effect at each look, with the interval that holds, and its z-score with the bounds.

    Parameters
    ----------
    path : sequence of Analysis
        One a look, as `analyze_path` gives them.
    plan : LookPlan
        By which they were read.
    metric, treatment : str, optional
        Which comparison; the first where not given.
    truth : float, optional
        The true difference, where it is known.

    Raises
    ------
    ValueError
        Where there is no look, or no such comparison.
    """
    if not path:
        raise ValueError("path must hold at least one look, got none.")
    seen = [_chosen(each, metric, treatment) for each in path]
    pairs = zip(path, seen, strict=True)
    n = np.array([each.units[one.control] + each.units[one.treatment] for each, one in pairs])
    plain = [_plain(one, plan) for one in seen]
    figure = Figure(figsize=(10.0, 6.4), dpi=100, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.2, 1])
    stops = [place for place, one in enumerate(seen) if one.difference.pvalue <= plan.alpha]
    held, naive = [one.difference for one in seen], plain
    marks = "o" if len(n) <= _FEW else ""
    upper.fill_between(n, [e.ci_lower for e in held], [e.ci_upper for e in held], color=WIDE, lw=0)
    upper.fill_between(n, [e.ci_lower for e in naive], [e.ci_upper for e in naive],
                       color=NARROW, lw=0)  # fmt: skip
    upper.plot(n, [e.value for e in held], color=BLUE, lw=1.6, marker=marks, ms=4)
    upper.axhline(0, color=LINE, lw=0.9, zorder=1)
    if truth is not None:
        upper.axhline(truth, color=ORANGE, lw=1.4, ls=(0, (1, 1.2)), zorder=3)
    reaches = [
        (each.ci_lower, each.ci_upper) for each in held if np.isfinite([each.ci_lower]).all()
    ]
    upper.set_ylim(*_heights(reaches, [each.value for each in held], truth))
    one = seen[-1]
    heading = f"{one.metric}, {one.treatment} against {one.control}: "
    heading += f"shown at {count(float(n[stops[0]]))} units" if stops else "nothing is shown"
    label(upper, heading, "", f"difference in {seen[0].metric}")
    _bounds(lower, plan, n)
    scores = np.array([_score(each.value, each.se, each.dof) for each in plain])
    lower.plot(n, scores, color=BLUE, lw=1.6, marker=marks, ms=4, zorder=3)
    for panel, heights in ((upper, [e.value for e in held]), (lower, scores.tolist())):
        panel.axvline(plan.n, color=QUIET, lw=1.0, ls=":", zorder=1)
        if stops:
            panel.plot(n[stops[0]], heights[stops[0]], "^", color=GREEN, ms=11, mec="white",
                       mew=1.2, zorder=5)  # fmt: skip
    lower.set_xlim(0, max(plan.n, float(n.max())) * 1.02)
    units_axis(lower.xaxis)
    label(lower, "", "units of both arms", "z-score")
    level = f"{100 * (1 - plan.alpha):g} % interval"
    handles: list[Any] = [
        Line2D([], [], color=BLUE, lw=1.6, label="estimate, z-score"),
        Patch(color=WIDE, label=f"{level} that holds at every look"),
        Patch(color=NARROW, label=f"{level} of one look only"),
        Line2D([], [], color=RED, lw=1.6, label=f"bound ({plan.method})"),
        Line2D([], [], color=ORANGE, lw=1.4, ls="--", label="bound of one look only"),
        Line2D([], [], color=QUIET, lw=1.0, ls=":", label="planned units"),
    ]
    if stops:
        handles.append(Line2D([], [], ls="", marker="^", ms=9, color=GREEN, label="first shown"))
    if truth is not None:
        handles.append(
            Line2D([], [], color=ORANGE, lw=1.4, ls=(0, (1, 1.2)), label="true difference")
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def plot_sample_ratio(
    found: SampleRatio, *, units: ArrayLike | None = None, pvalues: ArrayLike | None = None
) -> Figure:
    """Draw how far each variant's units are off the plan, beside what chance explains.

    Parameters
    ----------
    found : SampleRatio
    units, pvalues : array-like of shape (n_looks,), optional
        Always-valid p-values of the plan, and the units of all variants at which they were read
        (`nextcall.abtest.sequential_srm.sample_ratio_path`).

    Raises
    ------
    ValueError
        Where units and p-values are not as many.

    Examples
    --------
    >>> from nextcall.abtest.srm import sample_ratio
    >>> figure = plot_sample_ratio(sample_ratio({"A": 5000, "B": 5050}))
    >>> figure.axes[0].get_title(loc="left")
    'Units came as planned (p 0.618)'
    """
    times = np.atleast_1d(np.asarray([] if units is None else units, dtype=np.float64))
    path = np.atleast_1d(np.asarray([] if pvalues is None else pvalues, dtype=np.float64))
    if times.shape != path.shape:
        raise ValueError(f"units and pvalues must be as many, got {len(times)} and {len(path)}.")
    columns = 2 if len(times) else 1
    figure = Figure(figsize=(5.6 * columns, 1.7 + 0.5 * max(len(found.variants), 3)), dpi=100,
                    layout="constrained")  # fmt: skip
    panels = figure.subplots(1, columns, squeeze=False)[0]
    _ratio_panel(panels[0], found, float(path[-1]) if len(path) else found.pvalue)
    if len(times):
        panel = panels[1]
        panel.axhspan(_LEAST, MISMATCH, color=NARROW, lw=0, alpha=0.7, zorder=0)
        panel.plot(times, np.maximum(path, _LEAST), color=BLUE, lw=1.8)
        panel.axhline(MISMATCH, color=RED, lw=1.2, ls="--")
        panel.set_yscale("log")
        panel.set_ylim(max(_LEAST, min(float(path.min()) / 3, 1e-5)), 2)
        panel.text(0.99, MISMATCH * 1.25, f"below {MISMATCH:g} no winner is named", ha="right",
                   fontsize=9, color=RED, transform=panel.get_yaxis_transform())  # fmt: skip
        units_axis(panel.xaxis)
        label(panel, "p-value that holds at every look", "units of all variants", "")
    return figure


def _ratio_panel(panel: Any, found: SampleRatio, pvalue: float) -> None:
    names = [each.variant for each in found.variants]
    for place, each in enumerate(found.variants):
        reach = 0.0
        if each.expected > 0:
            share = each.expected / sum(one.expected for one in found.variants)
            reach = _LIMIT * sqrt((1 - share) / each.expected)
        panel.plot([-reach, reach], [place] * 2, color=WIDE, lw=14, solid_capstyle="butt", zorder=1)
        off = bool(abs(each.z) > _LIMIT)
        panel.plot(each.relative, place, "v" if off and each.excess < 0 else "^" if off else "o",
                   color=RED if off else BLUE, ms=9, zorder=3)  # fmt: skip
        panel.text(1.02, place, f"{each.observed:,}\n({each.expected:,.0f} planned)", va="center",
                   fontsize=9, color=LINE, transform=panel.get_yaxis_transform())  # fmt: skip
    panel.axvline(0, color=LINE, lw=0.9, zorder=2)
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    title = "Units did not come as planned" if pvalue < MISMATCH else "Units came as planned"
    label(
        panel,
        f"{title} ({pvalue_text(pvalue)})",
        "units, off their plan (band: 99.9 % of chance)",
        "",
    )
    panel.spines["left"].set_visible(False)


def _bounds(panel: Any, plan: LookPlan, n: NDArray[np.float64]) -> None:
    """Draw both bounds, where they are not too high to be of use."""
    once = float(-ndtri(plan.alpha / 2))
    for side in (1, -1):
        panel.axhline(side * once, color=ORANGE, lw=1.4, ls="--", zorder=2)
    panel.axhline(0, color=LINE, lw=0.9, zorder=1)
    if plan.method == "group-sequential":
        times = (n / plan.n).tolist()
        bounds = np.array(spending_bounds(times, alpha=plan.alpha, spending=plan.spending).upper)
        where, style = n, {"marker": "D", "ms": 5.0}
    else:
        last = max(plan.n, float(n.max()))
        where = np.geomspace(min(plan.horizon.first, last), last, _GRID)
        bounds, style = horizon_bounds(plan.horizon, where, alpha=plan.alpha), {}
    low = bounds <= _TALLEST
    for side in (1, -1):
        panel.plot(where[low], side * bounds[low], color=RED, lw=1.6, zorder=2, **style)


def _plain(seen: Comparison, plan: LookPlan) -> Effect:
    """Give the difference as a test with one look has it."""
    asked = seen.aim.margin is not None or seen.aim.equivalence is not None
    value = seen.difference.value if asked else seen.look.naive.value
    return effect_of(value, seen.difference.se, dof=seen.difference.dof, alpha=plan.alpha)


def _score(value: float, se: float, dof: float) -> float:
    return z_score(value / se, dof) if se > 0 and dof > 0 else float("nan")


def _heights(
    intervals: Sequence[tuple[float, float]], values: Sequence[float], truth: float | None
) -> tuple[float, float]:
    """Give the ends of the axis: the first intervals, which are very wide, may leave it."""
    known = [value for value in values if np.isfinite(value)]
    known += [0.0, 0.0 if truth is None else truth]
    late = [end for pair in intervals[len(intervals) // 4 :] for end in pair]
    low, high = min(known + late), max(known + late)
    room = 0.08 * (high - low) or 1.0
    return low - room, high + room


def _chosen(analysis: Analysis, metric: str | None, treatment: str | None) -> Comparison:
    for each in analysis.comparisons:
        if metric in {None, each.metric} and treatment in {None, each.treatment}:
            return each
    raise ValueError(f"metric and treatment must be compared, got {metric!r} and {treatment!r}.")
