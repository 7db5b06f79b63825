"""Pictures of how well detectors find what is labelled in the Numenta files."""

import re
import textwrap
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from nextcall.anomaly.nab import LabelledSeries
from nextcall.anomaly.nab_table import ALL
from nextcall.anomaly.plot_parts import (
    ALARMING,
    HIT,
    MISSED,
    PROBATION,
    QUIET,
    VALUE,
    WINDOW,
    brief_axes,
    count,
    label,
)

_PROFILES: Final = {
    "standard": "standard",
    "reward_low_FP_rate": "few false alarms",
    "reward_low_FN_rate": "few misses",
}


def plot_scores(table: pd.DataFrame) -> Figure:
    """Draw the score of every detector in every category, a panel a profile.

    Parameters
    ----------
    table : DataFrame
        What `category_table` gives.
    """
    profiles = [name for name in _PROFILES if (table["profile"] == name).any()]
    categories = list(dict.fromkeys(table["category"]))
    whole = table[(table["profile"] == profiles[0]) & (table["category"] == ALL)]
    order = whole.sort_values("score", ascending=False)["detector"].tolist()
    figure = Figure(
        figsize=(2.1 + 2.8 * len(profiles), 2.0 + 0.28 * len(order)), dpi=100, layout="constrained"
    )
    panels = figure.subplots(1, len(profiles), sharey=True, squeeze=False)[0]
    norm = TwoSlopeNorm(vmin=-100, vcenter=0, vmax=100)
    for panel, profile in zip(panels, profiles, strict=True):
        part = table[table["profile"] == profile]
        scores = part.pivot_table(index="detector", columns="category", values="score")
        values = scores.reindex(index=order, columns=categories).to_numpy(dtype=np.float64)
        image = panel.imshow(values, cmap="PuOr", norm=norm, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            panel.text(
                column, row, f"{value:z.0f}", ha="center", va="center", fontsize=8.5,
                color="white" if abs(value) > 55 else "black",
                fontweight="bold" if value == np.nanmax(values[:, column]) else "normal",
            )  # fmt: skip
        panel.axvline(0.5, color="white", linewidth=3)
        names = [textwrap.fill(_words(name), 14) for name in categories]
        panel.set_xticks(range(len(categories)), names, rotation=40, ha="right", fontsize=8)
        panel.set_yticks(range(len(order)), order, fontsize=8.5)
        panel.set_title(f"profile: {_PROFILES[profile]}", fontsize=10)
        panel.tick_params(length=0)
        panel.spines[:].set_visible(False)
    figure.colorbar(image, ax=panels, label="score (bold: best of the column)", shrink=0.8)
    figure.suptitle(
        f"{order[0]} leads with {whole['score'].max():.1f} over all files, "
        f"profile: {_PROFILES[profiles[0]]} (silence: 0, most: 100)",
        fontsize=11.5,
    )
    return figure


def plot_overall(
    table: pd.DataFrame, published: "pd.Series[float]", *, profile: str = "standard"
) -> Figure:
    """Draw the score of every detector over all files with its interval, beside published ones.

    Parameters
    ----------
    table : DataFrame
        What `overall_table` gives.
    published : Series
        Published scores by name, under the same profile and on the same files.
    profile : str
        Which one is drawn.
    """
    part = table[table["profile"] == profile]
    best = part[part["threshold"] == "best"].sort_values("score", ascending=False)
    own = part[part["threshold"] == "own"].set_index("detector")["score"]
    bars: list[tuple[float, str, dict[Any, Any] | None]] = [
        (row["score"], row["detector"], row) for row in best.to_dict("records")
    ]
    bars += [(float(score), f"{name} (published)", None) for name, score in published.items()]
    bars.sort(key=lambda bar: -bar[0])
    figure = Figure(figsize=(9.0, 1.5 + 0.27 * len(bars)), dpi=100, layout="constrained")
    panel = figure.subplots()
    panel.axvline(0, color=QUIET, linewidth=0.8)
    for place, (score, name, row) in enumerate(bars):
        if row is None:
            panel.plot(score, -place, "D", ms=5.5, mfc="white", mec=QUIET, mew=1.4)
            continue
        colour = VALUE if row["origin"] == "nextcall" else ALARMING
        panel.plot([row["low"], row["high"]], [-place, -place], color=colour, linewidth=1.6)
        panel.plot(score, -place, "o", ms=5.5, color=colour)
        if name in own.index and own[name] >= 0:
            panel.plot(own[name], -place, "|", ms=11, mew=2, color="black", zorder=3)
    panel.set_yticks([-place for place in range(len(bars))], [name for _, name, _ in bars])
    panel.tick_params(axis="y", labelsize=8.5)
    panel.set_xlim(min(-5.0, float(best["low"].min()) - 3), 100)
    handles: list[Any] = [
        Line2D([], [], color=VALUE, marker="o", label="ours, 95 % interval"),
        Line2D([], [], color=ALARMING, marker="o", label="peer, run here"),
        Line2D([], [], ls="", marker="D", mfc="white", mec=QUIET, mew=1.4, label="published"),
        Line2D(
            [],
            [],
            ls="",
            marker="|",
            color="black",
            ms=11,
            mew=2,
            label="at the threshold 0.5, if above 0",
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8.5)
    label(
        panel,
        f"{bars[0][1]} leads with {bars[0][0]:.1f} of 100",
        f"score over all files, each at its best threshold, profile: {_PROFILES[profile]}",
        "",
    )
    return figure


def plot_outcomes(
    corpus: dict[str, LabelledSeries],
    scores: dict[str, NDArray[np.float64]],
    files: pd.DataFrame,
    *,
    threshold: float,
    what: str,
    columns: int = 2,
) -> Figure:
    """Draw files with the windows that were hit and missed, and the false alarms.

    Parameters
    ----------
    corpus, scores : dict
        The files, and a detector's scores of them.
    files : DataFrame
        Which to draw, in this order: rows of `file_points`.
    threshold : float
        Scores from here on are alarms.
    what : str
        Heading: what these files are.
    """
    rows = -(-len(files) // columns)
    figure = Figure(figsize=(4.9 * columns, 1.0 + 1.9 * rows), dpi=90, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, told in zip(panels, files.to_dict("records"), strict=False):
        series = corpus[told["file"]]
        alarm = (scores[told["file"]] >= threshold) & series.scored
        panel.axvspan(
            series.times[0], series.times[series.scored.argmax()], color=PROBATION, linewidth=0
        )
        for number in range(int(series.window.max(initial=-1)) + 1):
            inside = series.window == number
            colour = WINDOW if (alarm & inside).any() else MISSED
            panel.axvspan(*series.times[inside][[0, -1]], color=colour, linewidth=0)
        panel.plot(series.times, series.values, color=VALUE, linewidth=0.7)
        for which, marker, colour in (
            (alarm & (series.window >= 0), "^", HIT), (alarm & (series.window < 0), "x", ALARMING),
        ):  # fmt: skip
            panel.plot(
                series.times[which],
                series.values[which],  # noqa: PD011  # no frame
                marker,
                ms=6,
                mew=1.6,
                color=colour,
                ls="",
            )
        panel.margins(y=0.15)
        panel.tick_params(labelsize=8)
        brief_axes(panel, series.times)
        name = told["file"].rpartition("/")[2].removesuffix(".csv")
        panel.set_title(
            f"{name}\n{told['hit']} of {count(told['windows'], 'window')}, "
            f"{count(told['false_alarms'], 'false alarm')}, "
            f"{told['points']:+.2f} of {count(int(told['most']), 'point')}",
            fontsize=9,
        )
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(files) :]:
        panel.set_visible(False)
    handles: list[Any] = [
        Patch(color=WINDOW, label="window, hit"),
        Patch(color=MISSED, label="window, missed"),
        Patch(color=PROBATION, label="not scored"),
        Line2D([], [], ls="", marker="^", ms=6, color=HIT, label="alarm in a window"),
        Line2D([], [], ls="", marker="x", ms=6, mew=1.6, color=ALARMING, label="false alarm"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    figure.suptitle(what, fontsize=12)
    return figure


def _words(name: str) -> str:
    """Part a name of joined words, as in ``realAdExchange``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
