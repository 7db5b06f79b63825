"""What a ranking came to, and all that a full answer tells of it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from pydantic_core import to_json

from nextcall.ranking.candidates import N_CANDIDATES
from nextcall.ranking.cold_start import ColdStartLevel
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.serve.answers import (
    ColdStartAnalysis,
    CostAwareRouting,
    FullMetadata,
    PerformanceMetrics,
    ProcessingMethod,
    SafetyValidation,
)
from nextcall.serve.found import AnyFound, number
from nextcall.serve.process.memory import memory_usage_mb

_WORKFLOW_PROBABILITY: Final = FEATURE_NAMES.index("trigram_prob")


class Outcome(NamedTuple):
    """All that an answer is made of."""

    found: Sequence[AnyFound]
    level: ColdStartLevel
    events: int
    known_events: int
    none_probability: float | None
    scoring_ms: float | None
    """None where no ranker answered."""
    start: float
    """Reading of `time.perf_counter` when the request came."""


class Told(NamedTuple):
    """What a short answer tells of how it came about: the fields of `Metadata`, in their order."""

    model_version: str | None
    processing_method: ProcessingMethod
    fallback_method: ColdStartLevel
    none_probability: float | None
    none_of_these: bool | None
    safety_flags: list[str] | None = None
    interleaved: None = None
    """Two models are told of where their answers are put together."""

    @property
    def written(self) -> bytes:
        """JSON, as `Metadata` writes it."""
        return to_json(self._asdict(), inf_nan_mode="null")


def full_metadata(
    outcome: Outcome, *, short: Told, operations: int, confidence_threshold: float
) -> FullMetadata:
    """Tell how an answer came about, with all that is known.

    Parameters
    ----------
    outcome : Outcome
    short : Told
        What a short answer tells.
    operations : int
        Of the catalogue.
    confidence_threshold : float
        Confidence from which a first answer counts as sure.
    """
    has_ranker = outcome.scoring_ms is not None
    usual = {ColdStartLevel.REST_CONVENTIONS, ColdStartLevel.GENERIC_CRUD}
    candidates = min(operations if outcome.level in usual else N_CANDIDATES, operations)
    best = outcome.found[0].features
    pattern = best[_WORKFLOW_PROBABILITY] if best is not None else np.nan
    sure = outcome.found[0].confidence
    return FullMetadata(
        **short._asdict(),
        ai_provider=None,
        semantic_similarity_enabled=True,
        ml_ranking_enabled=has_ranker,
        candidates_generated=candidates,
        candidates_ranked=candidates if has_ranker else 0,
        k_plus_buffer=None,
        context_events_used=outcome.events,
        total_endpoints_considered=operations,
        filtered_endpoints_used=None,
        cold_start_analysis=ColdStartAnalysis(
            has_history=outcome.events > 0,
            history_events_used=outcome.known_events,
            fallback_method=outcome.level,
            fallback_order=list(ColdStartLevel),
            confidence_threshold=confidence_threshold,
            is_confident=None if sure is None else sure >= confidence_threshold,
            pattern_recognition_confidence=number(pattern),
        ),
        safety_validation=SafetyValidation(),
        cost_aware_routing=CostAwareRouting(),
        performance_metrics=PerformanceMetrics(
            ml_scoring_latency_ms=outcome.scoring_ms, memory_usage_mb=memory_usage_mb()
        ),
    )
