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
# # Are the tests as often wrong as they say?
#
# A test at a level of 0.05 may find an effect where there is none in one of twenty runs, and its
# interval may miss the truth as often. Here each method is run many thousand times on data whose
# truth is known: looked at once, looked at again and again, with skewed values, with few units.

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/ab-validity"
runs: int = 20_000
laws: list[str] = ["normal", "lognormal", "bernoulli_0.1", "exponential"]
looks: list[int] = [5, 10, 20]
units: int = 1_000
most: int = 2_000
coverage_runs: int = 20_000
quantile_runs: int = 2_000
warning_runs: int = 200
sizes: list[int] = [100, 1_000, 10_000]
often: int = 100
rhos: list[float] = [0.5, 0.7, 0.9]

# %%
# %matplotlib inline
import json
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown
from scipy.special import ndtr

from nextcall.abtest import plots
from nextcall.abtest.design import design
from nextcall.abtest.effect import difference
from nextcall.abtest.plan_simulation import simulate_plan
from nextcall.abtest.quantiles import quantile_arm
from nextcall.abtest.simulate import Truth
from nextcall.abtest.simulated_looks import (
    LAWS,
    Reading,
    continuous_readings,
    count_shown,
    planned_readings,
)
from nextcall.abtest.simulated_validity import (
    covariate_saving,
    share_table,
    simulate_sessions,
    simulated_pvalues,
)
from nextcall.abtest.simulated_warnings import count_warned
from nextcall.abtest.target import Target
from nextcall.cli.console import progress

rng = np.random.default_rng(seed)

# %% [markdown]
# ## False alarms, looked at once or often
#
# Two arms of one law, read by Welch's test: at the end, after each of a few even steps, and after
# every pair of units from the thirtieth on. All methods see the same draws. "Naively" reads each
# look as though it were the only one. Always-valid bounds are made for every pair of units, so at a
# few looks they are stricter than they must be. What other packages' bounds give on the same draws
# is measured by `benchmarks/sequential_validity.py`, and told in `docs/abtest/sequential.md`.

# %%
words = {
    "naive": "naively",
    "always_valid": "always valid",
    "mixture": "normal mixture",
    "group_obrien_fleming": "O'Brien-Fleming",
    "group_pocock": "Pocock",
    "group_spending_obrien_fleming": "spending, O'Brien-Fleming",
    "group_spending_pocock": "spending, Pocock",
}
readings = {"one look": planned_readings(units, 1)["naive"]}
for name, said in words.items():
    for count in looks:
        planned = planned_readings(units, count)
        if name in planned:
            readings[f"{said}, {count} looks"] = planned[name]
    if name in (continuous := continuous_readings(most)):
        readings[f"{said}, every pair of units"] = continuous[name]
counts = {
    (name, law.replace("_", " ")): count
    for law in laws
    for name, count in count_shown(
        LAWS[law], readings, runs=runs, rng=rng, progress=progress
    ).items()
}
alarms = share_table(counts, runs=runs)
figure = plots.plot_shares(alarms, level=0.05, within=0.007, what="false alarms")
figure.savefig(Path(out, "false_alarms.png"), dpi=110)
figure

# %%
alarms.pivot_table(index="method", columns="group", values="share", sort=False).style.format(
    "{:.4f}"
)

# %% [markdown]
# An interval that is looked at again and again misses the truth as often as its test is wrong: what
# holds for false alarms holds for coverage while peeking.
#
# Where there are many looks, Pocock's bound is too strict for skewed values. That is Welch's test
# with few units, not the bound: its first look is wrong less often than its level, and comes there
# as units grow.

# %%
pocock = planned_readings(units, max(looks))["group_pocock"]
first = [max(pocock.sizes[0] * times, 2) for times in (1, 5, 20)]
alone = {
    f"{n:,} units an arm": Reading(sizes=np.array([n]), bounds=pocock.bounds[:1]) for n in first
}
strict = share_table(
    {
        (name, law.replace("_", " ")): count
        for law in laws
        for name, count in count_shown(LAWS[law], alone, runs=runs, rng=rng).items()
    },
    runs=runs,
)
Markdown(f"Level of the first look: **{2 * ndtr(-pocock.bounds[0]):.4f}**.")

