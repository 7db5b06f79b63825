"""Pictures of what is in a catalogue and of how alike its operations are."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from nextcall.catalog.actions import ACTIONS
from nextcall.catalog.catalog import Catalog

# Okabe & Ito (2008): told apart by every kind of colour vision.
_PALETTE: Final = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
)  # fmt: skip
_REST: Final = "#D5D8DD"
_QUIET: Final = "#6B7280"


def plot_service_sizes(catalog: Catalog, *, named: int = 8) -> Figure:
    """Draw the operations of every service, largest first; the `named` largest with their names."""
    sizes = pd.Series([o.service for o in catalog]).value_counts()
    ranks = np.arange(1, len(sizes) + 1)
    figure, panel = _single(4.4)
    panel.plot(ranks, sizes.to_numpy(), color=_PALETTE[0], linewidth=2)
    panel.set_xscale("log")
    panel.set_yscale("log")
    first = sizes.head(named)
    panel.plot(ranks[: len(first)], first.to_numpy(), "o", color=_PALETTE[0])
    for rank, (service, size) in enumerate(first.items(), start=1):
        panel.annotate(
            str(service),
            (rank, size),
            xytext=(3, 5),
            textcoords="offset points",
            fontsize=8.5,
            rotation=35,
        )
    panel.axhline(float(sizes.median()), color=_QUIET, linewidth=1, linestyle="--")
    panel.annotate(
        f"median {sizes.median():g}", (1, float(sizes.median())), xytext=(2, 4),
        textcoords="offset points", color=_QUIET, fontsize=9,
    )  # fmt: skip
    tenth = max(1, round(len(sizes) / 10))
    _label(
        panel,
        f"The largest {tenth} of {len(sizes)} services hold "
        f"{sizes.head(tenth).sum() / sizes.sum():.0%} of the operations",
        "service, by number of operations (rank)",
        "operations",
    )
    return figure


def plot_lengths(catalog: Catalog) -> Figure:
    """Draw how many parameters operations have, and how many words their documentation."""
    parameters = np.array([len(o.parameters) for o in catalog])
    required = np.array([sum(p.required for p in o.parameters) for o in catalog])
    words = np.array([len(o.description.split()) for o in catalog])
    figure = Figure(figsize=(9.0, 3.8), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    most = 20
    bins = np.arange(most + 2) - 0.5
    for values, name, place in ((parameters, "all", 0), (required, "required", 1)):
        left.hist(
            np.minimum(values, most), bins=bins, histtype="step" if place else "bar",
            color=_PALETTE[place], alpha=1.0 if place else 0.75, linewidth=2, label=name,
        )  # fmt: skip
    left.legend(frameon=False)
    left.set_xticks([0, 5, 10, 15, most], ["0", "5", "10", "15", f"{most}+"])
    _label(
        left,
        f"Half take at most {np.median(parameters):g} parameters,\n"
        f"and {(required == 0).mean():.0%} require none",
        "parameters",
        "operations",
    )
    right.hist(
        np.maximum(words, 1), bins=np.geomspace(1, max(2, words.max()), 40), color=_PALETTE[0],
        alpha=0.75,
    )  # fmt: skip
    right.set_xscale("log")
    _label(
        right,
        f"Documentation has {np.median(words):g} words in the middle;\n"
        f"{(words < 10).mean():.0%} of the operations have fewer than 10",
        "words of documentation (log scale)",
        "operations",
    )
    return figure


def plot_actions(catalog: Catalog, *, services: int = 25) -> Figure:
    """Draw which share of a service's operations does what, for the largest services."""
    frame = pd.DataFrame({"service": [o.service for o in catalog], "does": _actions(catalog)})
    counts = pd.crosstab(frame["service"], frame["does"]).reindex(columns=ACTIONS, fill_value=0)
    largest = counts.loc[counts.sum(axis=1).sort_values(ascending=False).index[:services]]
    shares = largest.div(largest.sum(axis=1), axis=0)
    overall = counts.sum() / len(catalog)
    rows = pd.concat([overall.to_frame("all services").T, shares])
    figure, panel = _single(1.6 + 0.22 * len(rows))
    top = float(rows.to_numpy().max())
    image = panel.imshow(rows.to_numpy(), cmap="cividis", aspect="auto", vmin=0, vmax=top)
    for (row, column), share in np.ndenumerate(rows.to_numpy()):
        if share >= 0.005:
            panel.text(
                column, row, f"{share:.0%}", ha="center", va="center", fontsize=7.5,
                color="black" if share > top / 2 else "white",
            )  # fmt: skip
    panel.axhline(0.5, color="white", linewidth=3)
    panel.set_xticks(range(len(ACTIONS)), ACTIONS, fontsize=8.5)
    panel.set_yticks(range(len(rows)), [str(name) for name in rows.index])
    figure.colorbar(image, ax=panel, label="share of the service's operations", pad=0.01)
    common = overall.sort_values(ascending=False).head(5)
    _label(
        panel,
        f"{common.sum():.0%} of all operations do one of five things: {', '.join(common.index)}",
        "action",
        "",
    )
    return figure


