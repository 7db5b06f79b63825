"""Pictures of evaluations; each takes a frame and returns a figure."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from nextcall.ranking.evaluation import RANKER
from nextcall.ranking.plot_parts import RULE, bare_axes
from nextcall.ranking.reliability import reliability_table

# Okabe & Ito (2008): told apart by every kind of colour vision.
_OURS: Final = "#0072B2"
_OTHERS: Final = "#9A9A9A"
_BEST_OTHER: Final = "#E69F00"
_NARROW: Final = 0.25  # of the axis: a bar that is too short for its number


def plot_results(
    summaries: Mapping[str, pd.DataFrame], *, metric: str = "ndcg@10", label: str = "NDCG@10"
) -> Figure:
    """Draw every system's mean and interval, one panel a task.

    Parameters
    ----------
    summaries : mapping of str to DataFrame
        What `summarise` gives, by the task's heading.
    """
    n_rows = max(len(summary) for summary in summaries.values())
    figure = Figure(figsize=(4.1 * len(summaries), 0.8 + 0.42 * n_rows), layout="constrained")
    panels = figure.subplots(1, len(summaries), sharex=True, squeeze=False)[0]
    for panel, (heading, summary) in zip(panels, summaries.items(), strict=True):
        ordered = summary.sort_values(metric).reset_index(drop=True)
        others = ordered.loc[ordered["system"] != RANKER, metric]
        columns = [ordered[name] for name in ("system", metric, f"{metric}.low", f"{metric}.high")]
        for place, (system, mean, low, high) in enumerate(zip(*columns, strict=True)):
            colour = _colour(str(system), is_best=mean == others.max())
            panel.barh(place, mean, color=colour, height=0.66)
            panel.plot([low, high], [place, place], color="black", linewidth=1.4)
            inside = mean > _NARROW
            panel.text(
                0.015 if inside else high + 0.015,
                place,
                f"{mean:.3f}",
                va="center",
                color="white" if inside else "black",
                fontsize=9,
            )
        panel.set_yticks(range(len(ordered)), list(ordered["system"]))
        ours = float(ordered.loc[ordered["system"] == RANKER, metric].iloc[0])
        panel.set_title(f"{heading}\n{ours - others.max():+.3f} on the best baseline", fontsize=10)
        panel.set_xlabel(f"{label}, 95 % interval")
        panel.set_xlim(0, 1)
        bare_axes(panel)
    return figure


def plot_gains(table: pd.DataFrame, *, label: str = "NDCG@10") -> Figure:
    """Draw what a ranker gains on the best baseline of each set, with intervals, task by task.

    Parameters
    ----------
    table : DataFrame
        Columns ``set, task, best, gain, low, high``.
    """
    tasks = list(dict.fromkeys(table["task"]))
    n_rows = max(int((table["task"] == task).sum()) for task in tasks)
    figure = Figure(figsize=(5.2 * len(tasks), 1.2 + 0.4 * n_rows), layout="constrained")
    panels = figure.subplots(1, len(tasks), sharex=True, squeeze=False)[0]
    for panel, task in zip(panels, tasks, strict=True):
        part = table[table["task"] == task].sort_values("gain").reset_index(drop=True)
        for place, row in enumerate(part.to_dict("records")):
            panel.plot([row["low"], row["high"]], [place, place], color="black", linewidth=1.4)
            panel.plot(row["gain"], place, "o", color="#1f5fa8" if row["gain"] >= 0 else "#b5402a")
        panel.axvline(0, color="grey", linewidth=0.8)
        panel.set_yticks(range(len(part)), [f"{r.set} ({r.best})" for r in part.itertuples()])
        panel.set_title(f"{task}: {part['gain'].mean():+.3f} on average", fontsize=10)
        panel.set_xlabel(f"gain in {label} on the best baseline, 95 % interval")
        bare_axes(panel)
    return figure


def plot_slices(table: pd.DataFrame, by: str, *, baseline: str, label: str = "NDCG@10") -> Figure:
    """Draw a metric within slices, weakest at the top, beside one baseline.

    Parameters
    ----------
    table : DataFrame
        What `slices` gives.
    by : str
        Its first column.
    """
    figure = Figure(figsize=(8.2, 1.0 + 0.24 * len(table)), layout="constrained")
    panel = figure.subplots()
    places = np.arange(len(table))[::-1]
    panel.hlines(places, table[baseline], table[RANKER], color=RULE, linewidth=2)
    panel.plot(table[baseline], places, "o", color=_BEST_OTHER, label=baseline, markersize=5)
    panel.plot(table[RANKER], places, "o", color=_OURS, label=RANKER, markersize=5)
    names = zip(table[by], table["n_queries"], strict=True)
    panel.set_yticks(places, [f"{name} ({n})" for name, n in names], fontsize=8)
    weakest = table.iloc[0]
    lost = int((table[RANKER] < table[baseline]).sum())
    panel.set_title(
        f"Weakest {by}: {weakest[by]} at {weakest[RANKER]:.2f}; "
        f"{lost} of {len(table)} below {baseline}",
        fontsize=11,
    )
    panel.set_xlabel(f"mean {label} (number of queries in brackets)")
    panel.set_xlim(0, 1.01)
    panel.legend(loc="lower left", frameon=False)
    bare_axes(panel)
    return figure


def plot_reliability(correct: ArrayLike, confidence: ArrayLike, *, bins: int = 15) -> Figure:
    """Draw how often answers of a confidence were right, beside what was promised."""
    table = reliability_table(correct, confidence, bins=bins)
    gap = (table["n"] * (table["accuracy"] - table["confidence"]).abs()).sum() / table["n"].sum()
    figure = Figure(figsize=(5.4, 4.8), layout="constrained")
    panel = figure.subplots()
    panel.plot([0, 1], [0, 1], color=RULE, linewidth=1.5)
    error = 1.96 * np.sqrt(table["accuracy"] * (1 - table["accuracy"]) / table["n"])
    panel.errorbar(
        table["confidence"], table["accuracy"], yerr=error, fmt="o", color=_OURS, capsize=2
    )
    panel.set_title(
        f"Promised and kept differ by {gap:.3f} on average\n"
        f"({bins} bins of {int(table['n'].min())} answers or more)",
        fontsize=11,
    )
    panel.set_xlabel("confidence of the first answer (probability)")
    panel.set_ylabel("share that was right, 95 % interval")
    panel.set_xlim(0, 1)
    panel.set_ylim(0, 1)
    bare_axes(panel)
    return figure


def plot_recall(curves: Mapping[str, ArrayLike], *, ks: Sequence[int]) -> Figure:
    """Draw which share of the right answers stands among the first k.

    Parameters
    ----------
    curves : mapping of str to array-like of shape (n_ks,)
        Mean recall at each of `ks`, by system.
    """
    figure = Figure(figsize=(7.4, 4.2), layout="constrained")
    panel = figure.subplots()
    last = {name: np.asarray(values, dtype=np.float64) for name, values in curves.items()}
    best = max((name for name in last if name != RANKER), key=lambda name: float(last[name][0]))
    for name, values in last.items():
        colour = _colour(name, is_best=name == best)
        panel.plot(ks, values, "-o", color=colour, label=name, markersize=4)
    first = float(last[RANKER][0])
    panel.set_title(
        f"The first answer is right for {first:.0%} of the prompts, "
        f"that of {best} for {float(last[best][0]):.0%}",
        fontsize=11,
    )
    panel.set_xscale("log")
    panel.set_xticks(ks, [str(k) for k in ks])
    panel.set_xlabel("answers shown (k)")
    panel.set_ylabel("recall@k")
    panel.set_ylim(0, 1)
    panel.legend(frameon=False, loc="lower right")
    bare_axes(panel)
    return figure


def plot_importance(names: Sequence[str], gains: ArrayLike, *, first: int = 20) -> Figure:
    """Draw which features reduce the loss most.

    Parameters
    ----------
    gains : array-like of shape (n_rankers, n_features)
        Gain of each feature in each ranker; intervals show the rankers' spread.
    """
    shares = np.asarray(gains, dtype=np.float64)
    shares = shares / shares.sum(axis=1, keepdims=True)
    mean = shares.mean(axis=0)
    order = np.argsort(-mean)[:first][::-1]
    figure = Figure(figsize=(8.2, 1.0 + 0.24 * len(order)), layout="constrained")
    panel = figure.subplots()
    panel.barh(range(len(order)), mean[order], color=_OURS, height=0.7)
    low, high = shares.min(axis=0)[order], shares.max(axis=0)[order]
    panel.hlines(range(len(order)), low, high, color="black", linewidth=1.2)
    panel.set_yticks(range(len(order)), [names[i] for i in order], fontsize=8)
    panel.set_title(
        f"{names[order[-1]]} carries {mean[order[-1]]:.0%} of the gain, "
        f"the {len(order)} features shown {mean[order].sum():.0%}",
        fontsize=11,
    )
    panel.set_xlabel("share of the gain (line: least and most of the folds)")
    bare_axes(panel)
    return figure


def _colour(system: str, *, is_best: bool) -> str:
    if system == RANKER:
        return _OURS
    return _BEST_OTHER if is_best else _OTHERS
