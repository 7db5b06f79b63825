import math

import numpy as np
import pytest

from nextcall.anomaly import fault_clusters as clusters
from nextcall.anomaly import fault_step
from nextcall.anomaly.tails import Floats, learn

RATE = 1 / 600


def _own(excesses: list[float], counted: float) -> Floats:
    own = np.zeros(clusters.CLUSTER_WIDTH)
    for excess in excesses:
        learn(own[clusters.KNOWN :], excess)
    own[clusters.COUNTED] = counted
    clusters.raise_boundary.py_func(own, RATE)
    return own


def test_stretches_of_independent_rows_leave_the_boundary_where_it_is() -> None:
    excesses = np.random.default_rng(0).exponential(size=60).tolist()
    own = _own(excesses, 60 / RATE)
    assert own[clusters.RAISED] == 0
    assert clusters.expected_stretches.py_func(own, 1.0) == pytest.approx(75 / math.e, rel=0.2)


def test_stretches_beyond_the_boundary_come_at_the_rate_and_some() -> None:
    excesses = np.random.default_rng(0).uniform(5, 40, 200)
    own = _own(excesses.tolist(), 50 / RATE)  # four times the rate
    over = (excesses > own[clusters.RAISED]).sum()
    assert over == pytest.approx(clusters.EXCESS * (50 + clusters.PRIOR), rel=0.1)


def test_no_boundary_is_raised_beyond_the_most() -> None:
    own = _own([clusters.MOST] * 500, 0.0)
    assert own[clusters.RAISED] == pytest.approx(clusters.MOST, rel=0.05)


def _stretch(most: float, *, alarms: bool) -> float:
    """Give what is remembered of 20 rows of 2.5 deviations: the middle of its bin."""
    rng = np.random.default_rng(3)
    quiet = np.resize([-0.7, 0.7], 400)
    scores = np.concatenate([quiet[:100], rng.normal(2.5, 0.5, 20), quiet])
    own = np.zeros(fault_step.STATE_WIDTH)
    fault_step.start(own)
    mine = own[fault_step.CLUSTER :]
    mine[clusters.SINCE] = 2 * clusters.APART / RATE
    usual = math.e / RATE
    for score in scores.tolist():
        evidence, alone, _, _ = fault_step.add_up(own, score, most)
        alarm = alarms and evidence >= usual
        if alarm:
            own[fault_step.UP : fault_step.UP_SINCE] = own[fault_step.SPREAD] = 0.0
        clusters.learn_stretch.py_func(mine, evidence, evidence - alone, alarm, usual, RATE)
    assert mine[clusters.KNOWN] == 1
    assert mine[clusters.PEAK] == mine[clusters.ALARMED] == 0
    return float(2 ** ((mine[clusters.KNOWN + 1] + 0.5) / 4))


def test_a_stretch_is_remembered_as_if_no_alarm_had_set_the_sums_back() -> None:
    assert _stretch(1e40, alarms=True) == pytest.approx(_stretch(1e40, alarms=False), rel=0.25)


def test_faults_soon_after_one_another_are_remembered_once() -> None:
    own = np.zeros(clusters.CLUSTER_WIDTH)
    remembered = []
    for row in range(round(3.1 * clusters.APART / RATE)):
        evidence = 1e9 if row % 100 < 5 else 1.0
        clusters.learn_stretch.py_func(own, evidence, evidence, False, math.e / RATE, RATE)
        remembered.append(own[clusters.KNOWN])
    assert remembered[-1] == 2  # one begins soon after twice 1,200 rows
    assert remembered.index(1.0) == pytest.approx(clusters.APART / RATE, abs=150)


def test_half_of_the_past_is_forgotten_when_there_is_much() -> None:
    own = _own([1.0, 2.0, 2.0, 30.0], clusters.MEMORY / RATE)
    before = own.copy()
    clusters.count_quiet.py_func(own, RATE)
    assert own[clusters.COUNTED] == (before[clusters.COUNTED] + 1) / 2
    assert own[clusters.KNOWN] == 2
    for excess in (0.5, 1.5, 10.0):
        both = [
            clusters.expected_stretches.py_func(each, excess) - 15 * math.exp(-excess)
            for each in (before, own)
        ]
        assert both[0] == pytest.approx(2 * both[1], rel=0.1)


def test_without_a_history_the_law_of_independent_rows_speaks() -> None:
    own = np.zeros(clusters.CLUSTER_WIDTH)
    clusters.count_quiet.py_func(own, RATE)
    assert own[clusters.COUNTED] == 1
    expected = clusters.expected_stretches.py_func(own, math.log(3.0))
    assert expected == pytest.approx(clusters.PRIOR / 3)


def test_rests_double_up_to_a_thousand_times() -> None:
    own = np.zeros(clusters.CLUSTER_WIDTH)
    rests = [clusters.next_rest.py_func(own, 3.0) for _ in range(13)]
    assert rests == [3.0 * 2 ** min(alarm, 10) for alarm in range(13)]
