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
coverage_runs: int = 10_000
quantile_runs: int = 2_000
sizes: list[int] = [100, 1_000, 10_000]
rhos: list[float] = [0.5, 0.7, 0.9]

# %%
# %matplotlib inline
import json
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

from nextcall.abtest import plots
from nextcall.abtest.effect import difference
from nextcall.abtest.quantiles import quantile_arm
from nextcall.abtest.simulate import Truth
from nextcall.abtest.simulated_looks import (
    LAWS,
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

rng = np.random.default_rng(seed)

# %% [markdown]
# ## False alarms, looked at once or often
#
# Two arms of one law, read by Welch's test: at the end, after each of a few even steps, and after
# every pair of units from the thirtieth on. All methods see the same draws. "Naively" reads each
# look as though it were the only one.

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
    for name, count in count_shown(LAWS[law], readings, runs=runs, rng=rng).items()
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
# ## Coverage of intervals, looked at once
#
# Of means and of ratios there is a true effect; two shares are alike. Log-normal and Pareto values
# are skewed (the Pareto law's third moment is infinite), a share of 0.001 has no event in most
# arms of 100 units: there is no room for 0.95 there.

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
    for name, truth in truths.items()
}
coverage = share_table(held, runs=coverage_runs)

# %%
inside = {}
for n in sizes:
    for share in (0.5, 0.9):
        hits = 0
        for _ in range(quantile_runs):
            pair = [quantile_arm(rng.lognormal(size=n), share).arm for _ in range(2)]
            found = difference(*pair)
            hits += found.ci_lower <= 0 <= found.ci_upper
        inside[f"quantile {share:g}, log-normal", f"{n:,} units an arm"] = hits
coverage = pd.concat([coverage, share_table(inside, runs=quantile_runs)], ignore_index=True)
figure = plots.plot_shares(coverage, level=0.95, within=0.01, what="coverage", bad="below")
figure.savefig(Path(out, "coverage.png"), dpi=110)
figure

# %%
coverage.pivot_table(index="method", columns="group", values="share", sort=False).style.format(
    "{:.4f}"
)

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
