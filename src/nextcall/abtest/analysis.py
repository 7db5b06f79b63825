"""From the rows of a test to what they say: comparisons, sample ratio, verdict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import pandas as pd

from nextcall.abtest.bayes import NormalPrior
from nextcall.abtest.beta_chances import Beta
from nextcall.abtest.breakdowns import SegmentEffects, TimeEffects
from nextcall.abtest.comparison import Comparison, compare
from nextcall.abtest.comparison_table import comparison_frame
from nextcall.abtest.effect import check_alpha
from nextcall.abtest.families import FamilyAdjustment, judged_together
from nextcall.abtest.look import LookPlan
from nextcall.abtest.measured import Measured, check_sums
from nextcall.abtest.measuring import check_metrics, measure_data, variants_of
from nextcall.abtest.metrics import Metric
from nextcall.abtest.planned import PlanReport
from nextcall.abtest.posteriors import posterior_of
from nextcall.abtest.sequential_srm import SequentialSampleRatio
from nextcall.abtest.srm import SampleRatio, sample_ratio
from nextcall.abtest.verdict import Verdict, conclude


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What a test says so far.

    Parameters
    ----------
    comparisons : tuple of Comparison
        Of each metric and treatment, the primary metric's first.
    units : mapping of str to int
        Of each variant, control first.
    srm : SampleRatio
        Whether units went to the variants as planned.
    srm_pvalue : float
        The same, valid at this look.
    verdict : Verdict
    alpha : float
    adjustment : FamilyAdjustment
        Of the p-values.
    segments : tuple of SegmentEffects
        Of the primary metric; where a `Question` asked for them.
    times : tuple of TimeEffects
        The same over the days.
    plan : PlanReport, optional
        What was done otherwise than planned.
    """

    comparisons: tuple[Comparison, ...]
    units: Mapping[str, int]
    srm: SampleRatio
    srm_pvalue: float
    verdict: Verdict
    alpha: float
    adjustment: FamilyAdjustment = "holm"
    segments: tuple[SegmentEffects, ...] = ()
    times: tuple[TimeEffects, ...] = ()
    plan: PlanReport | None = None

    def adjusted(self, method: FamilyAdjustment) -> "Analysis":
        """Give the same with p-values adjusted in another way; guardrails stay as they are.

        ``"dunnett"`` judges the treatments of the primary metric together, and their intervals hold
        together; all others are adjusted by Holm's. It needs a test that is read once, at its end.

        Raises
        ------
        ValueError
            Where there is no such way, or Dunnett's does not hold (`simultaneous` says where).
        """
        judged = judged_together(self.comparisons, self.alpha, method)
        verdict = conclude(judged, self.srm, self.srm_pvalue, alpha=self.alpha)
        return replace(self, comparisons=judged, verdict=verdict, adjustment=method)

    def bayesian(
        self,
        *,
        prior: NormalPrior | None = None,
        shares: Beta | None = None,
        rope: float | None = None,
    ) -> "Analysis":
        """Give the same with what is believed of each comparison; options of `posterior_of`.

        The verdict stays as it is: it is not made by beliefs.
        """
        found = tuple(
            replace(
                each,
                posterior=posterior_of(
                    each, alpha=self.alpha, prior=prior, shares=shares, rope=rope
                ),
            )
            for each in self.comparisons
        )
        return replace(self, comparisons=found)

    def to_frame(self) -> pd.DataFrame:
        """Give a row a comparison."""
        return comparison_frame(self.comparisons)

    def to_dict(self) -> dict[str, Any]:
        """Give all that is known, as plain values; for a file."""
        return {
            "decision": self.verdict.decision,
            "winner": self.verdict.variant,
            "valid": self.verdict.valid,
            "sentence": self.verdict.sentence,
            "alpha": self.alpha,
            "adjustment": self.adjustment,
            "units": dict(self.units),
            "srm_pvalue": self.srm_pvalue,
            "comparisons": [asdict(each) for each in self.comparisons],
            "segments": [asdict(each) for each in self.segments],
            "times": [asdict(each) for each in self.times],
            "plan": None if self.plan is None else asdict(self.plan),
        }

    def _repr_html_(self) -> str:
        """Show the verdict and the table in a notebook."""
        table = self.to_frame().to_html(index=False, float_format="{:.4g}".format)
        return f"<p><b>{self.verdict.decision}</b>: {self.verdict.sentence}</p>{table}"