def plot_map(points: ArrayLike, colourings: Mapping[str, Sequence[str]]) -> Figure:
    """Draw operations in the plane, once for each way of colouring them.

    Parameters
    ----------
    points : array-like of shape (n_operations, 2)
        Where each operation lies; only near and far mean something.
    colourings : mapping of str to sequence of str
        Label of each operation, by what the labels are; the seven most frequent have a colour.
    """
    places = np.asarray(points, dtype=np.float64)
    _, neighbours = cKDTree(places).query(places, k=[2])
    nearest = np.asarray(neighbours)[:, 0]
    figure = Figure(figsize=(5.0 * len(colourings), 5.8), dpi=110, layout="constrained")
    panels = figure.subplots(1, len(colourings), squeeze=False)[0]
    for panel, (what, labels) in zip(panels, colourings.items(), strict=True):
        label = np.asarray(labels, dtype=object)
        frequent = pd.Series(label).value_counts().index[: len(_PALETTE)]
        rest = ~np.isin(label, list(frequent))
        panel.scatter(*places[rest].T, s=4, color=_REST, linewidths=0, rasterized=True)
        for name, colour in zip(frequent, _PALETTE, strict=False):
            panel.scatter(
                *places[label == name].T, s=7, color=colour, linewidths=0, label=name,
                rasterized=True,
            )  # fmt: skip
        same = float((label == label[nearest]).mean())
        panel.set_title(f"{same:.0%} lie next to one of the same {what}", fontsize=11)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.set_xlabel(f"t-SNE plane, no unit; colour: {what}, grey: all others")
        panel.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.07), ncols=4, frameon=False, fontsize=8,
            markerscale=2.5, handletextpad=0.1, columnspacing=1.0,
        )  # fmt: skip
    return figure


def plot_twins(cosines: Mapping[str, ArrayLike], *, marks: Sequence[float] = (0.9, 0.95)) -> Figure:
    """Draw which share of the operations has another one at least as near as each cosine.

    Parameters
    ----------
    cosines : mapping of str to array-like of shape (n_operations,)
        Cosine of each operation and its nearest other one, by what was compared.
    """
    figure, panel = _single(4.4)
    curves = {name: np.sort(np.asarray(values, np.float64)) for name, values in cosines.items()}
    for (name, ordered), colour in zip(curves.items(), _PALETTE, strict=False):
        share = 1 - np.arange(len(ordered)) / len(ordered)
        panel.plot(ordered, share, color=colour, linewidth=2, label=name)
    first = next(iter(curves.values()))
    for mark in marks:
        at = float((first >= mark).mean())
        panel.axvline(mark, color=_QUIET, linewidth=1, linestyle="--")
        panel.plot([mark], [at], "o", color=_PALETTE[0])
        panel.annotate(
            f"{at:.0%}", (mark, at), xytext=(6, 6), textcoords="offset points", fontsize=9.5
        )
    panel.set_xlim(float(np.quantile(first, 0.001)), 1.0)
    panel.set_ylim(0, 1)
    panel.legend(frameon=False, loc="lower left")
    shares = " and ".join(f"{(first >= mark).mean():.0%} from {mark:g}" for mark in marks)
    _label(
        panel,
        f"Share of the operations that have a twin: {shares} on",
        "cosine with the nearest other operation",
        "share with one at least as near",
    )
    return figure


def plot_hits(table: pd.DataFrame, *, by: str) -> Figure:
    """Draw how often the first answer is right, for groups of prompts in a row.

    Parameters
    ----------
    table : DataFrame
        One row a search and group: ``search``, ``group`` (in the order drawn), ``n`` prompts,
        ``hit`` (share that is right) and its interval ``low`` to ``high``.
    by : str
        What makes the groups.
    """
    groups = list(dict.fromkeys(table["group"]))
    figure, panel = _single(4.2)
    searches = list(dict.fromkeys(table["search"]))
    for number, search in enumerate(searches):
        part = table[table["search"] == search].set_index("group").loc[groups]
        places = np.arange(len(groups)) + 0.08 * (number - (len(searches) - 1) / 2)
        spread = np.abs(part[["low", "high"]].to_numpy().T - part["hit"].to_numpy())
        panel.errorbar(
            places, part["hit"], yerr=spread, fmt="o-", capsize=3, color=_PALETTE[number],
            label=search,
        )  # fmt: skip
    best = table[table["search"] == searches[0]].set_index("group")["hit"]
    n = table.drop_duplicates("group").set_index("group")["n"]
    panel.set_xticks(range(len(groups)), [f"{group}\n{n[group]:,} prompts" for group in groups])
    panel.set_ylim(0, 1)
    panel.legend(frameon=False, loc="lower left")
    _label(
        panel,
        f"First answers by {searches[0]} are right for {best[groups[0]]:.0%} of the prompts "
        f"({groups[0]})\nand for {best[groups[-1]]:.0%} ({groups[-1]})",
        by,
        "share whose first answer is right, 95 % interval",
    )
    return figure


