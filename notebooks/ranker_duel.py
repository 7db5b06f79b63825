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
# # Which of two rankers is better, and how few users does it take to know?
#
# Three ways to compare two rankers: on queries whose answers are known; before users, half of whom
# see one ranker each (A/B), or who all see both in one list (interleaving); and from the log of
# one, without showing the other to anyone. Queries, lists and right answers are real; **the users
# are simulated**, so that the truth is known.

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/ranker-duel"
first: str = "fusion"
second: str = "nextcall"
third: str = "BM25"
sets: list[str] = []
services: list[str] = []
k: int = 10
users: int = 2_000
batches: int = 12
spread: float = 1.5
appetite: float = 0.5
logs: list[int] = [1_000, 10_000]
repeats: int = 300

# %%
# %matplotlib inline
import json
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

from nextcall.abtest import plots
from nextcall.abtest.click_models import Cascade, PositionBiased
from nextcall.abtest.logged_actions import LoggedActions
from nextcall.abtest.metrics import RankQuality
from nextcall.abtest.multiplicity import adjusted_pvalues
from nextcall.abtest.off_policy import evaluate_policy
from nextcall.abtest.paired import compare_rankers
from nextcall.abtest.shown_lists import number_lists
from nextcall.abtest.simulated_users import user_evidence
from nextcall.abtest.users_needed import needed_users
from nextcall.catalog.aws import read_aws
from nextcall.catalog.load import load_catalog
from nextcall.cli.console import progress
from nextcall.locations import cache_dir, packaged_model, shared_dir
from nextcall.ranking.model_files import load_ranker
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.sessions.jsonl import read_queries
from nextcall.training.folds import committed_parts
from nextcall.training.ranked_lists import list_ndcg, ranked_lists
from nextcall.training.transfer import HELD_OUT_PARTS

rng = np.random.default_rng(seed)

# %% [markdown]
# ## Lists
#
# `nextcall` is the packaged ranker, trained on AWS; `fusion` joins BM25 and a sentence encoder by
# reciprocal ranks. They answer the queries of seven other catalogues, which neither has seen. (One
# set is left out: its prompts are those of another.) Where the sets are not on the machine, titles
# of AWS services stand in that took no part in the ranker's training but its calibration.

# %%
found = shared_dir() / "data" / "ranking"
folders = sorted(path.parent for path in found.glob("*/queries.jsonl"))
folders = [each for each in folders if each.name in sets or not (sets or "wide" in each.name)]
material = [
    (each.name, load_catalog(each / "catalog.jsonl"), read_queries(each / "queries.jsonl"))
    for each in folders
]
if not material:
    api, parts = read_aws(progress=progress), committed_parts()
    kept = [name for name in services or api.services if parts.get(name) in HELD_OUT_PARTS]
    api = api.subset([each.operation_id for each in api if each.service in kept], name="aws-part")
    material = [("aws", api, read_awscli_examples(api))]
ranker, _ = load_ranker(packaged_model())
lists = ranked_lists(ranker, material, cache=cache_dir(), k=k, progress=progress)
for name in (first, second):
    lists[f"{name} NDCG"] = list_ndcg(lists[name], lists["relevant"], k=k)
lists["slice"] = lists["set"] + ", " + lists["task"].str.replace("_", " ")
lists["session"] = lists["set"] + lists["session"]
lists.groupby("slice")[[f"{first} NDCG", f"{second} NDCG"]].mean().assign(
    queries=lists.groupby("slice").size()
).style.format("{:.3f}").format("{:,}", subset=["queries"])

# %% [markdown]
# ## On queries with known answers
#
# Each query is its own control. Queries of one session are alike, so errors are over sessions.
# Slices are tested together: intervals by Bonferroni, p-values by Holm. The slice where the second
# ranker does worst stands on top, whatever the mean says.

# %%
quality = RankQuality(f"{first} NDCG", f"{second} NDCG", cluster="session", by="slice")
paired = compare_rankers(lists, quality, rng=rng)
gain = lists[f"{second} NDCG"] - lists[f"{first} NDCG"]
figure = plots.plot_paired(paired, gain, what=f"NDCG@{k}")
figure.savefig(Path(out, "paired.png"), dpi=110)
figure

# %%
tests = {
    "t over sessions": paired.effect.pvalue,
    "sign flips": paired.permutation_pvalue,
    "signed ranks": paired.signed_rank_pvalue,
}
Markdown(
    f"{second} less {first}: **{paired.effect.value:+.4f}** NDCG@{k} "
    f"[{paired.effect.ci_lower:+.4f}, {paired.effect.ci_upper:+.4f}], bootstrap "
    f"[{paired.bootstrap_lower:+.4f}, {paired.bootstrap_upper:+.4f}]; "
    + ", ".join(f"{name}: p {value:.2g}" for name, value in tests.items())
)