# %%
strict.pivot_table(index="method", columns="group", values="share", sort=False).style.format(
    "{:.4f}"
)

# %% [markdown]
# ## How soon it ends
#
# Tests that are planned to find 0.1 standard deviations with a power of 0.8, where the effect is
# there. "Mean" is where the test stops on average; ratios are to the test that is looked at once.

# %%
wanted = Target(metric="mean", baseline=0.0, mde=0.1, sd=1.0)
methods = [("one look", "fixed", 1)]
methods += [(f"group-sequential, {n} looks", "group-sequential", n) for n in looks]
methods += [(f"always valid, {n} looks", "always-valid", n) for n in (*looks, often)]
plans = {name: design(wanted, method=method, looks=n) for name, method, n in methods}
ended = {name: simulate_plan(plan, rng=rng, runs=runs) for name, plan in plans.items()}
once = sum(plans["one look"].n)
sizes_of = pd.DataFrame(
    {
        "units at most": [sum(plan.n) for plan in plans.values()],
        "mean units": [sum(plan.n) * ended[name].expected for name, plan in plans.items()],
        "power": [each.power.share for each in ended.values()],
        "false alarms": [each.false_alarms.share for each in ended.values()],
    },
    index=list(plans),
)
sizes_of.insert(2, "mean / one look", sizes_of["mean units"] / once)
sizes_of.style.format("{:.3f}").format("{:,.0f}", subset=["units at most", "mean units"])

# %% [markdown]
# ## Coverage of intervals, looked at once
#
# Of means and of ratios there is a true effect; two shares are alike. Log-normal and Pareto values
# are skewed (the Pareto law's third moment is infinite), a share of 0.001 has no event in most
# arms of 100 units: there is no room for 0.95 there. A quantile of 0.9 has ten of 100 units beyond.
# The second table says how often the analysis warns: where an interval cannot hold what it says, or
# where skewed values could make it so in unequal arms or for one side.

# %%
truths = {
    "mean, normal": Truth(effects=(0.1,)),
    "mean, log-normal": Truth(effects=(0.1,), law="lognormal"),
    "mean, Pareto 3": Truth(effects=(0.1,), law="pareto"),
    "mean with a covariate of 0.7": Truth(effects=(0.1,), rho=0.7),
    "share of 0.1": Truth(metric="proportion", baseline=0.1),
    "share of 0.001": Truth(metric="proportion", baseline=0.001),
    "ratio, delta method": Truth(metric="ratio", baseline=0.5, effects=(0.05,)),
}
held = {
    (name, f"{n:,} units an arm"): int(
        (simulated_pvalues(truth, n, runs=coverage_runs, rng=rng) > 0.05).sum()
    )
    for n in sizes
    for name, truth in progress(truths.items(), description=f"Coverage at {n:,} units")
}
coverage = share_table(held, runs=coverage_runs)

# %%
inside, warned = {}, {}
for n in sizes:
    for share in (0.5, 0.9):
        key = (f"quantile {share:g}, log-normal", f"{n:,} units an arm")
        inside[key] = warned[key] = 0
        for _ in progress(range(quantile_runs), description=f"Quantiles at {n:,} units"):
            one, other = (quantile_arm(rng.lognormal(size=n), share) for _ in range(2))
            found = difference(one.arm, other.arm)
            inside[key] += found.ci_lower <= 0 <= found.ci_upper
            warned[key] += bool(one.warnings or other.warnings)
coverage = pd.concat([coverage, share_table(inside, runs=quantile_runs)], ignore_index=True)
figure = plots.plot_shares(coverage, level=0.95, within=0.01, what="coverage", bad="below")
figure.savefig(Path(out, "coverage.png"), dpi=110)
figure

