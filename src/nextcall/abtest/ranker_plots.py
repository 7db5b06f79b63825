"""Pictures of two rankers: paired differences, power against users, what logs say."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import ArrayLike

from nextcall.abtest.paired import PairedComparison
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
    count,
    label,
    marker,
)
from nextcall.abtest.users_needed import power_of
from nextcall.abtest.verdict import pvalue_text

_PLACES: Final = 120  # of a curve
_OF_ESTIMATES: Final = {  # by whether the interval holds the truth, and whether it was warned of
    (True, False): (Mark(BLUE, "o", filled=True), "holds the truth"),
    (True, True): (Mark(BLUE, "o", filled=False), "holds it, warned of"),
    (False, False): (Mark(RED, "X", filled=True), "misses it"),
    (False, True): (Mark(RED, "X", filled=False), "misses it, warned of"),
}


def plot_paired(found: PairedComparison, differences: ArrayLike, *, what: str = "score") -> Figure:
    """Draw two rankers' differences on the same queries: each of them, and by slice.

    Parameters
    ----------
    found : PairedComparison
    differences : array-like of shape (n_queries,)
        Treatment less control.
    what : str
        Name of the score.

    Examples
    --------
    >>> from nextcall.abtest.metrics import RankQuality
    >>> from nextcall.abtest.paired import compare_rankers
    >>> data = pd.DataFrame({"old": [0.2, 0.5, 0.4, 0.9], "new": [0.4, 0.6, 0.4, 1.0]})
    >>> paired = compare_rankers(data, RankQuality("old", "new"), rng=np.random.default_rng(0))
    >>> figure = plot_paired(paired, data["new"] - data["old"])
    >>> figure.axes[0].get_title(loc="left")
    '3 won, 1 alike, 0 lost'
    """
    figure = Figure(
        figsize=(11.0, 2.6 + 0.28 * max(len(found.slices), 6)), dpi=100, layout="constrained"
    )
    each_query, by_slice = figure.subplots(1, 2, width_ratios=(1.0, 1.15))
    ahead = np.sort(np.asarray(differences, dtype=np.float64))[::-1]
    share = (np.arange(len(ahead)) + 0.5) / len(ahead)
    each_query.fill_between(share, 0, np.maximum(ahead, 0), color=GREEN, lw=0, step="mid")
    each_query.fill_between(share, 0, np.minimum(ahead, 0), color=RED, lw=0, step="mid")
    each_query.axhline(0, color=LINE, lw=0.9)
    each_query.set_xlim(0, 1)
    each_query.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    told = f"{found.wins:,} won, {found.ties:,} alike, {found.losses:,} lost"
    label(each_query, told, "share of queries, most won first", f"difference in {what}")
    effect = found.effect
    by_slice.axvspan(effect.ci_lower, effect.ci_upper, color=WIDE, lw=0, zorder=0)
    by_slice.axvline(effect.value, color=BLUE, lw=1.0, ls="--", zorder=1)
    by_slice.axvline(0, color=LINE, lw=0.9, zorder=1)
    for place, part in enumerate(found.slices):
        low, high = part.effect.ci_lower, part.effect.ci_upper
        colour, shape = (GREEN, "^") if low > 0 else (RED, "v") if high < 0 else (QUIET, "o")
        by_slice.plot([low, high], [place] * 2, color=colour, lw=2.0, zorder=3)
        by_slice.plot(part.effect.value, place, shape, color=colour, ms=7, zorder=4)
    names = [f"{part.name} ({part.n:,})" for part in found.slices]
    by_slice.set_yticks(range(len(names)), names)
    by_slice.set_ylim(max(len(names), 1) - 0.45, -0.55)
    by_slice.tick_params(axis="y", length=0)
    by_slice.spines["left"].set_visible(False)
    title = f"All: {effect.value:+.3f} ({pvalue_text(effect.pvalue)})"
    label(by_slice, title, f"difference in {what}", "")
    handles: list[Any] = [
        Line2D([], [], color=GREEN, marker="^", lw=2.0, label="better"),
        Line2D([], [], color=RED, marker="v", lw=2.0, label="worse"),
        Line2D([], [], color=QUIET, marker="o", lw=2.0, label="not told apart"),
        Patch(color=WIDE, label="all queries (lines: 95 %, for all slices together)"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    for panel in (each_query, by_slice):
        panel.grid(axis="both" if panel is each_query else "x", alpha=0.25)
    return figure


def plot_users(needed: Mapping[str, pd.DataFrame], *, power: float = 0.8) -> Figure:
    """Draw the power of each test against the users that it takes, a panel for each world.

    Parameters
    ----------
    needed : mapping of str to DataFrame
        From `nextcall.abtest.users_needed.needed_users`, by what the users are like; the same
        tests everywhere.
    power : float
        That the dots, with their intervals, are needed for.

    Examples
    --------
    >>> from nextcall.abtest.users_needed import needed_users
    >>> table = needed_users({"A/B": [[1.0, 16.0]] * 2, "drafts": [[1.0, 4.0]] * 2}, against="A/B")
    >>> figure = plot_users({"equal users": table})
    >>> figure.axes[0].get_xscale()
    'log'
    """
    figure = Figure(figsize=(5.4 * min(len(needed), 2), 3.4 * ((len(needed) + 1) // 2) + 0.6),
                    dpi=100, layout="constrained")  # fmt: skip
    panels = figure.subplots(
        (len(needed) + 1) // 2, min(len(needed), 2), sharex=True, sharey=True, squeeze=False
    ).ravel()
    every = np.concatenate([table[["low", "high"]].to_numpy().ravel() for table in needed.values()])
    ends = (float(every.min()) / 6, float(every.max()) * 2)
    users = np.geomspace(*ends, _PLACES)
    for panel, (name, table) in zip(panels, needed.items(), strict=False):
        panel.axhline(power, color=LINE, lw=0.9, ls="--", zorder=1)
        for number, row in enumerate(table.to_dict("records")):
            colour, shape = SERIES[number % len(SERIES)], MARKS[number % len(MARKS)]
            chances = power_of(users, row["difference"], row["variance"])
            panel.plot(users, chances, color=colour, lw=1.8, label=row["test"], marker=shape,
                       markevery=[], zorder=2)  # fmt: skip
            panel.plot([row["low"], row["high"]], [power] * 2, color=colour, lw=3.0, zorder=3)
            panel.plot(row["users"], power, shape, color=colour, mec="white", ms=9, zorder=4)
        panel.set_xscale("log")
        panel.set_xlim(*ends)
        panel.set_ylim(0, 1.02)
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
        panel.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        panel.grid(alpha=0.25)
        label(panel, name, "users", "power")
        panel.label_outer()
    for panel in panels[len(needed) :]:
        panel.set_visible(False)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def plot_values(found: pd.DataFrame, *, truth: Mapping[str, float], what: str) -> Figure:
    """Draw what logs say of another policy beside what it earns in truth, a panel for each policy.

    Parameters
    ----------
    found : DataFrame
        One row an estimate: ``policy, method, value, low, high, warned``.
    truth : mapping of str to float
        Of each policy.
    what : str
        Name of the reward, with its unit.

    Examples
    --------
    >>> row = {"policy": "new", "method": "IPS", "value": 0.3, "low": 0.2, "high": 0.4}
    >>> table = pd.DataFrame([row | {"warned": False}])
    >>> figure = plot_values(table, truth={"new": 0.35}, what="clicks a list")
    >>> figure.axes[0].get_title(loc="left")
    'new'
    """
    methods = list(dict.fromkeys(found["method"]))
    figure = Figure(figsize=(4.0 + 3.2 * len(truth), 1.8 + 0.32 * len(methods)), dpi=100,
                    layout="constrained")  # fmt: skip
    panels = figure.subplots(1, len(truth), sharey=True, sharex=True, squeeze=False)[0]
    used: set[tuple[bool, bool]] = set()
    for panel, (policy, true) in zip(panels, truth.items(), strict=True):
        panel.axvline(true, color=LINE, lw=1.2, zorder=1)
        for row in found[found["policy"] == policy].to_dict("records"):
            kind = (bool(row["low"] <= true <= row["high"]), bool(row["warned"]))
            used.add(kind)
            mark = _OF_ESTIMATES[kind][0]
            place = methods.index(row["method"])
            panel.plot([row["low"], row["high"]], [place] * 2, color=mark.colour, lw=2.0, zorder=2)
            panel.plot(row["value"], place, **marker(mark, 7.0), zorder=3)
        panel.grid(axis="x", alpha=0.25)
        label(panel, policy, what, "")
        panel.spines["left"].set_visible(False)
        panel.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(methods)), methods)
    panels[0].set_ylim(len(methods) - 0.4, -0.6)
    handles: list[Any] = [
        Line2D([], [], lw=2.0, label=name, **marker(mark, 7.0))
        for kind, (mark, name) in _OF_ESTIMATES.items()
        if kind in used
    ]
    handles.append(Line2D([], [], color=LINE, lw=1.2, label="truth"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure
