"""What is answered of A/B tests."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from nextcall.abtest.decision import Decision
from nextcall.abtest.metrics import Direction
from nextcall.serve.answers import Answered
from nextcall.trials.definition import MeanOver, TestType
from nextcall.trials.life import Action, Change, Status, Trial
from nextcall.trials.results import TrialResult, VariantResult


class VariantAnswer(Answered):
    """One variant of a test."""

    variant_id: str
    variant_name: str
    configuration: Mapping[str, Any]
    traffic_percentage: float


class DefinitionAnswer(Answered):
    """A test as it is planned."""

    test_name: str
    test_type: TestType
    variants: Sequence[VariantAnswer]
    control_variant_id: str
    primary_metric: str
    min_sample_size: int
    planned_sample_size: int | None
    better: Direction
    mean_over: MeanOver
    confidence_level: float


class TrialAnswer(DefinitionAnswer):
    """A test as it stands."""

    test_id: str
    status: Status
    version: int = Field(description="Changes so far, its creation among them.")
    created_at: datetime
    changed_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    safety_flags: Sequence[str] = Field(
        (),
        description="Rules that what was sent breaks where that is no reason to refuse it; kept "
        "nowhere.",
    )

    @classmethod
    def of(cls, trial: Trial, *, safety_flags: Sequence[str] = ()) -> "TrialAnswer":
        """Tell of a test, and of what the guard noticed in what was sent."""
        moments = ("created_at", "changed_at", "started_at", "stopped_at")
        return cls(
            test_id=trial.test_id,
            status=trial.status,
            version=trial.version,
            safety_flags=safety_flags,
            **trial.definition.to_dict(),
            **{name: getattr(trial, name) for name in moments},
        )


class TrialsAnswer(Answered):
    """Tests, the newest first."""

    tests: Sequence[TrialAnswer]


class ChangeAnswer(Answered):
    """One change of a test."""

    version: int = Field(description="Of the test, after it.")
    action: Action
    at: datetime
    status: Status
    definition: DefinitionAnswer

    @classmethod
    def of(cls, change: Change) -> "ChangeAnswer":
        """Tell of a change."""
        return cls(
            version=change.version,
            action=change.action,
            at=change.at,
            status=change.status,
            definition=DefinitionAnswer(**change.definition.to_dict()),
        )


class HistoryAnswer(Answered):
    """Every change of a test, oldest first; none is ever altered."""

    test_id: str
    changes: Sequence[ChangeAnswer]


class AssignAnswer(Answered):
    """What a user sees; the same however often it is asked."""

    test_id: str
    user_id: str
    variant_id: str
    variant_name: str
    configuration: Mapping[str, Any]


class RecordAnswer(Answered):
    """What became of a record; it is on disk."""

    test_id: str
    recorded: int = Field(description="Values that are new.")
    repeated: int = Field(description="Values that were there already.")


class SampleRatioAnswer(Answered):
    """Whether users went to the variants as planned."""

    p_value: float
    valid: bool = Field(description="Whether it is at least 0.001.")
    observed: Mapping[str, int]
    expected: Mapping[str, float]


class VariantResultAnswer(Answered):
    """What one variant says of one metric."""

    variant_id: str
    variant_name: str
    n: int = Field(description="Users on whom the mean rests.")
    units: int = Field(description="Users who were assigned.")
    events: int = Field(description="Recorded values.")
    mean_value: float | None
    confidence_interval_lower: float | None = Field(description="Of the mean.")
    confidence_interval_upper: float | None
    effect: float | None = Field(description="Less control's mean; null for control.")
    effect_lower: float | None
    effect_upper: float | None
    relative_effect: float | None = Field(description="The same as a share of control's mean.")
    relative_effect_lower: float | None
    relative_effect_upper: float | None
    p_value: float | None = Field(description="Of no difference from control, adjusted.")
    outcome: str
    warnings: Sequence[str]

    @classmethod
    def of(cls, result: VariantResult) -> "VariantResultAnswer":
        """Tell of a variant."""
        absolute, relative = result.difference, result.relative
        return cls(
            variant_id=result.variant_id,
            variant_name=result.variant_name,
            n=result.n,
            units=result.units,
            events=result.events,
            mean_value=result.mean_value,
            confidence_interval_lower=result.ci_lower,
            confidence_interval_upper=result.ci_upper,
            effect=absolute and absolute.value,
            effect_lower=absolute and absolute.ci_lower,
            effect_upper=absolute and absolute.ci_upper,
            relative_effect=relative and relative.value,
            relative_effect_lower=relative and relative.ci_lower,
            relative_effect_upper=relative and relative.ci_upper,
            p_value=result.pvalue,
            outcome=result.outcome,
            warnings=result.warnings,
        )


class AnalysisAnswer(Answered):
    """What a test says now."""

    test_id: str
    status: Status
    primary_metric: str
    decision: Decision
    winner_variant_id: str | None = Field(
        description="A treatment that is shown to be better, or control where all are shown to be "
        "worse; null wherever valid is false."
    )
    confidence_level: float
    p_value: float | None
    valid: bool = Field(description="Whether a winner may be named.")
    reason: str
    method: Literal["fixed-horizon", "group-sequential", "always-valid"] = Field(
        description="By which intervals and p-values hold: always-valid at every look."
    )
    srm: SampleRatioAnswer
    variant_results: Sequence[VariantResultAnswer]
    other_metrics: Mapping[str, Sequence[VariantResultAnswer]]

    @classmethod
    def of(cls, result: TrialResult) -> "AnalysisAnswer":
        """Tell of a result."""
        return cls(
            test_id=result.test_id,
            status=result.status,
            primary_metric=result.primary_metric,
            decision=result.decision,
            winner_variant_id=result.winner_variant_id,
            confidence_level=result.confidence_level,
            p_value=result.pvalue,
            valid=result.valid,
            reason=result.reason,
            method=result.method,
            srm=SampleRatioAnswer(
                p_value=result.srm.pvalue,
                valid=result.srm.valid,
                observed=result.srm.observed,
                expected=result.srm.expected,
            ),
            variant_results=[VariantResultAnswer.of(each) for each in result.variant_results],
            other_metrics={
                metric: [VariantResultAnswer.of(each) for each in own]
                for metric, own in result.other_metrics.items()
            },
        )