# %%
coverage.pivot_table(index="method", columns="group", values="share", sort=False).style.format(
    "{:.4f}"
)

# %%
shares_warned = {
    (name, f"{n:,} units an arm"): count_warned(truth, n, runs=warning_runs, rng=rng)
    for n in sizes
    for name, truth in progress(truths.items(), description=f"Warnings at {n:,} units")
}
of_analyses = {key: found.warned / found.runs for key, found in shares_warned.items()}
of_analyses |= {key: count / quantile_runs for key, count in warned.items()}
told = pd.Series(of_analyses).rename_axis(["method", "warned"]).unstack(sort=False)  # noqa: PD010
told.style.format("{:.2f}")

# %% [markdown]
# ## What a covariate saves
#
# The variance of the effect over runs, with the covariate and without, and the same as the tests'
# own standard errors report it. In theory it is 1 - rho².

# %%
saved = pd.DataFrame(
    [
        {
            "rho": found.rho,
            "1 - rho²": found.expected,
            "variance ratio": found.ratio,
            "standard error": found.error,
            "off, in standard errors": (found.ratio - found.expected) / found.error,
            "reported by the tests": found.reported,
        }
        for found in (covariate_saving(rho, units, runs=runs, rng=rng) for rho in rhos)
    ]
)
saved.style.hide(axis="index").format("{:.4f}").format("{:.1f}", subset=["rho"])

# %% [markdown]
# ## Sessions are no units
#
# Clicks a session of two arms that do not differ. Users have five sessions on average and their own
# chance to click: a test that holds sessions to be independent finds far too much.

# %%
sessions = simulate_sessions(units, runs=runs, rng=rng)
figure = plots.plot_pvalues(
    {"delta method over users": sessions.delta, "sessions as units": sessions.naive}
)
figure.savefig(Path(out, "sessions.png"), dpi=110)
figure

# %%
ratio_errors = share_table(
    {
        ("delta", "ratio"): int((sessions.delta <= 0.05).sum()),
        ("naive", "ratio"): int((sessions.naive <= 0.05).sum()),
    },
    runs=runs,
)
ratio_errors.style.hide(axis="index").format("{:.4f}", subset=["share", "low", "high"])

# %% [markdown]
# ## Answer

# %%
result = {}
for table, what in ((alarms, "false_alarms"), (coverage, "coverage"), (ratio_errors, "error")):
    for row in table.itertuples():
        key = f"{what}.{row.group}.{row.method}".replace(" ", "_").replace(",", "")
        result |= {key: row.share, f"{key}.low": row.low, f"{key}.high": row.high}
for key, share in of_analyses.items():
    result[f"warned.{key[1]}.{key[0]}".replace(" ", "_").replace(",", "")] = share
for name, row in sizes_of.iterrows():
    key = f"size.{name}".replace(" ", "_").replace(",", "")
    result |= {f"{key}.mean_over_one_look": row["mean / one look"], f"{key}.power": row["power"]}
result["always_valid.mean_over_one_look"] = sizes_of["mean / one look"].iloc[-1]
for row in saved.itertuples(index=False):
    result[f"covariate.{row[0]}.variance_ratio"] = row[2]
    result[f"covariate.{row[0]}.off_in_standard_errors"] = row[4]
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
mean = alarms.groupby("method", sort=False)["share"].mean()
most_looks = max(looks)
Markdown(
    f"Looked at once, tests are wrong in **{mean['one look']:.3f}** of the runs; read naively at "
    f"{most_looks} looks in **{mean[f'naively, {most_looks} looks']:.3f}**, by always-valid bounds "
    f"after every pair of units in **{mean['always valid, every pair of units']:.3f}**. Sessions "
    f"held to be units are wrong in **{ratio_errors['share'][1]:.3f}**, the delta method in "
    f"**{ratio_errors['share'][0]:.3f}**."
)
