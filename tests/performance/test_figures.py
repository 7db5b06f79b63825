"""Figures of samples, beside numpy's and plain sums."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.performance.figures import MOST_SAMPLES, Figures, Samples

SECONDS = st.lists(st.floats(1e-6, 100), min_size=1, max_size=500)


@given(SECONDS, st.integers(0, 5))
def test_figures_are_those_of_numpy(seconds: list[float], errors: int) -> None:
    found = Figures.of(Samples(seconds=seconds, errors=errors, elapsed=2.0))
    expected = 1000 * np.percentile(seconds, [50, 95, 99])
    np.testing.assert_allclose([found.p50, found.p95, found.p99], expected, atol=1e-4)
    assert found.mean == pytest.approx(1000 * sum(seconds) / len(seconds), abs=1e-4)
    assert found.longest == pytest.approx(1000 * max(seconds), abs=1e-4)
    assert (found.count, found.errors) == (len(seconds) + errors, errors)
    assert found.rate == len(seconds) / 2
    assert found.latency().p95 == pytest.approx(found.p95 / 1000)


@given(SECONDS)
def test_samples_are_few_and_span_all(seconds: list[float]) -> None:
    found = Figures.of(Samples(seconds=seconds, errors=0, elapsed=1.0))
    assert len(found.samples) == min(len(seconds), MOST_SAMPLES)
    assert list(found.samples) == sorted(found.samples)
    ends = (1000 * min(seconds), 1000 * max(seconds))
    assert (found.samples[0], found.samples[-1]) == pytest.approx(ends, abs=1e-4)


def test_of_failures_alone_no_time_is_told() -> None:
    found = Figures.of(Samples(seconds=[], errors=3, elapsed=0.5))
    assert (found.count, found.errors, found.rate, found.samples) == (3, 3, 0.0, ())
    assert all(map(math.isnan, (found.p50, found.p95, found.p99, found.mean, found.longest)))
