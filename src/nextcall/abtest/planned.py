"""A plan that was saved before a test, beside the analysis of what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

from nextcall.abtest.comparison import Comparison
from nextcall.abtest.design import Plan
from nextcall.abtest.look import LookPlan, Method
from nextcall.abtest.metrics import Aim, Mean, Metric, Proportion, Quantile
from nextcall.abtest.plan_comparison import Done, PlanComparison, compare_plan
from nextcall.abtest.srm import sample_ratio
from nextcall.abtest.verdict import MISMATCH

NEARLY = 0.95
"""Share of the planned units from which on a test counts as having reached its end."""

_BEYOND = 1.1  # times the planned units, above which they are more than planned


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """What was done otherwise than planned.

    Parameters
    ----------
    deviations : tuple of str
        A sentence each; none where all was done as planned.
    comparison : PlanComparison or None
        Planned and done, by figures; None where another kind of metric or other variants were
        analysed than planned, or control has no estimate.
    """

    deviations: tuple[str, ...]
    comparison: PlanComparison | None


def look_plan(plan: Plan, units: Sequence[int], *, alpha: float | None = None) -> LookPlan:
    """Say how a planned test is to be read.

    Parameters
    ----------
    units : sequence of int
        That are there, of control and each treatment. From 0.95 of the planned units on a test is
        at its end, for units do not come in tens of thousands to the unit.
    alpha : float, optional
        Another than the plan's.

    Examples
    --------
    >>> from nextcall.abtest.design import design
    >>> from nextcall.abtest.target import Target
    >>> plan = design(Target(metric="proportion", baseline=0.1, mde=0.01))
    >>> look_plan(plan, (7000, 7100)).n, look_plan(plan, (14_600, 14_700)).n
    (29502, 29300)
    """
    n = plan.n[0] + min(plan.n[1:])
    there = units[0] + min(units[1:])
    if there >= NEARLY * n and sum(units) >= NEARLY * sum(plan.n):
        n = min(n, there)
    method: Method = "fixed-horizon" if plan.looks.method == "fixed" else plan.looks.method
    return LookPlan(n=n, method=method, alpha=plan.alpha if alpha is None else alpha)


def shares_of_plan(plan: Plan, control: str, treatments: Sequence[str]) -> dict[str, float] | None:
    """Give the planned share of each variant; None where it is not known whose is whose."""
    own = plan.allocation[1:]
    if len(own) != len(treatments) or len(set(own)) > 1:
        return None
    return dict(zip((control, *treatments), plan.allocation, strict=True))


def report_plan(
    plan: Plan,
    comparisons: Sequence[Comparison],
    *,
    metric: Metric,
    units: Sequence[int],
    read: LookPlan,
    looks: int,
    days: float | None = None,
) -> PlanReport:
    """Say what was done otherwise than planned.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Of the primary metric.
    metric : metric
        The primary one.
    units : sequence of int
        Of control and each treatment, in the order of the plan.
    read : LookPlan
        By which the test is read.
    looks : int
        With this one.
    days : float, optional
        That the rows span.
    """
    kind = _kind(metric)
    found = [
        *_of_size(plan, units),
        *_of_metric(plan, kind, metric.aim, read),
        *_of_looks(plan, looks),
    ]
    comparison = None
    first = comparisons[0]
    same = kind == plan.target.metric and len(units) == len(plan.n) and min(units) >= 2
    if same and isfinite(first.arms[0].variance) and first.arms[0].variance > 0:
        comparison = compare_plan(
            plan,
            Done(
                n=tuple(units),
                baseline=first.control_estimate,
                # So that with the plan's factor it gives the error that there is.
                sd=None
                if kind == "proportion"
                else sqrt(first.arms[0].variance / plan.target.factor),
                days=days,
                looks=looks,
            ),
        )
    return PlanReport(deviations=tuple(found), comparison=comparison)


def _kind(metric: Metric) -> str:
    if isinstance(metric, Mean):
        return "mean"
    if isinstance(metric, Proportion):
        return "proportion"
    return "quantile" if isinstance(metric, Quantile) else "ratio"


def _of_size(plan: Plan, units: Sequence[int]) -> list[str]:
    if len(units) != len(plan.n):
        return [f"{len(plan.n)} variants were planned, {len(units)} are there."]
    found = []
    total, planned = sum(units), sum(plan.n)
    if not NEARLY <= total / planned <= _BEYOND:
        found.append(
            f"{planned:,} units were planned, {total:,} are there ({total / planned:.0%})."
        )
    if sample_ratio(units, plan.allocation).pvalue < MISMATCH:
        shares = ", ".join(f"{each:.1%}" for each in plan.allocation)
        there = ", ".join(f"{each / total:.1%}" for each in units)
        found.append(f"Shares of {shares} were planned, {there} are there.")
    return found


def _of_metric(plan: Plan, kind: str, aim: Aim, read: LookPlan) -> list[str]:
    found = []
    target = plan.target
    if kind != target.metric:
        found.append(f"A {target.metric} was planned as the primary metric, a {kind} is analysed.")
    goal = "difference"
    if aim.margin is not None:
        goal = "non-inferiority"
    elif aim.equivalence is not None:
        goal = "equivalence"
    if goal != target.goal:
        found.append(f"The goal was planned to be {target.goal}, {goal} is asked for.")
    elif goal == "difference" and aim.alternative != target.alternative:
        found.append(
            f"The alternative was planned to be {target.alternative}, {aim.alternative} is tested."
        )
    if read.alpha != plan.alpha:
        found.append(f"Alpha was planned to be {plan.alpha:g}, it is {read.alpha:g}.")
    return found


def _of_looks(plan: Plan, looks: int) -> list[str]:
    planned = len(plan.looks.information)
    if plan.looks.method == "always-valid" or looks <= planned:
        return []
    return [f"{planned} looks were planned, this is look {looks}."]