def plot_producers(table: pd.DataFrame) -> Figure:
    """Draw the operations that feed most others, first row at the top.

    Parameters
    ----------
    table : DataFrame
        One row an operation: ``operation``, ``own`` (operations of its service that it feeds) and
        ``others`` (operations of other services).
    """
    places = np.arange(len(table))[::-1]
    figure, panel = _single(1.2 + 0.26 * len(table))
    panel.barh(places, table["own"], color=_PALETTE[0], label="of its own service")
    panel.barh(
        places, table["others"], left=table["own"], color=_PALETTE[1], label="of other services"
    )
    panel.set_yticks(places, list(table["operation"]), fontsize=8.5)
    panel.legend(frameon=False, loc="lower right")
    first = table.iloc[0]
    _label(
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
    figure, panel = _single(1.4 + 0.3 * tallest)
    top = max(float(weights.max()), 1e-9)
    for start, end in np.argwhere(weights > 0):
        bend = 0.25 if column[start] == column[end] else 0.0
        panel.annotate(
            "",
            places[end] - (0.02, 0),
            places[start] + (0.02, 0),
            arrowprops={
                "arrowstyle": "-|>", "color": _PALETTE[0], "shrinkA": 2, "shrinkB": 2,
                "alpha": 0.15 + 0.75 * float(weights[start, end]) / top,
                "connectionstyle": f"arc3,rad={bend}",
            },
        )  # fmt: skip
    for (x, y), name in zip(places, names, strict=True):
        panel.text(
            x, y, name, ha="center", va="center", fontsize=8,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": _QUIET},
        )  # fmt: skip
    panel.set_xlim(-0.5, column.max() + 0.5)
    panel.set_ylim(places[:, 1].min() - 1, places[:, 1].max() + 1)
    ticks = np.unique(column)
    unknown = "never learnt" if min(depth) < 0 else str(ticks[-1])
    panel.set_xticks(ticks, [*map(str, ticks[:-1]), unknown])
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
    fed = int((weights.sum(axis=0) > 0).sum())
    _label(
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
    figure, panel = _single(4.4)
    for (name, curve), colour in zip(curves.items(), _PALETTE, strict=False):
        panel.plot(curve["recall"], curve["precision"], color=colour, linewidth=2, label=name)
        if name in points:
            recall, precision = np.asarray(points[name], dtype=np.float64)
            panel.plot([recall], [precision], "o", color=colour, label=f"{name}, same name only")
    panel.set_xlim(0, 1)
    panel.set_ylim(0, 1)
    panel.legend(frameon=False)
    name, curve = next(iter(curves.items()))
    half = curve[curve["precision"] >= 0.5]["recall"].max()
    _label(
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
    figure, panel = _single(4.0)
    depth = np.arange(1, deepest + 1)
    shares = {
        name: (np.asarray(values, dtype=np.float64)[:, None] < depth).mean(axis=0)
        for name, values in ranks.items()
    }
    for (name, share), colour in zip(shares.items(), _PALETTE, strict=False):
        panel.plot(depth, share, color=colour, linewidth=2, label=name)
    panel.axvline(10, color=_QUIET, linewidth=1, linestyle="--")
    panel.set_xscale("log")
    panel.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    panel.minorticks_off()
    panel.set_ylim(0, 1)
    panel.legend(frameon=False, loc="lower right")
    tenth = ", ".join(f"{share[9]:.0%} by {name}" for name, share in shares.items())
    _label(
        panel,
        f"Within the first ten: {tenth}",
        "length of the list",
        "share of prompts whose list holds a right one",
    )
    return figure


def _actions(catalog: Catalog) -> NDArray[np.object_]:
    return np.array([operation.action for operation in catalog], dtype=object)


def _single(height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(9.0, height), dpi=110, layout="constrained")
    return figure, figure.subplots()


def _label(panel: Any, title: str, x: str, y: str) -> None:
    """Write title and axes, and leave only the axes that are read."""
    panel.set_title(title, fontsize=11)
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    panel.spines[["top", "right"]].set_visible(False)
