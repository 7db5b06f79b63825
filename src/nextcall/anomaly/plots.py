"""Pictures of what is odd in series, and of how well that is found."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib import dates, ticker
from matplotlib.collections import LineCollection
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from nextcall.anomaly.detector import ALARM
from nextcall.anomaly.nab import LabelledSeries
from nextcall.anomaly.nab_table import ALL

# Okabe & Ito (2008): told apart by every kind of colour vision.
_VALUE: Final = "#0072B2"
_ALARM: Final = "#D55E00"
_HIT: Final = "#009E73"
_WINDOW: Final = "#F6D7A8"
_MISSED: Final = "#F2C4DE"
_BAND: Final = "#C9DFEC"
_QUIET: Final = "#6B7280"
_SAME: Final = "#9A9A9A"
_PROBATION: Final = "#EEEEEE"
_PROFILES: Final = {
    "standard": "standard",
    "reward_low_FP_rate": "few false alarms",
    "reward_low_FN_rate": "few misses",
}
_SCREEN: Final = (12.8, 7.2)  # inches
_CELL: Final = 2.3  # width of a small picture by its height
_MOST_CELLS: Final = 400  # beyond, a small picture says nothing

Floats = NDArray[np.float64]


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
        ``low`` and ``high`` where a detector has a band of what it expects (nan where not).
    what : str
        Heading: which series it is.
    windows : sequence of pairs
        First and last time of what is known to be odd.
    most : int
        Alarms whose reasons are told, those of the highest risk; the others are marked only.
    """
    if isinstance(scored["time"].dtype, pd.DatetimeTZDtype):
        scored = scored.assign(time=scored["time"].dt.tz_convert(None))
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
            panel.axvspan(first, last, color=_WINDOW, linewidth=0, zorder=0)
    if banded := {"low", "high"} <= set(scored.columns):
        upper.fill_between(times, scored["low"], scored["high"], color=_BAND, linewidth=0, zorder=1)
        upper.vlines(alarms["time"], alarms["low"], alarms["high"], color=_BAND, lw=7, zorder=1)
    upper.plot(times, scored["value"], color=_VALUE, linewidth=0.9, zorder=2)
    upper.plot(
        alarms["time"], alarms["value"], "o", ms=5, mfc="none", mec=_ALARM, mew=1.4, zorder=3
    )
    _room_above(upper, 0.3 if len(told) else 0.05)
    _number(upper, told)
    lower.plot(times, scored["risk"], color=_QUIET, linewidth=0.8)
    lower.axhline(ALARM, color=_ALARM, linewidth=1, linestyle="--")
    lower.set_ylim(0, 1.05)
    _axes(upper, times)
    _axes(lower, times)
    heading = (
        f"{_count(len(alarms), 'alarm')} in {len(scored):,} rows" if len(alarms) else "no alarm"
    )
    _label(upper, f"{what}: {heading}", "", "value")
    _label(lower, "", "", "risk")
    handles: list[Any] = [Line2D([], [], color=_VALUE, label="value")]
    if banded:
        handles.append(Patch(color=_BAND, label="expected"))
    handles.append(
        Line2D([], [], ls="", marker="o", mfc="none", mec=_ALARM, mew=1.4, label="alarm")
    )
    if windows:
        handles.append(Patch(color=_WINDOW, label="known to be odd"))
    handles.append(Line2D([], [], color=_ALARM, ls="--", label="risk of an alarm, 0.5"))
    figure.legend(
        handles=handles, loc="outside upper center", ncols=len(handles), frameon=False, fontsize=9
    )
    if len(alarms) > len(told):
        notes.append(f"and {_count(len(alarms) - len(told), 'alarm')} of a lower risk")
    figure.supxlabel(
        "\n".join(notes) or "Nothing is wrong.", x=0.02, ha="left", fontsize=8.5, linespacing=1.35
    )
    return figure


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
        colours.append(_VALUE if alarms[key] else _SAME)
        if windows is not None:
            for first, last in windows.loc[windows["key"] == key, ["first", "last"]].to_numpy():
                panel.add_patch(
                    Rectangle(
                        (x + step * first, y - 0.03), max(step * (last - first), 0.01), 0.68,
                        color=_WINDOW, lw=0, zorder=0,
                    )
                )  # fmt: skip
        behind = f" · {alarms[key]}" if alarms[key] else ""
        panel.text(
            x, y + 0.7, _short(key, int(width / size / 0.75) - len(behind)) + behind,
            fontsize=size, color="black" if alarms[key] else _QUIET, va="bottom",
        )  # fmt: skip
    panel.add_collection(LineCollection(pieces, colors=colours, linewidths=size / 12))
    panel.plot(*np.concatenate(marked).T, "o", ms=size / 2.4, color=_ALARM, mew=0)
    panel.set_xlim(-0.05, columns)
    panel.set_ylim(-0.1, rows)
    panel.axis("off")
    noisy = sum(number > 0 for number in alarms.values())
    left_out = len(parts) - len(shown)
    panel.set_title(
        f"{what}: {noisy} of {len(parts)} series have alarms"
        + (f"; {left_out} less odd ones are not drawn" if left_out else ""),
        fontsize=12,
    )
    handles: list[Any] = [
        Line2D([], [], color=_VALUE, label="has alarms, their number behind its name"),
        Line2D([], [], color=_SAME, label="nothing is wrong"),
        Line2D([], [], ls="", marker="o", color=_ALARM, mew=0, label="alarm"),
    ]
    if windows is not None:
        handles.append(Patch(color=_WINDOW, label="known to be odd"))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9
    )
    return figure


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
        f"{order[0]} leads with {whole['score'].max():.1f} over all files (silence: 0, most: 100)",
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
    panel.axvline(0, color=_QUIET, linewidth=0.8)
    for place, (score, name, row) in enumerate(bars):
        if row is None:
            panel.plot(score, -place, "D", ms=5.5, mfc="white", mec=_QUIET, mew=1.4)
            continue
        colour = _VALUE if row["origin"] == "nextcall" else _ALARM
        panel.plot([row["low"], row["high"]], [-place, -place], color=colour, linewidth=1.6)
        panel.plot(score, -place, "o", ms=5.5, color=colour)
        if name in own.index and own[name] >= 0:
            panel.plot(own[name], -place, "|", ms=11, mew=2, color="black", zorder=3)
    panel.set_yticks([-place for place in range(len(bars))], [name for _, name, _ in bars])
    panel.tick_params(axis="y", labelsize=8.5)
    panel.set_xlim(min(-5.0, float(best["low"].min()) - 3), 100)
    handles: list[Any] = [
        Line2D([], [], color=_VALUE, marker="o", label="ours, 95 % interval"),
        Line2D([], [], color=_ALARM, marker="o", label="peer, run here"),
        Line2D([], [], ls="", marker="D", mfc="white", mec=_QUIET, mew=1.4, label="published"),
        Line2D([], [], ls="", marker="|", color="black", ms=11, mew=2, label="at 0.5, if above 0"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8.5)
    _label(
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
            series.times[0], series.times[series.scored.argmax()], color=_PROBATION, linewidth=0
        )
        for number in range(int(series.window.max(initial=-1)) + 1):
            inside = series.window == number
            colour = _WINDOW if (alarm & inside).any() else _MISSED
            panel.axvspan(*series.times[inside][[0, -1]], color=colour, linewidth=0)
        panel.plot(series.times, series.values, color=_VALUE, linewidth=0.7)
        for which, marker, colour in (
            (alarm & (series.window >= 0), "^", _HIT), (alarm & (series.window < 0), "x", _ALARM),
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
        _axes(panel, series.times)
        name = told["file"].rpartition("/")[2].removesuffix(".csv")
        panel.set_title(
            f"{name}\n{told['hit']} of {_count(told['windows'], 'window')}, "
            f"{_count(told['false_alarms'], 'false alarm')}, "
            f"{told['points']:+.2f} of {_count(int(told['most']), 'point')}",
            fontsize=9,
        )
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(files) :]:
        panel.set_visible(False)
    handles: list[Any] = [
        Patch(color=_WINDOW, label="window, hit"),
        Patch(color=_MISSED, label="window, missed"),
        Patch(color=_PROBATION, label="not scored"),
        Line2D([], [], ls="", marker="^", ms=6, color=_HIT, label="alarm in a window"),
        Line2D([], [], ls="", marker="x", ms=6, mew=1.6, color=_ALARM, label="false alarm"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    figure.suptitle(what, fontsize=12)
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
            color=_ALARM, arrowprops={"arrowstyle": "-", "color": _ALARM, "lw": 0.6, "ls": ":"},
            bbox={"boxstyle": "circle,pad=0.12", "fc": "white", "ec": "none"}, zorder=4,
        )  # fmt: skip


def _room_above(panel: Any, share: float) -> None:
    low, high = panel.get_ylim()
    panel.set_ylim(low, high + share * (high - low))


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


def _axes(panel: Any, times: NDArray[Any]) -> None:
    """Write times as briefly as they can be read, and large values as 20M."""
    if np.issubdtype(np.asarray(times).dtype, np.datetime64):
        known: Any = dates  # untyped in part
        locator = known.AutoDateLocator(minticks=3, maxticks=8)
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(known.ConciseDateFormatter(locator))
    panel.yaxis.set_major_locator(ticker.MaxNLocator(5))
    if max(map(abs, panel.get_ylim())) >= 1e5:
        panel.yaxis.set_major_formatter(ticker.EngFormatter(sep=""))


def _moment(time: object) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if isinstance(time, pd.Timestamp) else f"row {time}"


def _short(name: str, most: int) -> str:
    name = name.rpartition("/")[2].removesuffix(".csv")
    return name if len(name) <= most else f"{name[: most - 9]}…{name[-8:]}"


def _words(name: str) -> str:
    """Part a name of joined words, as in ``realAdExchange``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _label(panel: Any, title: str, x: str, y: str) -> None:
    """Write title and axes, and leave only the axes that are read."""
    panel.set_title(title, fontsize=11)
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    panel.spines[["top", "right"]].set_visible(False)
