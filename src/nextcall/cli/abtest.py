"""`nextcall abtest`: plan A/B tests, try a plan before it runs, and analyse what came of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nextcall.cli import analysis
from nextcall.cli.console import note, print_frame, print_table

if TYPE_CHECKING:  # each verb loads what it needs when it runs
    from nextcall.abtest.design import Plan

app = typer.Typer(
    no_args_is_help=True,
    help="Plan A/B tests, try a plan before it runs, and analyse what came of it.",
    rich_markup_mode=None,  # as the whole command line
)


@app.callback()
def _abtest() -> None:
    """Keep the verbs apart."""


app.command("analyze")(analysis.analyze_test)
app.command("vector")(analysis.answer_case)


@app.command("design")
def design_test(
    *,
    baseline: Annotated[float, typer.Option(help="Control's value of the metric.")],
    metric: Annotated[
        Literal["mean", "proportion", "ratio", "quantile"], typer.Option(help="What is measured.")
    ] = "mean",
    mde: Annotated[
        str,
        typer.Option(
            help="Smallest effect to be found, 0.5 or 5% of the baseline; with a margin the effect "
            "that is thought to be true."
        ),
    ] = "0",
    sd: Annotated[
        float | None,
        typer.Option(help="Standard deviation of a unit; of a ratio, of its delta method."),
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="Of a quantile: 0.95 is the 95th percentile.")
    ] = None,
    density: Annotated[
        float | None, typer.Option(help="Of a quantile: the metric's density there.")
    ] = None,
    alternative: Annotated[
        Literal["two-sided", "greater", "less"], typer.Option(help="What is to be shown.")
    ] = "two-sided",
    goal: Annotated[
        Literal["difference", "non-inferiority", "equivalence"],
        typer.Option(help="An effect, or that it is within --margin."),
    ] = "difference",
    margin: Annotated[
        str | None, typer.Option(help="How much worse it may be, 0.5 or 5% of the baseline.")
    ] = None,
    alpha: Annotated[float, typer.Option(help="Chance of a false alarm.")] = 0.05,
    power: Annotated[float, typer.Option(help="Chance to find the effect.")] = 0.8,
    variants: Annotated[int, typer.Option(help="Equal variants, control included.")] = 2,
    allocation: Annotated[
        str | None, typer.Option(help="Shares instead, control first: 0.5,0.3,0.2.")
    ] = None,
    correction: Annotated[
        Literal["dunnett", "bonferroni", "none"],
        typer.Option(help="How several treatments share alpha."),
    ] = "dunnett",
    rho: Annotated[float, typer.Option(help="Correlation with a covariate (CUPED).")] = 0.0,
    icc: Annotated[float, typer.Option(help="Correlation within clusters.")] = 0.0,
    cluster_size: Annotated[float, typer.Option(help="Mean size of a cluster.")] = 1.0,
    cluster_cv: Annotated[float, typer.Option(help="Relative spread of those sizes.")] = 0.0,
    daily_units: Annotated[float | None, typer.Option(help="New units a day.")] = None,
    eligible: Annotated[float, typer.Option(help="Share of them that enters.")] = 1.0,
    whole_weeks: Annotated[bool, typer.Option(help="Whether a test lasts whole weeks.")] = True,
    looks: Annotated[int, typer.Option(help="How often it is looked at, the end included.")] = 1,
    method: Annotated[
        Literal["fixed", "group-sequential", "always-valid"],
        typer.Option(help="fixed: one look at the end; the others hold alpha over all looks."),
    ] = "fixed",
    output: Annotated[Path | None, typer.Option(help="JSON file of the plan.")] = None,
) -> None:
    """Say how many units a test needs, and how long it takes."""
    from nextcall.abtest.design import design
    from nextcall.abtest.plan_files import save_plan
    from nextcall.abtest.target import Target, Traffic
    from nextcall.abtest.unit_variance import cuped_factor, design_effect, quantile_sd

    if metric == "quantile" and sd is None:
        if share is None or density is None:
            raise ValueError(
                f"share and density must be given of a quantile, got {share}, {density}."
            )
        sd = quantile_sd(share, density)
    elif share is not None or density is not None:
        raise ValueError("share and density belong to a quantile without sd; leave them out.")
    if allocation is None and variants < 2:
        raise ValueError(f"variants must be at least 2, got {variants}.")
    plan = design(
        Target(
            metric=metric,
            baseline=baseline,
            mde=_amount(mde, "mde", baseline),
            sd=sd,
            alternative=alternative,
            goal=goal,
            margin=None if margin is None else _amount(margin, "margin", baseline),
            factor=cuped_factor(rho) * design_effect(icc, cluster_size, cluster_cv),
        ),
        alpha=alpha,
        power=power,
        allocation=[1 / variants] * variants if allocation is None else _shares(allocation),
        correction=correction,
        method=method,
        looks=looks,
        traffic=None
        if daily_units is None
        else Traffic(daily_units=daily_units, eligible=eligible, whole_weeks=whole_weeks),
    )
    _show(plan)
    if output is not None:
        save_plan(plan, output)
        note(f"Wrote the plan to {output}.")


@app.command("simulate")
def simulate_test(
    *,
    plan: Annotated[Path, typer.Option(help="A plan that `design` wrote.")],
    runs: Annotated[int, typer.Option(min=1, help="Simulated tests of each kind.")] = 10_000,
    law: Annotated[
        Literal["normal", "lognormal", "pareto"], typer.Option(help="Of a unit's value.")
    ] = "normal",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same figures.")] = 0,
    output: Annotated[Path | None, typer.Option(help="JSON file of the figures.")] = None,
) -> None:
    """Run a plan many times, with and without the effect, and count."""
    import json
    from dataclasses import asdict

    import numpy as np

    from nextcall.abtest.plan_files import load_plan
    from nextcall.abtest.plan_simulation import simulate_plan
    from nextcall.files import atomic_path

    planned = load_plan(plan)
    found = simulate_plan(planned, rng=np.random.default_rng(seed), runs=runs, law=law)
    print_frame(found.to_frame())
    stop = f"{found.expected:.1%} of the units"
    note(f"{runs:,} runs each; with the effect a test stops after {stop} on average.")
    if output is not None:
        with atomic_path(output) as temporary:
            temporary.write_text(json.dumps(asdict(found), indent=2) + "\n")
        note(f"Wrote the figures to {output}.")


def _show(plan: "Plan") -> None:
    from math import inf

    total = sum(plan.n)
    print_frame(plan.to_frame())
    rows: list[tuple[str, str]] = [
        ("units", f"{total:,}"),
        ("effect", f"{plan.target.mde:g} on {plan.target.baseline:g}"),
        ("power", f"{plan.power:g}"),
        ("alpha", f"{plan.alpha:g}"),
    ]
    if len(plan.n) > 2:
        rows.append((f"alpha of a treatment ({plan.correction})", f"{plan.comparison_alpha:.4g}"))
    if plan.target.factor != 1:
        rows.append(("variance of a unit, times", f"{plan.target.factor:.4g}"))
    if plan.looks.method != "fixed":
        rows.append(("units for the looks, times", f"{plan.looks.inflation:.4f}"))
        rows.append(("units at the stop, on average", f"{plan.looks.expected * total:,.0f}"))
    if plan.days is not None:
        rows.append(("days", f"{plan.days:,}"))
    typer.echo()
    print_table(("figure", "value"), rows)
    if plan.looks.method != "fixed":
        typer.echo()
        print_table(
            ("look", "units", "z-score that shows an effect"),
            [
                (place, round(share * total), None if bound == inf else bound)
                for place, (share, bound) in enumerate(
                    zip(plan.looks.information, plan.looks.bounds, strict=True), start=1
                )
            ],
        )


def _amount(text: str, name: str, baseline: float) -> float:
    """Read an amount, or a share of the baseline."""
    number, percent = text.removesuffix("%"), text.endswith("%")
    try:
        value = float(number)
    except ValueError:
        raise ValueError(f"{name} must be a number or a percentage, got {text!r}.") from None
    return value / 100 * abs(baseline) if percent else value


def _shares(text: str) -> list[float]:
    try:
        return [float(each) for each in text.split(",")]
    except ValueError:
        raise ValueError(f"allocation must be numbers and commas, got {text!r}.") from None
