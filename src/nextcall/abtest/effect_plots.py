"""Pictures of effects with their intervals: of metrics, and of segments."""

import textwrap
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from nextcall.abtest.analysis import Analysis
from nextcall.abtest.comparison import Comparison
from nextcall.abtest.effect import Effect
from nextcall.abtest.metrics import Aim
from nextcall.abtest.plot_parts import (
    BLUE,
    GREEN,
    LINE,
    NARROW,
    ORANGE,
    OUTCOMES,
    QUIET,
    WIDE,
    label,
    marker,
)
from nextcall.abtest.segments import Heterogeneity
from nextcall.abtest.verdict import pvalue_text

_FINE: Final = 0.0015  # standard error below which a tenth of a per cent is too coarse
_FARTHEST: Final = 4.0  # times the median of how far intervals reach: others end in an arrow


def plot_effects(
    analysis: Analysis, *, truth: Mapping[tuple[str, str], float] | None = None
) -> Figure:
    """Draw each comparison's relative effect with its interval: a forest plot.

    Outcomes have a colour and a shape of their own. A margin of non-inferiority is a bar across,
    a range of equivalence a band. Intervals that hold at this look are drawn, whatever the plan.

    Parameters
    ----------
    truth : mapping of (metric, treatment) to float, optional
        The true relative effect, where it is known.

    Examples
    --------
    >>> import pandas as pd
    >>> from nextcall.abtest.analysis import analyze
    >>> from nextcall.abtest.metrics import Mean
    >>> rows = pd.DataFrame({"variant": ["A", "B"] * 50, "spent": np.arange(100.0)})
    >>> figure = plot_effects(analyze(rows, control="A", metrics=[Mean("spent")]))
    >>> figure.axes[0].get_title(loc="left").splitlines()[0]
    'no difference'
    """
    shown = list(analysis.comparisons)
    figure = Figure(figsize=(10.0, 2.3 + 0.5 * max(len(shown), 2)), dpi=100, layout="constrained")
    panel = figure.subplots()
    ends = _ends([each.relative for each in shown], [_edge(each.aim) for each in shown])
    known = truth or {}
    for place, each in enumerate(shown):
        _margins(panel, each, place)
        mark = OUTCOMES[each.outcome]
        if isfinite(each.relative.value):
            _interval(panel, each.relative, place, ends, color=mark.colour, lw=2.2)
            panel.plot(each.relative.value, place, **marker(mark), zorder=4)
        true = known.get((each.metric, each.treatment))
        if true is not None:
            panel.plot(true, place - 0.28, marker="*", ms=9, color=ORANGE, mec=LINE, mew=0.6)
        panel.text(1.02, place, _told(each), transform=panel.get_yaxis_transform(), va="center",
                   fontsize=9, color=LINE)  # fmt: skip
    panel.axvline(0, color=LINE, lw=0.9, zorder=1)
    several = len({each.treatment for each in shown}) > 1
    panel.set_yticks(range(len(shown)), [_name(each, several=several) for each in shown])
    panel.set_ylim(len(shown) - 0.45, -0.55)
    panel.set_xlim(*ends)
    panel.tick_params(axis="y", length=0)
    panel.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    sentence = textwrap.fill(analysis.verdict.sentence, 104)
    label(panel, f"{analysis.verdict.decision}\n{sentence}", "effect, as a share of control", "")
    panel.spines["left"].set_visible(False)
    panel.grid(axis="x", alpha=0.25)
    level = f"{100 * (1 - analysis.alpha):g} % interval"
    used = [name for name in OUTCOMES if any(each.outcome == name for each in shown)]
    handles: list[Any] = [
        Line2D([], [], label=name, lw=2.2, **marker(OUTCOMES[name])) for name in used
    ]
    handles[0].set_label(f"{used[0]} ({level})")
    if any(each.aim.margin is not None for each in shown):
        handles.append(Line2D([], [], ls="", marker="|", ms=14, mew=2.2, color=ORANGE,
                              label="margin"))  # fmt: skip
    if any(each.aim.equivalence is not None for each in shown):
        handles.append(Patch(color=NARROW, label="counts as equal"))
    if known:
        handles.append(Line2D([], [], ls="", marker="*", ms=9, color=ORANGE, mec=LINE, mew=0.6,
                              label="truth"))  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def plot_segments(
    found: Heterogeneity,
    *,
    what: str = "effect",
    truth: Mapping[str, float] | None = None,
) -> Figure:
    """Draw the effect in each segment, as it was measured and drawn to that of all.

    Parameters
    ----------
    what : str
        Name of the effect, with its unit.
    truth : mapping of str to float, optional
        The true effect of each segment, where it is known.

    Examples
    --------
    >>> from nextcall.abtest.effect import Arm
    >>> from nextcall.abtest.segments import compare_segments
    >>> arm = Arm(n=50, estimate=1.0, variance=1.0)
    >>> figure = plot_segments(compare_segments({"phone": (arm, arm), "desktop": (arm, arm)}))
    >>> figure.axes[0].get_title(loc="left")
    'No difference between segments is shown (p 1.000)'
    """
    segments = sorted(found.segments.items(), key=lambda item: -_sortable(item[1].effect.value))
    figure = Figure(figsize=(9.0, 2.1 + 0.5 * max(len(segments), 2)), dpi=100, layout="constrained")
    panel = figure.subplots()
    common, known = found.common, truth or {}
    ends = _ends([each.effect for _, each in segments])
    if isfinite(common.value):
        panel.axvspan(common.ci_lower, common.ci_upper, color=WIDE, lw=0, alpha=0.6, zorder=0)
        panel.axvline(common.value, color=BLUE, lw=1.0, ls="--", zorder=1)
    panel.axvline(0, color=LINE, lw=0.9, zorder=1)
    for place, (name, each) in enumerate(segments):
        _interval(panel, each.effect, place - 0.15, ends, color=QUIET, lw=1.2)
        panel.plot(each.effect.value, place - 0.15, "o", mfc="white", mec=QUIET, mew=1.4, ms=6,
                   zorder=4)  # fmt: skip
        drawn = (each.shrunk_ci_lower, each.shrunk_ci_upper)
        panel.plot(drawn, [place + 0.15] * 2, color=BLUE, lw=2.6, solid_capstyle="butt", zorder=3)
        panel.plot(each.shrunk, place + 0.15, "D", color=BLUE, ms=6, zorder=4)
        if name in known:
            panel.plot(known[name], place, marker="*", ms=9, color=ORANGE, mec=LINE, mew=0.6,
                       zorder=5)  # fmt: skip
        panel.text(1.02, place, pvalue_text(each.adjusted_pvalue),
                   transform=panel.get_yaxis_transform(), va="center", fontsize=9,
                   color=GREEN if each.adjusted_pvalue <= 0.05 else LINE)  # fmt: skip
    panel.set_yticks(range(len(segments)), [name for name, _ in segments])
    panel.set_ylim(len(segments) - 0.45, -0.55)
    panel.set_xlim(*ends)
    panel.tick_params(axis="y", length=0)
    differ = "Effects differ between segments" if found.pvalue <= 0.05 else (
        "No difference between segments is shown"
    )  # fmt: skip
    label(panel, f"{differ} ({pvalue_text(found.pvalue)})", what, "")
    panel.spines["left"].set_visible(False)
    panel.grid(axis="x", alpha=0.25)
    handles: list[Any] = [
        Line2D(
            [], [], color=QUIET, lw=1.2, marker="o", mfc="white", mew=1.4, label="segment alone"
        ),
        Line2D([], [], color=BLUE, lw=2.6, marker="D", label="drawn to all segments"),
        Line2D([], [], color=BLUE, lw=1.0, ls="--", label="mean of the segments"),
    ]
    if known:
        handles.append(Line2D([], [], ls="", marker="*", ms=9, color=ORANGE, mec=LINE, mew=0.6,
                              label="truth"))  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def _edge(aim: Aim) -> float:
    """Give the margin of non-inferiority, with its sign; 0 without one."""
    edge = aim.margin or 0.0
    return -edge if aim.better == "higher" else edge


