# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which faults does a detector find, how soon, at what cost?
#
# The faults are planted, so the truth is known: twenty kinds (spikes, dips, level shifts, trends,
# changed behaviour) of 3 to 6 standard deviations, in counts and latencies a minute. All
# detectors are compared **at one rate of false alarms**: the threshold of each is set on other
# series of the same law, in which nothing is wrong.

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/anomaly-power"
laws: list[str] = []
detectors: list[str] = []
series: int = 1
clean_series: int = 2
history: int = 20_160
minutes: int = 20_160
sizes: list[float] = [3.0, 4.0, 5.0, 6.0]
once_in: int = 1_440
others: list[int] = [4_320, 600, 240]

# %%
# %matplotlib inline
import json
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

from nextcall.anomaly import power_plots
from nextcall.anomaly.fault_detection import (
    compare_detectors,
    random_alarms,
    recall_table,
    series_numbers,
)
from nextcall.anomaly.fault_detector import FaultDetector
from nextcall.anomaly.fault_scores import OURS, score_rows
from nextcall.anomaly.peer_scores import PLAIN, PUBLISHED, installed
from nextcall.synth.anomalies import KINDS
from nextcall.synth.fault_study import LAWS, draw_fault_study

rng = np.random.default_rng(seed)
rate = 1 / once_in

# %% [markdown]
# ## The series
#
# One value a minute: a history without faults, from which every detector may learn, then every
# kind in every size, each in a span of its own; shifts and trends last half of that span. Counts
# are Poisson, latencies log-normal; they follow the hours of a week or are flat. The detectors are
# told neither the law nor where the history ends.

# %%
study = draw_fault_study(
    {name: LAWS[name] for name in laws or LAWS},
    rng=rng,
    series=series,
    clean_series=clean_series,
    history=history,
    minutes=minutes,
    sizes=sizes,
)
pd.DataFrame(
    {
        "faults": study.truth.groupby("law", sort=False).size(),
        "rows with faults among them": study.planted.groupby("law", sort=False).size(),
        "rows without any": study.clean.groupby("law", sort=False).size(),
    }
)

# %%
there = installed()
asked = [name for name in (*OURS, *PLAIN, *there) if not detectors or name in detectors]
absent = [name for name in PUBLISHED if name not in there]
Markdown(
    f"Not installed here, so not shown: {', '.join(absent)}. "
    "`benchmarks/planted_faults.py` asks them in an environment of their own."
    if absent
    else "All published detectors that we know of are installed."
)

# %% [markdown]
# ## Scores, thresholds, alarms
#
# An alarm is a row whose score reaches the threshold, with no alarm in the 10 rows before. A fault
# is found where an alarm lies between its first row and its last; its delay is counted from the
# first. The history counts for nothing.

# %%
scores = {
    name: (score_rows(name, study.planted, rate=rate), score_rows(name, study.clean, rate=rate))
    for name in asked
}
rates = sorted({rate, *(1 / each for each in others)})
faults, alarms = compare_detectors(
    study.planted, study.truth, study.clean, scores=scores, rates=rates
)
chosen = faults[np.isclose(faults["rate"], rate)]
blind = random_alarms(study.planted, study.truth, rate=rate, rng=rng)

# %%
table = recall_table(chosen, ["detector"])
false = alarms[np.isclose(alarms["rate"], rate)].groupby("detector")["false_rate"].mean()
shown = table.assign(
    interval=table["low"].map("{:.3f} to ".format) + table["high"].map("{:.3f}".format),
    false_alarms=(table["detector"].map(false) / rate).round(2),
).rename(columns={"delay": "median delay", "false_alarms": "false alarms beside faults / rate"})
shown.drop(columns=["low", "high", "delay_of_all"]).sort_values(
    "recall", ascending=False
).style.hide(axis="index").format({"recall": "{:.3f}", "median delay": "{:.1f}"}, precision=2)

# %% [markdown]
# False alarms beside faults count where a series with faults is quiet: below 1 a detector became
# duller by what it saw, above 1 it alarms where a fault is long over.

# %%
Markdown(f"Alarms at random would find **{blind['found'].mean():.1%}** of the faults.")

# %% [markdown]
# ## Size, delay, false alarms
#
# Bands are 95 % intervals (Wilson). A delay is shown for the faults that are found.

# %%
figure = power_plots.plot_power(faults, rate=rate)
figure.savefig(Path(out, "power.png"), dpi=110)
figure

# %% [markdown]
# ## Kinds of faults

# %%
figure = power_plots.plot_recall_by_kind(chosen, kinds=KINDS)
figure.savefig(Path(out, "kinds.png"), dpi=110)
figure

# %% [markdown]
# ## Kinds of series

# %%
by_law = recall_table(chosen, ["detector", "law"])
by_law.pivot_table(index="detector", columns="law", values="recall", sort=False).style.format(
    "{:.2f}"
)

# %% [markdown]
# ## What it looks like
#
# Faults of middle size in the first series, what `FaultDetector` expected of each minute (95 %) and
# its alarms at its own boundary, not at the threshold above.

# %%
first = study.planted[series_numbers(study.planted) == 0].reset_index(drop=True)
told = FaultDetector(rate=rate).score(first["value"], times=first["time"])
told = pd.concat([first[["value", "fault"]], told], axis=1)
middle = sorted(sizes)[len(sizes) // 2]
wanted = study.truth[
    (study.truth["law"] == first["law"][0])
    & (study.truth["series"] == 0)
    & study.truth["size"].isin([middle, 0.5])
]
pieces = []
for fault in wanted.drop_duplicates("kind").sort_values("kind").itertuples():
    piece = told.iloc[max(fault.first - 30, 0) : fault.last + 30]
    pieces.append(
        piece.assign(
            example=fault.kind.replace("_", " ").replace("/", ": "),
            minute=piece.index - fault.first,
            faulty=(piece.index >= fault.first) & (piece.index <= fault.last),
        )
    )
figure = power_plots.plot_faults(pd.concat(pieces))
figure.savefig(Path(out, "faults.png"), dpi=110)
figure

# %% [markdown]
# ## Answer

# %%
result = {"random.recall": float(blind["found"].mean())}
for row in table.itertuples():
    result |= {
        f"{row.detector}.recall": float(row.recall),
        f"{row.detector}.recall_low": float(row.low),
        f"{row.detector}.recall_high": float(row.high),
        f"{row.detector}.median_delay": float(row.delay) if row.found else -1.0,
        f"{row.detector}.false_alarms_over_rate": float(false[row.detector] / rate),
    }
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
best = table.sort_values("recall", ascending=False)
Markdown(
    f"At a false alarm once in {once_in:,} points **{best['detector'].iloc[0]}** finds "
    f"**{best['recall'].iloc[0]:.1%}** of the faults, half of them within "
    f"{best['delay'].iloc[0]:.0f} points of their start; {best['detector'].iloc[1]}, the next, "
    f"finds {best['recall'].iloc[1]:.1%}, and alarms at random {blind['found'].mean():.1%}."
)
