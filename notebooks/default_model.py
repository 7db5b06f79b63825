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
# # A ranker for catalogues it has never seen
#
# A ranker that learns on one catalogue learns its size and its style too. The model that comes with
# the package practises instead: on hundreds of small catalogues cut out of AWS, each with its own
# services, its own habits and tasks of one to four goals, and on the whole of AWS beside them. Here
# it is trained, and then held against catalogues that no one here wrote.

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/default-model"
services: list[str] = []
catalogs: int = 300
held_out_catalogs: int = 60
trees: int = 120
sessions: int = 1_200
prior_sessions: int = 2_000
sets: list[str] = []
model: str = ""

# %%
# %matplotlib inline
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

from nextcall.catalog.aws import read_aws
from nextcall.locations import cache_dir, data_dir, shared_dir
from nextcall.ranking.evaluation import RANKER
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.model_files import save_ranker
from nextcall.ranking.plots import plot_gains, plot_importance
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.training.folds import committed_parts
from nextcall.training.opening import open_index
from nextcall.training.practice import PracticeSettings, practice_catalog, practice_queries
from nextcall.training.transfer import HELD_OUT_PARTS, TransferRecipe, train_for_transfer
from nextcall.training.zero_shot import gain_values, gains, zero_shot_scores

rng = np.random.default_rng(seed)
pd.set_option("display.max_colwidth", None)

# %% [markdown]
# ## What it practises on
#
# A catalogue of 15 to 2,500 operations is cut out of some services; how often its calls repeat, and
# how often a call must be made first that the prompt does not name, is drawn anew each time.
# Prompts are titles that people wrote for the AWS command line, some said another way, some joined
# to a longer task. Below are six of one small catalogue.

# %%
api = read_aws()
if services:
    api = api.subset([o.operation_id for o in api if o.service in services], name="aws-part")
asked = read_awscli_examples(api)
parts = committed_parts()
titles = {
    name: [q.prompt for q in asked if name in q.relevant] for q in asked for name in q.relevant
}
taught = [s for s in api.services if parts.get(s, -1) not in HELD_OUT_PARTS]
small = PracticeSettings(fewest=30, most=60, queries=6)
example = practice_catalog(api, titles, taught, settings=small, rng=rng)
pd.DataFrame(
    {
        "prompt": query.prompt,
        "calls so far": ", ".join(call.operation_id for call in query.history),
        "right": ", ".join(query.relevant),
    }
    for query in practice_queries(example, titles, settings=small, rng=rng, name="example")
)

# %% [markdown]
# ## Training
#
# Services of two of the ten fixed parts are kept out of all training: they calibrate, and give the
# figures below. More trees fit the practice better and other catalogues worse, so there are few.

# %%
recipe = TransferRecipe(
    practice=PracticeSettings(catalogs=catalogs),
    held_out_catalogs=held_out_catalogs,
    boosting=replace(TransferRecipe().boosting, trees=trees),
    whole=replace(TransferRecipe().whole, sessions=sessions, prior_sessions=prior_sessions),
)
index = open_index(api, cache=cache_dir())
ranker, card = train_for_transfer(index, asked, part_of=parts, recipe=recipe, seed=seed)
if model:
    save_ranker(ranker, data_dir() / model, card=card)
pd.Series({**card.metrics, "training queries": card.n_queries}, name="value").to_frame()

# %%
plot_importance(FEATURE_NAMES, [ranker.trees_.importance()])

# %% [markdown]
# ## Catalogues that it has never seen
#
# Sets with real prompts and call sequences over other catalogues: nothing was trained on them. A
# row is the ranker against the best of BM25, MiniLM and their fusion on the same queries, with the
# interval over sessions. `retrieval` asks for all calls of a task, `next_call` for the very next.

# %%
found = shared_dir() / "data" / "ranking"
folders = sorted(path.parent for path in found.glob("*/queries.jsonl"))
folders = [folder for folder in folders if not sets or folder.name in sets]
table = pd.DataFrame(columns=["set", "task", RANKER, "best", "gain", "low", "high"])
if folders:
    scores = zero_shot_scores(ranker, folders, cache=cache_dir())
    table = gains(scores, rng=rng)
table if len(table) else Markdown("The evaluation sets are not on this machine.")

# %%
plot_gains(table) if len(table) else None

# %% [markdown]
# ## Answer

# %%
result = {**card.metrics, **gain_values(table)}
for task in ("retrieval", "next_call"):
    result.setdefault(f"{task}.mean_gain", 0.0)
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
answer = (
    f"On services kept out of training, cut into small catalogues, NDCG@10 is "
    f"**{card.metrics['held_out.ndcg@10']:.3f}** and the confidence is off by "
    f"{card.metrics['held_out.calibration_error']:.3f}. "
)
if len(table):
    worst = table.loc[table["gain"].idxmin()]
    answer += (
        f"Over {len(table)} sets and tasks of other catalogues the ranker gains "
        f"**{result['retrieval.mean_gain']:+.3f}** on the best baseline where all calls are asked "
        f"for and **{result['next_call.mean_gain']:+.3f}** where the next one is. The weakest is "
        f"{worst['set']} ({worst['task']}): {worst['gain']:+.3f} "
        f"[{worst['low']:+.3f}, {worst['high']:+.3f}] against {worst['best']}."
    )
Markdown(answer)
