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
# # Does the guard find attacks of sources that it never saw?
#
# One logistic regression a family, over traits, classes of words and hashed n-grams. What counts
# is recall on a source that no training saw, where one in a hundred harmless texts of another
# source that no training saw is taken for an attack.

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/guard-training"
share: float = 1.0  # of the texts that our templates make
every: int = 1  # takes each so-manieth text of others

# %%
# %matplotlib inline
import json
from pathlib import Path

import numpy as np
from IPython.display import display

from nextcall.guard.evaluation import held_out_risks, share_table, summary, threshold_at
from nextcall.guard.fitting import BUDGETS, FOLDS, fit_guard, hold_out
from nextcall.guard.plots import plot_shares
from nextcall.guard.signatures import FAMILIES
from nextcall.guard.training_texts import BENIGN, read_labelled
from nextcall.locations import shared_dir

rng = np.random.default_rng(seed)
rows = read_labelled(shared_dir() / "data" / "guard" / "guard_shared.jsonl")[::every]
f"{len(rows):,} texts of {len({row.source for row in rows})} sources"

# %% [markdown]
# ## Sources held out
#
# Each fold leaves out sources of attacks and of harmless texts together; a model that saw neither
# scores them. Thresholds come from the harmless texts, source by source.

# %%
held = hold_out(rows, rng, share=share)
model = fit_guard(rows, held, rng, share=share)
risks = held_out_risks(held, model)
figures = summary(risks)
figures

# %% [markdown]
# ## By family and source
#
# First where 1 % of all harmless texts is taken for an attack, then at the shipped threshold.

# %%
strict = threshold_at(risks.loc[risks["label"] == BENIGN, "any"], rate=0.01)
display(share_table(risks, by=["label", "source"], threshold=strict).round(3))
display(share_table(risks, by=["label", "source"]).round(3))

# %%
figure = plot_shares(share_table(risks, by=["label", "source"], threshold=strict))
figure.savefig(Path(out, "results.png"), dpi=110)
figure

# %% [markdown]
# ## Harmless texts that look worst, and attacks that look best

# %%
harmless = risks[risks["label"] == BENIGN].sort_values("any", ascending=False)
missed = risks[(risks["label"] != BENIGN) & (risks["any"] < 0.5)].sort_values("any")
columns = ["any", "label", "source", "text"]
display(harmless[columns].head(20).assign(text=harmless["text"].str[:160]).round(3))
display(missed[columns].head(20).assign(text=missed["text"].str[:160]).round(3))

# %% [markdown]
# ## What is kept
#
# The model is trained once more on all sources; its manifest tells of what, and how it did.

# %%
manifest = {
    "seed": seed,
    "texts": len(rows),
    "sources": sorted({row.source for row in rows}),
    "folds": {name: list(sources) for name, sources in FOLDS.items()},
    "budgets": dict(zip(FAMILIES, BUDGETS, strict=True)),
    "held_out": {name: round(value, 4) for name, value in figures.items()},
}
model.save(Path(out, "model"), manifest=manifest)
Path(out, "result.json").write_text(json.dumps(figures, indent=1))
