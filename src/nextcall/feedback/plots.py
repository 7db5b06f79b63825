"""Drawings of what feedback teaches."""

import pandas as pd
from matplotlib.figure import Figure


def plot_learning(table: pd.DataFrame, *, what: str = "hit@1") -> Figure:
    """Draw how good rankers are after so many answers, with intervals.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``group`` (of those who ask; a panel each), ``ranker`` (a line each), ``answers``,
        ``value``, ``low``, ``high``.
    what : str
        The measure, in [0, 1]; higher is better.

    Returns
    -------
    matplotlib.figure.Figure
    """
    groups = list(dict.fromkeys(table["group"]))
    figure = Figure(figsize=(1 + 4 * len(groups), 3.5), layout="constrained")
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for panel, group in zip(panels, groups, strict=True):
        for name, own in table[table["group"] == group].groupby("ranker", sort=False):
            (line,) = panel.plot(own["answers"], own["value"], marker="o", label=name)
            panel.fill_between(
                own["answers"], own["low"], own["high"], alpha=0.2, color=line.get_color()
            )
        panel.set_title(group)
        panel.set_xlabel("answers so far")
        panel.grid(visible=True, alpha=0.3)
    panels[0].set_ylim(0, 1)
    panels[0].set_ylabel(f"{what}, 95 % interval")
    panels[0].legend()
    return figure
