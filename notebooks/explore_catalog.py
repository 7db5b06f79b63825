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
# # What is in a catalogue
#
# Before anything is ranked: what is there to choose from, and how hard is the choice? An
# operation is easy to find when nothing else is like it. It is ambiguous when another one has the
# same name, or a description that means nearly the same. This page counts both, then asks real
# users' prompts what it costs. All shares of operations are counts over the whole catalogue, so
# they have no interval; shares of prompts have one.

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/explore-catalog"
catalog: str = ""
services: list[str] = []
mapped: int = 3000
prompts: int = 3000

# %%
# %matplotlib inline
import json
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown
from scipy.sparse.csgraph import connected_components
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

from nextcall.catalog import plots
from nextcall.catalog.aws import read_aws
from nextcall.catalog.load import load_catalog
from nextcall.cli.console import progress
from nextcall.locations import cache_dir
from nextcall.ranking.comparison import mean_interval
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.sessions.call import Query
from nextcall.training.folds import service_families
from nextcall.training.opening import open_index

rng = np.random.default_rng(seed)
full = load_catalog(Path(catalog)) if catalog else read_aws(progress=progress)
kept = [o.operation_id for o in full if not services or o.service in services]
api = full.subset(kept, name=full.name)
index = open_index(api, cache=cache_dir(), progress=progress)

# %% [markdown]
# ## How much there is

# %%
frame = api.to_frame()
per_service = frame["service"].value_counts()
sizes = {
    "operations": len(api),
    "services": len(api.services),
    "resources": int(frame.groupby("service")["resource"].nunique().sum()),
    "parameters": int(frame["parameters"].map(len).sum()),
    "operations a service, median": float(per_service.median()),
    "parameters an operation, median": float(frame["parameters"].map(len).median()),
    "words of documentation, median": float(frame["description"].str.split().map(len).median()),
    "operations without documentation": int((frame["description"] == "").sum()),
}
pd.Series(sizes, name=api.name).map("{:,.0f}".format).to_frame()

# %%
plots.plot_service_sizes(api)

# %%
plots.plot_lengths(api)

# %% [markdown]
# ## What operations do
#
# The action is derived from the verb in the name, else from path and method. Most services share
# one grammar (create, read, list, update, delete) over different nouns: knowing the verb of a
# prompt narrows the choice to an action, and hardly to a service.

# %%
plots.plot_actions(api)

# %% [markdown]
# ## Where they lie
#
# Each operation is embedded twice (its name with its service; its name with the start of its
# documentation) and the two vectors are averaged. The map keeps neighbours together; distances
# across it mean nothing. Services that are versions or parts of one product count as one family.

