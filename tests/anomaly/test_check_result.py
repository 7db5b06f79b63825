import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from nextcall.anomaly.check_result import ALARM, Anomaly, CheckResult, Rarity
from nextcall.anomaly.monitor import AnomalyMonitor

SPIKE = Anomaly(kind="spike", magnitude=2.5, expected=20.0, actual=45.0, low=10.0, high=30.0)
TREND = Anomaly(kind="trend", magnitude=1_234.5, expected=1e6, actual=1234567.0, low=0.5, high=2e6)
RESULT = CheckResult(
    risk_score=0.7, anomalies=(TREND, SPIKE), enough_data=True, learned=True, resting=False
)
TOLD = (
    "trend mean of 32 points 1.2346e+06, expected 1e+06 (0.5 to 2e+06), 1,234.50 times the limit; "
    "spike 45, expected 20 (10 to 30), 2.50 times the limit"
)


def test_an_alarm_names_each_detector_and_what_it_compared() -> None:
    assert RESULT.explanation == TOLD


RARITY = Rarity(once_in=1_800.4, alarm_from=600.0, odd_rows=1, odd_since=None)


def test_how_rare_and_since_when_are_told_as_the_stream_detector_does() -> None:
    rare = "once in 1,800 points, an alarm from 600"
    assert replace(RESULT, rarity=RARITY).explanation == f"{TOLD}; {rare}"
    long = replace(RARITY, odd_rows=1_200)
    assert replace(RESULT, rarity=long).explanation == f"{TOLD}; odd for 1,200 points; {rare}"
    timed = replace(long, odd_since=datetime(2026, 1, 5, 7, 8, tzinfo=UTC))
    early = replace(RESULT, rarity=timed, enough_data=False, risk_score=0.0)
    assert early.explanation == (
        f"{TOLD}; odd for 1,200 points, since 2026-01-05 07:08:00 UTC; {rare}; not enough data"
    )


def test_what_lowered_the_risk_is_told() -> None:
    resting = replace(RESULT, resting=True)
    assert replace(resting, risk_score=0.25).explanation == f"{TOLD}; resting after an alarm"
    assert replace(resting, risk_score=0.24).explanation == ""
    assert resting.explanation == TOLD
    early = replace(RESULT, risk_score=0.0, enough_data=False)
    assert early.explanation == f"{TOLD}; not enough data"


def test_a_usual_value_has_no_text() -> None:
    assert replace(RESULT, risk_score=0.4).explanation == ""
    assert replace(RESULT, risk_score=0.3, anomalies=(), resting=True).explanation == ""


def test_a_rest_halves_the_risk_so_that_the_text_can_tell_what_it_was() -> None:
    values = [20.0 + second % 3 for second in range(300)] + [90.0]
    for after in (91.0, 24.0, 21.0, 500.0):
        resting, restless = AnomalyMonitor(), AnomalyMonitor(rest=0)
        for value in values:
            first, other = resting.check("a", value), restless.check("a", value)
        assert first == other
        assert first.alarm
        held, free = resting.check("a", after), restless.check("a", after)
        assert held.resting
        assert held.risk_score == free.risk_score / 2
        assert (held.explanation != "") == (free.risk_score >= ALARM)
        assert held.explanation.endswith("; resting after an alarm") == free.alarm


def test_a_monitor_explains_its_alarms_and_no_missing_or_late_value() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(100, 5, 2_000)
    values[[50, 700, 701, 1_500]] = 400.0
    values[800] = math.nan
    monitor = AnomalyMonitor()
    results = [monitor.check("a", value, time=60.0 * row) for row, value in enumerate(values)]
    assert results[50].explanation.endswith("; not enough data")
    assert results[701].explanation.endswith("; resting after an alarm")
    assert all(result.explanation for result in results if result.alarm)
    assert results[700].alarm
    for kind in ("z_score", "iqr", "spike"):
        assert f"{kind} 400, expected " in results[700].explanation
    assert results[800].explanation == ""
    late = monitor.check("a", 1e9, time=3.0)
    assert (late.risk_score, late.explanation) == (0.0, "")
