"""Numbers of a page, held against a plain count of the same events."""

import math
from collections import Counter
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.telemetry.families import (
    CACHE_HITS,
    CACHE_MISSES,
    COLD_START_CONFIDENCE,
    COLD_STARTS,
    GUARD_VALIDATIONS,
    GUARD_VIOLATIONS,
    LLM_CALLS,
    LLM_DOLLARS,
    LLM_TOKENS,
)
from nextcall.telemetry.latency import Latencies
from nextcall.telemetry.metrics import open_metrics
from nextcall.telemetry.performance import STAGES, performance_of, service_window
from nextcall.telemetry.service_level import judge

checked = st.tuples(
    st.sampled_from(["passed", "flagged", "blocked"]), st.lists(st.sampled_from(["xss", "sqli"]))
)
cold = st.tuples(st.sampled_from(["popular", "generic"]), st.floats(0, 1))


@given(
    st.lists(st.tuples(st.sampled_from(["answers", "vectors"]), st.booleans())),
    st.lists(checked),
    st.lists(cold),
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 9999), st.floats(0, 1))),
)
def test_shares_and_means_are_those_of_the_events(
    asked: list[tuple[str, bool]],
    validated: list[tuple[str, list[str]]],
    unknown: list[tuple[str, float]],
    spent: list[tuple[str, int, float]],
) -> None:
    with open_metrics(endpoints=()) as metrics:
        for cache, hit in asked:
            metrics.count(CACHE_HITS if hit else CACHE_MISSES, cache).add()
        for outcome, families in validated:
            metrics.count(GUARD_VALIDATIONS, outcome).add()
            for family in families:
                metrics.count(GUARD_VIOLATIONS, family).add()
        for level, confidence in unknown:
            outcome = "confident" if confidence >= 0.6 else "unsure"
            metrics.count(COLD_STARTS, level, outcome).add()
            metrics.histogram(COLD_START_CONFIDENCE, level).observe(confidence)
        for provider, tokens, dollars in spent:
            metrics.count(LLM_CALLS, provider, "model", "ok").add()
            metrics.count(LLM_TOKENS, provider, "model", "in").add(tokens)
            metrics.count(LLM_DOLLARS, provider, "model").add(dollars)
        told = performance_of(metrics.told())
    hits = [hit for _, hit in asked]
    assert (told.cache_hits, told.cache_misses) == (sum(hits), len(hits) - sum(hits))
    outcomes = Counter(outcome for outcome, _ in validated)
    violations = [family for _, families in validated for family in families]
    assert told.total_validations == len(validated)
    assert told.blocked_requests == outcomes["blocked"]
    assert told.security_violations == len(violations)
    assert told.total_cold_start_predictions == len(unknown)
    assert (told.llm_calls, told.llm_tokens) == (len(spent), sum(each[1] for each in spent))
    assert told.llm_dollars == pytest.approx(sum(each[2] for each in spent))
    shares: list[tuple[float, list[float]]] = [
        (told.hit_rate, [float(hit) for hit in hits]),
        (told.blocked_rate, [float(outcome == "blocked") for outcome, _ in validated]),
        (told.cold_start_success_rate, [float(each >= 0.6) for _, each in unknown]),
        (told.average_cold_start_confidence, [each for _, each in unknown]),
    ]
    for share, values in shares:
        assert math.isnan(share) if not values else share == pytest.approx(mean(values))
    if validated:
        assert told.security_violation_rate == len(violations) / len(validated)


def test_promises_are_held_against_the_windows_of_stages() -> None:
    latencies = Latencies(["/predict", "/health", *STAGES], clock=lambda: 0)
    for number in range(100):
        latencies.of("/predict").observe(0.2, error=number < 2)
        latencies.of("/health").observe(50.0)
        latencies.of("ranking").observe(0.09)
        latencies.of("cache_hit" if number < 85 else "cache_miss").observe(0.01)
    window = service_window(latencies.told(), prediction="/predict", memory_bytes=2e9)
    statuses = {target.name: target.status for target in judge(window).targets}
    assert statuses == {
        "llm_p95": "unknown",
        "ranking_p95": "met",
        "prediction_p50": "met",
        "prediction_p95": "met",
        "cache_hit_p95": "met",
        "hit_rate": "met",
        "error_rate": "missed",
        "memory": "missed",
        "deadline": "met",
    }
    nothing = service_window({}, prediction="/predict")
    assert judge(nothing).status == "unknown"
