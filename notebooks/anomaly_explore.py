# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What is odd here?
#
# Any table of numbers in order of time: one series or many, from a CSV or Parquet file. Every row
# is judged by the rows of its series before it, and by nothing else. Give your own file as
# `path`, and its columns as `value`, `timestamp` and `key` (the last two may be left empty).

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/anomaly-explore"
path: str = ""
value: str = "value"
timestamp: str = "timestamp"
key: str = ""
rate: float = 0.0016666666666666668
simulated: bool = False
closer: int = 2

# %%
# %matplotlib inline
import json
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

from nextcall.anomaly import plots
from nextcall.anomaly.detector import ALARM
from nextcall.anomaly.oddities import (
    VERDICTS,
    alarm_table,
    lowered_table,
    read_series,
    score_oddities,
    summary_table,
)
from nextcall.locations import shared_dir
from nextcall.synth.anomalies import plant_anomalies
from nextcall.synth.series import SeriesSettings, metric_series

rng = np.random.default_rng(seed)
pd.set_option("display.max_colwidth", None)

# %% [markdown]
# ## The series
#
# Without a file: 17 metrics of machines in a cloud, from the Numenta Anomaly Benchmark; where
# these are not on the machine, simulated counts of events a minute, with a few planted faults.

# %%
columns = {"value": value, "timestamp": timestamp or None, "key": key or None}
files = sorted((shared_dir() / "data" / "nab_dev" / "realAWSCloudwatch").glob("*.csv"))
if path:
    source = Path(path).name
    series = read_series(Path(path), **columns).replace({"key": {"": source}})
elif files and not simulated:
    series = pd.concat(
        [read_series(file, **columns).assign(key=file.stem) for file in files], ignore_index=True
    )
    source = "metrics of machines in a cloud"
else:
    drawn = metric_series(2_880, rng=rng, settings=SeriesSettings(level=400, season=0, entities=8))
    kinds = ["spike/point", "spike/burst", "dip/burst", "level_shift/up", "trend/fall"]
    planted, _ = plant_anomalies(drawn, rng=rng, kinds=kinds, sizes=(8.0,))
    series = planted.rename(columns={"entity": "key"})[["key", "time", "value"]]
    source = "simulated counts with planted faults"
scored = score_oddities(series, rate=rate)
summary = summary_table(scored, rate=rate)
alarms, lowered = alarm_table(scored), lowered_table(scored)
Markdown(
    f"**{source}**: {len(series):,} rows of {len(summary):,} series, "
    f"{int(series['value'].isna().sum()):,} of them without a value. An alarm is wanted once in "
    f"{1 / rate:,.0f} rows of a series with nothing wrong."
)

# %% [markdown]
# ## All at a glance

# %%
figure = plots.plot_grid(scored, what=source)
figure.savefig(Path(out, "grid.png"), dpi=100)
figure

# %% [markdown]
# ## Series by series
#
# - **odd**: there are alarms, and a row rarer than once in 1.5 times the rows that were judged.
#   Noise has one in up to a tenth of the series; with heavy tails, in up to a third.
# - **unclear**: there are alarms, and noise may have the like. They are worth a look.
# - **nothing is wrong**: no alarm.
# - **not enough data**: too short to be judged.
#
# `by_rate` are the alarms that the rate brings of long series where nothing is wrong; short ones
# have more (at one in 600, Gaussian noise has 4 in 600 rows, 6 in 1,500 and 9 in 5,000). `rarest`
# is in how many rows one like the rarest is expected.

# %%
summary.drop(columns=["missing", "judged", "lowered"]).head(40).style.hide(axis="index").format(
    {"by_rate": "{:.1f}", "rarest": "{:,.0f}", "rows": "{:,}"}
)

# %% [markdown]
# ## The rarest alarms, with reasons

# %%
when = "{:%Y-%m-%d %H:%M}" if pd.api.types.is_datetime64_any_dtype(scored["time"]) else "row {}"
shown = pd.DataFrame(
    {
        "when": alarms["time"].map(when.format),
        "what is odd": alarms["key"] + ": " + alarms["explanation"],
    }
).head(20)
shown.style.hide(axis="index").set_td_classes(pd.DataFrame("words", shown.index, ["what is odd"]))

# %%
Markdown("" if len(alarms) else "**Nothing is wrong:** no row is rarer than the rate allows.")

# %% [markdown]
# ## A closer look
#
# The series of the rarest alarms, whole; then the rows around each of these alarms. Where a value
# alone raised the alarm, a bar shows what would have been usual.

# %%
usual = (scored["risk"] >= ALARM) & (scored["channel"] == "value")
drawn = scored.assign(low=scored["low"].where(usual), high=scored["high"].where(usual))
strangest = list(dict.fromkeys(alarms["key"]))[:closer]
parts = {name: drawn[drawn["key"] == name].reset_index(drop=True) for name in strangest}
for number, (name, part) in enumerate(parts.items(), start=1):
    figure = plots.plot_series(part, what=name)
    figure.savefig(Path(out, f"series_{number}.png"), dpi=100)
    display(figure)  # noqa: F821  # of the notebook

# %%
for name, part in parts.items():
    row = int(part["once_in"].where(part["risk"] >= ALARM).idxmax())
    near = part.iloc[max(0, row - 100) : row + 50]
    display(plots.plot_series(near, what=f"{name}, around its rarest alarm"))  # noqa: F821

# %% [markdown]
# ## What lowered the score
#
# Rows that were strange enough for an alarm and are none, for one was shortly before, or because
# too few rows were there to judge by; of each series the rarest.

# %%
first = lowered.drop_duplicates("key").head(15)
shown = pd.DataFrame(
    {
        "when": first["time"].map(when.format),
        "what was odd": first["key"] + ": " + first["explanation"],
    }
)
shown.style.hide(axis="index").set_td_classes(pd.DataFrame("words", shown.index, ["what was odd"]))

# %% [markdown]
# ## Answer

# %%
counts = summary["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
result = {
    "rows": len(scored),
    "series": len(summary),
    "missing": int(summary["missing"].sum()),
    "alarms": len(alarms),
    "alarms_by_rate": float(summary["by_rate"].sum()),
    "lowered": len(lowered),
    **{verdict.replace(" ", "_"): int(count) for verdict, count in counts.items()},
}
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
odd = summary[summary["verdict"] == "odd"]
said = (
    f"**{len(odd)} of {len(summary)} series are odd**, first {', '.join(odd['key'].head(3))}. "
    if len(odd)
    else "**No series is odd.** "
)
if len(alarms):
    first = alarms.iloc[0]
    said += (
        f"There are {len(alarms):,} alarms, the rarest: {first['key']}, "
        f"{when.format(first['time'])}, {first['explanation']}. "
    )
elif result["not_enough_data"] == len(summary):
    said += "There are too few rows to judge by. "
else:
    said += "Nothing is wrong: there is no alarm at all. "
Markdown(
    said + f"Rows that were strange enough for an alarm, and kept from it by a rest or a short "
    f"history: {len(lowered):,}."
)
