"""What is asked of a test, in one value, and the answer with all that belongs to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any

from nextcall.abtest.analysis import Analysis, analyze_measured
from nextcall.abtest.breakdowns import (
    SegmentEffects,
    TimeEffects,
    effects_by_segment,
    effects_over_time,
    read_days,
)
from nextcall.abtest.comparison import Comparison
from nextcall.abtest.design import Plan
from nextcall.abtest.families import FamilyAdjustment
from nextcall.abtest.look import LookPlan
from nextcall.abtest.measuring import check_metrics, measure_data, variants_of
from nextcall.abtest.metrics import Metric
from nextcall.abtest.multiplicity import adjusted_pvalues
from nextcall.abtest.planned import look_plan, report_plan, shares_of_plan
from nextcall.abtest.posteriors import Beliefs
from nextcall.abtest.simultaneous import refusal
from nextcall.abtest.verdict import MISMATCH, pvalue_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a test; fields without a line here as of `analyze`.

    Parameters
    ----------
    plan : LookPlan or float, optional
        A level of significance is 0.05, or the design's, where none is given. With a `design` it
        must be no LookPlan, for the design says how the test is read.
    adjust : FamilyAdjustment, optional
        How p-values are adjusted: as the design has it where it can be, else by Holm.
    design : Plan, optional
        That was made before the test: it says how the test is read and in which shares units were
        to come, and the answer says what was done otherwise.
    segments : tuple of str
        Columns of what was known of units before the test.
    time : str, optional
        Column of days.
    beliefs : Beliefs, optional
        What is believed beside the comparisons.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from nextcall.abtest.metrics import Mean
    >>> rng = np.random.default_rng(0)
    >>> rows = pd.DataFrame({"variant": ["A", "B"] * 500, "spent": rng.normal(10, 1, 1000)})
    >>> rows["country"] = rng.choice(["de", "fr"], 1000)
    >>> question = Question(control="A", metrics=(Mean("spent"),), segments=("country",))
    >>> question.answer(rows).segments[0].to_frame()["country"].tolist()
    ['de', 'fr']
    """

    control: str
    metrics: tuple[Metric, ...]
    variant: str = "variant"
    unit: str | None = None
    strata: str | None = None
    shares: Mapping[str, float] | None = None
    plan: LookPlan | float | None = None
    earlier: tuple[float, ...] = ()
    adjust: FamilyAdjustment | None = None
    design: Plan | None = None
    segments: tuple[str, ...] = ()
    time: str | None = None
    beliefs: Beliefs | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        names = [name for metric in self.metrics for name in metric.columns]
        own = [each for each in (self.unit, self.strata, self.time) if each is not None]
        return tuple(dict.fromkeys([self.variant, *own, *self.segments, *names]))

    def answer(self, data: Any) -> Analysis:
        """Analyse rows.

        Raises
        ------
        TypeError, ValueError
            As `analyze`; where days are asked of an Ibis table; where treatments were planned with
            different shares and `shares` does not say whose is whose.
        """
        metrics = check_metrics(self.metrics)
        measured = measure_data(
            data, metrics, variant=self.variant, unit=self.unit, strata=self.strata
        )
        control, *treatments = variants_of(measured, self.control, self.shares)
        shares, plan, units = self.shares, self.plan, [0]
        if self.design is not None:
            if isinstance(plan, LookPlan):
                raise ValueError("plan and design both say how a test is read; give one of them.")
            shares = shares or self._planned_shares(self.design, treatments)
            order = (control, *(each for each in shares or treatments if each != control))
            units = [measured.n_units[each] for each in order]
            plan = look_plan(self.design, units, alpha=plan)
        found = analyze_measured(
            measured,
            control=control,
            metrics=metrics,
            shares=shares,
            plan=0.05 if plan is None else plan,
            earlier=self.earlier,
        )
        found = found.adjusted(self._adjustment(found.comparisons, len(treatments)))
        if self.beliefs is not None:
            own = self.beliefs
            found = found.bayesian(prior=own.prior, shares=own.shares, rope=own.rope)
        found = self._broken_down(found, data, (control, *treatments))
        if self.design is None or not isinstance(plan, LookPlan):
            return found
        primary = [each for each in found.comparisons if each.metric == metrics[0].name]
        report = report_plan(
            self.design,
            primary,
            metric=metrics[0],
            units=units,
            read=plan,
            looks=len(self.earlier) + 1,
            days=None if self.time is None else _span(data, self.time),
        )
        return replace(found, plan=report)

    def _planned_shares(
        self, design: Plan, treatments: Sequence[str]
    ) -> Mapping[str, float] | None:
        found = shares_of_plan(design, self.control, treatments)
        if found is None and len(design.allocation) == len(treatments) + 1:
            raise ValueError(
                "shares must be given, control's first and treatments in the order of the plan, "
                f"where these have different ones, got none for {list(design.allocation)}."
            )
        return found

    def _adjustment(self, comparisons: Sequence[Comparison], n_treatments: int) -> FamilyAdjustment:
        """Adjust as was asked, or as was planned, where that can be."""
        if self.adjust is not None:
            return self.adjust
        planned = "none" if self.design is None else self.design.correction
        if planned == "bonferroni":
            return planned
        primary = [each for each in comparisons if each.metric == comparisons[0].metric]
        able = n_treatments > 1 and all(refusal(each) is None for each in primary)
        return "dunnett" if planned == "dunnett" and able else "holm"

    def _broken_down(self, found: Analysis, data: Any, variants: Sequence[str]) -> Analysis:
        """Add segments and days of the primary metric, and what they ask to have in mind."""
        metric = self.metrics[0]
        segments = [
            each
            for column in self.segments
            for each in effects_by_segment(
                data,
                segment=column,
                metric=metric,
                variants=variants,
                variant=self.variant,
                unit=self.unit,
                alpha=found.alpha,
            )
        ]
        times: list[TimeEffects] = []
        if self.time is not None:
            times = effects_over_time(
                data,
                time=self.time,
                metric=metric,
                variants=variants,
                variant=self.variant,
                unit=self.unit,
                alpha=found.alpha,
            )
        mind = _to_mind(segments, times, found.alpha) if found.verdict.valid else []
        return replace(
            found,
            segments=tuple(segments),
            times=tuple(times),
            verdict=found.verdict.minding(mind),
        )


