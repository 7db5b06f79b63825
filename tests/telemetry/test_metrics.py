"""Metrics of one worker, held against Prometheus' own client and its reader."""

import dataclasses
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from nextcall.telemetry.families import (
    AUDIT_LOST,
    CACHE_HITS,
    COLD_START_CONFIDENCE,
    CREDENTIALS_FRESH,
    FAMILIES,
    FUNCTION_CALLS,
    HTTP_ACTIVE,
    HTTP_REQUESTS,
    HTTP_SECONDS,
    LLM_DOLLARS,
    OTHER,
)
from nextcall.telemetry.metrics import open_metrics
from nextcall.telemetry.slots import SIZE, Slots

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

METHODS = ("GET", "POST", "BREW", "get")
ENDPOINTS = ("/predict", "/tests/{test_id}", "/absent", "*")
STATUSES = (200, 404, 500, 299, 9999)

requests = st.lists(
    st.tuples(
        st.sampled_from(METHODS),
        st.sampled_from(ENDPOINTS),
        st.sampled_from(STATUSES),
        st.one_of(st.floats(0, 100), st.sampled_from(HTTP_SECONDS.bounds)),
    ),
    max_size=30,
)


def samples(text: bytes) -> Samples:
    """Read a text as Prometheus' own client reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(requests)
def test_requests_are_told_as_prometheus_own_client_tells_them(
    asked: list[tuple[str, str, int, float]],
) -> None:
    registry = CollectorRegistry()
    counter = Counter("http_requests", "Any.", HTTP_REQUESTS.labels, registry=registry)
    histogram = Histogram(
        HTTP_SECONDS.name,
        "Any.",
        HTTP_SECONDS.labels,
        registry=registry,
        buckets=HTTP_SECONDS.bounds,
    )
    active = Gauge(HTTP_ACTIVE.name, "Any.", registry=registry)
    active.inc(2)
    with open_metrics(endpoints=ENDPOINTS[:2]) as metrics:
        metrics.request_began()
        metrics.request_began()
        for method, endpoint, status, seconds in asked:
            known = method if method in {"GET", "POST"} else "*"
            template = endpoint if endpoint in ENDPOINTS[:2] else "*"
            code = str(status) if status in {200, 404, 500} else "*"
            counter.labels(known, template, code).inc()
            histogram.labels(known, template).observe(seconds)
            metrics.request_began()
            metrics.request_ended(method, endpoint, status, seconds)
        found = samples(metrics.text())
    expected = samples(generate_latest(registry))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-12)


def test_every_family_is_told_with_what_was_added() -> None:
    with open_metrics(endpoints=()) as metrics:
        for number, family in enumerate(FAMILIES):
            labels = [f"{label} {number}" for label in family.labels]
            if family.kind == "histogram":
                metrics.histogram(family, *labels).observe(number / 20)
            else:
                metrics.count(family, *labels).add(number + 0.5)
        found = samples(metrics.text())
        for number, family in enumerate(FAMILIES):
            of = tuple(sorted((label, f"{label} {number}") for label in family.labels))
            if family.kind == "histogram":
                assert found[f"{family.name}_sum", of] == number / 20
                assert found[f"{family.name}_count", of] == 1
            else:
                assert found[family.name, of] == number + 0.5
                assert sum(metrics.totals(family).values(), ()) == (number + 0.5,)


def test_sets_of_labels_are_found_again() -> None:
    with open_metrics(endpoints=()) as metrics:
        found = metrics.histogram(COLD_START_CONFIDENCE, "popular")
        assert metrics.histogram(COLD_START_CONFIDENCE, "popular") is found
        assert metrics.histogram(COLD_START_CONFIDENCE, "generic") is not found
        for number in range(300):
            metrics.histogram(COLD_START_CONFIDENCE, str(number)).observe(0.5)
        assert len(metrics._histograms) == COLD_START_CONFIDENCE.most
        counted = metrics.totals(COLD_START_CONFIDENCE).values()
        assert sum(sum(numbers[:-1]) for numbers in counted) == 300


def test_strange_labels_are_quoted() -> None:
    strange = 'a"b\\c {x="1"} é'
    with open_metrics(endpoints=()) as metrics:
        metrics.count(CACHE_HITS, strange).add(3)
        assert samples(metrics.text())["cache_hits_total", (("cache", strange),)] == 3


@pytest.mark.parametrize("label", ["x" * 201, "two\nlines", "\ud800"])
def test_labels_that_are_none_count_as_others(label: str) -> None:
    with open_metrics(endpoints=()) as metrics:
        metrics.count(CACHE_HITS, label).add()
        assert metrics.totals(CACHE_HITS) == {("*",): (1.0,)}
        assert b'cache_hits_total{cache="*"} 1.0' in metrics.text()


def test_sets_of_labels_have_an_end_and_lose_nothing() -> None:
    asked = FUNCTION_CALLS.most + 50
    with open_metrics(endpoints=()) as metrics:
        for number in range(asked):
            metrics.count(FUNCTION_CALLS, f"function {number}", "ok").add()
        totals = metrics.totals(FUNCTION_CALLS)
        assert len(metrics._counts) == FUNCTION_CALLS.most
        again = metrics.count(FUNCTION_CALLS, "function 0", "ok")
        assert again is metrics.count(FUNCTION_CALLS, "function 0", "ok")
    assert len(totals) == FUNCTION_CALLS.most + 1
    assert totals["*", "*"] == (50.0,)
    assert sum(value for (value,) in totals.values()) == asked


def test_paths_methods_and_statuses_that_a_caller_makes_up_take_no_memory() -> None:
    with open_metrics(endpoints=["/predict"]) as metrics:
        for number in range(5000):
            metrics.request_began()
            metrics.request_ended(f"M{number}", f"/{number}", 600 + number, 0.1)
        assert metrics.totals(HTTP_REQUESTS) == {("*", "*", "*"): (5000.0,)}
        assert metrics._requests == {}


def test_all_families_fit_full_of_labels() -> None:
    slots = Slots()
    for family in FAMILIES:
        for number in range(family.most + 1):
            key = (family.name, *(f"label {number:030d}" for _ in family.labels))
            assert slots.place(key, family.size) is not None


def test_a_full_memory_counts_under_others() -> None:
    with open_metrics(endpoints=()) as metrics:
        while metrics._slots.place(("any", "x" * 100), 1) is not None:
            pass
        metrics.count(CACHE_HITS, "x" * 200).add(2)
        assert metrics.totals(CACHE_HITS) == {("*",): (2.0,)}
    few = Slots()
    assert few.place(("any",), SIZE) is None


def test_threads_lose_nothing() -> None:
    def ask() -> None:
        for _ in range(2000):
            metrics.request_began()
            metrics.request_ended("GET", "/predict", 200, 0.25)
            metrics.count(LLM_DOLLARS, "a", "b").add(0.5)
            confidence.observe(0.75)

    with open_metrics(endpoints=["/predict"]) as metrics:
        confidence = metrics.histogram(COLD_START_CONFIDENCE, "popular")
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert metrics.totals(HTTP_REQUESTS) == {("GET", "/predict", "200"): (8000.0,)}
        assert metrics.totals(HTTP_ACTIVE) == {(): (0.0,)}
        assert metrics.totals(LLM_DOLLARS) == {("a", "b"): (4000.0,)}
        (counts,) = metrics.totals(COLD_START_CONFIDENCE).values()
        assert counts[-1] == 6000.0


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_a_clock_that_went_back_spoils_no_sum(seconds: float) -> None:
    with open_metrics(endpoints=()) as metrics:
        metrics.request_ended("GET", "/", 200, seconds)
        ((*counts, total),) = metrics.totals(HTTP_SECONDS).values()
    assert (counts[0], total) == (1.0, 0.0)


@pytest.mark.parametrize("amount", [-1.0, math.nan, math.inf])
def test_what_would_spoil_a_metric_is_refused(amount: float) -> None:
    with open_metrics(endpoints=()) as metrics:
        with pytest.raises(ValueError, match=r"^amount must be finite, and at least 0 in a"):
            metrics.count(CACHE_HITS, "a").add(amount)
        with pytest.raises(ValueError, match=r"^value must be finite and at least 0, got"):
            metrics.histogram(HTTP_SECONDS, "GET", "/").observe(amount)


def test_families_and_labels_must_fit() -> None:
    unknown = type(CACHE_HITS)(name="other_total", kind="counter", told="Any.")
    with open_metrics(endpoints=()) as metrics:
        with pytest.raises(ValueError, match=r"^family must be a counter or a gauge, got http_re"):
            metrics.count(HTTP_SECONDS, "GET", "/")
        with pytest.raises(ValueError, match=r"^family must be a histogram, got cache_hits_total"):
            metrics.histogram(CACHE_HITS, "a")
        with pytest.raises(ValueError, match=r"^labels must be \('cache',\) of cache_hits_total"):
            metrics.count(CACHE_HITS)
        with pytest.raises(ValueError, match=r"^family must be one of FAMILIES, got other_total"):
            metrics.count(unknown)


def test_a_counter_takes_what_is_counted_elsewhere_and_never_falls() -> None:
    with open_metrics(endpoints=()) as metrics:
        lost = metrics.count(AUDIT_LOST)
        assert metrics.totals(AUDIT_LOST) == {(): (0.0,)}
        for value in (3, 2):
            lost.set(value)
        lost.rise()
        assert lost.own == 4
        assert metrics.totals(AUDIT_LOST) == {(): (4.0,)}
        fresh = metrics.count(CREDENTIALS_FRESH)
        assert metrics.totals(CREDENTIALS_FRESH) == {}  # nobody told yet
        for value in (1, 0):
            fresh.set(value)
        assert metrics.totals(CREDENTIALS_FRESH) == {(): (0.0,)}
        with pytest.raises(ValueError, match=r"^value must be finite, got nan\.$"):
            fresh.set(math.nan)


def test_what_nothing_counts_is_not_told_of() -> None:
    with open_metrics(endpoints=()) as metrics:
        assert b"llm_calls_total" not in metrics.text()
        metrics.count(LLM_DOLLARS, "a", "b").add()
        text = metrics.text()
    assert b"llm_cost_dollars_total" in text
    assert b"llm_calls_total" not in text


def test_threads_that_read_while_others_count_see_each_key_once() -> None:
    with open_metrics(endpoints=()) as metrics:

        def count() -> None:
            for number in range(60):
                metrics.count(CACHE_HITS, f"cache {number}").rise()

        def read() -> None:
            found.extend([key for key, _ in metrics._slots.numbers()] for _ in range(60))

        found: list[list[tuple[str, ...]]] = []
        threads = [threading.Thread(target=work) for work in (count, read, read, read)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(len(set(keys)) == len(keys) for keys in found)
        assert metrics.totals(CACHE_HITS) == {(f"cache {n}",): (1.0,) for n in range(60)}


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 2), st.integers(0, 9))))
def test_the_parts_of_a_worker_add_up(counted: list[tuple[str, int, int]]) -> None:
    with open_metrics(endpoints=()) as metrics:
        parts = {(label, n): metrics.part(CACHE_HITS, label) for label in "abc" for n in (0, 1)}
        for label, number, amount in counted:
            if (label, number) in parts:
                parts[label, number][0] += amount
            else:
                metrics.count(CACHE_HITS, label).add(amount)
        told = metrics.totals(CACHE_HITS)
        for label in "abcd":
            expected = sum(amount for each, _, amount in counted if each == label)
            assert told.get((label,), (0.0,)) == (expected,)


def test_parts_beyond_the_limit_count_under_the_rest_and_without_room_nowhere() -> None:
    with open_metrics(endpoints=()) as metrics:
        for number in range(CACHE_HITS.most + 3):
            metrics.part(CACHE_HITS, f"{number}")[0] += 1
        assert metrics.totals(CACHE_HITS)[OTHER,] == (3.0,)
        with pytest.raises(ValueError, match="family must be a counter, got http_requests_active"):
            metrics.part(HTTP_ACTIVE)
        with pytest.raises(ValueError, match="family must be one of FAMILIES"):
            metrics.part(dataclasses.replace(CACHE_HITS))
        while metrics._slots.place(("other",), 100) is not None:
            pass
        while metrics._slots.place(("other",), 1) is not None:
            pass
        lost = metrics.part(CACHE_HITS, "0")
        lost[0] += 1
        assert (lost[0], metrics.totals(CACHE_HITS)["0",]) == (1.0, (1.0,))
