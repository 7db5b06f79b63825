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
# # What does a test say?
#
# From rows to a verdict, twice: a job training programme of 1976 whose result is in the textbooks,
# and a simulated shop whose truth is known. Each picture answers a question that is asked of every
# test: did units come as planned, what is the effect, when was it shown, for whom?

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/ab-report"
users: int = 30_000
days: int = 28
lost: float = 0.08

# %%
# %matplotlib inline
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from causaldata import nsw_mixtape
from IPython.display import Markdown

from nextcall.abtest import plots
from nextcall.abtest.analysis import analyze
from nextcall.abtest.analysis_path import analyze_path
from nextcall.abtest.look import LookPlan
from nextcall.abtest.means import mean_arm
from nextcall.abtest.metrics import Aim, Mean, Proportion, Ratio
from nextcall.abtest.moments import Moments
from nextcall.abtest.segments import compare_segments
from nextcall.abtest.sequential_srm import sample_ratio_path

rng = np.random.default_rng(seed)

# %% [markdown]
# ## Real people: did training raise earnings?
#
# The National Supported Work demonstration gave 185 of 445 people a job with guidance, by lot
# (LaLonde 1986; the sample of Dehejia and Wahba 1999). Earnings are in dollars of 1982 a year. By
# which shares lots were drawn into this sample is not known, so the shares are taken as they came,
# and the sample ratio says nothing here.

# %%
people = nsw_mixtape.load_pandas().data
people = people.assign(
    variant=np.where(people["treat"] == 1, "trained", "not trained"),
    earnings=people["re78"].astype(float),
    earnings_adjusted=people["re78"].astype(float),
    employed=people["re78"] > 0,
)
real = analyze(
    people,
    control="not trained",
    metrics=[
        Mean("earnings"),
        Mean("earnings_adjusted", covariate=("re74", "re75", "age", "educ", "black", "hisp")),
        Proportion("employed"),
    ],
    shares=people["variant"].value_counts().to_dict(),
)
figure = plots.plot_effects(real)
figure.savefig(Path(out, "training.png"), dpi=110)
figure

# %%
told = real.to_frame().set_index("metric").rename_axis(None)
told["se"] = [each.difference.se for each in real.comparisons]
told["interval"] = [f"{row.ci_lower:,.3f} to {row.ci_upper:,.3f}" for row in told.itertuples()]
names = {
    "control_estimate": "not trained",
    "treatment_estimate": "trained",
    "difference": "difference",
    "se": "standard error",
    "interval": "95 % interval",
    "pvalue": "p",
}
told[list(names)].rename(columns=names).style.format(precision=2, thousands=",").format(
    "{:.4f}", subset=["p"]
)

# %%
Markdown(
    "".join(f"- {each.metric}: {text}\n" for each in real.comparisons for text in each.warnings)
)

# %% [markdown]
# What was known before the training explains little of the earnings after it, so the adjusted
# effect is hardly sharper. Earnings are skewed, and the warnings say by how much. The verdict is on
# the first metric; in the picture the p-values of the others are adjusted together.
#
# ## For whom?
#
# Segments must be known before the test. The open circles are each segment alone; the diamonds
# draw them to the mean of all, the more so the larger their error and the more alike they are.

# %%
school = people["nodegree"].map({1: "no degree", 0: "degree"})
work = pd.Series(np.where(people["re75"] > 0, "had work", "no work"), index=people.index)
segment = school + ", " + work
arms = {
    name: tuple(
        mean_arm(Moments.of(own.loc[own["variant"] == variant, "earnings"].to_numpy()))
        for variant in ("not trained", "trained")
    )
    for name, own in people.groupby(segment)
}
by_people = compare_segments(arms, overall=real.comparisons[0].difference)
figure = plots.plot_segments(by_people, what="earnings in 1978, trained less not trained (dollars)")
figure.savefig(Path(out, "training_segments.png"), dpi=110)
figure

# %% [markdown]
# ## A shop whose truth is known
#
# Users come over four weeks, more of them at weekends. The new page makes some spend more, by their
# device; it is a little slower, and changes nothing else. The test may be looked at every day: it
# was planned with intervals that hold at every look.

# %%
lift = pd.Series({"phone": 1.2, "desktop": 0.5, "tablet": 0.5, "TV": -0.5})
often = np.array([0.5, 0.3, 0.15, 0.05])
busy = np.where(np.arange(days) % 7 >= 5, 1.6, 1.0)
shop = pd.DataFrame({"day": np.sort(rng.choice(days, users, p=busy / busy.sum()))})
shop["variant"] = rng.choice(["old", "new"], users)
shop["device"] = rng.choice(lift.index.to_numpy(), users, p=often)
shop["before"] = rng.gamma(2.0, 10.0, users)
new = shop["variant"] == "new"
shop["spent"] = 0.8 * shop["before"] + rng.gamma(2.0, 6.0, users) + new * shop["device"].map(lift)
shop["wait"] = rng.lognormal(5.0, 0.4, users) * (1 + 0.03 * new)
shop["returned"] = rng.random(users) < 0.25
shop["visits"] = rng.poisson(4.0, users) + 1
shop["clicks"] = rng.binomial(shop["visits"], rng.beta(2.0, 6.0, users))
spent = Mean("spent", covariate="before")
metrics = [
    spent,
    Mean("wait", aim=Aim(better="lower", margin=0.05)),
    Proportion("returned", aim=Aim(guardrail=True)),
    Ratio("clicks", "visits", aim=Aim(equivalence=0.03)),
]
true = float(often @ lift)
truth = {
    ("spent", "new"): true / 28.0,  # 0.8 * 20 + 12
    ("wait", "new"): 0.03,
    ("returned", "new"): 0.0,
    ("clicks / visits", "new"): 0.0,
}

