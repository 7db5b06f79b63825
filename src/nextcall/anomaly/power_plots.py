"""Pictures of how many planted faults detectors find, how soon, and at what cost."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nextcall.anomaly.fault_detection import recall_table

# Okabe & Ito (2008): told apart by every kind of colour vision.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_OTHERS: Final = "#C4C4C4"
_MARKS: Final = "osD^vP*"
_BANDS: Final = 2  # detectors whose intervals are drawn: more hide each other
_LONGEST: Final = 200.0  # rows of delay that are drawn


def plot_power(faults: pd.DataFrame, *, rate: float) -> Figure:
    """Draw detection rate against size, against delay and against the rate of false alarms.

    The seven that find most at `rate` are told apart, the others stand behind them in grey.

    Parameters
    ----------
    faults : pandas.DataFrame
        As `nextcall.anomaly.fault_detection.compare_detectors` gives them, with two rates or more.
    rate : float
        Of those, the one of the first two panels.
    """
    at_rate = faults[np.isclose(faults["rate"], rate)]
    recalls = at_rate.groupby("detector", sort=False)["found"].mean()
    names = recalls.sort_values(ascending=False, kind="stable").index.tolist()
    figure = Figure(figsize=(13.0, 5.0), dpi=100, layout="constrained")
    by_size, by_delay, by_rate = figure.subplots(1, 3, sharey=True)
    for number, name in enumerate(names):
        told = number < len(_COLOURS)
        style: dict[str, Any] = {
            "color": _COLOURS[number] if told else _OTHERS,
            "linewidth": 2.6 if number == 0 else 1.4 if told else 0.9,
            "zorder": 3 if told else 2,
        }
        mark = {"marker": _MARKS[number], "markersize": 5.0} if told else {}
        own = at_rate[at_rate["detector"] == name]
        sized = recall_table(own[own["unit"] == "sigma"], ["size"]).sort_values("size")
        if number < _BANDS:
            by_size.fill_between(
                sized["size"], sized["low"], sized["high"], color=style["color"], alpha=0.12, lw=0
            )
        by_size.plot(sized["size"], sized["recall"], **style, **mark)
        delays = np.sort(own["delay"].dropna().to_numpy().clip(max=_LONGEST))
        shares = np.arange(1, len(delays) + 1) / max(len(own), 1)
        by_delay.step(
            np.concatenate([[0.0], delays, [_LONGEST]]),
            np.concatenate([[0.0], shares, shares[-1:] if len(shares) else [0.0]]),
            where="post",
            **style,
        )
        rated = recall_table(faults[faults["detector"] == name], ["rate"]).sort_values("rate")
        (line,) = by_rate.plot(1440 * rated["rate"], rated["recall"], **style, **mark)
        if told:
            line.set_label(name)
        elif name == names[-1]:
            line.set_label(f"{len(names) - len(_COLOURS)} others")
    by_size.set_xlabel("size (standard deviations)")
    by_size.set_xticks(sorted(at_rate.loc[at_rate["unit"] == "sigma", "size"].unique()))
    by_size.set_ylabel("share of faults found")
    by_delay.set_xlabel("within so many points of its start")
    by_delay.set_xscale("symlog", linthresh=1.0)
    by_delay.set_xlim(0, _LONGEST)
    by_delay.set_xticks([0, 1, 3, 10, 30, 100], ["0", "1", "3", "10", "30", "100"])
    by_rate.set_xlabel("false alarms a day (1,440 points), no faults")
    by_rate.set_xscale("log")
    ticks = [1440 * each for each in sorted(faults["rate"].unique())]
    by_rate.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
    by_rate.minorticks_off()
    by_size.set_ylim(0, 1.02)
    often = f"once in {1 / rate:,.0f} points"
    for panel, title in (
        (by_size, f"Size (false alarms {often})"),
        (by_delay, f"Delay (false alarms {often})"),
        (by_rate, "False alarms (all sizes)"),
    ):
        panel.set_title(title, fontsize=10)
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def plot_recall_by_kind(faults: pd.DataFrame, *, kinds: Sequence[str]) -> Figure:
    """Draw a table of detection rates: a row a detector, a column a kind of fault.

    Parameters
    ----------
    faults : pandas.DataFrame
        Of one rate, with ``detector``, ``kind`` and ``found``.
    kinds : sequence of str
        Order of the columns; those that do not occur are left out.
    """
    shares = faults.pivot_table(
        index="detector", columns="kind", values="found", aggfunc="mean", sort=False
    ).astype(np.float64)
    shown = [kind for kind in kinds if kind in shares]
    shares = shares[shown]
    figure = Figure(figsize=(13.0, 2.2 + 0.36 * len(shares)), dpi=100, layout="constrained")
    panel = figure.subplots()
    panel.imshow(shares.to_numpy(), cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares.to_numpy()):
        colour = "black" if share > 0.55 else "white"
        text = f"{100 * share:.0f}"
        panel.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    panel.set_yticks(range(len(shares)), shares.index.tolist(), fontsize=9)
    panel.set_xticks(range(len(shown)), [_said(kind) for kind in shown], rotation=45, ha="right")
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.set_title("Faults found, in %", fontsize=10)
    return figure


def plot_faults(rows: pd.DataFrame, *, boundary: float = 0.5) -> Figure:
    """Draw examples of planted faults, the alarms on them and the band that was expected.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``example`` (a title), ``minute`` from the start of the fault, ``value``, ``expected``,
        ``sigma``, ``risk`` and ``faulty``.
    boundary : float
        Risk from which a row is an alarm.
    """
    titles = list(dict.fromkeys(rows["example"]))
    columns = min(4, len(titles))
    lines = -(-len(titles) // columns)
    figure = Figure(figsize=(13.0, 0.6 + 2.3 * lines), dpi=100, layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel in panels[len(titles) :]:
        panel.set_axis_off()
    for panel, title in zip(panels, titles, strict=False):
        own = rows[rows["example"] == title]
        minute, expected, sigma = (own[name].to_numpy() for name in ("minute", "expected", "sigma"))
        low, high = np.maximum(expected - 1.96 * sigma, 0), expected + 1.96 * sigma
        panel.fill_between(minute, low, high, color="#56B4E9", alpha=0.35, lw=0, label="expected")
        marked = own["faulty"].to_numpy(dtype=bool)
        panel.axvspan(minute[marked].min() - 0.5, minute[marked].max() + 0.5, color="#F6D7A8",
                      alpha=0.6, lw=0, zorder=0, label="planted fault")  # fmt: skip
        panel.plot(minute, own["value"], color="#374151", linewidth=0.9, label="value")
        alarm = own[own["risk"] >= boundary]
        panel.plot(
            alarm["minute"], alarm["value"], "o", color="#D55E00", markersize=5, label="alarm"
        )
        panel.set_title(title, fontsize=9)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("minutes from its start", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def _said(kind: str) -> str:
    family, _, shape = kind.partition("/")
    return f"{family.replace('_', ' ')}: {shape}"
