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
# # What was planted, and what is found again
#
# Simulated sessions are worth what their truth is worth. Here everything that the generator
# plants (a chain of states, lengths, times, users, prompts, noise, a drift, anomalies, effects of
# A/B tests) is measured again in the tables that it gives; of its truth only the labels of noise
# are used, and what is planted is drawn beside what is found. Orange is planted, blue is found.

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/synthetic-fidelity"
catalog: str = ""
services: list[str] = []
sessions: int = 20_000
days: int = 28
users: int = 300
noise: float = 0.2
drift_day: float = 18.0
tests: int = 100
test_users: int = 20_000

# %%
# %matplotlib inline
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown
from scipy import optimize, stats

from nextcall.catalog import Catalog, describe_operation
from nextcall.catalog.aws import read_aws
from nextcall.catalog.load import load_catalog
from nextcall.cli.console import progress
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.synth import (
    Noise,
    SimulationSettings,
    UserHabits,
    Workflow,
    fidelity,
    plots,
    recovered_matrix,
    remove_name,
    simulate,
)
from nextcall.synth.anomalies import KINDS, plant_anomalies
from nextcall.synth.chain import walk_chain
from nextcall.synth.effects import EffectSettings, plant_effects
from nextcall.synth.series import SeriesSettings, metric_series
from nextcall.synth.workflow import STATES

rng = np.random.default_rng(seed)

# %% [markdown]
# ## The package's own measures
#
# Sessions over a real catalogue, with noise and a drift. A p-value of a right simulation is
# uniform on 0 to 1 and passes from 0.001 on; the largest error of the matrix has a limit that one
# right simulation in a thousand exceeds. Resources that lack an operation for a state use a
# stand-in; the expectation knows which.

# %%
full = load_catalog(Path(catalog)) if catalog else read_aws(progress=progress)
kept = [o.operation_id for o in full if not services or o.service in services]
api = full.subset(kept, name=full.name)
titles: dict[str, list[str]] = {}
for query in read_awscli_examples(api, progress=progress) if not catalog else []:
    titles.setdefault(query.session_id, []).append(query.prompt)
settings = SimulationSettings(
    days=days,
    users=UserHabits(users=users),
    noise=Noise.of_level(noise),
    drift_day=drift_day,
)
made = simulate(
    api, rng=rng, n_sessions=sessions, prompts=titles, settings=settings, progress=progress
)
table, truth = made.sessions, made.truth
measures = fidelity(made)
measures.style.hide(axis="index").format(precision=3)

# %% [markdown]
# ## The chain
#
# Over a catalogue in which every resource has an operation for every state nothing needs a stand-
# in: the matrix that is counted should be the one that was planted, cell by cell.

# %%
VERBS = ("list", "get", "create", "update", "send", "start", "attach", "detach", "delete")
whole = Catalog(
    "whole",
    tuple(
        describe_operation(operation_id=f"{service}:{verb}_{noun}", service=service)
        for service in ("web", "app")
        for noun in ("page", "site", "form")
        for verb in VERBS
    ),
)
plain = simulate(whole, rng=rng, n_sessions=sessions)
workflow = Workflow()
found = recovered_matrix(plain)
visits = np.bincount(
    plain.truth.resources.state_of[
        [whole.positions[name] for name in plain.sessions["operation_id"]]
    ],
    minlength=len(STATES),
)
plots.plot_matrices(workflow.matrix, found, visits)

# %% [markdown]
# ## Lengths and pauses
#
# The lengths follow from the matrix: the share of sessions of k calls is the chance to be
# absorbed after k steps, and a session is cut after 50. Pauses come from a log-normal law with a
# heavy tail; each user has a pace.

# %%
steps = workflow.matrix[:, :-1]
going_on = [
    (workflow.start @ np.linalg.matrix_power(steps, k)).sum()
    for k in range(plain.truth.settings.max_calls)
]
expected = -np.diff([*going_on, 0.0])
lengths = plain.sessions.groupby("session_id").size().to_numpy()
pace = table["user_id"].map(truth.users.set_index("user_id")["pace"]).to_numpy()
own = (table["step"] > 0) & (truth.calls["kind"] != "retry").to_numpy()
gaps = (table["time"].diff().dt.total_seconds() / pace)[own]
plots.plot_lengths_and_gaps(lengths, expected, gaps, settings.gaps)

# %% [markdown]
# ## The week

