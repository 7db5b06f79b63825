"""Pictures of simulated sessions, what was planted beside what is found again."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from nextcall.synth.clock import GapLaw
from nextcall.synth.plot_parts import FOUND, MARK, PLANTED, label_axes, single
from nextcall.synth.workflow import STATES

_LINES: Final = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31",
    "#9A9A9A",
)  # fmt: skip
_Z: Final = 1.96  # normal quantile of a 95 % interval
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def plot_matrices(planted: ArrayLike, found: ArrayLike, n: ArrayLike) -> Figure:
    """Draw a planted and a recovered transition matrix, and how far each cell is off.

    Parameters
    ----------
    planted, found : array-like of shape (n_states, n_states + 1)
        Probability of each next state, the end last.
    n : array-like of shape (n_states,)
        Choices that each row of `found` was estimated from.
    """
    truth, seen = np.asarray(planted, dtype=np.float64), np.asarray(found, dtype=np.float64)
    error = np.sqrt(truth * (1 - truth) / np.asarray(n, dtype=np.float64)[:, None])
    off = np.divide(seen - truth, error, out=np.zeros_like(truth), where=error > 0)
    inside = (np.abs(off) <= _Z)[error > 0]
    figure = Figure(figsize=(12.0, 4.2), dpi=100, layout="constrained")
    panels = figure.subplots(1, 3)
    top = float(max(truth.max(), seen.max()))
    worst = float(max(3.0, np.abs(off).max()))
    for panel, values, name in ((panels[0], truth, "planted"), (panels[1], seen, "recovered")):
        image = panel.imshow(values, cmap="cividis", vmin=0, vmax=top)
        for (row, column), value in np.ndenumerate(values):
            colour = "black" if value > top / 2 else "white"
            text = f"{100 * value:.0f}"
            panel.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
        panel.set_title(f"{name} (numbers in %)", fontsize=10)
    figure.colorbar(image, ax=panels[:2], label="probability", shrink=0.75)
    image = panels[2].imshow(off, cmap="PuOr", vmin=-worst, vmax=worst)
    figure.colorbar(image, ax=panels[2], label="difference (standard errors)", shrink=0.75)
    panels[2].set_title("recovered minus planted", fontsize=10)
    for panel in panels:
        panel.set_xticks(range(truth.shape[1]), [*STATES, "end"], rotation=60, fontsize=8)
        panel.set_yticks(range(len(truth)), STATES, fontsize=8)
        panel.set_xlabel("next call")
    panels[0].set_ylabel("last call")
    figure.suptitle(
        f"{inside.sum()} of {inside.size} planted probabilities ({inside.mean():.0%}) lie in the "
        "95 % interval of what is recovered",
        fontsize=12,
    )
    return figure


def plot_lengths_and_gaps(
    lengths: ArrayLike, expected: ArrayLike, gaps: ArrayLike, law: GapLaw
) -> Figure:
    """Draw how many calls sessions have and how many seconds pass between them.

    Parameters
    ----------
    lengths : array-like of int
        Calls of each session.
    expected : array-like of shape (longest,)
        Planted share of sessions of 1, 2, ... calls; what is below 0.001 is not drawn.
    gaps : array-like
        Seconds between calls, at a pace of 1.
    law : GapLaw
        What they were drawn from.
    """
    calls, shares = np.asarray(lengths), np.asarray(expected, dtype=np.float64)
    figure = Figure(figsize=(10.0, 4.2), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    mean = float(np.arange(1, len(shares) + 1) @ shares)
    shares = shares[: int((np.cumprod(shares >= 0.001)).sum())]
    numbers = np.arange(1, len(shares) + 1)
    found = np.bincount(calls, minlength=len(shares) + 1)[1 : len(shares) + 1] / len(calls)
    spread = _Z * np.sqrt(found * (1 - found) / len(calls))
    left.errorbar(numbers, found, yerr=spread, fmt="o", ms=4, color=FOUND, label="found, 95 %")
    left.plot(numbers, shares, color=PLANTED, linewidth=2, zorder=0, label="planted")
    left.legend(frameon=False)
    label_axes(
        left,
        f"Sessions have {calls.mean():.2f} calls on average,\n{mean:.2f} follow from the matrix",
        "calls of a session",
        "share of the sessions",
    )
    seconds = np.sort(np.asarray(gaps, dtype=np.float64))
    beyond = 1 - np.arange(len(seconds)) / len(seconds)
    grid = np.geomspace(max(seconds[0], 0.1), law.timeout, 200)
    step = max(1, len(seconds) // 2000)
    right.plot(seconds[::step], beyond[::step], color=FOUND, linewidth=4, label="found")
    right.plot(grid, 1 - law.cdf(grid), color=PLANTED, linewidth=1.5, label="planted")
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_ylim(0.3 / len(seconds) ** 0.8, 1.3)
    right.legend(frameon=False)
    distance = float(np.abs(1 - beyond - law.cdf(np.maximum(seconds, 1e-6))).max())
    label_axes(
        right,
        f"The gaps' distribution is {distance:.4f} from its law\nat most ({len(seconds):,} gaps)",
        "seconds between calls, at the user's pace",
        "share of longer gaps",
    )
    return figure


def plot_week(hours: ArrayLike, rates: ArrayLike) -> Figure:
    """Draw how many sessions begin in each hour of the week.

    Parameters
    ----------
    hours : array-like of int
        Hour of the week of each session, 0 is Monday 0:00.
    rates : array-like of shape (168,)
        Planted number of sessions in each of these hours.
    """
    counts = np.bincount(np.asarray(hours), minlength=168)
    expected = np.asarray(rates, dtype=np.float64)
    figure, panel = single(3.8)
    low, high = expected - _Z * np.sqrt(expected), expected + _Z * np.sqrt(expected)
    places = np.arange(169)
    panel.fill_between(
        places, np.append(low, low[-1]), np.append(high, high[-1]), step="post", color=MARK,
        label="planted, 95 % of the counts",
    )  # fmt: skip
    panel.plot(np.arange(168) + 0.5, counts, ".-", color=FOUND, linewidth=1, label="found")
    panel.set_xticks(np.arange(0, 169, 24), [""] * 8)
    for day, name in enumerate(_DAYS):
        panel.annotate(
            name, (24 * day + 12, 0), xycoords=("data", "axes fraction"), xytext=(0, -14),
            textcoords="offset points", ha="center",
        )  # fmt: skip
    panel.set_xlim(0, 168)
    panel.set_ylim(0, None)
    panel.legend(frameon=False, loc="upper right")
    inside = float(((counts >= low) & (counts <= high)).mean())
    label_axes(
        panel,
        f"{inside:.0%} of the 168 hours of the week lie in their 95 % band",
        "\nhour of the week (UTC)",
        "sessions in the hour",
    )
    return figure


def plot_users(counts: ArrayLike, expected: ArrayLike, pace: ArrayLike, found: ArrayLike) -> Figure:
    """Draw how often users come, and how fast they are.

    Parameters
    ----------
    counts, expected : array-like of shape (n_users,)
        Sessions of each user, found and planted, the most active first.
    pace, found : array-like of shape (n_users,)
        Factor on every gap, planted and found; nan where a user has too few gaps.
    """
    seen, planted = np.asarray(counts), np.asarray(expected, dtype=np.float64)
    true, measured = np.asarray(pace, np.float64), np.asarray(found, np.float64)
    known = np.isfinite(measured)
    figure = Figure(figsize=(10.0, 4.2), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    ranks = np.arange(1, len(seen) + 1)
    left.fill_between(
        ranks, np.maximum(planted - _Z * np.sqrt(planted), 0.5), planted + _Z * np.sqrt(planted),
        color=MARK, label="planted, 95 % of the counts",
    )  # fmt: skip
    left.plot(ranks, np.maximum(seen, 0.5), ".", color=FOUND, label="found")
    left.set_xscale("log")
    left.set_yscale("log")
    left.legend(frameon=False)
    tenth = max(1, len(seen) // 10)
    label_axes(
        left,
        f"The most active tenth makes {seen[:tenth].sum() / seen.sum():.1%} of the sessions;\n"
        f"{planted[:tenth].sum() / planted.sum():.1%} were planted",
        "user, by planted activity (rank)",
        "sessions",
    )
    right.plot(true[known], measured[known], ".", color=FOUND)
    ends = [float(true[known].min()), float(true[known].max())]
    right.plot(ends, ends, color=PLANTED, linewidth=1.5)
    for axis in (right.xaxis, right.yaxis):
        _plain_log(axis, [0.3, 0.5, 1, 2, 3])
    alike = float(np.corrcoef(np.log(true[known]), np.log(measured[known]))[0, 1])
    label_axes(
        right,
        f"The users' pace is found again: correlation {alike:.3f}\n({known.sum()} users)",
        "planted factor on every gap",
        "found: median gap over its law's median",
    )
    return figure


def plot_rates(table: pd.DataFrame) -> Figure:
    """Draw planted rates and what is found, with intervals.

    Parameters
    ----------
    table : DataFrame
        One row a rate: ``rate`` (its name), ``planted``, ``found``, ``low``, ``high``.
    """
    figure, panel = single(0.9 + 0.5 * len(table))
    places = np.arange(len(table))[::-1]
    spread = np.abs(table[["low", "high"]].to_numpy().T - table["found"].to_numpy())
    panel.plot(table["planted"], places, "|", ms=22, mew=2.5, color=PLANTED, label="planted")
    panel.errorbar(
        table["found"], places, xerr=spread, fmt="o", ms=5, capsize=3, color=FOUND,
        label="found, 95 % interval",
    )  # fmt: skip
    panel.set_yticks(places, list(table["rate"]))
    panel.set_ylim(-0.6, len(table) - 0.4)
    _plain_log(panel.xaxis, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1])
    panel.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    inside = int(((table["low"] <= table["planted"]) & (table["planted"] <= table["high"])).sum())
    label_axes(
        panel,
        f"{inside} of {len(table)} planted rates lie in the interval of what is found",
        "share (log scale)",
        "",
    )
    return figure


def plot_drift(shares: pd.DataFrame, statistic: ArrayLike, *, planted: float) -> Figure:
    """Draw what calls do day by day, and how well a change on each day explains it.

    Parameters
    ----------
    shares : DataFrame
        Share of each state (columns) on each day (index).
    statistic : array-like of shape (n_days,)
        Evidence for a change at the begin of each day; nan where there are no days before.
    planted : float
        Day on which sessions change.
    """
    evidence = np.asarray(statistic, dtype=np.float64)
    found = shares.index[int(np.nanargmax(evidence))]
    figure = Figure(figsize=(9.0, 5.4), dpi=100, layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    for state, colour in zip(shares.columns, _LINES, strict=False):
        top.plot(shares.index + 0.5, shares[state], ".-", color=colour, label=state, linewidth=1)
    top.legend(frameon=False, ncols=1, loc="center left", bbox_to_anchor=(1.0, 0.5))
    bottom.plot(shares.index, evidence, ".-", color=FOUND)
    for panel in (top, bottom):
        panel.axvline(planted, color=PLANTED, linewidth=2, linestyle="--")
    label_axes(
        top,
        f"The drift that was planted on day {planted:g} is found on day {found:g}",
        "",
        "share of the calls",
    )
    label_axes(bottom, "", "day (dashed: planted)", "chi-square of a\nchange on the day")
    return figure


def _plain_log(axis: Any, ticks: Sequence[float]) -> None:
    """Scale an axis by logarithm, with numbers as one writes them."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_tick_params(which="minor", bottom=False, left=False)
    axis.set_minor_formatter("")
