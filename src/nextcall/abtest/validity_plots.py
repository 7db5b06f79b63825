"""Pictures of simulations: how often a test is wrong, and whether p-values are what they say."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from nextcall.abtest.plot_parts import (
    BLUE,
    GREEN,
    LINE,
    MARKS,
    QUIET,
    RED,
    SERIES,
    WIDE,
    Mark,
    label,
    marker,
)

_KS: Final = 1.358  # Kolmogorov's law: its 95 % quantile, times the root of the runs
_HELD: Final = Mark(BLUE, "o", filled=True)
_STRICT: Final = Mark(GREEN, "D", filled=False)


def plot_shares(
    found: pd.DataFrame,
    *,
    level: float,
    within: float,
    what: str,
    bad: Literal["above", "below"] = "above",
) -> Figure:
    """Draw how often each method was wrong, or right, beside what it promises.

    Parameters
    ----------
    found : pandas.DataFrame
        One row a method and group: ``method``, ``group``, ``share``, ``low``, ``high``. Each group
        has a panel.
    level, within : float
        What was promised, and how far off counts as kept.
    what : str
        Name of the share.
    bad : {"above", "below"}
        On which side of the level a promise is broken; the other side is only needlessly strict.
        An interval that holds the level tells neither.

    Examples
    --------
    >>> rows = [{"method": "Welch", "group": "normal", "share": 0.05, "low": 0.04, "high": 0.06}]
    >>> figure = plot_shares(pd.DataFrame(rows), level=0.05, within=0.007, what="false alarms")
    >>> figure.axes[0].get_title(loc="left")
    'normal'
    """
    methods = list(dict.fromkeys(found["method"]))
    groups = list(dict.fromkeys(found["group"]))
    figure = Figure(figsize=(4.2 + 2.3 * len(groups), 1.7 + 0.3 * len(methods)), dpi=100,
                    layout="constrained")  # fmt: skip
    panels = figure.subplots(1, len(groups), sharey=True, sharex=True, squeeze=False)[0]
    broken = Mark(RED, "^" if bad == "above" else "v", filled=True)
    used: list[Mark] = []
    for panel, group in zip(panels, groups, strict=True):
        panel.axvspan(level - within, level + within, color=WIDE, lw=0, zorder=0)
        panel.axvline(level, color=LINE, lw=0.9, zorder=1)
        for row in found[found["group"] == group].to_dict("records"):
            off = (row["share"] - level) * (1 if bad == "above" else -1)
            told = abs(off) > within and not row["low"] <= level <= row["high"]
            mark = _HELD if not told else broken if off > 0 else _STRICT
            used.append(mark)
            place = methods.index(row["method"])
            panel.plot([row["low"], row["high"]], [place] * 2, color=mark.colour, lw=1.6, zorder=2)
            panel.plot(row["share"], place, **marker(mark, 7.0), zorder=3)
        panel.grid(axis="x", alpha=0.25)
        label(panel, group, what, "")
        panel.spines["left"].set_visible(False)
        panel.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(methods)), methods)
    panels[0].set_ylim(len(methods) - 0.4, -0.6)
    names = {_HELD: "as promised", broken: "more often wrong", _STRICT: "stricter than it must be"}
    handles: list[Any] = [
        Line2D([], [], lw=1.6, label=names[mark], **marker(mark, 7.0))
        for mark in names
        if mark in used
    ]
    handles.append(Patch(color=WIDE, label=f"{level:g} ± {within:g} (lines: 95 % intervals)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def plot_pvalues(pvalues: Mapping[str, ArrayLike], *, most: float = 1.0) -> Figure:
    """Draw how often p-values lie at or below each level, less that level: 0 where all is well.

    Parameters
    ----------
    pvalues : mapping of str to array-like
        Of tests in which nothing differs, by method; those of few runs have a wide band.
    most : float
        The largest level that is drawn, above 0 and at most 1.

    Examples
    --------
    >>> figure = plot_pvalues({"Welch": np.random.default_rng(0).random(1000)})
    >>> figure.axes[0].get_xlabel()
    'level'
    """
    figure = Figure(figsize=(8.0, 4.6), dpi=100, layout="constrained")
    panel = figure.subplots()
    few = min(np.size(each) for each in pvalues.values())
    panel.axhspan(-_KS / sqrt(few), _KS / sqrt(few), color=WIDE, lw=0, zorder=0)
    panel.axhline(0, color=LINE, lw=0.9, zorder=1)
    grid = np.linspace(0.0, most, 401)
    for number, (name, values) in enumerate(pvalues.items()):
        known = np.sort(np.asarray(values, dtype=np.float64))
        share = np.searchsorted(known, grid, side="right") / len(known)
        panel.plot(
            grid, share - grid, label=name, color=SERIES[number % len(SERIES)], lw=1.8, ms=5,
            marker=MARKS[number % len(MARKS)], markevery=(10 + 6 * number, 50),
        )  # fmt: skip
    panel.axvline(0.05, color=QUIET, lw=1.0, ls=":", zorder=1)
    panel.set_xlim(0, most)
    panel.grid(alpha=0.25)
    label(panel, "Share of p-values at or below a level, less the level", "level", "too many")
    handles, _ = panel.get_legend_handles_labels()
    band: Sequence[Any] = [Patch(color=WIDE, label=f"95 % band of uniform p-values, {few:,} runs")]
    panel.legend(handles=[*handles, *band], frameon=False, fontsize=9)
    return figure
