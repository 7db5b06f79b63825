"""What a test says now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nextcall.abtest.decision import Decision
from nextcall.abtest.effect import Effect
from nextcall.trials.life import Status

if TYPE_CHECKING:  # a service has results in its types long before it computes one
    from nextcall.abtest.look import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatioCheck:
    """Whether units went to the variants as planned.

    Parameters
    ----------
    pvalue : float
        Of the planned shares; valid at every look while the test runs.
    valid : bool
        Whether it is at least 0.001.
    observed : mapping of variant to int
        Units that were assigned.
    expected : mapping of variant to float
        Of as many units, by the plan.
    """

    pvalue: float
    valid: bool
    observed: Mapping[str, int]
    expected: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantResult:
    """What one variant says of one metric.

    Parameters
    ----------
    variant_id, variant_name : str
    n : int
        Units on which the mean rests.
    units : int
        Units that were assigned.
    events : int
        Recorded values.
    mean_value : float
        Over events, or over units, as the definition says; ``nan`` where there are none.
    ci_lower, ci_upper : float
        Of the mean; ``nan`` below two units.
    difference, relative : Effect or None
        Against control, with what holds at this look; None for control, and where there is not
        enough to compare.
    pvalue : float
        Of no difference, adjusted over the treatments (of a secondary metric over all of them);
        ``nan`` where there is none.
    outcome : str
        As of `Comparison`; ``control`` for control, ``unknown`` where nothing is compared.
    warnings : tuple of str
    """

    variant_id: str
    variant_name: str
    n: int
    units: int
    events: int
    mean_value: float
    ci_lower: float
    ci_upper: float
    difference: Effect | None
    relative: Effect | None
    pvalue: float
    outcome: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What a test says now.

    Parameters
    ----------
    test_id : str
    status : str
    primary_metric : str
    decision : Decision
    winner_variant_id : str or None
        A treatment that is shown to be better, or control where all are shown to be worse; never
        where `valid` is false.
    confidence_level : float
        Of every interval.
    pvalue : float
        Of the winner, or the smallest, adjusted over the treatments; ``nan`` where there is none.
    valid : bool
        Whether a winner may be named: units went as planned, and each variant has enough of them.
    reason : str
        In one sentence, for whoever decides.
    method : Method
        By which the intervals hold: ``always-valid`` while it runs.
    srm : SampleRatioCheck
    variant_results : tuple of VariantResult
        Of the primary metric, in the order of the definition.
    other_metrics : mapping of metric to tuple of VariantResult
    """

    test_id: str
    status: Status
    primary_metric: str
    decision: Decision
    winner_variant_id: str | None
    confidence_level: float
    pvalue: float
    valid: bool
    reason: str
    method: "Method"
    srm: SampleRatioCheck
    variant_results: tuple[VariantResult, ...]
    other_metrics: Mapping[str, tuple[VariantResult, ...]]
