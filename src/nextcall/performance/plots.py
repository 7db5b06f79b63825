"""Drawings of runs one after another."""

import pandas as pd
from matplotlib.figure import Figure

_COLUMNS = 4


def plot_parts(frame: pd.DataFrame) -> Figure:
    """Draw what each part took, run after run: p50 as a line, up to p95 as a band.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of `trend.runs_frame`, of one source.

    Returns
    -------
    matplotlib.figure.Figure
        A panel a part, each with its own logarithmic axis.
    """
    parts = list(dict.fromkeys(frame["part"]))
    lines = -(-len(parts) // _COLUMNS)
    figure = Figure(figsize=(12, 0.6 + 2.3 * lines), layout="constrained")
    panels = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    for panel in panels[len(parts) :]:
        panel.set_visible(False)
    for panel, part in zip(panels, parts, strict=False):
        own = frame[frame["part"] == part]
        places = range(1, len(own) + 1)
        panel.fill_between(places, own["p50"], own["p95"], alpha=0.2)
        panel.plot(places, own["p50"], marker="o", markersize=4)
        panel.set_yscale("log")
        panel.set_title(part, fontsize=10)
        panel.grid(visible=True, which="both", alpha=0.2)
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter("{x:g}")
        panel.tick_params(which="both", labelsize=7)
    figure.supylabel("milliseconds, p50 to p95", fontsize=10)
    figure.supxlabel("run, the newest last", fontsize=10)
    return figure


def plot_room(promises: pd.DataFrame) -> Figure:
    """Draw the share of each limit that is left: the newest run as a bar, those before as dots.

    Parameters
    ----------
    promises : pandas.DataFrame
        Of `trend.promises_frame`, of one source; what is unknown is left out.

    Returns
    -------
    matplotlib.figure.Figure
    """
    known = promises.dropna(subset=["room"])
    names = known["part"] + ": " + known["promise"]
    newest = known["at"] == known["at"].max()
    order = list(dict.fromkeys(names[newest]))[::-1]
    figure = Figure(figsize=(9, 0.9 + 0.3 * len(order)), layout="constrained")
    panel = figure.subplots()
    bars = known[newest].set_index(names[newest])["room"].reindex(order)
    colours = ["#b3413a" if room < 0 else "#3f7f5f" for room in bars]
    panel.barh(order, bars.clip(lower=-1), color=colours, height=0.6)
    before = known[~newest & names.isin(order)]
    panel.plot(before["room"].clip(lower=-1), names[before.index], "o", color="black", markersize=3)
    panel.axvline(0, color="black", linewidth=0.8)
    least = min(0.0, known["room"].clip(lower=-1).min())
    panel.set_xlim(least, 1)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    panel.set_xlabel("of the limit that is left; dots are earlier runs")
    panel.tick_params(labelsize=8)
    panel.grid(visible=True, axis="x", alpha=0.3)
    return figure