# %% [markdown]
# ## Did users come as planned?
#
# The p-value may be looked at after every user: the chance that it ever falls to 0.001 while the
# plan holds is 0.001.

# %%
shares = {"old": 0.5, "new": 0.5}
plan = LookPlan(n=users)
ends = np.searchsorted(shop["day"], np.arange(days + 1))
batches = [shop.iloc[begin:end] for begin, end in pairwise(ends.tolist())]
path = analyze_path(batches, control="old", metrics=[spent], plan=plan, shares=shares)
looks = [float(sum(each.units.values())) for each in path]
found = analyze(shop, control="old", metrics=metrics, plan=plan, shares=shares, earlier=looks[:-1])
ratio = sample_ratio_path(new.to_numpy().astype(int), [1, 1])
figure = plots.plot_sample_ratio(found.srm, units=np.arange(1, users + 1), pvalues=ratio)
figure.savefig(Path(out, "sample_ratio.png"), dpi=110)
figure

# %% [markdown]
# ## What is the effect?
#
# Stars are the truth. The margin is how much longer the wait may be (5 %); within the band clicks a
# visit count as equal.

# %%
figure = plots.plot_effects(found, truth=truth)
figure.savefig(Path(out, "shop.png"), dpi=110)
figure

# %% [markdown]
# ## When was it shown?
#
# Who reads the narrow interval each day finds effects where there are none in far more than one of
# twenty tests; the wide one holds on all days together. Where it first leaves 0 the test may stop.

# %%
figure = plots.plot_path(path, plan=plan, truth=true)
figure.savefig(Path(out, "path.png"), dpi=110)
figure

# %% [markdown]
# ## For whom?

# %%
shop["adjusted"] = shop["spent"] - 0.8 * (shop["before"] - 20.0)
arms = {
    name: tuple(
        mean_arm(Moments.of(own.loc[own["variant"] == variant, "adjusted"].to_numpy()))
        for variant in ("old", "new")
    )
    for name, own in shop.groupby("device")
}
by_device = compare_segments(arms, overall=found.comparisons[0].difference)
figure = plots.plot_segments(
    by_device, what="spent, new less old (less what the time before explains)", truth=lift.to_dict()
)
figure.savefig(Path(out, "shop_segments.png"), dpi=110)
figure

# %% [markdown]
# ## When no winner may be named
#
# The same test, but some of the new page's users are lost on the way, as where a redirect fails.
# Whatever the effect looks like, the two groups are no longer alike.

# %%
kept = ~(new & (rng.random(users) < lost)).to_numpy()
broken = analyze(shop[kept], control="old", metrics=metrics, shares=shares, plan=plan)
missing = sample_ratio_path(new.to_numpy()[kept].astype(int), [1, 1])
figure = plots.plot_sample_ratio(broken.srm, units=np.arange(1, kept.sum() + 1), pvalues=missing)
figure.savefig(Path(out, "mismatch.png"), dpi=110)
figure

# %% [markdown]
# ## Answer

# %%
first = real.comparisons[0]
shown = [n for n, each in zip(looks, path, strict=True) if each.comparisons[0].look.shown]
inside = [
    each.relative.ci_lower <= truth[each.metric, each.treatment] <= each.relative.ci_upper
    for each in found.comparisons
]
result = {
    "training.difference": first.difference.value,
    "training.difference.low": first.difference.ci_lower,
    "training.difference.high": first.difference.ci_upper,
    "training.se": first.difference.se,
    "training.pvalue": first.difference.pvalue,
    "training.segments_pvalue": by_people.pvalue,
    "shop.spent": found.comparisons[0].difference.value,
    "shop.spent.low": found.comparisons[0].difference.ci_lower,
    "shop.spent.high": found.comparisons[0].difference.ci_upper,
    "shop.spent_truth": true,
    "shop.intervals_with_truth": float(np.mean(inside)),
    "shop.shown_after_share_of_units": shown[0] / users if shown else 1.0,
    "shop.segments_pvalue": by_device.pvalue,
    "shop.srm_pvalue": found.srm_pvalue,
    "broken.srm_pvalue": broken.srm_pvalue,
    "broken.valid": float(broken.verdict.valid),
}
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
Markdown(
    f"Training: {real.verdict.sentence}\n\nShop: {found.verdict.sentence}\n\n"
    f"Shop with users lost: {broken.verdict.sentence}"
)