# %%
begins = table.loc[table["step"] == 0, "time"]
planted_week = np.bincount(np.arange(len(truth.rates)) % 168, truth.rates, minlength=168)
plots.plot_week(
    begins.dt.dayofweek * 24 + begins.dt.hour, planted_week / truth.rates.sum() * sessions
)

# %% [markdown]
# ## The users
#
# How often users come follows a Zipf law; how fast they are, a log-normal one. A pace is measured
# on users with at least 100 gaps.

# %%
who = truth.users.set_index("user_id")
came = table.loc[table["step"] == 0, "user_id"].value_counts().reindex(who.index, fill_value=0)
middle = optimize.brentq(lambda seconds: settings.gaps.cdf(seconds) - 0.5, 1, 100)
slow = (gaps * pace[own]).groupby(table["user_id"][own]).agg(["median", "size"])
measured = (slow["median"] / middle).where(slow["size"] >= 100).reindex(who.index)
plots.plot_users(came, who["activity"] * sessions, who["pace"], measured)

# %% [markdown]
# ## What users say, and what goes wrong
#
# Prompts are real titles where there are any, else the summary of the operation, said in another
# way. The operation's own name must not stand in them; that is counted.

# %%
said = table.assign(wanted=truth.calls["goal_id"])[["prompt", "wanted", "outcome"]]
checked = said.iloc[np.sort(rng.permutation(len(said))[:5000])]
named = sum(
    remove_name(prompt, api[wanted]) != " ".join(prompt.split())
    for prompt, wanted in zip(checked["prompt"], checked["wanted"], strict=True)
)
distinct = said.groupby("wanted")["prompt"].agg(["nunique", "size"])
often = distinct[distinct["size"] >= 10]
said.iloc[rng.permutation(len(said))[:10]].style.hide(axis="index").set_td_classes(
    pd.DataFrame("words", said.index, ["prompt", "wanted"])
)

# %%
kind = truth.calls["kind"]
planned = int((kind == "workflow").sum())
failed = int((table["outcome"] == "error").sum())
left = int(truth.sessions["abandoned"].sum())
counts = {
    "calls that fail": (settings.noise.error, failed, planned),
    "failed calls that are repeated": (settings.noise.retry, (kind == "retry").sum(), failed),
    "calls that follow a mistaken one": (settings.noise.wrong, (kind == "wrong").sum(), planned),
    "sessions left after a call": (settings.noise.abandon, left, planned - (sessions - left)),
}
rates = pd.DataFrame(
    [
        (name, rate, k / n, *stats.binomtest(int(k), int(n)).proportion_ci(method="wilson"))
        for name, (rate, k, n) in counts.items()
    ],
    columns=["rate", "planted", "found", "low", "high"],
)
plots.plot_rates(rates)

# %% [markdown]
# ## The drift
#
# From one day on, sessions follow another chain. It is searched for without knowing the day: for
# each day, how unlike are the calls before it and those from it on?

# %%
state = truth.resources.state_of[[api.positions[name] for name in truth.calls["meant_id"]]]
day = (table["time"] - settings.start).dt.days.clip(upper=days - 1)
daily = pd.crosstab(day, pd.Series(state).map(dict(enumerate(STATES))))
daily = daily.reindex(columns=[name for name in STATES if name in daily])
evidence = [np.nan] + [
    stats.chi2_contingency([daily.iloc[:d].sum(), daily.iloc[d:].sum()]).statistic
    for d in range(1, len(daily))
]
plots.plot_drift(daily.div(daily.sum(axis=1), axis=0), evidence, planted=drift_day)

# %% [markdown]
# ## Anomalies
#
# Five families of four shapes, planted into the minute counts of three clients; each is drawn
# where the truth says that it lies.

# %%
series = metric_series(120 * len(KINDS), rng=rng, settings=SeriesSettings(level=300, entities=3))
faulty, faults = plant_anomalies(series, rng=rng)
off = ((faulty["value"] - faulty["expected"]) / faulty["sigma"]).abs()
quiet = off[faulty["fault"] < 0]
inside = off.groupby(faulty["fault"]).agg(["mean", "size"]).drop(-1)
surplus = (inside["mean"] - quiet.mean()) / (quiet.std() / np.sqrt(inside["size"]))
seen = int((surplus > stats.norm.isf(0.001)).sum())
plots.plot_anomalies(faulty, faults)

