"""What a benchmark asks is what the detectors say, row by row."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from nextcall.anomaly.detector import StreamDetector
from nextcall.anomaly.monitor import AnomalyMonitor
from nextcall.anomaly.named_kernels import KINDS
from nextcall.anomaly.scorers import Scorer, own_scorers

START = datetime(2026, 1, 5, tzinfo=UTC)
TIMES = np.array([np.datetime64("2026-01-05T00:00:00", "s") + 300 * row for row in range(3000)])


@pytest.fixture
def values() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(100, 5, 3000)
    drawn[[1000, 2000]] += 60
    return drawn


def test_every_detector_scores_every_row_and_sees_the_spikes(values: np.ndarray) -> None:
    for scorer in own_scorers():
        scores = scorer.score(values, TIMES)
        assert scores.shape == values.shape
        assert ((scores >= 0) & (scores <= 1)).all()
        if scorer.name not in {"trend", "behavior", "change of level"}:  # one value moves none
            assert scores[2000] >= 0.5, scorer.name


def test_scores_do_not_depend_on_later_rows(values: np.ndarray) -> None:
    for scorer in own_scorers():
        whole, first = scorer.score(values, TIMES), scorer.score(values[:1500], TIMES[:1500])
        np.testing.assert_array_equal(whole[:1500], first)


def _named(name: str, rate: float) -> Scorer:
    return next(scorer for scorer in own_scorers(rate=rate) if scorer.name == name)


def test_stream_and_consensus_are_those_of_one_value_at_a_time(values: np.ndarray) -> None:
    rate = 1 / 300
    detector, monitor = StreamDetector(rate=rate), AnomalyMonitor(rate=rate)
    stream, five = _named("stream detector", rate), _named("consensus of the five", rate)
    risks = [detector.update("", value).risk for value in values.tolist()]
    np.testing.assert_array_equal(stream.score(values, TIMES), risks)
    risks = [
        monitor.update("value", value, time=START + timedelta(seconds=300 * row))
        for row, value in enumerate(values.tolist())
    ]
    np.testing.assert_array_equal(five.score(values, TIMES), risks)


def test_a_named_detector_alone_reaches_a_half_where_it_finds_an_anomaly(
    values: np.ndarray,
) -> None:
    monitor = AnomalyMonitor()
    found: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for row, value in enumerate(values.tolist()):
        result = monitor.check("value", value, time=START + timedelta(seconds=300 * row))
        for anomaly in result.anomalies if result.enough_data else ():
            found[anomaly.kind].append(row)
    for kind in KINDS:
        scores = _named(kind, 1 / 600).score(values, TIMES)
        assert np.flatnonzero(scores > 0.5).tolist() == found[kind]