def _ends(effects: Sequence[Effect], edges: Sequence[float] = ()) -> tuple[float, float]:
    """Give the ends of the axis: those of margins and of all intervals but the farthest."""
    ends = np.array([(each.ci_lower, each.ci_upper) for each in effects])
    farthest = np.abs(ends).max(axis=1)
    farthest = farthest[np.isfinite(farthest)]
    most = _FARTHEST * float(np.median(farthest)) if len(farthest) else 1.0
    low, high = (float(end) for end in (ends.min(initial=0.0), ends.max(initial=0.0)))
    low, high = min([max(low, -most), *edges]), max([min(high, most), *edges])
    room = 0.06 * (high - low) if high > low else 1.0
    return low - room, high + room


def _interval(
    panel: Any, effect: Effect, place: float, ends: tuple[float, float], *, color: str, lw: float
) -> None:
    """Draw an interval; an arrow where it goes on beyond the axis."""
    low, high = (min(max(end, ends[0]), ends[1]) for end in (effect.ci_lower, effect.ci_upper))
    panel.plot([low, high], [place] * 2, color=color, lw=lw, solid_capstyle="butt", zorder=3)
    for end, shape, beyond in ((low, "<", effect.ci_lower < ends[0]),
                               (high, ">", effect.ci_upper > ends[1])):  # fmt: skip
        if beyond:
            panel.plot(end, place, shape, color=color, ms=7, clip_on=False, zorder=4)


def _margins(panel: Any, each: Comparison, place: int) -> None:
    aim = each.aim
    if aim.equivalence is not None:
        panel.fill_between([-aim.equivalence, aim.equivalence], place - 0.3, place + 0.3,
                           color=NARROW, lw=0, zorder=0)  # fmt: skip
    if aim.margin is not None:
        panel.plot([_edge(aim)] * 2, [place - 0.3, place + 0.3], color=ORANGE, lw=2.2, zorder=2)


def _name(each: Comparison, *, several: bool) -> str:
    notes = ["guardrail"] * each.aim.guardrail + ["less is better"] * (each.aim.better == "lower")
    name = f"{each.metric}: {each.treatment}" if several else each.metric
    return f"{name}\n({', '.join(notes)})" if notes else name


def _told(each: Comparison) -> str:
    effect = each.relative
    if not isfinite(effect.value):
        return "no share of control"
    form = "+.1%" if not effect.se < _FINE else "+.2%"
    return (
        f"{effect.value:{form}}  [{effect.ci_lower:{form}}, {effect.ci_upper:{form}}]  "
        f"{pvalue_text(each.adjusted_pvalue)}"
    )


def _sortable(value: float) -> float:
    return value if isfinite(value) else -np.inf
