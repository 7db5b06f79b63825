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
# # Which operation feeds which
#
# Whoever wants the films of a person must first find the person: the first call has nothing in
# common with the prompt, only with the call that it makes possible. Such links join the
# operations of a catalogue to a graph. Catalogues say what goes into an operation, and hardly ever
# what comes out, so the graph is inferred from names, paths and summaries. This page shows it,
# holds it against descriptions that do say what comes out, and asks what it is good for: does it
# find the call that must come before the one that a prompt asks for?

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/operation-graph"
services: list[str] = []
drawn: str = "kafkaconnect"
prompts: int = 2000
google: bool = True

# %%
# %matplotlib inline
import json
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve

from nextcall.catalog import plots
from nextcall.catalog.agreement import design, evidence_frame, given_entities
from nextcall.catalog.aws import read_aws
from nextcall.catalog.chains import find_chains
from nextcall.catalog.entities import catalog_needs
from nextcall.catalog.google import read_google
from nextcall.catalog.graph import OperationGraph
from nextcall.catalog.responses import aws_responses, google_responses
from nextcall.catalog.yields import GROUPS, SIGNS
from nextcall.cli.console import progress
from nextcall.locations import cache_dir
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.comparison import mean_interval
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.training.opening import open_index

rng = np.random.default_rng(seed)
full = read_aws(progress=progress)
kept = [o.operation_id for o in full if not services or o.service in services]
api = full.subset(kept, name=full.name)
graph = OperationGraph.build(api)

# %% [markdown]
# ## How many edges
#
# An edge goes from an operation that gives an identifier back to one that takes it. Its weight is
# the chance that it is given, times how much it matters: rare things count more than things that
# every operation takes, required ones more than optional ones. Edges from a weight of 0.1 on are
# counted.

# %%
edges = graph.edges().tocoo()
service = np.array([o.service for o in api])
across = service[edges.row] != service[edges.col]
fed = np.bincount(edges.col, minlength=len(api))
feeding = np.bincount(edges.row, minlength=len(api))
sizes = {
    "operations": len(api),
    "entities": len({graph.tables.entity(term) for term in range(len(graph.tables.terms))}),
    "edges": int(edges.nnz),
    "edges an operation, mean": edges.nnz / len(api),
    "operations that others feed": int((fed > 0).sum()),
    "operations that feed others": int((feeding > 0).sum()),
    "edges between services": int(across.sum()),
}
shown = pd.Series(sizes, name=api.name).map("{:,.1f}".format)
shown.str.removesuffix(".0").to_frame()

# %% [markdown]
# ## Who feeds the most
#
# An operation that many others wait for is where sessions begin.

# %%
most = np.argsort(-feeding, kind="stable")[:400]
central = pd.DataFrame(
    {
        "operation": [api.operations[row].operation_id for row in most],
        "service": service[most],
        "own": feeding[most] - np.bincount(edges.row[across], minlength=len(api))[most],
        "others": np.bincount(edges.row[across], minlength=len(api))[most],
    }
)
plots.plot_producers(central.drop_duplicates("service").head(20))

# %% [markdown]
# ## One service
#
# Columns are calls that must come before. An arrow's strength is the edge's weight.

# %%
chains = find_chains(graph)
rows = np.flatnonzero(service == drawn)
plots.plot_flow(
    [api.operations[row].operation_id.partition(":")[2] for row in rows],
    chains.depth[rows],
    edges.tocsr()[rows][:, rows].toarray(),
    what=drawn,
)

# %% [markdown]
# ## The longest chains
#
# How many calls must come before an operation can be called, if the caller knows no identifier?
# Each requirement is learnt from the operation that can itself be called soonest.

# %%
depths = pd.Series(chains.depth).value_counts().sort_index().rename_axis("calls before")
depths.rename(index={-1: "never learnt"}).to_frame("operations").T

# %%
deepest = np.argsort(-chains.depth, kind="stable")
first = ~pd.Series(service[deepest]).duplicated().to_numpy()
longest = pd.DataFrame(
    [
        (api.operations[row].operation_id, " → ".join(api.operations[i].operation_id for i in path))
        for row, path in ((row, chains.chain(row)[:-1]) for row in deepest[first][:12])
    ],
    columns=["operation", "calls before it"],
)
longest.style.hide(axis="index").set_td_classes(
    pd.DataFrame("words", longest.index, longest.columns)
)

# %% [markdown]
# ## Held against what descriptions say comes out
#
# AWS's and Google's descriptions have the shape of each answer; no reader of ours keeps it, and
# nothing that is inferred looks at it. For every operation and every entity that some operation of
# the same service takes: is its identifier among the fields of the answer, at any depth? What an
# operation requires is left out, for giving back what was given is no news. How much each sign
# counts was fitted on one half of the services of both; the other half is shown. The measure of
# comparison is to go by the name only: what lists, reads or makes volumes gives volumes back.

