"""Pictures of who feeds whom among operations, and of how well that is known."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from nextcall.catalog.plot_parts import PALETTE, QUIET, label_axes, single


def plot_producers(table: pd.DataFrame) -> Figure:
    """Draw the operations that feed most others, first row at the top.

    Parameters
    ----------
    table : DataFrame
        One row an operation: ``operation``, ``own`` (operations of its service that it feeds) and
        ``others`` (operations of other services).
    """
    places = np.arange(len(table))[::-1]
    figure, panel = single(1.2 + 0.26 * len(table))
    panel.barh(places, table["own"], color=PALETTE[0], label="of its own service")
    panel.barh(
        places, table["others"], left=table["own"], color=PALETTE[1], label="of other services"
    )
    panel.set_yticks(places, list(table["operation"]), fontsize=8.5)
    panel.legend(frameon=False, loc="lower right")
    first = table.iloc[0]
    label_axes(
        panel,
        f"{first['operation']} feeds {first['own'] + first['others']:,} operations",
        "operations that take what it gives back",
        "",
    )
    return figure


def plot_flow(names: Sequence[str], depth: Sequence[int], edges: ArrayLike, *, what: str) -> Figure:
    """Draw who feeds whom among a few operations, columns by how many calls must come before.

    Parameters
    ----------
    names : sequence of str
        Name of each operation.
    depth : sequence of int
        Calls that must come before each; negative where no chain of calls leads there.
    edges : array-like of shape (n_operations, n_operations)
        Weight of each edge from row to column; 0 where there is none.
    what : str
        What the operations are, for the title.
    """
    weights = np.asarray(edges, dtype=np.float64)
    column = np.asarray(depth)
    column = np.where(column < 0, column.max() + 1, column)
    places = np.zeros((len(column), 2))
    for number in np.unique(column):
        here = np.flatnonzero(column == number)
        pull = weights[:, here].T @ places[:, 1] / np.maximum(weights[:, here].sum(axis=0), 1e-9)
        ordered = here[np.argsort(-pull, kind="stable")]
        places[ordered, 0] = number
        places[ordered, 1] = -(np.arange(len(here)) - (len(here) - 1) / 2)
    tallest = int(np.bincount(column).max())
    figure, panel = single(1.4 + 0.3 * tallest)
    top = max(float(weights.max()), 1e-9)
    for start, end in np.argwhere(weights > 0):
        bend = 0.25 if column[start] == column[end] else 0.0
        panel.annotate(
            "",
            places[end] - (0.02, 0),
            places[start] + (0.02, 0),
            arrowprops={
                "arrowstyle": "-|>", "color": PALETTE[0], "shrinkA": 2, "shrinkB": 2,
                "alpha": 0.15 + 0.75 * float(weights[start, end]) / top,
                "connectionstyle": f"arc3,rad={bend}",
            },
        )  # fmt: skip
    for (x, y), name in zip(places, names, strict=True):
        panel.text(
            x, y, name, ha="center", va="center", fontsize=8,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": QUIET},
        )  # fmt: skip
    panel.set_xlim(-0.5, column.max() + 0.5)
    panel.set_ylim(places[:, 1].min() - 1, places[:, 1].max() + 1)
    ticks = np.unique(column)
    unknown = "never learnt" if min(depth) < 0 else str(ticks[-1])
    panel.set_xticks(ticks, [*map(str, ticks[:-1]), unknown])
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
    fed = int((weights.sum(axis=0) > 0).sum())
    label_axes(
        panel,
        f"{what}: {fed} of {len(names)} operations take what others give back",
        "calls that must come before",
        "",
    )
    return figure


def plot_precision(curves: Mapping[str, pd.DataFrame], points: Mapping[str, object]) -> Figure:
    """Draw precision against recall, with single points beside the curves.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        ``recall`` and ``precision``, by what was held against what.
    points : mapping of str to object
        Pairs of recall and precision, under the names of the curves that they belong to.
    """
    figure, panel = single(4.4)
    for (name, curve), colour in zip(curves.items(), PALETTE, strict=False):
        panel.plot(curve["recall"], curve["precision"], color=colour, linewidth=2, label=name)
        if name in points:
            recall, precision = np.asarray(points[name], dtype=np.float64)
            panel.plot([recall], [precision], "o", color=colour, label=f"{name}, same name only")
    panel.set_xlim(0, 1)
    panel.set_ylim(0, 1)
    panel.legend(frameon=False)
    name, curve = next(iter(curves.items()))
    half = curve[curve["precision"] >= 0.5]["recall"].max()
    label_axes(
        panel,
        f"{name}: {half:.0%} of what operations give back is guessed, half of the guesses right",
        "recall: share of what operations give back that is guessed",
        "precision: share of the guesses that is right",
    )
    return figure


def plot_found(ranks: Mapping[str, ArrayLike], *, deepest: int = 50) -> Figure:
    """Draw how often something was found within the first places of a list.

    Parameters
    ----------
    ranks : mapping of str to array-like of shape (n,)
        Rank of the first right answer from 0, infinite where there is none, by kind of list.
    """
    figure, panel = single(4.0)
    depth = np.arange(1, deepest + 1)
    shares = {
        name: (np.asarray(values, dtype=np.float64)[:, None] < depth).mean(axis=0)
        for name, values in ranks.items()
    }
    for (name, share), colour in zip(shares.items(), PALETTE, strict=False):
        panel.plot(depth, share, color=colour, linewidth=2, label=name)
    panel.axvline(10, color=QUIET, linewidth=1, linestyle="--")
    panel.set_xscale("log")
    panel.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    panel.minorticks_off()
    panel.set_ylim(0, 1)
    panel.legend(frameon=False, loc="lower right")
    tenth = ", ".join(f"{share[9]:.0%} by {name}" for name, share in shares.items())
    label_axes(
        panel,
        f"Within the first ten: {tenth}",
        "length of the list",
        "share of prompts whose list holds a right one",
    )
    return figure
