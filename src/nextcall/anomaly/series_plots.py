"""A picture of one series: its values, alarms with their reasons, and risks."""

import textwrap
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from nextcall.anomaly.detector import ALARM
from nextcall.anomaly.plot_parts import (
    ALARMING,
    BAND,
    QUIET,
    VALUE,
    WINDOW,
    brief_axes,
    count,
    label,
)

_LARGEST: Final = 1e150  # an axis between twice as far apart numbers is more than floats hold


def plot_series(
    scored: pd.DataFrame,
    *,
    what: str,
    windows: Sequence[tuple[object, object]] = (),
    most: int = 8,
) -> Figure:
    """Draw a series, its alarms with their reasons, and the risk of every row.

    Parameters
    ----------
    scored : DataFrame
        One row a time: ``time`` (datetimes or numbers), ``value``, ``risk``, ``explanation``, and
        ``low`` and ``high`` where a detector has a band of what it expects (nan where not). Numbers
        beyond 1e150 are drawn there.
    what : str
        Heading: which series it is.
    windows : sequence of pairs
        First and last time of what is known to be odd.
    most : int
        Alarms whose reasons are told, those of the highest risk; the others are marked only.
    """
    if isinstance(scored["time"].dtype, pd.DatetimeTZDtype):
        scored = scored.assign(time=scored["time"].dt.tz_convert(None))
    drawn = [name for name in ("value", "low", "high") if name in scored]
    scored = scored.assign(**scored[drawn].clip(-_LARGEST, _LARGEST))
    alarms = scored[scored["risk"] >= ALARM]
    told = alarms.nlargest(most, "risk").sort_index()
    notes = [
        textwrap.fill(
            f"{number}  {_moment(row['time'])}   {row['explanation']}",
            138,  # characters: all digits would just fit
            subsequent_indent="      ",
        )
        for number, row in enumerate(told.to_dict("records"), start=1)
    ]
    lines = sum(note.count("\n") + 1 for note in notes)
    figure = Figure(figsize=(10.0, 4.9 + 0.19 * lines), dpi=100, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
    times = scored["time"].to_numpy()
    for panel in (upper, lower):
        for first, last in windows:
            panel.axvspan(first, last, color=WINDOW, linewidth=0, zorder=0)
    if banded := {"low", "high"} <= set(scored.columns):
        upper.fill_between(times, scored["low"], scored["high"], color=BAND, linewidth=0, zorder=1)
        upper.vlines(alarms["time"], alarms["low"], alarms["high"], color=BAND, lw=7, zorder=1)
    upper.plot(times, scored["value"], color=VALUE, linewidth=0.9, zorder=2)
    upper.plot(
        alarms["time"], alarms["value"], "o", ms=5, mfc="none", mec=ALARMING, mew=1.4, zorder=3
    )
    _room_above(upper, 0.3 if len(told) else 0.05)
    _number(upper, told)
    lower.plot(times, scored["risk"], color=QUIET, linewidth=0.8)
    lower.axhline(ALARM, color=ALARMING, linewidth=1, linestyle="--")
    lower.set_ylim(0, 1.05)
    brief_axes(upper, times)
    brief_axes(lower, times)
    heading = (
        f"{count(len(alarms), 'alarm')} in {len(scored):,} rows" if len(alarms) else "no alarm"
    )
    label(upper, f"{what}: {heading}", "", "value")
    label(lower, "", "", "risk")
    handles: list[Any] = [Line2D([], [], color=VALUE, label="value")]
    if banded:
        handles.append(Patch(color=BAND, label="expected"))
    handles.append(
        Line2D([], [], ls="", marker="o", mfc="none", mec=ALARMING, mew=1.4, label="alarm")
    )
    if windows:
        handles.append(Patch(color=WINDOW, label="known to be odd"))
    handles.append(Line2D([], [], color=ALARMING, ls="--", label="from this risk on an alarm, 0.5"))
    figure.legend(
        handles=handles, loc="outside upper center", ncols=len(handles), frameon=False, fontsize=9
    )
    if len(alarms) > len(told):
        notes.append(f"and {count(len(alarms) - len(told), 'alarm')} of a lower risk")
    figure.supxlabel(
        "\n".join(notes) or "Nothing is wrong.", x=0.02, ha="left", fontsize=8.5, linespacing=1.35
    )
    return figure


def _number(panel: Any, told: pd.DataFrame) -> None:
    """Number alarms at the upper edge, a line down to each; near ones in rows above each other."""
    left, right = panel.get_xlim()
    ends = [-np.inf] * 4  # where the numbers of each row end
    for number, row in enumerate(told.to_dict("records"), start=1):
        place = (panel.convert_xunits(row["time"]) - left) / (right - left)
        level = next((row for row, end in enumerate(ends) if place >= end), int(np.argmin(ends)))
        seat = min(max(place, ends[level]), 0.99)
        ends[level] = seat + 0.022
        panel.annotate(
            str(number), (row["time"], row["value"]), xytext=(seat, 0.965 - 0.055 * level),
            textcoords="axes fraction", ha="center", va="center", fontsize=8.5, fontweight="bold",
            color=ALARMING, arrowprops={"arrowstyle": "-", "color": ALARMING, "lw": 0.6, "ls": ":"},
            bbox={"boxstyle": "circle,pad=0.12", "fc": "white", "ec": "none"}, zorder=4,
        )  # fmt: skip


def _room_above(panel: Any, share: float) -> None:
    low, high = panel.get_ylim()
    panel.set_ylim(low, high + share * (high - low))


def _moment(time: object) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if isinstance(time, pd.Timestamp) else f"row {time}"