# %%
frames = {"AWS": evidence_frame(api, aws_responses(progress=progress))}
if google:
    frames["Google"] = evidence_frame(
        read_google(progress=progress), google_responses(progress=progress)
    )
split = np.random.default_rng(0)  # the halves that the package's constants were fitted on
for frame in frames.values():
    names = np.unique(frame["service"])
    frame["fitted"] = frame["service"].isin(split.permutation(names)[: len(names) // 2])

# %%
curves, points, table = {}, {}, []
for name, frame in frames.items():
    test = frame[~frame["fitted"]]
    precision, recall, _ = precision_recall_curve(test["given"], test["probability"])
    curves[name] = pd.DataFrame({"recall": recall[1:], "precision": precision[1:]})
    curves[name] = curves[name][precision[1:] > test["given"].mean() + 1e-9]
    for label, chosen in (
        ("same name", test["resource"]),
        *((f"chance from {c}", test["probability"] >= c) for c in (0.1, 0.3, 0.5, 0.7)),
    ):
        right, n, true = (test["given"] & chosen).sum(), chosen.sum(), test["given"].sum()
        table.append((name, label, n, right / max(1, n), right / max(1, true)))
    points[name] = table[-5][4], table[-5][3]
held = pd.DataFrame(table, columns=["descriptions", "guess", "guesses", "precision", "recall"])
plots.plot_precision(curves, points)

# %%
held.style.hide(axis="index").format({"precision": "{:.3f}", "recall": "{:.3f}", "guesses": "{:,}"})

# %% [markdown]
# ### The constants, fitted anew
#
# A logistic regression on the first halves, both catalogues with the same weight. Log-odds; the
# package holds the left column.

# %%
known = [f[f["fitted"] & (f["probability"] > 0)] for f in frames.values()]
fit = LogisticRegression(fit_intercept=False, max_iter=3000).fit(
    pd.concat([design(f) for f in known]),
    pd.concat([f["given"] for f in known]),
    sample_weight=np.concatenate([np.full(len(f), 1e4 / len(f)) for f in known]),
)
constants = pd.DataFrame(
    {"in the package": [*SIGNS.values(), *GROUPS.values()], "fitted here": fit.coef_[0]},
    index=[*SIGNS, *GROUPS],
)
constants.style.format("{:.2f}")

# %% [markdown]
# ### By service
#
# Guesses from a chance of 0.3 on, counted as edges: each as often as operations of the service
# take the entity. The best and the worst of the services with at least 100 true edges, none of
# them fitted on.

# %%
test = frames["AWS"][~frames["AWS"]["fitted"]]
counted = pd.DataFrame(
    {
        "service": test["service"],
        "true edges": test["needing"] * test["given"],
        "inferred": test["needing"] * (test["probability"] >= 0.3),
        "right": test["needing"] * (test["given"] & (test["probability"] >= 0.3)),
    }
).groupby("service")
by_service = counted.sum()
edge_precision = float(by_service["right"].sum() / by_service["inferred"].sum())
edge_recall = float(by_service["right"].sum() / by_service["true edges"].sum())
by_service["precision"] = by_service["right"] / by_service["inferred"].clip(lower=1)
by_service["recall"] = by_service["right"] / by_service["true edges"].clip(lower=1)
large = by_service[by_service["true edges"] >= 100].sort_values("recall", ascending=False)
shown = pd.concat([large.head(6), large.tail(6)]) if len(large) > 12 else large
shown.style.format("{:.2f}", subset=["precision", "recall"])

# %% [markdown]
# ## The hidden first hop
#
# Titles of the examples of the AWS command line are prompts. Where the operation that a title asks
# for requires something that others truly give back, by their output shapes, one of those must be
# called first. Is it among the first ten of the list? Fused retrieval looks for it by words. The
# graph looks among what feeds the candidates, each counted by how right it looks to retrieval. A
# plain rule is a third list: what retrieval finds, but only what lists or searches. No title and no
# such pair was used to infer the graph; the thirteen constants were fitted on the shapes of half of
# the services, and how sharply candidates are weighed (the 5 below) was chosen among five ways on a
# quarter of these prompts.

# %%
index = open_index(api, cache=cache_dir(), progress=progress)
asked = read_awscli_examples(api, progress=progress)
asked = [asked[row] for row in np.sort(rng.permutation(len(asked))[:prompts])]
vectors = index.encode_prompts([query.prompt for query in asked], progress=progress)
needs = catalog_needs(api)
responses = aws_responses()
gives = pd.DataFrame(
    [
        (service[row], entity, row)
        for row, operation in enumerate(api)
        for entity in given_entities(responses[operation.operation_id])
        - {need.entity for need in needs[row] if need.required == 1.0}
    ],
    columns=["service", "entity", "row"],
)
givers = gives.groupby(["service", "entity"])["row"].agg(frozenset).to_dict()

# %%
nothing = graph.known([])
lists = np.array([operation.action in {"list", "search"} for operation in api])
found = []
for query, vector in zip(asked, vectors, strict=True):
    right = index.positions(query.relevant)
    wanted = {
        (service[row], need.entity)
        for row in right
        for need in needs[row]
        if need.clear and need.required == 1.0
    }
    true = frozenset().union(*(givers.get(key, frozenset()) for key in wanted)) - set(right)
    if true:
        best = retrieve(index, query.prompt, vector=vector)
        by_words = best.rows[~np.isin(best.rows, right)]
        weights = np.exp(5 * (best.fused / best.fused.max() - 1))
        demand = graph.demanded(best.rows, weights, nothing)
        by_graph, _ = graph.first_hops(demand, nothing, n=100)
        ranks = [
            np.append(np.flatnonzero(np.isin(list_, list(true))), np.inf)[0]
            for list_ in (by_words, by_words[lists[by_words]], by_graph)
        ]
        found.append((query.source or service[right[0]], *ranks))
hops = pd.DataFrame(found, columns=["service", "words", "lists", "graph"])
plots.plot_found(
    {
        "the graph": hops["graph"],
        "words, lists and searches only": hops["lists"],
        "words": hops["words"],
    }
)

# %%
hidden = hops[hops["words"] >= 20]
rescued = float((hidden["graph"] < 10).mean()) if len(hidden) else 0.0
several = len(set(hops["service"])) > 1
intervals = {
    name: mean_interval(
        (hops[name] < 10).to_numpy(float),
        groups=hops["service"].to_numpy() if several else np.arange(len(hops)),
        rng=rng,
    )
    for name in ("words", "lists", "graph")
}
pd.DataFrame(
    {name: [v.mean, v.ci_lower, v.ci_upper] for name, v in intervals.items()},
    index=["within the first ten", "low", "high"],
).T.style.format("{:.3f}")

# %% [markdown]
# ## Answer

# %%
result = {name.replace(", ", "_").replace(" ", "_"): float(v) for name, v in sizes.items()}
result["deepest_chain"] = int(chains.depth.max())
result["needs_a_call_before_share"] = float((chains.depth > 0).mean())
result["never_learnt_share"] = float((chains.depth < 0).mean())
for name, guess, _, precision, recall in table:
    key = f"{name.lower()}.{guess.replace(' ', '_')}"
    result |= {f"{key}.precision": float(precision), f"{key}.recall": float(recall)}
result |= {"aws.edges.precision": edge_precision, "aws.edges.recall": edge_recall}
result["first_hop.prompts"] = len(hops)
for name, found_ in intervals.items():
    key = f"first_hop.{name}.hit@10"
    result |= {key: found_.mean, f"{key}.low": found_.ci_lower, f"{key}.high": found_.ci_upper}
result["first_hop.beyond_20_by_words"] = len(hidden)
result["first_hop.of_these_within_10_by_graph"] = rescued
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
likely = held[held["guess"] == "chance from 0.3"].set_index("descriptions")
plain = held[held["guess"] == "same name"].set_index("descriptions")
Markdown(
    f"""
{api.name} has **{edges.nnz:,} edges** between {len(api):,} operations ({edges.nnz / len(api):.1f}
each), {across.mean():.0%} of them between services. By the graph
**{(chains.depth > 0).mean():.0%}** of the operations can only be called after another one, if the
caller knows no identifier; the longest chain has {chains.depth.max()} calls before the last.

Of what is guessed with a chance from 0.3 on **{likely.loc["AWS", "precision"]:.0%}** is in the
output shapes of AWS services that nothing was fitted on, and it is
**{likely.loc["AWS", "recall"]:.0%}** of what they give back. Going by the same name only finds
{plain.loc["AWS", "recall"]:.0%}, of which {plain.loc["AWS", "precision"]:.0%} is right. The shapes
are a strict judge: they go by the names of fields, and an identifier under another name counts
as wrong.

For {len(hops):,} prompts the operation asked for requires what another one gives back. Retrieval
by words has such a one among its first ten for **{intervals["words"].mean:.0%}** of them, for
{intervals["lists"].mean:.0%} if all but lists and searches are struck out, the graph for
**{intervals["graph"].mean:.0%}**. Of the {len(hidden):,} prompts where words leave it
beyond the twentieth place, the graph has it among its first ten for {rescued:.0%}.

The graph does not say whether the caller knows the identifier already: a prompt may name it. So
what it finds is a candidate with features of its own, and the ranker decides.
"""
)