# %%
shown = np.sort(rng.permutation(len(api))[:mapped])
plane = TSNE(init="pca", perplexity=min(30, len(shown) // 4), max_iter=500, random_state=seed)
family = service_families(api.services)
plots.plot_map(
    plane.fit_transform(index.vectors[shown]),
    {
        "family of services": [family[api.operations[row].service] for row in shown],
        "action": [api.operations[row].action for row in shown],
    },
)

# %% [markdown]
# ## Twins
#
# For every operation the nearest other one, by the cosine of their vectors; and how often it is
# of the same service and does the same.

# %%
nearest, cosine = {}, {}
views = {
    "name and documentation": index.vectors,
    "name and service": index.label_vectors,
}
for view, vectors in views.items():
    search = NearestNeighbors(n_neighbors=1, metric="cosine", algorithm="brute").fit(vectors)
    far, found = search.kneighbors()
    nearest[view], cosine[view] = found[:, 0], 1 - far[:, 0]
plots.plot_twins(cosine)

# %%
twins = frame[["operation_id", "service", "action", "resource"]].assign(
    cosine=cosine["name and documentation"].round(3),
    twin=frame["operation_id"].to_numpy()[nearest["name and documentation"]],
)
other = twins.set_index("operation_id").loc[twins["twin"]]
same = pd.DataFrame(
    {what: twins[what].to_numpy() == other[what].to_numpy() for what in ("service", "action")}
)
near = twins["cosine"] >= 0.9
kinds = same.assign(twins=near).groupby(["service", "action"])["twins"].agg(["size", "sum"])
kinds = kinds.rename({True: "same", False: "another"}).rename(
    columns={"size": "share of all operations", "sum": "and a cosine from 0.9 on"}
)
(kinds / len(api)).reset_index().style.hide(axis="index").format("{:.1%}", subset=kinds.columns)

# %% [markdown]
# ## Families that are hardest to tell apart
#
# Operations at a cosine of 0.95 or more are joined; what hangs together is a family.

# %%
search = NearestNeighbors(radius=0.05, metric="cosine", algorithm="brute").fit(index.vectors)
_, member = connected_components(search.radius_neighbors_graph(), directed=False)
own_name = frame["operation_id"].str.rpartition(":")[2]
families = (
    twins.assign(family=member, name=own_name)
    .groupby("family")
    .agg(
        operations=("name", "size"),
        services=("service", lambda names: ", ".join(names.unique()[:3])),
        members=("name", lambda names: ", ".join(names.unique()[:5])),
    )
)
families = families[families["operations"] > 1].sort_values("operations", ascending=False)
worst = families.head(10)
worst.style.hide(axis="index").set_td_classes(
    pd.DataFrame("words", worst.index, ["services", "members"])
)

# %% [markdown]
# ## Names that say nothing of the service
#
# A name is the operation's own words, without its service. How far does it alone say what is
# meant? Whoever knows the exact name, and nothing else, has to guess among the services that have
# it.

# %%
names = pd.Series([" ".join(o.words) for o in api])
bearers = frame.groupby(names)["service"].agg(["nunique", "size"])
shared = names.map(bearers["nunique"]) > 1
bits = float(np.log2(names.map(bearers["size"])).mean())
guessed = len(bearers) / len(api)
common = bearers.nlargest(12, "nunique").rename_axis("name").reset_index()
common.columns = ["name", "services", "operations"]
common.style.hide(axis="index")

# %% [markdown]
# ## What it costs a ranker
#
# Real prompts (titles of the examples that the AWS command line ships; for another catalogue,
# each operation's own summary) are searched in the whole catalogue by cosine: by name and
# service, and by name and documentation. Prompts are put in groups by how near the right
# operation's twin is. Twins of the same text are right together, so what falls is not the measure
# but the choice. Intervals come from a bootstrap over services.

# %%
is_aws = any(operation.source == "botocore" for operation in api)
asked = (
    read_awscli_examples(api, progress=progress)
    if is_aws
    else [
        Query(
            query_id=o.operation_id, prompt=o.summary, relevant=(o.operation_id,), source=o.service
        )
        for o in api
        if o.summary
    ]
)
asked = [asked[row] for row in np.sort(rng.permutation(len(asked))[:prompts])]
vectors = index.encode_prompts([query.prompt for query in asked], progress=progress)
right = [index.positions(query.relevant) for query in asked]
edges = [0.0, 0.85, 0.9, 0.95, 1.01]
labels = ["below 0.85", "0.85 to 0.90", "0.90 to 0.95", "0.95 and above"]
top = np.array([cosine["name and documentation"][rows].max() for rows in right])
group = pd.cut(top, edges, labels=labels, right=False)
hits = {}
for view, label in (("vectors", "name and documentation"), ("label_vectors", "name and service")):
    first = (vectors @ getattr(index, view).T).argmax(axis=1)
    hits[label] = np.array([row in rows for row, rows in zip(first, right, strict=True)])
code = index.statics.service
at_home = np.array([code[row] in code[rows] for row, rows in zip(first, right, strict=True)])
astray = float((~at_home).sum() / max(1, (~hits["name and documentation"]).sum()))

# %%
served = np.array([query.source for query in asked])
if len(set(served)) == 1:  # a catalogue of one service: each prompt stands alone
    served = np.arange(len(asked))
rows = []
for search, hit in hits.items():
    for part in labels:
        inside = np.asarray(group == part)
        if len(set(served[inside])) > 1:
            found = mean_interval(hit[inside].astype(float), groups=served[inside], rng=rng)
            rows.append((search, part, inside.sum(), found.mean, found.ci_lower, found.ci_upper))
table = pd.DataFrame(rows, columns=["search", "group", "n", "hit", "low", "high"])
plots.plot_hits(table, by="cosine of the right operation and its nearest other one")

# %% [markdown]
# ## Answer

# %%
result = {name.replace(", ", "_").replace(" ", "_"): value for name, value in sizes.items()}
for view, mark in (("name and documentation", 0.9), ("name and documentation", 0.95)):
    result[f"twin_share@{mark}"] = float((cosine[view] >= mark).mean())
result["twin_of_another_service_share@0.9"] = float((near & ~same["service"]).mean())
result["shared_name_share"] = float(shared.mean())
result["name_ambiguity_bits"] = bits
result["right_by_exact_name"] = guessed
result["errors_in_another_service_share"] = astray
result["families@0.95"] = len(families)
result["largest_family@0.95"] = int(families["operations"].max()) if len(families) else 1
for search, hit in hits.items():
    found = mean_interval(hit.astype(float), groups=served, rng=rng)
    key = "hit@1." + search.replace(" ", "_")
    result |= {key: found.mean, f"{key}.low": found.ci_lower, f"{key}.high": found.ci_upper}
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
by_text, by_name = (hit.mean() for hit in hits.values())
groups = table.loc[table["search"] == "name and documentation", "hit"]
at_home_twins = (same["service"] & near).sum() / max(1, near.sum())
Markdown(
    f"""
{api.name} has **{len(api):,} operations in {len(api.services)} services**, very unevenly: the
median service has {per_service.median():g}, the largest {per_service.max():,}.

**{result["twin_share@0.9"]:.0%}** of the operations have a twin at a cosine of 0.9 or more,
**{result["twin_share@0.95"]:.1%}** at 0.95. Of those at 0.9, {at_home_twins:.0%} have it in their
own service: there, knowing the service does not settle it. {shared.mean():.0%} of the operations
share their whole name with one of another service. Whoever knows an operation's exact name and has
to guess its service is right {guessed:.0%} of the time ({bits:.2f} bits are open on average).

By name and service the first of {len(api):,} answers is right for **{by_name:.0%}** of the
{len(asked):,} prompts, by name and documentation for **{by_text:.0%}**: for {groups.iloc[0]:.0%}
where the right operation has no near twin, for {groups.iloc[-1]:.0%} where its twin is nearest.
Of the wrong first answers {astray:.0%} are of another service, {1 - astray:.0%} of the right one.

For ranking this means two tasks in one. To find the service: the calls before the prompt may say
what its words do not. And to choose between twins within it: verb and number must decide there,
and so must be features of their own. Where twins are left, a short list of answers with their
confidence says more than one answer.
"""
)
