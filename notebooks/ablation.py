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
# # What is each part of the ranker worth?
#
# Something is left out or changed, the ranker is trained anew, and the same prompts about services
# that it never saw are asked again: the difference, query by query, is what the part is worth
# beside all others. What one part no longer says another may say as well; so a part whose loss is
# nothing is not needed, and a group of parts may be worth more than its parts one by one.

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/ablation"
services: list[str] = []
trees: int = 60
sessions: int = 1_200
prior_sessions: int = 2_000
folds: list[int] = [0, 3]
encoder_folds: list[int] = [0, 1, 2, 3, 4]
candidates: list[int] = [20, 50, 200]
fewer_trees: list[int] = [10, 20, 40]
shares: list[float] = [0.0625, 0.125, 0.25, 0.5]

# %%
# %matplotlib inline
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

from nextcall.catalog.aws import read_aws
from nextcall.locations import cache_dir
from nextcall.ranking.feature_table import feature_groups
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.training.ablation import (
    ablation_values,
    differences,
    learning_curve,
    score_variants,
)
from nextcall.training.folds import committed_parts
from nextcall.training.opening import distilled, open_index
from nextcall.training.plots import plot_differences, plot_learning_curve
from nextcall.training.recipe import Recipe, prepare
from nextcall.training.variants import (
    DATA,
    WHOLE,
    Variant,
    data_variants,
    recompute,
    standard_variants,
)

rng = np.random.default_rng(seed)
pd.set_option("display.max_colwidth", None)
pd.set_option("display.max_rows", 80)

# %% [markdown]
# ## The whole ranker
#
# Catalogue, prompts and parts are those of the main experiment: a fold tests on two of ten parts of
# whole families of services, one validates and calibrates, seven train. So is the recipe. The
# features come in groups:

# %%
api = read_aws()
if services:
    api = api.subset([o.operation_id for o in api if o.service in services], name="aws-part")
recipe = Recipe(sessions=sessions, prior_sessions=prior_sessions)
recipe = replace(recipe, boosting=replace(recipe.boosting, trees=trees))
by_minilm = open_index(api, cache=cache_dir())
index = by_minilm.with_embedder(distilled(by_minilm, cache=cache_dir())[0])
material = prepare(
    index, read_awscli_examples(api), recipe=recipe, rng=rng, part_of=committed_parts()
)
pd.Series(
    {group: ", ".join(names) for group, names in feature_groups().items()}, name="features"
).to_frame()

# %% [markdown]
# ## What is left out or changed
#
# - **Features**: trees look at none of a group; *also* names one that the whole ignores.
# - **Retrievers**: the list of one takes no part in proposing candidates, and trees look at none of
#   its own features. `dense` is the embedding, the others are BM25 over three documents.
# - **Candidates**: more or fewer than 100 go on to be ranked.
# - **Trees**: so many; the whole has 60.
# - **Training queries**: the prompts alone, their copies after two calls, or the simulated
#   sessions teach nothing.
# - **Amount of data**: only some operations' prompts teach, in every kind of query.
# - **Encoder of prompts**: MiniLM in the place of the table that is distilled from it on the
#   catalogue without any prompt; the operations are encoded by MiniLM in both.

# %%
variants = [
    Variant(
        family=WHOLE,
        name=WHOLE,
        recipe=recipe,
        material=lambda: material,
        folds=tuple(sorted({*folds, *encoder_folds})),
    ),
    *standard_variants(
        index, material, recipe=recipe, folds=folds, candidates=candidates, trees=fewer_trees
    ),
    *data_variants(material, recipe=recipe, folds=folds, shares=shares, seed=seed),
]
if encoder_folds:
    variants.append(
        Variant(
            family="encoder of prompts",
            name="MiniLM",
            recipe=recipe,
            material=lambda: recompute(by_minilm, material),
            folds=tuple(encoder_folds),
        )
    )
scores = score_variants(index, variants, seed=seed)
scores.groupby(["family", "variant"], sort=False)["fold"].unique().reset_index()

# %% [markdown]
# ## What it costs
#
# Each change minus the whole on the same queries, with its 95 % interval by bootstrap over
# services. An interval that holds 0 is grey.

# %%
headings = {"cold": "Prompt alone", "after_calls": "After two calls"}
table = differences(scores, rng=rng)
figure = plot_differences(table[table["family"] != DATA], headings)
figure.savefig(Path(out, "differences.png"), dpi=110)
figure

# %%
columns = ["mean", "low", "high", "difference", "difference_low", "difference_high", "pvalue"]
table.set_index(["task", "family", "variant"])[[*columns, "n_queries"]].round(4)

# %% [markdown]
# ## How much data does it need?
#
# The rankers learn from fewer operations' prompts; a smaller share is part of the next. The band
# is the interval over the tested services, not over other draws of the share.

# %%
curve = learning_curve(scores, variants, rng=rng)
plot_learning_curve(curve, headings)

# %%
curve.round(4)

# %% [markdown]
# ## Answer

# %%
result = ablation_values(table)
cold = table[(table["task"] == "cold") & ~table["family"].isin([WHOLE, DATA])]
for task in headings:
    last = curve[curve["task"] == task]["mean"]
    result[f"{task}.last_doubling"] = float(last.iloc[-1] - last.iloc[-2])
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
lost = cold.nsmallest(3, "difference")
answer = (
    f"The whole ranker reaches {result['cold.whole.ndcg@10']:.3f} from the prompt alone and "
    f"{result['after_calls.whole.ndcg@10']:.3f} after two calls. Most is lost, prompt alone, by "
    + ", ".join(f"{r.family}: **{r.variant}** ({r.difference:+.3f})" for r in lost.itertuples())
    + f". Twice the training prompts gave {result['cold.last_doubling']:+.3f} in the end. "
)
if encoder_folds:
    key = "cold.encoder_of_prompts.MiniLM.difference"
    answer += (
        f"With MiniLM as the encoder of prompts it is {result[key]:+.3f} "
        f"[{result[key + '.low']:+.3f}, {result[key + '.high']:+.3f}], prompt alone, and "
        f"{result[key.replace('cold', 'after_calls')]:+.3f} after two calls: the static table "
        "need not be as good, up to 0.005, and "
        f"{'is' if result[key] < 0.005 else 'is not'} good enough."
    )
Markdown(answer)
