"""Pictures of single answers: bars that lead from feature to feature to a score."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nextcall.ranking.explanation import BASE, readable_feature, readable_value
from nextcall.ranking.plot_parts import RULE, bare_axes

# Okabe & Ito (2008): told apart by every kind of colour vision.
_RAISES: Final = "#0072B2"
_LOWERS: Final = "#D55E00"
_TOTAL: Final = "#555555"


def plot_waterfall(table: pd.DataFrame, *, rank: int = 1, most: int = 10) -> Figure:
    """Draw how the features lead from the constant of all operations to one answer's score.

    Parameters
    ----------
    table : DataFrame
        What `CallRanker.explain` gives.
    rank : int
        The answer, from 1.
    most : int
        Features with a bar of their own, at least 1; the others share one.

    Raises
    ------
    ValueError
        Where the table holds no answer of that rank, or `most` is below 1.
    """
    part = table[table["rank"] == rank]
    if part.empty:
        raise ValueError(f"rank must be one of {sorted(set(table['rank']))}, got {rank}.")
    base = float(part.loc[part["feature"] == BASE, "contribution"].iloc[0])
    features = part[part["feature"] != BASE]
    labels = [
        f"{readable_feature(name)}: {readable_value(name, value)}"
        for name, value in zip(features["feature"], features["value"], strict=True)
    ]
    score = base + float(features["contribution"].sum())
    figure, panel = _falling(
        labels, features["contribution"].to_numpy(), start=("any operation", base),
        end="score", most=most,
    )  # fmt: skip
    panel.set_title(
        f"{part['operation_id'].iloc[0]} (answer {rank}): from {base:.2f} to {score:.2f}",
        fontsize=11,
    )
    panel.set_xlabel("score (orders the candidates of one prompt)")
    return figure


def plot_contrast(table: pd.DataFrame, *, first: str, second: str, most: int = 10) -> Figure:
    """Draw which features put one operation above or below another.

    Parameters
    ----------
    table : DataFrame
        What `CallRanker.contrast` gives.
    first, second : str
        The operations, as they are to be named.
    most : int
        Features with a bar of their own, at least 1; the others share one.
    """
    columns = (table[name] for name in ("feature", "first_value", "second_value"))
    labels = []
    for name, one, other in zip(*columns, strict=True):
        shown = readable_value(name, one), readable_value(name, other)
        values = shown[0] if shown[0] == shown[1] else f"{shown[0]} | {shown[1]}"
        labels.append(f"{readable_feature(name)}: {values}")
    lead = float(table["difference"].sum())
    figure, panel = _falling(
        labels, table["difference"].to_numpy(), start=None, end="difference", most=most
    )
    place = "above" if lead > 0 else "below"
    panel.set_title(f"{first}\nstands {abs(lead):.2f} {place} {second}", fontsize=11)
    panel.set_xlabel("score of the first minus score of the second (values: first | second)")
    return figure


def _falling(
    labels: Sequence[str],
    steps: NDArray[np.float64],
    *,
    start: tuple[str, float] | None,
    end: str,
    most: int,
) -> tuple[Figure, Axes]:
    """Draw steps from the top down, each from where the last one ended, and what they come to."""
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}.")
    shown = list(zip(labels[:most], steps[:most].tolist(), strict=True))
    if len(steps) > most:
        shown.append((f"{len(steps) - most} others", float(steps[most:].sum())))
    height = 1.5 + 0.34 * (len(shown) + 1 + (start is not None))
    figure = Figure(figsize=(8.6, height), layout="constrained")
    panel = figure.subplots()
    at = 0.0
    names = []
    if start is not None:
        names.append(start[0])
        at = start[1]
        panel.barh(0, at, color=_TOTAL, height=0.6)
        _write_beside(panel, 0, (0.0, at), f"{at:.2f}")
    for label, step in shown:
        place = len(names)
        names.append(label)
        panel.barh(place, step, left=at, color=_RAISES if step >= 0 else _LOWERS, height=0.6)
        panel.plot([at, at], [place - 1, place], color=RULE, linewidth=0.8, zorder=0)
        _write_beside(panel, place, (at, at + step), f"{step:+.2f}")
        at += step
    names.append(end)
    panel.barh(len(names) - 1, at, color=_TOTAL, height=0.6)
    _write_beside(panel, len(names) - 1, (0.0, at), f"{at:.2f}")
    panel.axvline(0, color="black", linewidth=0.8)
    panel.set_yticks(range(len(names)), names, fontsize=9)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.use_sticky_edges = False  # room for the numbers
    panel.margins(x=0.1)
    bare_axes(panel)
    return figure, panel


def _write_beside(panel: Axes, place: int, ends: tuple[float, float], text: str) -> None:
    """Write what a bar comes to, right of where it ends."""
    panel.annotate(
        text.replace("-", "\N{MINUS SIGN}"),
        (max(ends), place),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )
