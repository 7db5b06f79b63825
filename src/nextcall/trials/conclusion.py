"""From the sums of a test to what it says: however many records it has, a few rows are read."""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Final

from nextcall.abtest.analysis import Analysis, analyze_measured
from nextcall.abtest.comparison import Comparison
from nextcall.abtest.decision import Decision
from nextcall.abtest.effect import Arm, effect_of
from nextcall.abtest.look import LookPlan, look
from nextcall.abtest.measured import Measured, Summed
from nextcall.abtest.metrics import Aim, Mean, Metric
from nextcall.abtest.moments import Moments
from nextcall.abtest.sequential_srm import SequentialSampleRatio
from nextcall.abtest.srm import SampleRatio, sample_ratio
from nextcall.abtest.verdict import MISMATCH, conclude
from nextcall.trials.aggregates import Aggregate
from nextcall.trials.definition import Definition, Variant
from nextcall.trials.life import Trial
from nextcall.trials.results import SampleRatioCheck, TrialResult, VariantResult

_OVERRUN: Final = 1.1
"""What a test may be larger than planned, and still be read by its plan."""

Sums = Mapping[tuple[str, str], Aggregate]
"""Of each variant and metric."""


def conclude_trial(trial: Trial, units: Mapping[str, int], sums: Sums) -> TrialResult:
    """Say what a test says now.

    Parameters
    ----------
    trial : Trial
    units : mapping of variant to int
        Assigned so far.
    sums : mapping of (variant, metric) to Aggregate
    """
    plan = trial.definition
    observed = {name: units.get(name, 0) for name in plan.shares}
    reading = None if _unseen(trial) else _reading(plan)
    srm = sample_ratio(observed, plan.shares)
    srm_pvalue = srm.pvalue
    if reading is not None:
        srm_pvalue = SequentialSampleRatio.start(plan.shares).observe(observed).pvalue
    metrics = sorted({metric for _, metric in sums} - {plan.primary_metric})
    measured = _measured(plan, [plan.primary_metric, *metrics], observed, sums)
    analysis = _analysis(plan, measured, reading)
    results = {
        metric.name: tuple(
            _variant_result(plan, each, metric, measured, sums, reading, analysis)
            for each in plan.variants
        )
        for metric in measured.missing
    }
    own = results.pop(plan.primary_metric)
    decision, winner, reason = _decided(plan, own, srm, srm_pvalue, analysis)
    return TrialResult(
        test_id=trial.test_id,
        status=trial.status,
        primary_metric=plan.primary_metric,
        decision=decision,
        winner_variant_id=winner,
        confidence_level=plan.confidence_level,
        pvalue=_pvalue(plan, own, winner),
        valid=decision != "invalid",
        reason=reason,
        method="fixed-horizon" if reading is None else reading.method,
        srm=SampleRatioCheck(
            pvalue=srm_pvalue,
            valid=srm_pvalue >= MISMATCH,
            observed=observed,
            expected={each.variant: each.expected for each in srm.variants},
        ),
        variant_results=own,
        other_metrics=results,
    )


def _unseen(trial: Trial) -> bool:
    """Whether it is over, and nobody looked while it ran: a plain interval holds then."""
    return trial.status in {"stopped", "archived"} and trial.units_at_first_look is None


def _reading(plan: Definition) -> LookPlan:
    """Read at any time: up to a tenth beyond the plan, for nobody stops a test at a unit."""
    shares = plan.shares
    control = shares.pop(plan.control_variant_id)
    pair = (control + max(shares.values())) / 100  # of all units
    n = _OVERRUN * plan.planned_units * len(plan.variants) * pair
    return LookPlan(n=n, method="always-valid", alpha=plan.alpha)


def _measured(
    plan: Definition, metrics: Sequence[str], observed: Mapping[str, int], sums: Sums
) -> Measured:
    """Put the sums into the form that rows are reduced to."""
    found = {
        name: {each: sums.get((each, name), Aggregate()) for each in observed} for name in metrics
    }
    by_event = plan.mean_over == "events"
    several = any(each.events > each.units for own in found.values() for each in own.values())

    def moments(sums_of: Aggregate, units: int) -> Moments:
        if by_event and several:
            return sums_of.by_event()
        return sums_of.by_unit(sums_of.units if by_event else units)

    grouped: dict[Summed, dict[str, Moments]] = {
        _metric(plan, name): {each: moments(own[each], observed[each]) for each in observed}
        for name, own in found.items()
    }
    return Measured(
        n_rows=observed,
        n_units=observed,
        grouped=grouped,
        missing={metric: dict.fromkeys(observed, 0) for metric in grouped},
        quantiles={},
        clustered=by_event and several,
    )


