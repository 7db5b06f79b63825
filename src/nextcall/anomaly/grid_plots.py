"""A picture of many series on one screen, the oddest first."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from nextcall.anomaly.detector import ALARM
from nextcall.anomaly.plot_parts import ALARMING, QUIET, SAME, VALUE, WINDOW

_SCREEN: Final = (12.8, 7.2)  # inches
_CELL: Final = 2.3  # width of a small picture by its height
_MOST_CELLS: Final = 400  # beyond, a small picture says nothing

Floats = NDArray[np.float64]


def plot_grid(
    scored: pd.DataFrame,
    *,
    what: str,
    windows: pd.DataFrame | None = None,
    most: int = 200,
) -> Figure:
    """Draw many series on one screen, the oddest first.

    Series with alarms come first, and of these the one with the rarest row (by ``once_in`` where it
    is there, else by ``risk``).

    Parameters
    ----------
    scored : DataFrame
        One row a key and time, in order of time: ``key``, ``value``, ``risk``, and ``once_in``
        where there.
    what : str
        Heading: which series they are.
    windows : DataFrame, optional
        What is known to be odd: ``key``, and ``first`` and ``last``, rows of the key from 0.
    most : int
        Series that are drawn, from 1 to 400; the others are counted.

    Raises
    ------
    ValueError
        Where `most` is out of range.
    """
    if not 1 <= most <= _MOST_CELLS:
        raise ValueError(f"most must be from 1 to {_MOST_CELLS}, got {most}.")
    parts = {str(key): part for key, part in scored.groupby("key", sort=False)}
    rarity = "once_in" if "once_in" in scored else "risk"
    alarms = {key: int((part["risk"] >= ALARM).sum()) for key, part in parts.items()}
    odd = {key: float(part[rarity].max()) for key, part in parts.items()}
    shown = sorted(parts, key=lambda key: (alarms[key] > 0, odd[key]), reverse=True)[:most]
    columns = int(np.ceil(np.sqrt(len(shown) * _SCREEN[0] / _SCREEN[1] / _CELL)))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=_SCREEN, dpi=100, layout="constrained")
    panel = figure.subplots()
    width = 0.9 * 100 * _SCREEN[0] / columns  # of a small picture, in pixels
    size = float(np.clip(width / 14, 5.5, 8.5))  # of letters; one is about 0.75 pixels a point wide
    marked: list[Floats] = []
    pieces: list[Floats] = []
    colours = []
    for place, key in enumerate(shown):
        x, y = float(place % columns), float(rows - 1 - place // columns)
        part = parts[key]
        values = part["value"].to_numpy(dtype=np.float64)
        step = 0.9 / max(1, len(values) - 1)
        course = np.column_stack([x + step * np.arange(len(values)), y + 0.62 * _heights(values)])
        pieces.append(course[_thinned(values, int(width))])
        marked.append(course[part["risk"].to_numpy(dtype=np.float64) >= ALARM])
        colours.append(VALUE if alarms[key] else SAME)
        if windows is not None:
            for first, last in windows.loc[windows["key"] == key, ["first", "last"]].to_numpy():
                panel.add_patch(
                    Rectangle(
                        (x + step * first, y - 0.03), max(step * (last - first), 0.01), 0.68,
                        color=WINDOW, lw=0, zorder=0,
                    )
                )  # fmt: skip
        behind = f" · {alarms[key]}" if alarms[key] else ""
        panel.text(
            x, y + 0.7, _short(key, int(width / size / 0.75) - len(behind)) + behind,
            fontsize=size, color="black" if alarms[key] else QUIET, va="bottom",
        )  # fmt: skip
    panel.add_collection(LineCollection(pieces, colors=colours, linewidths=size / 12))
    panel.plot(*np.concatenate(marked).T, "o", ms=size / 2.4, color=ALARMING, mew=0)
    panel.set_xlim(-0.05, columns)
    panel.set_ylim(-0.1, rows)
    panel.axis("off")
    noisy = sum(number > 0 for number in alarms.values())
    left_out = len(parts) - len(shown)
    panel.set_title(
        f"{what}: {noisy} of {len(parts)} series have alarms"
        + (f"; {left_out} less odd ones are not drawn" if left_out else "")
        + "\neach in its own range of values, the oddest first",
        fontsize=12,
    )
    handles: list[Any] = [
        Line2D([], [], color=VALUE, label="has alarms: how many stands behind its name"),
        Line2D([], [], color=SAME, label="nothing is wrong"),
        Line2D([], [], ls="", marker="o", color=ALARMING, mew=0, label="alarm"),
    ]
    if windows is not None:
        handles.append(Patch(color=WINDOW, label="known to be odd"))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9
    )
    return figure


def _thinned(values: Floats, points: int) -> NDArray[np.int64]:
    """Choose the rows that a small picture shows: of each stretch the least and the most."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) <= points:
        return known
    kept = []
    for stretch in np.array_split(known, points // 2):
        kept += [stretch[values[stretch].argmin()], stretch[values[stretch].argmax()]]
    return np.unique(kept)


def _heights(values: Floats) -> Floats:
    """Scale values to a range from 0 to 1; what is flat lies in the middle."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    if not high > low:
        return np.full(len(values), 0.5)
    return (values / 2 - low / 2) / (high / 2 - low / 2)  # halves, so that no difference overflows


def _short(name: str, most: int) -> str:
    name = name.rpartition("/")[2].removesuffix(".csv")
    return name if len(name) <= most else f"{name[: most - 9]}…{name[-8:]}"
