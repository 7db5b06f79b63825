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
# # Does the service keep what it promised?
#
# Each part by itself, then 20 users at once over HTTP, against a service of its own process; held
# against what was promised, and against the runs before. Run it each day: runs are kept in the
# database of the service, and so the trend grows.

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/performance"
services: list[str] = []
url: str = ""
runs: int = 6
repeats: int = 100
keep: bool = True
newest: int = 60

# %%
# %matplotlib inline
import json
import os
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from IPython.display import Markdown

from nextcall.catalog.aws import read_aws
from nextcall.cli.console import progress
from nextcall.performance import plots
from nextcall.performance.history import RunHistory
from nextcall.performance.trend import compare_newest, promises_frame, runs_frame, weekly_change
from nextcall.serve.performance.suite_runs import measure_here, measure_there
from nextcall.serve.settings import load_settings
from nextcall.storage.opening import open_database

rng = np.random.default_rng(seed)

# %% [markdown]
# ## What is measured
#
# The packaged ranker over the operations of AWS, or over `services` alone; with a `url`, the
# service that runs there (its key stands in `NEXTCALL_BENCH_KEY`), of which only the users' side is
# seen. Prompts are new to it each time.

# %%
opened = ExitStack()
folder = Path(opened.enter_context(TemporaryDirectory()))
settings = load_settings()
if not url:
    catalog = read_aws(progress=progress)
    if services:
        ids = [each.operation_id for each in catalog if each.service in services]
        catalog = catalog.subset(ids, name="aws")
    catalog.save(folder / "aws.parquet")
    settings = load_settings(catalog=folder / "aws.parquet")
kept_in = settings.database_url if keep else f"sqlite:///{folder}/runs.db"
history = RunHistory(opened.enter_context(open_database(kept_in)))
asked = {"rng": rng, "repeats": repeats, "progress": progress}
for _ in range(runs):
    if url:
        key = os.environ.get("NEXTCALL_BENCH_KEY")
        run = measure_there(url, key=key, targets=settings.targets(), **asked)
    else:
        run = measure_here(settings, **asked)
    history.keep(run)
told = [each for each in history.newest() if each["source"] == run.source][:newest]
opened.close()

# %% [markdown]
# ## The newest run
#
# Milliseconds; `rate` is answers a second of all who asked together.

# %%
frame, promises = runs_frame(told), promises_frame(told)
last = frame[frame["at"] == frame["at"].max()].set_index("part")
last.drop(columns=["at", "source", "version", "model_version"]).style.format(precision=3)

# %% [markdown]
# ## What room is left
#
# The share of each limit that is not used; a bar to the left of zero is a promise that is missed.
# Dots are earlier runs: the weakest of them is the room that can be counted on.

# %%
figure = plots.plot_room(promises)
figure.savefig(Path(out, "room.png"), dpi=110)
figure

# %%
known = promises.dropna(subset=["room"])
room = known.groupby(["part", "promise"], sort=False).agg(
    newest=("room", "last"), weakest=("room", "min"), runs=("room", "size")
)
missed = known[known["status"] == "missed"].groupby(["part", "promise"]).size()
room["missed"] = missed.reindex(room.index, fill_value=0)
room.style.format("{:.1%}", subset=["newest", "weakest"])

# %% [markdown]
# ## Run after run

# %%
figure = plots.plot_parts(frame)
figure.savefig(Path(out, "parts.png"), dpi=110)
figure

# %% [markdown]
# ## Is the newest slower than those before?
#
# The interval is where a further run would lie if nothing had changed, over all parts together;
# `worse` lies above it. Of fewer than five earlier runs nothing is said. It is the machine that is
# compared, too: what else ran on it is in the figures.

# %%
compared = compare_newest(frame)
compared.style.format(precision=3)

# %% [markdown]
# By day, what changes in a week; and by version, the median run.

# %%
weekly_change(frame).style.format("{:+.1%}", subset=["change", "ci_lower", "ci_upper"], na_rep="-")

# %%
frame.pivot_table(index="part", columns="version", values="p50", aggfunc="median", sort=False)

# %% [markdown]
# ## Answer

# %%
weakest = room["newest"].idxmin()
slower = list(compared.loc[compared["outcome"] == "worse", "part"])
result = {
    "runs": float(frame["at"].nunique()),
    "promises.missed": float(sum(each.target.status == "missed" for each in run.promises)),
    "promises.judged": float(sum(each.target.status != "unknown" for each in run.promises)),
    "room.least": float(room["newest"].min()),
    "worse": float(len(slower)),
}
for part in last.index:
    result |= {f"{part}.{name}": float(last.loc[part, name]) for name in ("p50", "p95", "rate")}
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
Markdown(
    f"**{result['promises.missed']:.0f}** of {result['promises.judged']:.0f} promises are missed; "
    f"the least room, {result['room.least']:.0%} of the limit, is that of {weakest[1]} of "
    f"{weakest[0]}. Slower than in the runs before: {', '.join(slower) or 'nothing'}, of "
    f"{int(compared['earlier'].max())} earlier runs."
)