def _metric(plan: Definition, name: str) -> Mean:
    better = plan.better if name == plan.primary_metric else "higher"
    return Mean(name, aim=Aim(better=better))


def _analysis(plan: Definition, measured: Measured, reading: LookPlan | None) -> Analysis | None:
    """Compare what can be compared; None where the primary metric cannot."""
    there = [
        metric
        for metric, own in measured.grouped.items()
        if all(each.n >= 2 for each in own.values())
    ]
    if not there or there[0].name != plan.primary_metric:
        return None
    return analyze_measured(
        measured,
        control=plan.control_variant_id,
        metrics=there,
        shares=plan.shares,
        plan=plan.alpha if reading is None else reading,
        earlier=() if reading is None else (reading.n,),
    )


def _variant_result(
    plan: Definition,
    variant: Variant,
    metric: Metric,
    measured: Measured,
    sums: Sums,
    reading: LookPlan | None,
    analysis: Analysis | None,
) -> VariantResult:
    name = variant.variant_id
    arm = measured.adjusted(metric, [name]).arms[0]
    share = len(plan.variants) * variant.traffic_percentage / 100  # 1 where all are equal
    interval = _interval(plan, arm, reading, measured.n_units[name], share)
    compared = _comparison(analysis, metric.name, name)
    control = name == plan.control_variant_id
    return VariantResult(
        variant_id=name,
        variant_name=variant.variant_name,
        n=int(arm.n),
        units=measured.n_units[name],
        events=sums.get((name, metric.name), Aggregate()).events,
        mean_value=arm.estimate,
        ci_lower=interval[0],
        ci_upper=interval[1],
        difference=compared.difference if compared else None,
        relative=compared.relative if compared else None,
        pvalue=compared.adjusted_pvalue if compared else nan,
        outcome="control" if control else compared.outcome if compared else "unknown",
        warnings=compared.warnings if compared else (),
    )


def _interval(
    plan: Definition, arm: Arm, reading: LookPlan | None, units: int, share: float
) -> tuple[float, float]:
    """Give the interval of a variant's own mean."""
    if arm.n < 2:
        return nan, nan
    found = effect_of(arm.estimate, arm.se, dof=arm.n - 1, alpha=plan.alpha)
    if reading is not None:
        n = _OVERRUN * plan.planned_units * share
        own = LookPlan(n=n, alpha=plan.alpha, first=reading.first / 2)
        found = look(own, found, units, earlier=[n] if units > n else []).effect
    return found.ci_lower, found.ci_upper


def _comparison(analysis: Analysis | None, metric: str, treatment: str) -> Comparison | None:
    comparisons = analysis.comparisons if analysis else ()
    for each in comparisons:
        if (each.metric, each.treatment) == (metric, treatment):
            return each
    return None


def _decided(
    plan: Definition,
    own: Sequence[VariantResult],
    srm: SampleRatio,
    srm_pvalue: float,
    analysis: Analysis | None,
) -> tuple[Decision, str | None, str]:
    """Give decision, winner and reason; what makes a winner impossible comes first."""
    if srm_pvalue < MISMATCH:
        return "invalid", None, conclude((), srm, srm_pvalue, alpha=plan.alpha).sentence
    least = min(own, key=lambda each: each.n)
    if analysis is None or least.n < plan.min_sample_size:
        return (
            "invalid",
            None,
            (
                f"No winner can be named yet: {least.variant_id} has {least.n:,} units with a "
                f"value of {plan.primary_metric}, and each variant must have "
                f"{plan.min_sample_size:,}."
            ),
        )
    verdict = analysis.verdict
    if verdict.decision == "loser":
        return verdict.decision, plan.control_variant_id, verdict.sentence
    return verdict.decision, verdict.variant, verdict.sentence


def _pvalue(plan: Definition, own: Sequence[VariantResult], winner: str | None) -> float:
    """Give the winner's p-value: of control, the largest of those who lost; else the smallest."""
    pvalues = {each.variant_id: each.pvalue for each in own if not isnan(each.pvalue)}
    if winner in pvalues:
        return pvalues[winner]
    known = pvalues.values()
    return (max if winner == plan.control_variant_id else min)(known, default=nan)