# %% [markdown]
# ## Effects of A/B tests
#
# The same three effects are planted in many tests; each test gives Welch's interval (of the ratio
# of clicks to sessions: after the delta method). Of 95 % intervals 95 % should hold the truth.

# %%
effects = EffectSettings(conversion_lift=0.1, revenue_lift=0.05, click_lift=0.03)
people = [f"u{number}" for number in range(test_users)]
rows = []
for _ in progress(range(tests), description="Running A/B tests"):
    planted = plant_effects(people, rng=rng, settings=effects)
    sums = planted.outcomes.groupby("variant")[["clicks", "sessions"]].transform("mean")
    ratio = sums["clicks"] / sums["sessions"]
    surplus = planted.outcomes["clicks"] - ratio * planted.outcomes["sessions"]
    values = planted.outcomes.assign(clicks_per_session=ratio + surplus / sums["sessions"])
    values = values.rename(columns={"converted": "conversion"}).set_index("variant")
    for metric in planted.truth["metric"]:
        one, other = (values.loc[name, metric].to_numpy() for name in ("treatment", "control"))
        interval = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
        rows.append((metric, one.mean() - other.mean(), interval.low, interval.high))
intervals = pd.DataFrame(rows, columns=["metric", "effect", "low", "high"])
plots.plot_effects(intervals, planted.truth)

# %% [markdown]
# ## Answer

# %%
speeds = []
for _ in range(5):
    begun = time.process_time()
    states, _lengths = walk_chain(workflow.start, workflow.matrix, 50_000, rng=rng)
    speeds.append(len(states) / (time.process_time() - begun))
error = np.sqrt(workflow.matrix * (1 - workflow.matrix) / visits[:, None])
near = (np.abs(found - workflow.matrix) <= 1.96 * error).mean()
target = intervals["metric"].map(planted.truth.set_index("metric")["absolute"])
holds = (intervals["low"] <= target) & (target <= intervals["high"])
coverage = stats.binomtest(int(holds.sum()), len(holds)).proportion_ci(method="wilson")
result = {
    "calls": len(table),
    "measures_passed": int(measures["passes"].sum()),
    "measures": len(measures),
    "matrix_cells_in_interval": float(near),
    "mean_length": float(lengths.mean()),
    "mean_length_planted": float(np.arange(1, len(expected) + 1) @ expected),
    "anomalies_seen": seen,
    "anomalies_planted": len(faults),
    "drift_day_found": int(daily.index[int(np.nanargmax(evidence))]),
    "drift_day_planted": drift_day,
    "prompts_that_name_the_answer": int(named),
    "distinct_prompts_share": float((often["nunique"] / often["size"]).mean()),
    "effects_in_interval": float(holds.mean()),
    "effects_in_interval.low": coverage.low,
    "effects_in_interval.high": coverage.high,
    "chain_calls_per_second": float(np.median(speeds)),
}
result |= {
    f"p.{name.partition(',')[0].replace(' ', '_')}": float(value)
    for name, value in zip(measures["name"], measures["value"], strict=True)
    if name.endswith("p-value") and np.isfinite(value)
}
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
within = int(((rates["low"] <= rates["planted"]) & (rates["planted"] <= rates["high"])).sum())
Markdown(
    f"""
**{result["measures_passed"]} of {len(measures)} measures pass** on {len(table):,} calls of
{sessions:,} sessions over {api.name}. Of the cells of the planted transition matrix {near:.0%} lie
in their 95 % interval. Sessions have {result["mean_length"]:.2f} calls on average;
{result["mean_length_planted"]:.2f} follow from the matrix. {within} of {len(rates)} noise rates lie
in their 95 % interval. The drift of day {drift_day:g} is found on day {result["drift_day_found"]}.

{named} of {len(checked):,} prompts name their answer. Of the prompts for one operation that is
asked for ten times or more, {result["distinct_prompts_share"]:.0%} are distinct.

{seen} of {len(faults)} planted anomalies stand out where the truth says that they lie: so far
from what was expected as their values are on average, quiet ones are with a chance below 0.001. Of
{len(holds)} intervals of A/B tests {holds.mean():.1%} hold the effect that was planted (95 %
interval of this share: {coverage.low:.1%} to {coverage.high:.1%}).

The bare chain makes **{result["chain_calls_per_second"] / 1e6:.1f} million calls a second** of one
core's time. That is a reading of one machine, taken while it ran this page.
"""
)
