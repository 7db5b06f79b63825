# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Train on one catalogue, test on another
#
# Which catalogues teach what holds for others? One small ranker a set of queries, a few hundred
# queries and a few dozen trees each, tested on every other set, and on itself by session.
#
# **A diagnosis, and nothing else.** The evaluation sets are trained on here and nowhere else: the
# rankers of this page are measured and thrown away, nothing is saved, and no setting is chosen by
# its figures.

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/transfer"
services: list[str] = []
pieces: dict[str, list[str]] = {}
google_operations: int = 3_000
most: int = 600
trees: int = 60
sets: list[str] = []

# %%
# %matplotlib inline
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

from nextcall.catalog.aws import read_aws
from nextcall.catalog.google import read_google
from nextcall.locations import cache_dir, packaged_model, shared_dir
from nextcall.ranking.model_files import load_ranker
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.training.folds import committed_parts
from nextcall.training.opening import open_index
from nextcall.training.plots import plot_transfer
from nextcall.training.transfer import HELD_OUT_PARTS
from nextcall.training.transfer_matrix import (
    FEW_TREES,
    PACKAGED,
    described_queries,
    drawn_services,
    prompts_domain,
    set_domain,
    transfer_scores,
    transfer_table,
    transfer_values,
)
from nextcall.training.zero_shot import TEXT_BASELINES

rng = np.random.default_rng(seed)
packaged, _ = load_ranker(packaged_model())
prior = packaged.prior_

# %% [markdown]
# ## The sets
#
# - **AWS** teaches with titles of the command line's examples, each alone and after two calls of
#   its service; it is tested on the two parts of the services that the packaged model never saw.
# - **Google** teaches with its own summaries, said another way and without the names; nobody asked
#   them, so nothing is tested on it.
# - The evaluation sets, with prompts and call sequences of people and of other makers, teach and
#   are tested; on themselves five-fold, by session.
# - The **packaged model** is asked beside them: it practised on small catalogues cut out of AWS.
#
# Of each set whole sessions are drawn, up to the number of queries given above.

# %%
api = read_aws()
if services:
    api = api.subset([o.operation_id for o in api if o.service in services], name="aws-part")
asked = read_awscli_examples(api)
parts = committed_parts()
held_out = [query for query in asked if parts[query.source] in HELD_OUT_PARTS]
taught = [query for query in asked if parts[query.source] not in HELD_OUT_PARTS]
index = open_index(api, cache=cache_dir())
domains = [prompts_domain("AWS", index, prior, taught=taught, asked=held_out, most=most, rng=rng)]
for name, chosen in pieces.items():
    piece = api.subset([o.operation_id for o in api if o.service in chosen], name=name)
    own = [query for query in asked if all(right in piece for right in query.relevant)]
    domains.append(
        prompts_domain(name, index.subset(piece), prior, taught=own, asked=own, most=most, rng=rng)
    )
if google_operations:
    part = drawn_services(read_google(), most=google_operations, rng=rng)
    described = open_index(part, cache=cache_dir())
    own = described_queries(described, most=most, rng=rng)
    domains.append(
        prompts_domain("Google", described, prior, taught=own, asked=[], most=most, rng=rng)
    )

# %%
folders = sorted(
    path.parent for path in (shared_dir() / "data" / "ranking").glob("*/queries.jsonl")
)
folders = [folder for folder in folders if not sets or folder.name in sets]
domains += [set_domain(folder, prior, cache=cache_dir(), most=most, rng=rng) for folder in folders]
missing = "" if folders else "The evaluation sets are not on this machine: AWS alone is shown."
pd.DataFrame(
    {
        "set": domain.name,
        "operations": len(domain.index),
        "queries that teach": len(domain.taught) if domain.taught else 0,
        "queries that are asked": len(domain.asked) if domain.asked else 0,
        "tested on itself": domain.asked is domain.taught,
    }
    for domain in domains
)

# %%
Markdown(missing or f"{len(folders)} evaluation sets were found.")

# %% [markdown]
# ## Every pair
#
# Each source grows at most so many trees on four fifths of its sessions; the last fifth decides
# how many. A query never teaches where its prompt is asked: so two sets with the same prompts have
# no figure for each other, and their field is grey. Numbers are NDCG@10; the colour is what is
# gained on the best of BM25, MiniLM and their fusion on that target; bold is a set on itself (AWS:
# on services of its own that did not teach).

# %%
scores = transfer_scores(domains, packaged, seed=seed, settings=replace(FEW_TREES, trees=trees))
table = transfer_table(scores, rng=rng)
whole = table[table["task"] == "retrieval"]
figure = plot_transfer(whole, what="Any call of the task")
figure.savefig(Path(out, "retrieval.png"), dpi=110)
figure

# %%
figure = plot_transfer(table[table["task"] == "next_call"], what="The very next call")
figure.savefig(Path(out, "next_call.png"), dpi=110)
figure

# %% [markdown]
# The same as tables, with 95 % intervals over sessions:

# %%
said = zip(table["mean"], table["low"], table["high"], strict=True)
cells = table.assign(cell=[f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, low, high in said])
cells.pivot_table(
    index=["task", "source"], columns="target", values="cell", aggfunc="first", sort=False
).fillna("")

# %% [markdown]
# ## Who teaches best, and who is hardest to teach?
#
# The mean gain on the best baseline: of each source over the targets that are not itself, and of
# each target over the sources that are not itself.

# %%
away = table[(table["source"] != table["target"]) & ~table["source"].isin(TEXT_BASELINES)]
pd.concat(
    {
        side: away.pivot_table(index=side, columns="task", values="gain").round(3)
        for side in ("source", "target")
    }
)

# %% [markdown]
# ## Answer

# %%
result = dict(transfer_values(table))
result["sources"] = float(sum(domain.taught is not None for domain in domains))
result["targets"] = float(sum(domain.asked is not None for domain in domains))
for task in ("retrieval", "next_call"):
    result.setdefault(f"{task}.itself.gain", 0.0)
    trained = away[(away["task"] == task) & (away["source"] != PACKAGED)]
    result[f"{task}.others.gain"] = float(trained["gain"].mean())
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
said = [
    f"{heading}, trained on another set a ranker gains **{result[f'{task}.others.gain']:+.3f}** on "
    f"the best baseline on average, trained on the set itself "
    f"**{result[f'{task}.itself.gain']:+.3f}**, and the packaged model, which saw none of these "
    f"sessions, "
    f"**{result[f'{task}.packaged_model.elsewhere.gain']:+.3f}**."
    for task, heading in (
        ("retrieval", "Where any call of the task is asked for"),
        ("next_call", "Where the very next call is asked for"),
    )
]
Markdown(" ".join([missing, *said]))