def analyze(
    data: Any,
    *,
    control: str,
    metrics: Sequence[Metric],
    variant: str = "variant",
    unit: str | None = None,
    strata: str | None = None,
    shares: Mapping[str, float] | None = None,
    plan: LookPlan | float = 0.05,
    earlier: Sequence[float] = (),
) -> Analysis:
    """Analyse a test from its rows.

    Parameters
    ----------
    data : pandas.DataFrame, pyarrow.Table or ibis.Table
        Of an Ibis table the engine makes the moments, and nothing else leaves it.
    control : str
        Name of the control.
    metrics : sequence of metric
        The first is the primary one: it makes the verdict.
    variant, unit : str
        Columns. A unit (user) may have several rows: means are then over rows, with the unit as
        the cluster. Without `unit` each row is a unit.
    strata : str, optional
        Column of what was known of units before the test (country, platform): effects are weighted
        over its values, and what they explain is taken out. One value a unit; rows without one are
        a stratum of their own. Strata with fewer than two units of a variant, and those that a
        variant has not at all, are held as one, with the smallest other where that is not enough;
        then the comparisons warn. Quantiles have no strata.
    shares : mapping of str to float, optional
        Planned for each variant; equal where not given.
    plan : LookPlan or float
        How the test is read; its size is that of control and one treatment. A number is the level
        of significance of a test whose planned units are there and that nobody looked at before.
    earlier : sequence of float
        Units of control and one treatment at earlier looks.

    Raises
    ------
    TypeError
        Where the data is of none of these kinds.
    ValueError
        Where a column is missing or holds no numbers, a variant or unit is unknown, a unit is in
        two variants or two strata, control is not among the variants, there is no treatment, or
        there are more than 1,000 strata.

    Examples
    --------
    >>> import numpy as np
    >>> from nextcall.abtest.metrics import Mean
    >>> rng = np.random.default_rng(0)
    >>> spent, variant = rng.normal(10, 2, 1000), np.repeat(["A", "B"], 500)
    >>> rows = pd.DataFrame({"variant": variant, "spent": spent})
    >>> rows.loc[rows["variant"] == "B", "spent"] += 1
    >>> found = analyze(rows, control="A", metrics=[Mean("spent")])
    >>> found.verdict.decision, found.verdict.variant
    ('winner', 'B')
    """
    metrics = check_metrics(metrics)
    return analyze_measured(
        measure_data(data, metrics, variant=variant, unit=unit, strata=strata),
        control=control,
        metrics=metrics,
        shares=shares,
        plan=plan,
        earlier=earlier,
    )


def analyze_stream(
    batches: Iterable[Any],
    *,
    control: str,
    metrics: Sequence[Metric],
    variant: str = "variant",
    unit: str | None = None,
    strata: str | None = None,
    shares: Mapping[str, float] | None = None,
    plan: LookPlan | float = 0.05,
    earlier: Sequence[float] = (),
) -> Analysis:
    """Analyse a test whose rows come in batches; none is kept.

    Parameters
    ----------
    batches : iterable of pandas.DataFrame, pyarrow.Table or ibis.Table
        All rows of a unit in one of them.

    Raises
    ------
    ValueError
        Where there is no batch, and as `analyze`.
    """
    metrics = check_metrics(metrics)
    check_sums(metrics)
    parts = (
        measure_data(batch, metrics, variant=variant, unit=unit, strata=strata) for batch in batches
    )
    first = next(iter(parts), None)
    if first is None:
        raise ValueError("batches must hold at least one, got none.")
    return analyze_measured(
        reduce(add, parts, first),
        control=control,
        metrics=metrics,
        shares=shares,
        plan=plan,
        earlier=earlier,
    )


def analyze_measured(
    measured: Measured,
    *,
    control: str,
    metrics: Sequence[Metric],
    shares: Mapping[str, float] | None = None,
    plan: LookPlan | float = 0.05,
    earlier: Sequence[float] = (),
) -> Analysis:
    """Analyse what was measured; options as in `analyze`."""
    variants = variants_of(measured, control, shares)
    units = {name: measured.n_units.get(name, 0) for name in variants}
    if not isinstance(plan, LookPlan):
        pairs = [units[control] + units[name] for name in variants[1:]]
        plan = LookPlan(n=max(1, *pairs), method="fixed-horizon", alpha=check_alpha(plan))
        plan = replace(plan, n=max(min(pairs), 1))
    weights = {name: shares[name] for name in variants} if shares else dict.fromkeys(variants, 1.0)
    srm = sample_ratio(units, weights)
    srm_pvalue = srm.pvalue
    if plan.method != "fixed-horizon" or earlier or units[control] + units[variants[1]] < plan.n:
        srm_pvalue = SequentialSampleRatio.start(weights).observe(units).pvalue
    found = [
        each
        for metric in metrics
        for each in compare(measured, metric, variants, plan=plan, earlier=earlier)
    ]
    judged = judged_together(found, plan.alpha, "holm")
    return Analysis(
        comparisons=judged,
        units=units,
        srm=srm,
        srm_pvalue=srm_pvalue,
        verdict=conclude(judged, srm, srm_pvalue, alpha=plan.alpha),
        alpha=plan.alpha,
    )
