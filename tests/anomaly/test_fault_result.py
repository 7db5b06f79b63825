import math

import numpy as np
import pytest

from nextcall.anomaly.fault_detector import FaultDetector
from nextcall.anomaly.fault_result import ALARM, FaultScore, explanations


def _rows() -> tuple[list[float], list[float]]:
    """Noise, odd in its warm-up, with a shift later; one row missing and one late."""
    rng = np.random.default_rng(5)
    values = rng.normal(100, 5, 1_500)
    values[60:64] = 300.0
    values[900:960] += 25.0
    values[930] = math.nan
    times = np.arange(len(values)) * 60.0
    times[940] = 0.0
    return values.tolist(), times.tolist()


def test_a_text_is_where_the_risk_without_a_rest_is_an_alarm() -> None:
    values, times = _rows()
    detector, restless = FaultDetector(rest=20), FaultDetector(rest=0)
    scores = [detector.update("", *row) for row in zip(values, times, strict=True)]
    bare = [restless.update("", *row).risk for row in zip(values, times, strict=True)]
    held = 0
    for score, risk in zip(scores[100:], bare[100:], strict=True):
        assert (score.explanation != "") == (risk >= ALARM)
        told = score.explanation.endswith("; resting after an alarm")
        assert told == (risk >= ALARM > score.risk)
        held += told
    assert held > 5
    assert scores[930].explanation == scores[940].explanation == ""
    assert scores[930].risk == scores[940].risk == 0.0


def test_a_text_says_where_the_warm_up_held_a_row_back() -> None:
    values, times = _rows()
    detector = FaultDetector()
    scores = [detector.update("", *row) for row in zip(values, times, strict=True)][:100]
    assert scores[60].explanation.startswith("high: now 300, expected ")
    assert scores[60].explanation.endswith(" points, an alarm from 600; not enough data")
    assert all(score.explanation == "" for score in scores[:60])
    assert all((score.explanation != "") == (score.once_in >= 600) for score in scores)


def test_many_rows_have_the_texts_of_each_alone() -> None:
    values, times = _rows()
    detector = FaultDetector(rate=1 / 300)
    texts = [detector.update("", *row).explanation for row in zip(values, times, strict=True)]
    assert explanations(FaultDetector(rate=1 / 300).score(values, times=times), values) == texts
    assert explanations(FaultDetector().score([]), []) == []


@pytest.mark.parametrize(
    ("reason", "begins"),
    [
        ("low", "low: now 3, expected 10 (8.04 to 11.96); "),
        ("lower since", "lower over 7 points: now 3, "),
        ("restless", "restless over 7 points: now 3, "),
    ],
)
def test_a_text_says_what_was_strange_and_since_when(reason: str, begins: str) -> None:
    score = FaultScore(
        risk=0.75,
        enough_data=True,
        resting=False,
        reason=reason,
        actual=3.0,
        expected=10.0,
        sigma=1.0,
        once_in=1_800.4,
        rows=7,
        alarm_from=600.0,
    )
    assert score.explanation.startswith(begins)
    assert score.explanation.endswith("; once in 1,800 points, an alarm from 600")
