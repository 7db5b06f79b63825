"""Pictures of what training reaches, and of what it misses."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nextcall.training.misses import OUTCOMES
from nextcall.training.transfer_matrix import PACKAGED
from nextcall.training.variants import WHOLE
from nextcall.training.zero_shot import TEXT_BASELINES

# Okabe & Ito (2008): told apart by every kind of colour vision.
_WORSE: Final = "#D55E00"
_BETTER: Final = "#0072B2"
_SAME: Final = "#9A9A9A"
_RULE: Final = "#CCCCCC"
_LINES: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
_OUTCOMES: Final = {
    "right": "#56B4E9",
    "later call": "#009E73",
    "twin": "#F0E442",
    "not a candidate": "#9A9A9A",
    "right service": "#E69F00",
    "other service": "#D55E00",
}
_ON_DARK: Final = {"later call": "white", "other service": "white"}


def plot_differences(
    table: pd.DataFrame, headings: Mapping[str, str], *, label: str = "NDCG@10"
) -> Figure:
    """Draw what every change costs or gains, with intervals, one panel a task.

    Parameters
    ----------
    table : DataFrame
        What `differences` gives.
    headings : mapping of str to str
        Heading of each task that is shown.
    """
    changed = table[table["variant"] != WHOLE]
    lines = list(dict.fromkeys(zip(changed["family"], changed["variant"], strict=True)))
    places: dict[tuple[str, str], float] = {}
    place, ticks, families = 0.0, [], []
    for number, line in enumerate(lines):
        if number == 0 or lines[number - 1][0] != line[0]:
            families.append((place, line[0]))
            place -= 1.0
        places[line] = place
        ticks.append(place)
        place -= 1.0
    figure = Figure(
        figsize=(3.2 + 3.9 * len(headings), 1.2 + 0.2 * (len(lines) + len(families))),
        layout="constrained",
    )
    panels = figure.subplots(1, len(headings), sharex=True, sharey=True, squeeze=False)[0]
    for panel, (task, heading) in zip(panels, headings.items(), strict=True):
        part = changed[changed["task"] == task]
        panel.axvline(0, color="grey", linewidth=0.8)
        for row in part.to_dict("records"):
            at = places[(row["family"], row["variant"])]
            colour = _of_sign(row["difference_low"], row["difference_high"])
            panel.plot([row["difference_low"], row["difference_high"]], [at, at], color=colour)
            panel.plot(row["difference"], at, "o", color=colour, markersize=4.5)
        for at, family in families:
            panel.text(
                0.005, at, family, transform=panel.get_yaxis_transform(), fontsize=8,
                va="center", style="italic", color="#444444",
            )  # fmt: skip
        worst = part.nsmallest(1, "difference").to_dict("records")[0]
        panel.set_title(
            f"{heading}\nmost is lost by: {worst['family']}, {worst['variant']} "
            f"({worst['difference']:+.3f})",
            fontsize=9,
        )
        panel.set_xlabel(f"{label} minus the whole ranker's, 95 % interval", fontsize=9)
        panel.set_yticks(ticks, [name for _, name in lines], fontsize=8)
        panel.set_ylim(place + 0.3, 0.7)
        panel.locator_params(axis="x", nbins=5)  # more of their numbers would touch
        _bare(panel)
    return figure


def plot_learning_curve(
    curve: pd.DataFrame, headings: Mapping[str, str], *, label: str = "NDCG@10"
) -> Figure:
    """Draw what is reached with each amount of data, with a band of 95 %.

    Parameters
    ----------
    curve : DataFrame
        What `learning_curve` gives.
    headings : mapping of str to str
        Heading of each task that is shown; four at most.
    """
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    panel = figure.subplots()
    said = []
    for colour, (task, heading) in zip(_LINES, headings.items(), strict=False):
        part = curve[curve["task"] == task].sort_values("prompts")
        panel.fill_between(
            part["prompts"], part["low"], part["high"], color=colour, alpha=0.18, linewidth=0
        )
        panel.plot(part["prompts"], part["mean"], "o-", color=colour, label=heading, markersize=4)
        said.append(f"{part['mean'].iloc[-1] - part['mean'].iloc[-2]:+.3f} {heading}")
    amounts = np.unique(curve["prompts"])
    panel.set_xscale("log")
    panel.set_xticks(amounts, [f"{amount:,.0f}" for amount in amounts])
    panel.minorticks_off()
    panel.set_title(f"What the last doubling of the prompts gives:\n{', '.join(said)}", fontsize=10)
    panel.set_xlabel("prompts that a ranker is trained on (count, log scale)")
    panel.set_ylabel(f"{label}, services never seen, 95 % interval")
    panel.legend(frameon=False, loc="lower right")
    _bare(panel)
    return figure


def plot_outcomes(shares: pd.DataFrame, by: str, *, what: str) -> Figure:
    """Draw how first answers divide into right ones and kinds of wrong ones, a bar a slice.

    Parameters
    ----------
    shares : DataFrame
        What `outcome_shares` gives.
    by : str
        Its first column.
    what : str
        Heading: which answers these are.
    """
    present = [kind for kind in OUTCOMES if (shares[kind] > 0).any()]
    figure = Figure(figsize=(8.6, 1.9 + 0.3 * len(shares)), layout="constrained")
    panel = figure.subplots()
    places = np.arange(len(shares))[::-1]
    left = np.zeros(len(shares))
    for kind in present:
        width = shares[kind].to_numpy(dtype=np.float64)
        panel.barh(places, width, left=left, color=_OUTCOMES[kind], label=OUTCOMES[kind])
        for place, start, share in zip(places, left, width, strict=True):
            if share > 0.04:
                panel.text(
                    start + share / 2, place, f"{share:.0%}", ha="center", va="center", fontsize=8,
                    color=_ON_DARK.get(kind, "black"),
                )  # fmt: skip
        left += width
    names = zip(shares[by], shares["n_queries"], strict=True)
    panel.set_yticks(places, [f"{name} ({n:,})" for name, n in names], fontsize=8)
    weights = shares["n_queries"] / shares["n_queries"].sum()
    missed = 1 - float((weights * shares["right"]).sum())
    twins = float((weights * shares["twin"]).sum())
    panel.set_title(
        f"{what}\n{missed:.0%} of the first answers are wrong, "
        f"{twins / max(missed, 1e-9):.0%} of these are twins of a right one",
        fontsize=10,
    )
    panel.set_xlabel("share of the first answers (number of queries in brackets)")
    panel.set_xlim(0, 1)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    _bare(panel)
    return figure


def plot_confidence(
    answers: pd.DataFrame, *, what: str, edges: Sequence[float] = tuple(np.linspace(0, 1, 21))
) -> Figure:
    """Draw how many first answers of each kind the ranker gave with which confidence.

    Parameters
    ----------
    answers : DataFrame
        What `first_answers` gives.
    what : str
        Heading: which answers these are.
    """
    figure = Figure(figsize=(8.0, 4.4), layout="constrained")
    panel = figure.subplots()
    present = [kind for kind in OUTCOMES if (answers["outcome"] == kind).any()]
    panel.hist(
        [answers.loc[answers["outcome"] == kind, "confidence"].to_numpy() for kind in present],
        bins=list(edges), stacked=True, color=[_OUTCOMES[kind] for kind in present],
        label=[OUTCOMES[kind] for kind in present],
    )  # fmt: skip
    wrong = answers[answers["outcome"] != "right"]
    sure = float((wrong["confidence"] >= 0.5).mean()) if len(wrong) else 0.0
    panel.set_title(
        f"{what}\n{sure:.0%} of the wrong first answers came with a confidence of 0.5 or more",
        fontsize=10,
    )
    panel.set_xlabel("confidence of the first answer (probability)")
    panel.set_ylabel("first answers (count)")
    panel.set_xlim(0, 1)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    _bare(panel)
    return figure


def plot_transfer(table: pd.DataFrame, *, what: str, label: str = "NDCG@10") -> Figure:
    """Draw what a ranker trained on each set reaches on each: numbers, coloured by what it gains.

    Parameters
    ----------
    table : DataFrame
        What `transfer_table` gives, of one task.
    what : str
        Heading: which task it is.
    """
    targets = list(dict.fromkeys(table["target"]))
    trained = table[~table["source"].isin(TEXT_BASELINES)]
    names = list(dict.fromkeys(trained["source"]))
    sources = [name for name in dict.fromkeys([PACKAGED, *names]) if name in names]
    gain, mean = (
        trained.pivot_table(index="source", columns="target", values=value)
        .reindex(index=sources, columns=targets)
        .to_numpy(dtype=np.float64)
        for value in ("gain", "mean")
    )
    best = table.groupby("target", sort=False)["best"].first().reindex(targets)
    gain = np.vstack([np.zeros(len(targets)), gain])
    mean = np.vstack([best.to_numpy(dtype=np.float64), mean])
    names = ["best baseline", *sources]
    top = max(0.05, float(np.nanmax(np.abs(gain))))
    figure = Figure(
        figsize=(3.2 + 0.95 * len(targets), 2.6 + 0.42 * len(names)), layout="constrained"
    )
    panel = figure.subplots()
    panel.set_facecolor("#E5E5E5")  # a pair that has no scores
    image = panel.imshow(gain, cmap="PuOr", vmin=-top, vmax=top, aspect="auto")
    for (row, column), value in np.ndenumerate(mean):
        if np.isnan(value):
            continue
        itself = names[row] == targets[column]
        panel.text(
            column, row, f"{value:.2f}", ha="center", va="center", fontsize=9,
            color="white" if abs(gain[row, column]) > 0.7 * top else "black",
            fontweight="bold" if itself else "normal",
        )  # fmt: skip
    panel.set_xticks(range(len(targets)), targets, rotation=35, ha="right", fontsize=8)
    panel.set_yticks(range(len(names)), names, fontsize=8)
    panel.set_xlabel("tested on")
    panel.set_ylabel("trained on")
    away = trained[trained["source"] != trained["target"]].groupby("source")["gain"].mean()
    panel.set_title(
        f"{what}: {label}\nfarthest goes: {away.idxmax()}, {away.max():+.3f} on the best baseline "
        "of the other sets",
        fontsize=10,
    )
    figure.colorbar(image, ax=panel, label=f"{label} minus the best baseline's", shrink=0.8)
    return figure


def _of_sign(low: float, high: float) -> str:
    if high < 0:
        return _WORSE
    return _BETTER if low > 0 else _SAME


def _bare(panel: Axes) -> None:
    """Leave only the axes that are read."""
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
