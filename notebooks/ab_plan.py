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
# # How many units, for how long?
#
# A plan is fixed before a test begins: which effect is worth finding, how surely, how often one
# looks. Move the sliders; where no kernel runs, as in a report, the pictures show the plan of the
# parameters.

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/ab-plan"
baseline: float = 0.1
mde: float = 0.01
power: float = 0.8
daily_units: int = 3_000
looks: int = 10
rho: float = 0.5
runs: int = 20_000

# %%
# %matplotlib inline
import json
from io import BytesIO
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd
from IPython.display import Markdown

from nextcall.abtest import plots
from nextcall.abtest.design import design, detectable
from nextcall.abtest.plan_simulation import simulate_plan
from nextcall.abtest.target import Target, Traffic
from nextcall.abtest.unit_variance import cuped_factor

rng = np.random.default_rng(seed)
traffic = Traffic(daily_units=daily_units)
target = Target(metric="proportion", baseline=baseline, mde=mde)

# %% [markdown]
# ## The plan
#
# One control, one treatment, half of the units each; the test lasts whole weeks.

# %%
plan = design(target, power=power, traffic=traffic)
figure = plots.plot_plan(plan)
figure.savefig(Path(out, "plan.png"), dpi=110)
figure


# %%
effect = ipywidgets.FloatSlider(
    mde, min=mde / 4, max=3 * mde, step=mde / 4, readout_format=".4f", description="effect"
)
chance = ipywidgets.FloatSlider(power, min=0.5, max=0.95, step=0.05, description="power")
days = ipywidgets.IntSlider(plan.days, min=7, max=84, step=7, description="days")
words, picture = ipywidgets.HTML(), ipywidgets.Image()


def show_plan(_: object = None) -> None:
    """Show the plan of the sliders, and what the days would find."""
    wanted = Target(metric="proportion", baseline=baseline, mde=effect.value)
    own = design(wanted, power=chance.value, traffic=traffic)
    least = detectable(own, [days.value * daily_units // 2] * 2)[0]
    words.value = (
        f"<b>{sum(own.n):,} units, {own.days} days</b> for {effect.value:+.4f} with a power of "
        f"{chance.value:.0%}; {days.value} days find {least:+.4f}."
    )
    plots.plot_plan(own).savefig(drawn := BytesIO(), dpi=80)
    picture.value = drawn.getvalue()


for slider in (effect, chance, days):
    slider.observe(show_plan, "value")
show_plan()
ipywidgets.VBox([effect, chance, days, words, picture])

# %% [markdown]
# The same without sliders: days for other effects (rows) and powers (columns).

# %%
pd.DataFrame(
    {
        f"{chance:.0%}": {
            f"{times * mde:+.3g}": design(
                Target(metric="proportion", baseline=baseline, mde=times * mde),
                power=chance,
                traffic=traffic,
            ).days
            for times in (0.5, 0.75, 1.0, 1.5, 2.0)
        }
        for chance in (0.7, 0.8, 0.9, 0.95)
    }
)

# %% [markdown]
# ## What looks cost, and save
#
# A test that may stop early needs somewhat more units at most, and fewer on average where the
# effect is there. Each plan is run many times, without an effect (false alarms) and with the
# planned one (power, mean units). Always-valid bounds hold after every unit, so at a few looks they
# are stricter than they must be.

# %%
plans = {
    "one look": plan,
    f"group-sequential, {looks} looks": design(
        target, power=power, traffic=traffic, method="group-sequential", looks=looks
    ),
    f"always valid, {looks} looks": design(
        target, power=power, traffic=traffic, method="always-valid", looks=looks
    ),
}
found = {name: simulate_plan(each, rng=rng, runs=runs) for name, each in plans.items()}
pd.DataFrame(
    {
        "units at most": [sum(each.n) for each in plans.values()],
        "days at most": [each.days for each in plans.values()],
        "units, mean": [sum(each.n) * found[name].expected for name, each in plans.items()],
        "power": [each.power.share for each in found.values()],
        "false alarms": [each.false_alarms.share for each in found.values()],
        "if read naively": [each.peeking.share for each in found.values()],
    },
    index=list(plans),
).style.format("{:.3f}").format("{:,.0f}", subset=pd.IndexSlice[:, :"units, mean"])

# %%
table = pd.DataFrame(
    [
        {
            "method": name,
            "group": what,
            "share": share.share,
            "low": share.ci_lower,
            "high": share.ci_upper,
        }
        for name, each in found.items()
        for what, share in (("read as planned", each.false_alarms), ("read naively", each.peeking))
    ]
)
figure = plots.plot_shares(table, level=0.05, within=0.007, what="false alarms")
figure.savefig(Path(out, "looks.png"), dpi=110)
figure

# %% [markdown]
# ## What a covariate saves
#
# What users did before the test explains part of what they do in it: with a correlation of rho it
# takes away rho² of the variance, and as many of the units (a mean with the share's variance).

# %%
plain = Target(metric="mean", baseline=baseline, mde=mde, sd=(baseline * (1 - baseline)) ** 0.5)
helped = Target(metric="mean", baseline=baseline, mde=mde, sd=plain.sd, factor=cuped_factor(rho))
units = {
    name: sum(design(each, power=power).n) for name, each in (("plain", plain), ("helped", helped))
}
Markdown(
    f"{units['plain']:,} units without, **{units['helped']:,}** with a correlation of {rho:g}."
)

# %% [markdown]
# ## Answer

# %%
result = {"units": float(sum(plan.n)), "days": float(plan.days)}
for name, each in plans.items():
    key = name.split(",")[0].replace(" ", "_").replace("-", "_")
    result |= {
        f"{key}.units": float(sum(each.n)),
        f"{key}.mean_units": sum(each.n) * found[name].expected,
        f"{key}.power": found[name].power.share,
        f"{key}.power.low": found[name].power.ci_lower,
        f"{key}.power.high": found[name].power.ci_upper,
        f"{key}.false_alarms": found[name].false_alarms.share,
        f"{key}.false_alarms.low": found[name].false_alarms.ci_lower,
        f"{key}.false_alarms.high": found[name].false_alarms.ci_upper,
    }
result["covariate.units_share"] = units["helped"] / units["plain"]
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
at_most, mean = result["always_valid.units"], result["always_valid.mean_units"]
Markdown(
    f"To find {mde:+.3g} on {baseline:.3g} with a power of {power:.0%} takes "
    f"**{sum(plan.n):,} units** ({plan.days} days); always-valid looks ask for {at_most:,.0f} at "
    f"most and for {mean:,.0f} on average."
)
