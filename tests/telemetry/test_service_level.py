"""Promises, held against a plain reading of each."""

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.telemetry.latency import Latency
from nextcall.telemetry.service_level import ServiceLevelTargets, ServiceWindow, judge

QUICK = Latency(count=1000, errors=10, p50=0.8, p95=1.5, p99=20.0, longest=30.0)
AT_THE_LIMIT = ServiceWindow(
    prediction=QUICK,
    ranking=replace(QUICK, p95=0.1),
    llm=replace(QUICK, p95=0.5),
    cache_hit=replace(QUICK, p95=0.05),
    hits=80,
    misses=20,
    memory_bytes=1e9,
)


def test_a_value_at_its_limit_meets_it() -> None:
    level = judge(AT_THE_LIMIT)
    assert level.status == "met"
    assert level.ready
    assert {target.name: target.limit for target in level.targets} == {
        "llm_p95": 0.5,
        "ranking_p95": 0.1,
        "prediction_p50": 0.8,
        "prediction_p95": 1.5,
        "cache_hit_p95": 0.05,
        "hit_rate": 0.8,
        "error_rate": 0.01,
        "memory": 1e9,
        "deadline": 30.0,
    }
    assert all(target.value == target.limit for target in level.targets)
    assert all(target.room == target.room_share == 0 for target in level.targets)


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("llm_p95", replace(AT_THE_LIMIT, llm=replace(QUICK, p95=0.55))),
        ("ranking_p95", replace(AT_THE_LIMIT, ranking=replace(QUICK, p95=0.11))),
        ("prediction_p50", replace(AT_THE_LIMIT, prediction=replace(QUICK, p50=0.88))),
        ("prediction_p95", replace(AT_THE_LIMIT, prediction=replace(QUICK, p95=1.65))),
        ("cache_hit_p95", replace(AT_THE_LIMIT, cache_hit=replace(QUICK, p95=0.055))),
        ("hit_rate", replace(AT_THE_LIMIT, hits=72, misses=28)),
        ("error_rate", replace(AT_THE_LIMIT, prediction=replace(QUICK, errors=11))),
        ("memory", replace(AT_THE_LIMIT, memory_bytes=1.1e9)),
        ("deadline", replace(AT_THE_LIMIT, prediction=replace(QUICK, longest=33.0))),
    ],
)
def test_a_tenth_beyond_its_limit_misses_that_promise_alone(
    name: str, window: ServiceWindow
) -> None:
    level = judge(window)
    (missed,) = [target for target in level.targets if target.status == "missed"]
    assert missed.name == name
    assert missed.room_share == pytest.approx(-0.1)
    assert level.status == "missed"
    assert level.ready == (missed.name in {"hit_rate", "llm_p95"})


latencies = st.one_of(
    st.none(),
    st.builds(
        Latency,
        count=st.integers(0, 40),
        errors=st.just(0),
        p50=st.floats(0, 3),
        p95=st.floats(0, 3),
        p99=st.floats(0, 3),
        longest=st.floats(0, 60),
    ),
)
windows = st.builds(
    ServiceWindow,
    prediction=latencies,
    ranking=latencies,
    llm=latencies,
    cache_hit=latencies,
    hits=st.integers(0, 30),
    misses=st.integers(0, 30),
    memory_bytes=st.one_of(st.none(), st.floats(0, 3e9)),
)


@given(windows)
def test_too_few_requests_say_nothing(window: ServiceWindow) -> None:
    least = ServiceLevelTargets().least_count
    level = judge(window)
    known = {
        "llm": window.llm is not None and window.llm.count >= least,
        "ranking": window.ranking is not None and window.ranking.count >= least,
        "cache": window.cache_hit is not None and window.cache_hit.count >= least,
        "hit": window.hits + window.misses >= least,
        "memory": window.memory_bytes is not None,
    }
    predicted = window.prediction is not None and window.prediction.count >= least
    for target in level.targets:
        is_known = known.get(target.name.split("_")[0], predicted)
        assert (target.status == "unknown") == (not is_known)
        assert math.isnan(target.value) == math.isnan(target.room) == (not is_known)
        if is_known:
            above = target.name == "hit_rate"
            holds = target.value >= target.limit if above else target.value <= target.limit
            assert (target.status == "met") == holds
    missed = {target.name for target in level.targets if target.status == "missed"}
    assert level.ready == (missed <= {"hit_rate", "llm_p95"})


def test_a_service_that_nobody_asked_is_ready() -> None:
    level = judge(ServiceWindow())
    assert level.ready
    assert level.status == "unknown"


@pytest.mark.parametrize("name", [field.name for field in fields(ServiceLevelTargets)])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_limits_are_above_nothing(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be above 0.*, got {value}\.$"):
        replace(ServiceLevelTargets(), **{name: value})  # type: ignore[arg-type]  # parametrised


@pytest.mark.parametrize("name", ["hit_rate", "error_rate"])
def test_shares_are_at_most_one(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be above 0 and at most 1, got 1\.1\.$"):
        replace(ServiceLevelTargets(), **{name: 1.1})  # type: ignore[arg-type]  # parametrised


def test_new_questions_are_no_reason_to_send_nobody() -> None:
    level = judge(ServiceWindow(hits=0, misses=100))
    assert [target.name for target in level.targets if target.status == "missed"] == ["hit_rate"]
    assert (level.status, level.ready) == ("missed", True)


def test_a_slow_language_model_is_no_reason_to_send_nobody() -> None:
    level = judge(ServiceWindow(llm=replace(QUICK, p95=7.0)))
    assert [target.name for target in level.targets if target.status == "missed"] == ["llm_p95"]
    assert (level.status, level.ready) == ("missed", True)
