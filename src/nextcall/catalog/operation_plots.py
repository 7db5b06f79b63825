"""Pictures of the operations of a catalogue: what they are, how alike, how well found."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from nextcall.catalog.actions import ACTIONS
from nextcall.catalog.catalog import Catalog
from nextcall.catalog.plot_parts import PALETTE, QUIET, label_axes, single

_REST: Final = "#D5D8DD"


def plot_service_sizes(catalog: Catalog, *, named: int = 8) -> Figure:
    """Draw the operations of every service, largest first; the `named` largest with their names."""
    sizes = pd.Series([o.service for o in catalog]).value_counts()
    ranks = np.arange(1, len(sizes) + 1)
    figure, panel = single(4.4)
    panel.plot(ranks, sizes.to_numpy(), color=PALETTE[0], linewidth=2)
    panel.set_xscale("log")
    panel.set_yscale("log")
    first = sizes.head(named)
    panel.plot(ranks[: len(first)], first.to_numpy(), "o", color=PALETTE[0])
    for rank, (service, size) in enumerate(first.items(), start=1):
        panel.annotate(
            str(service),
            (rank, size),
            xytext=(3, 5),
            textcoords="offset points",
            fontsize=8.5,
            rotation=35,
        )
    panel.axhline(float(sizes.median()), color=QUIET, linewidth=1, linestyle="--")
    panel.annotate(
        f"median {sizes.median():g}", (1, float(sizes.median())), xytext=(2, 4),
        textcoords="offset points", color=QUIET, fontsize=9,
    )  # fmt: skip
    tenth = max(1, round(len(sizes) / 10))
    label_axes(
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
            color=PALETTE[place], alpha=1.0 if place else 0.75, linewidth=2, label=name,
        )  # fmt: skip
    left.legend(frameon=False)
    left.set_xticks([0, 5, 10, 15, most], ["0", "5", "10", "15", f"{most}+"])
    label_axes(
        left,
        f"Half take at most {np.median(parameters):g} parameters,\n"
        f"and {(required == 0).mean():.0%} require none",
        "parameters",
        "operations",
    )
    right.hist(
        np.maximum(words, 1), bins=np.geomspace(1, max(2, words.max()), 40), color=PALETTE[0],
        alpha=0.75,
    )  # fmt: skip
    right.set_xscale("log")
    label_axes(
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
    figure, panel = single(1.6 + 0.22 * len(rows))
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
    label_axes(
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
        frequent = pd.Series(label).value_counts().index[: len(PALETTE)]
        rest = ~np.isin(label, list(frequent))
        panel.scatter(*places[rest].T, s=4, color=_REST, linewidths=0, rasterized=True)
        for name, colour in zip(frequent, PALETTE, strict=False):
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
    figure, panel = single(4.4)
    curves = {name: np.sort(np.asarray(values, np.float64)) for name, values in cosines.items()}
    for (name, ordered), colour in zip(curves.items(), PALETTE, strict=False):
        share = 1 - np.arange(len(ordered)) / len(ordered)
        panel.plot(ordered, share, color=colour, linewidth=2, label=name)
    first = next(iter(curves.values()))
    for mark in marks:
        at = float((first >= mark).mean())
        panel.axvline(mark, color=QUIET, linewidth=1, linestyle="--")
        panel.plot([mark], [at], "o", color=PALETTE[0])
        panel.annotate(
            f"{at:.0%}", (mark, at), xytext=(6, 6), textcoords="offset points", fontsize=9.5
        )
    panel.set_xlim(float(np.quantile(first, 0.001)), 1.0)
    panel.set_ylim(0, 1)
    panel.legend(frameon=False, loc="lower left")
    shares = " and ".join(f"{(first >= mark).mean():.0%} from {mark:g}" for mark in marks)
    label_axes(
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
    figure, panel = single(4.2)
    searches = list(dict.fromkeys(table["search"]))
    for number, search in enumerate(searches):
        part = table[table["search"] == search].set_index("group").loc[groups]
        places = np.arange(len(groups)) + 0.08 * (number - (len(searches) - 1) / 2)
        spread = np.abs(part[["low", "high"]].to_numpy().T - part["hit"].to_numpy())
        panel.errorbar(
            places, part["hit"], yerr=spread, fmt="o-", capsize=3, color=PALETTE[number],
            label=search,
        )  # fmt: skip
    best = table[table["search"] == searches[0]].set_index("group")["hit"]
    n = table.drop_duplicates("group").set_index("group")["n"]
    panel.set_xticks(range(len(groups)), [f"{group}\n{n[group]:,} prompts" for group in groups])
    panel.set_ylim(0, 1)
    panel.legend(frameon=False, loc="lower left")
    label_axes(
        panel,
        f"First answers by {searches[0]} are right for {best[groups[0]]:.0%} of the prompts "
        f"({groups[0]})\nand for {best[groups[-1]]:.0%} ({groups[-1]})",
        by,
        "share whose first answer is right, 95 % interval",
    )
    return figure


def _actions(catalog: Catalog) -> NDArray[np.object_]:
    return np.array([operation.action for operation in catalog], dtype=object)
