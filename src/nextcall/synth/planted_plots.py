"""Pictures of planted faults and of planted effects, beside what is found of them."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nextcall.synth.anomalies import KINDS
from nextcall.synth.plot_parts import FOUND, MARK, PLANTED, QUIET, label_axes


def plot_anomalies(
    series: pd.DataFrame, truth: pd.DataFrame, *, margin: int = 15, columns: int = 4
) -> Figure:
    """Draw every planted fault in a panel of its own, its place marked.

    Parameters
    ----------
    series, truth : DataFrame
        What `plant_anomalies` gives, for a series with ``expected`` and ``sigma``.
    margin : int
        Times that are shown before and after.
    """
    order = sorted(truth.to_dict("records"), key=lambda fault: KINDS.index(fault["kind"]))
    rows = -(-len(order) // columns)
    figure = Figure(figsize=(2.6 * columns, 1.6 * rows + 0.6), dpi=90, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    parts = dict(list(series.groupby("entity", sort=False)))
    inside, outside = [], []
    for panel, fault in zip(panels, order, strict=False):
        part = parts[fault["entity"]]
        first, last = int(fault["first"]), int(fault["last"])
        near = part.iloc[max(0, first - margin) : last + 1 + margin]
        minutes = (near["time"] - fault["start"]).dt.total_seconds() / 60
        off = ((near["value"] - near["expected"]) / near["sigma"]).abs()
        inside.append(float(off[near["fault"] == fault["fault"]].median()))
        outside.append(float(off[near["fault"] < 0].median()))
        panel.axvspan(-0.5, last - first + 0.5, color=MARK)
        panel.plot(minutes, near["expected"], color=PLANTED, linewidth=1)
        panel.plot(minutes, near["value"], color=FOUND, linewidth=1)
        panel.set_title(fault["kind"], fontsize=8.5)
        panel.tick_params(labelsize=7)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(order) :]:
        panel.set_visible(False)
    figure.suptitle(
        f"Inside the marks values are {np.median(inside):.1f} standard deviations off, "
        f"beside them {np.median(outside):.1f} (medians of {len(order)} kinds)",
        fontsize=12,
    )
    figure.supxlabel("minutes after the fault begins (line: expected)", fontsize=10)
    figure.supylabel("events a minute", fontsize=10)
    return figure


def plot_effects(intervals: pd.DataFrame, truth: pd.DataFrame) -> Figure:
    """Draw the intervals of many A/B tests beside the effect that was planted in all of them.

    Parameters
    ----------
    intervals : DataFrame
        One row a test and metric: ``metric``, ``effect``, ``low``, ``high``.
    truth : DataFrame
        One row a metric: ``metric`` and its ``absolute`` effect.
    """
    figure = Figure(figsize=(11.0, 4.6), dpi=100, layout="constrained")
    panels = figure.subplots(1, len(truth), squeeze=False)[0]
    held, total = 0, 0
    for panel, metric, planted in zip(panels, truth["metric"], truth["absolute"], strict=True):
        part = intervals[intervals["metric"] == metric].sort_values("effect")
        places = np.arange(len(part))
        holds = ((part["low"] <= planted) & (planted <= part["high"])).to_numpy()
        for which, colour, name in ((holds, FOUND, "holds it"), (~holds, "#000000", "misses it")):
            panel.hlines(
                places[which], part["low"][which], part["high"][which], color=colour,
                linewidth=1.6, label=f"95 % interval, {name}",
            )  # fmt: skip
            panel.plot(part["effect"][which], places[which], ".", ms=4, color=colour)
        panel.axvline(planted, color=PLANTED, linewidth=2, label="planted")
        panel.axvline(0, color=QUIET, linewidth=1, linestyle=":")
        panel.set_yticks([])
        words = str(metric).replace("_", " ")
        label_axes(
            panel, f"{words}: {holds.sum()} of {len(part)} hold it", f"effect on {words}", ""
        )
        panel.locator_params(axis="x", nbins=5)
        held, total = held + int(holds.sum()), total + len(part)
    panels[0].set_ylabel("A/B tests, by effect found")
    names = {str(line.get_label()): line for panel in panels for line in _drawn(panel)}
    figure.legend(names.values(), names, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(f"{held} of {total} intervals ({held / total:.0%}) hold the planted effect")
    return figure


def _drawn(panel: Any) -> list[Any]:
    """Give what has an entry in the legend."""
    return list(panel.get_legend_handles_labels()[0])