def _to_mind(
    segments: Sequence[SegmentEffects], times: Sequence[TimeEffects], alpha: float
) -> list[str]:
    """Tell in what effects differ, by p-values adjusted for how often it was asked (Holm)."""
    asked: list[tuple[float, str]] = []
    for each in segments:
        told = f"the effect of {each.treatment} differs between values of {each.column}"
        asked.append((each.heterogeneity.pvalue, told))
    for one in times:
        if one.clock == "calendar":
            told = "changes over the days of the test"
        elif one.trend.slope.value * sum(each.value / each.se**2 for each in one.trend.effects) < 0:
            told = "wears off with the days since first exposure (a novelty)"
        else:
            told = "grows with the days since first exposure"
        asked.append((one.trend.slope.pvalue, f"the effect of {one.treatment} {told}"))
        if one.weekdays is not None:
            told = f"the effect of {one.treatment} hangs on the day of the week"
            asked.append((one.weekdays.pvalue, told))
    known = [(pvalue, told) for pvalue, told in asked if not isnan(pvalue)]
    adjusted = adjusted_pvalues([pvalue for pvalue, _ in known]).tolist()
    mixed = {each.column for each in segments if each.heterogeneity.mix_pvalue < MISMATCH}
    return [
        *(f"the variants do not have the same mix of {each}" for each in sorted(mixed)),
        *(
            f"{told}, {pvalue_text(pvalue)}"
            for pvalue, (_, told) in zip(adjusted, known, strict=True)
            if pvalue <= alpha
        ),
    ]


def _span(data: Any, time: str) -> float:
    """Give how many days the rows span, the first and the last counted."""
    days, _ = read_days(data, time)
    return float(days.max() - days.min() + 1)
