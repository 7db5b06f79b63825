"""Drawings of how good the guard is."""

import pandas as pd
from matplotlib.figure import Figure


def plot_shares(table: pd.DataFrame) -> Figure:
    """Draw which share of each source's texts is taken for an attack, with intervals.

    Parameters
    ----------
    table : pandas.DataFrame
        As `nextcall.guard.evaluation.share_table` gives it by label and source.

    Returns
    -------
    matplotlib.figure.Figure
        A row a source: of attacks right is good, of harmless texts left.
    """
    figure = Figure(figsize=(8, 1 + 0.3 * len(table)), layout="constrained")
    axes = figure.subplots()
    places = range(len(table))
    errors = [table["share"] - table["from"], table["to"] - table["share"]]
    axes.errorbar(table["share"], places, xerr=[part.clip(lower=0) for part in errors], fmt="o")
    names = table["label"] + ", " + table["source"]
    axes.set_yticks(list(places), labels=names.tolist())
    axes.invert_yaxis()
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share taken for an attack")
    axes.grid(visible=True, axis="x", alpha=0.3)
    return figure