# %%
pd.DataFrame(
    {
        "queries": [each.n for each in paired.slices],
        "difference": [each.effect.value for each in paired.slices],
        "low": [each.effect.ci_lower for each in paired.slices],
        "high": [each.effect.ci_upper for each in paired.slices],
        "p, Holm": adjusted_pvalues([each.effect.pvalue for each in paired.slices]),
    },
    index=[each.name for each in paired.slices],
).style.format("{:+.3f}").format("{:,}", subset=["queries"]).format("{:.2g}", subset=["p, Holm"])

# %% [markdown]
# ## Before users
#
# A session asks one of the queries and is shown ten operations. **The click model**: an operation
# that was looked at is clicked with a chance of 0.5 where it is right and of 0.05 where it is not,
# times the user's own appetite (log-normal, 0.5). Users *read on*: rank i is looked at with a
# chance of i to the power of -0.7. Or they *leave*: down the list one by one, gone after 4 of 5
# right clicks and after a tenth of all looks. Six sessions a user, all alike or log-normal (the
# busiest tenth of the users then has about half of all sessions).
#
# A/B is the best of seven metrics, chosen with the truth in hand, and clicks a user beside it.
# Credit of team drafts counts by teams, or averaged over all drafts that make the same list.
# Balanced lists are compared by who wins each list; they can favour a ranker that is no better.
# Multileaving drafts from three rankers at once, so it tells all three pairs. Were users alike in
# appetite, as if a covariate took that out, A/B would lose less: `docs/abtest/rankers.md` has both.

# %%
numbered = number_lists(
    [lists[name].tolist() for name in (first, second, third)], lists["relevant"].tolist(), k=k
)
attraction = (0.05, 0.5)
models = {
    "read on": PositionBiased(attraction=attraction, decay=0.7),
    "leave": Cascade(attraction=attraction, satisfaction=(0.05, 0.8), patience=0.9),
}
worlds = [
    (f"users {what}, {activity} activity", model, width)
    for what, model in models.items()
    for activity, width in (("equal", 0.0), ("unequal", spread))
]
needed = {}
for name, model, width in progress(worlds, description="Users"):
    drawn = [
        user_evidence(numbered, users=users, model=model, rng=rng, spread=width, appetite=appetite)
        for _ in range(batches)
    ]
    evidence = {test: [each[test] for each in drawn] for test in drawn[0]}
    ab = needed_users(evidence, against="clicks_a_user").set_index("test")["users"].iloc[:7]
    table = needed_users(evidence, against=str(ab.idxmin())).set_index("test")
    shown = {
        "clicks_a_user": "A/B, clicks a user",
        str(ab.idxmin()): "A/B, best metric",
        "team": "team draft",
        "marginal": "team draft, averaged",
        "balanced": "balanced",
        "multileave": "multileave of three",
    }
    needed[name] = table.loc[list(shown)].rename(index=shown).reset_index()
figure = plots.plot_users(needed)
figure.savefig(Path(out, "users.png"), dpi=110)
figure

# %%
told = pd.concat(needed, names=["world"]).reset_index(level=0)
told["users for a power of 0.8"] = [
    f"{each.users:,.0f} [{each.low:,.0f}, {each.high:,.0f}]" for each in told.itertuples()
]
told["times fewer than best A/B"] = [
    f"{each.times:.2g} [{each.times_low:.2g}, {each.times_high:.2g}]" for each in told.itertuples()
]
told.set_index(["world", "test"])[["users for a power of 0.8", "times fewer than best A/B"]]

# %% [markdown]
# ## From the log of one ranker
#
# The log: for each session one operation, drawn by the first ranker (rank i with a chance that
# falls with i squared, a tenth of the time any operation of either list), and whether it was
# clicked, by the chances above. What would the second ranker earn, had it chosen instead: drawn in
# the same way, or always its first? Inverse propensity scores (IPS) weigh each row by how much
# likelier the other choice was; self-normalised they divide by the sum of weights (SNIPS); doubly
# robust (DR) adds a model of clicks, here the mean by both ranks in another log. Where few rows
# say much, the result warns.

# %%
pair = number_lists(
    [lists[first].tolist(), lists[second].tolist()], lists["relevant"].tolist(), k=k
)
known = np.arange(2 * k) < pair.n_known[:, None]
ranks = 1 + pair.orders.argsort(axis=2)
drawn = np.where(known, 1.0 / ranks**2.0, 0.0)
drawn /= drawn.sum(axis=2, keepdims=True)
drawn = 0.9 * drawn + 0.1 * known / pair.n_known[:, None]
clicked = np.array(attraction)[pair.grades]
policies = {"drawn as the log is": drawn[1], "always its first": 1.0 * (ranks[1] == 1)}
truth = {name: float((each * clicked).sum(axis=1).mean()) for name, each in policies.items()}
cells = np.minimum(ranks[0], k + 1) * (k + 2) + np.minimum(ranks[1], k + 1)


