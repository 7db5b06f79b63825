"""What the service answers; a field whose source does not exist is null, never made up."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nextcall.ranking.cold_start import ColdStartLevel
from nextcall.serve.problems import Problem

ProcessingMethod = Literal["lambdamart", "fused_retrieval", "rest_conventions", "generic_crud"]

PlacedBy = Literal["current", "challenger"]


class Answered(BaseModel):
    """Whatever is answered."""

    # A field may be called model_...; NaN and infinity become null.
    model_config = ConfigDict(frozen=True, protected_namespaces=(), ser_json_inf_nan="null")


class OnlineMetrics(Answered):
    """What feedback of the last day says of predictions; all versions of the model together."""

    hit_at_1: float | None
    hit_at_3: float | None
    mrr: float | None
    answers: int


class Prediction(Answered):
    """One operation that may come next."""

    api_call: str = Field(examples=["GET /users/{id}"])
    operation_id: str
    method: str | None = Field(description="Null for a function.")
    description: str
    parameters: Mapping[str, str] = Field(examples=[{"id": "path, string, required"}])
    confidence: float | None = Field(
        description="Calibrated probability that this is right, given that the catalogue has a "
        "right one; null without a trained ranker."
    )
    rank: int


class FullPrediction(Prediction):
    """The same with all that is known of it."""

    ml_ranking_score: float | None
    semantic_similarity: float = Field(description="Cosine of prompt and operation text.")
    ml_features: Mapping[str, float | None] | None
    reasoning: str
    ai_provider: str | None
    cold_start_prediction: bool = Field(description="Whether fallback_method is other than none.")
    safety_validated: bool | None = Field(
        description="Whether the output filter looked at it in full; null where the guard is off."
    )
    safety_flags: list[str] | None = Field(
        description="What it noticed: powerful operation, description withheld, parameter "
        "withheld; null where the guard is off."
    )


class InterleavedWith(Answered):
    """Whose predictions stand among those of the current model."""

    model_version: str | None = Field(description="Of the challenger.")
    placed_by: list[PlacedBy] = Field(description="Who placed each prediction, in their order.")


class Metadata(Answered):
    """How the answer came about."""

    model_version: str | None
    processing_method: ProcessingMethod
    fallback_method: ColdStartLevel = Field(
        description="Who answered, for want of what: see the documentation of the service."
    )
    none_probability: float | None = Field(
        description="Probability that nothing in the catalogue answers the prompt, whatever was "
        "called before; null where the ranker has not learned to tell."
    )
    none_of_these: bool | None = Field(
        description="Whether that is so probable that no prediction should be trusted; null as "
        "the probability is."
    )
    safety_flags: list[str] | None = Field(
        None,
        description="Rules that the request breaks where that is no reason to refuse it; null "
        "where the guard is off.",
    )
    interleaved: InterleavedWith | None = Field(
        None,
        description="Whose predictions stand among those of model_version, where two models answer "
        "together; null where one does.",
    )


class ColdStartAnalysis(Answered):
    """What was known of the calls so far."""

    has_history: bool
    history_events_used: int = Field(description="Events that belong to a known operation.")
    fallback_method: ColdStartLevel
    fallback_order: list[ColdStartLevel] = Field(
        description="Every method, from where most is known to where least is."
    )
    confidence_threshold: float = Field(
        description="Confidence from which the first answer counts as sure."
    )
    is_confident: bool | None = Field(
        description="Whether the first answer reaches it; null without a trained ranker."
    )
    pattern_recognition_confidence: float | None = Field(
        description="Probability of the first answer's action after the calls, by the workflow "
        "that the ranker learned; null without a known call."
    )


class SafetyValidation(Answered):
    """What the guard did; null throughout where it is off."""

    input_validated: bool | None = Field(
        None, description="Whether every check of the request ran; else the basic ones did."
    )
    output_filtered: bool | None = Field(
        None, description="Whether the output filter looked at every prediction in full."
    )
    blocked_predictions: int | None = Field(
        None, description="Operations left out: the catalogue has none such, or its name attacks."
    )
    filtered_by_safety: int | None = Field(
        None, description="Predictions of which a text was changed or withheld."
    )
    security_checks_passed: bool | None = Field(
        None, description="Whether every check ran, and noticed nothing in the request."
    )
    guardrails_version: str | None = Field(None, description="Of the guard's model.")
    flags: list[str] | None = Field(
        None, description="Rules that the request breaks, those that are only observed as well."
    )
    risk: float | None = Field(
        None,
        description="The highest risk of an attack, 0 to 1; null where nothing was noticed.",
    )


class CostAwareRouting(Answered):
    """Null throughout: a prediction asks no language model."""

    model_tier: str | None = None
    model_name: str | None = None
    estimated_cost_usd: float | None = None
    daily_budget_usd: float | None = None
    budget_utilization: float | None = None
    cost_optimization_enabled: bool | None = None


class PerformanceMetrics(Answered):
    """Where the time went, and the memory of the process."""

    llm_latency_ms: float | None = None
    ml_scoring_latency_ms: float | None = Field(
        description="Candidates, features and trees; null without a trained ranker."
    )
    safety_filtering_latency_ms: float | None = Field(
        None, description="Checks of the request and of the answer; null where the guard is off."
    )
    cache_hit: bool | None = None
    memory_usage_mb: float


class FullMetadata(Metadata):
    """The same with all that is known."""

    ai_provider: str | None
    semantic_similarity_enabled: bool
    ml_ranking_enabled: bool
    candidates_generated: int
    candidates_ranked: int = Field(description="Candidates that the trained ranker ordered.")
    k_plus_buffer: int | None = Field(description="Null without a language model.")
    context_events_used: int = Field(description="Events of the history that were looked at.")
    total_endpoints_considered: int
    filtered_endpoints_used: int | None
    cold_start_analysis: ColdStartAnalysis
    safety_validation: SafetyValidation
    cost_aware_routing: CostAwareRouting
    performance_metrics: PerformanceMetrics


class Answer(Answered):
    """The answer to one request, in short."""

    prediction_id: str
    predictions: list[Prediction]
    confidence_scores: list[float | None]
    metadata: Metadata
    processing_time_ms: float


class FullAnswer(Answered):
    """The answer to one request with ``detail=full``."""

    prediction_id: str
    predictions: list[FullPrediction]
    confidence_scores: list[float | None]
    metadata: FullMetadata
    processing_time_ms: float


class BatchItem(Answered):
    """What became of one request of a batch: an answer or a problem, the other is null."""

    answer: Answer | FullAnswer | None = None
    problem: Problem | None = None


class BatchAnswer(Answered):
    """One item a request, in the order of the requests."""

    results: list[BatchItem]
    succeeded: int
    failed: int
    processing_time_ms: float