def draw_log(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw queries, operations and clicks as the first ranker's log has them."""
    asked = rng.integers(len(clicked), size=size)
    action = (rng.random((size, 1)) > drawn[0][asked].cumsum(axis=1)).sum(axis=1)
    return asked, action, 1.0 * (rng.random(size) < clicked[asked, action])


# %%
estimates = []
for size in logs:
    for repeat in progress(range(repeats), description=f"Logs of {size:,}"):
        asked, action, reward = draw_log(size)
        other, tried, earned = draw_log(size)
        seen = np.bincount(cells[other, tried], minlength=cells.max() + 1)
        sums = np.bincount(cells[other, tried], weights=earned, minlength=cells.max() + 1)
        model = ((sums + earned.mean()) / (seen + 1))[cells]
        for name, policy in policies.items():
            log = LoggedActions(
                action=action,
                reward=reward,
                propensity=drawn[0][asked, action],
                target=policy[asked],
                predicted=model[asked],
            )
            for method in ("ips", "snips", "dr"):
                each = evaluate_policy(log, method=method)
                estimates.append(
                    {
                        "policy": name,
                        "method": f"{method.upper()}, {size:,} rows",
                        "value": each.value,
                        "low": each.ci_lower,
                        "high": each.ci_upper,
                        "warned": bool(each.warnings),
                        "effective rows": each.overlap.effective_size,
                        "largest weight": each.overlap.max_weight,
                        "repeat": repeat,
                    }
                )
values = pd.DataFrame(estimates)
figure = plots.plot_values(values[values["repeat"] == 0], truth=truth, what="clicks a session")
figure.savefig(Path(out, "log.png"), dpi=110)
figure

# %% [markdown]
# The picture is of one log of each size. Below are all of them. A few clicks with large weights
# make estimates skewed: intervals hold the truth in fewer than 0.95 of the logs, the less the fewer
# rows there are.

# %%
values["off"] = values["value"] - values["policy"].map(truth)
values["held"] = values["low"].le(values["policy"].map(truth)) & values["high"].ge(
    values["policy"].map(truth)
)
of_logs = values.groupby(["policy", "method"], sort=False).agg(
    bias=("off", "mean"),
    error=("off", lambda off: float(np.sqrt((off**2).mean()))),
    coverage=("held", "mean"),
    warned=("warned", "mean"),
    **{name: (name, "mean") for name in ("effective rows", "largest weight")},
)
of_logs.style.format("{:.4f}", subset=["bias", "error"]).format(
    "{:.2f}", subset=["coverage", "warned"]
).format("{:,.0f}", subset=["effective rows", "largest weight"])

# %% [markdown]
# ## Answer

# %%
worst = paired.slices[0]
result = {
    "paired.difference": paired.effect.value,
    "paired.difference.low": paired.effect.ci_lower,
    "paired.difference.high": paired.effect.ci_upper,
    "paired.pvalue": paired.effect.pvalue,
    "paired.permutation_pvalue": paired.permutation_pvalue,
    "paired.signed_rank_pvalue": paired.signed_rank_pvalue,
    "paired.worst_slice": worst.effect.value,
    "paired.worst_slice.low": worst.effect.ci_lower,
    "paired.worst_slice.high": worst.effect.ci_upper,
}
for world, table in needed.items():
    for row in table.to_dict("records"):
        key = f"{world}.{row['test']}".replace("users ", "").replace(" ", "_").replace(",", "")
        result |= {
            f"{key}.users": row["users"],
            f"{key}.users.low": row["low"],
            f"{key}.users.high": row["high"],
            f"{key}.times": row["times"],
            f"{key}.times.low": row["times_low"],
            f"{key}.times.high": row["times_high"],
        }
for (policy, method), row in of_logs.iterrows():
    key = f"log.{policy}.{method}".replace(" ", "_").replace(",", "")
    result |= {f"{key}.coverage": row["coverage"], f"{key}.bias": row["bias"]}
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
keys = [f"{each}_unequal_activity.team_draft_averaged.times" for each in ("read_on", "leave")]
fewer = [result[key] for key in keys]
Markdown(
    f"{second} is better than {first} by **{paired.effect.value:+.3f}** NDCG@{k} over "
    f"{paired.n_queries:,} queries, worst in {worst.name} ({worst.effect.value:+.3f} "
    f"[{worst.effect.ci_lower:+.3f}, {worst.effect.ci_upper:+.3f}]). Simulated users tell the two "
    f"apart by team drafts with **{fewer[0]:.0f} times** fewer of them than by the best A/B metric "
    f"where activity is unequal, and {fewer[1]:.0f} times fewer where they leave with what they "
    "sought."
)
