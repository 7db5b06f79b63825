from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextcall.anomaly.fault_detection import (
    alarm_rows,
    compare_detectors,
    detect_faults,
    random_alarms,
    recall_table,
    series_numbers,
    threshold_at,
    wilson_interval,
)
from nextcall.anomaly.fault_scores import OURS, score_rows
from nextcall.synth.fault_study import LAWS, draw_fault_study

ALARM_ROWS: list[Callable[..., Any]] = [alarm_rows, alarm_rows.py_func]
STUDY = draw_fault_study(
    {"counts, 3 clients": LAWS["counts, 3 clients"]},
    rng=np.random.default_rng(3),
    series=1,
    clean_series=1,
    history=1000,
    minutes=2500,
    sizes=[4.0],
)


def _slow(scores: list[float], keys: list[int], threshold: float, rest: int) -> list[bool]:
    alarms: list[int] = []
    for row, score in enumerate(scores):
        near = [before for before in alarms if row - before <= rest and keys[before] == keys[row]]
        if score >= threshold and not near:
            alarms.append(row)
    return [row in alarms for row in range(len(scores))]


@pytest.mark.parametrize("mark", ALARM_ROWS)
@given(
    scores=st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan]), max_size=40),
    rest=st.integers(0, 5),
    change=st.integers(0, 40),
)
def test_alarms_agree_with_a_plain_definition(
    mark: Callable[..., Any], scores: list[float], rest: int, change: int
) -> None:
    keys = [int(row >= change) for row in range(len(scores))]
    found = mark(np.array(scores), np.array(keys, dtype=np.int64), 1.0, rest)
    assert found.tolist() == _slow(scores, keys, 1.0, rest)


def test_a_threshold_gives_the_rate_and_no_lower_score_does() -> None:
    scores = np.random.default_rng(0).random(5_000)
    keys = np.zeros(5_000, dtype=np.int64)
    threshold = threshold_at(scores, keys, rate=0.01)
    lower = scores[scores < threshold].max()
    assert alarm_rows(scores, keys, threshold, 10).mean() <= 0.01
    assert alarm_rows(scores, keys, lower, 10).mean() > 0.01


def test_no_threshold_holds_a_rate_where_all_scores_are_one() -> None:
    assert threshold_at(np.ones(100), np.zeros(100), rate=0.01) == np.inf


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_rate_is_a_share(rate: float) -> None:
    with pytest.raises(ValueError, match="rate must be above 0 and below 1"):
        threshold_at([1.0], [0], rate=rate)


def test_one_who_knows_the_truth_finds_all_at_once_and_raises_no_false_alarm() -> None:
    faults, alarms = detect_faults(
        STUDY.planted,
        STUDY.truth,
        STUDY.clean,
        planted_scores=(STUDY.planted["fault"] >= 0).to_numpy(dtype=float),
        clean_scores=0.5 * (np.arange(len(STUDY.clean)) % 50 == 0),
        rate=0.03,
    )
    assert alarms["threshold"].tolist() == [0.5]
    assert faults["found"].all()
    assert faults["delay"].max() == 0
    assert alarms["false_rate"].tolist() == [0.0]


def test_alarms_outside_faults_are_false_but_for_those_shortly_after() -> None:
    rows = 400
    planted = pd.DataFrame(
        {"law": "a", "series": 0, "entity": "e", "fault": [-2] * 100 + [-1] * 300}
    )
    planted.loc[200:209, "fault"] = 0
    truth = pd.DataFrame(
        {"law": ["a"], "series": [0], "fault": [0], "kind": ["spike/burst"], "first": [200]}
    )
    clean = planted.assign(fault=[-2] * 100 + [-1] * 300)
    scores = np.zeros(rows)
    scores[[50, 150, 203, 215, 390]] = 1.0  # history, false, hit, after, false
    quiet = np.zeros(rows)
    quiet[300] = 1.0
    faults, alarms = detect_faults(
        planted, truth, clean, planted_scores=scores, clean_scores=quiet, rate=1 / 300
    )
    assert faults[["found", "delay", "family"]].to_numpy().tolist() == [[True, 3.0, "spike"]]
    assert alarms["clean_rate"].tolist() == [1 / 300]
    assert alarms["false_rate"].tolist() == [2 / (300 - 10 - 60)]


@given(n=st.integers(1, 200), share=st.floats(0, 1))
def test_intervals_agree_with_scipy(n: int, share: float) -> None:
    found = round(share * n)
    low, high = wilson_interval([found], [n])
    right = stats.binomtest(found, n).proportion_ci(method="wilson")
    assert low[0] == pytest.approx(right.low, abs=1e-6)
    assert high[0] == pytest.approx(right.high, abs=1e-6)


def test_a_table_counts_what_is_found() -> None:
    faults = pd.DataFrame(
        {"kind": ["a", "a", "a", "b"], "found": [True, True, False, False],
         "delay": [1.0, 3.0, np.nan, np.nan]}
    )  # fmt: skip
    table = recall_table(faults, ["kind"]).set_index("kind")
    first = table[["n", "found", "delay", "delay_of_all"]].to_numpy()[0]
    assert first.tolist() == [3, 2, 2.0, 3.0]
    assert table.loc["b", "recall"] == 0
    assert table.loc["b", "delay_of_all"] == np.inf


def test_random_alarms_find_what_chance_finds() -> None:
    rng = np.random.default_rng(1)
    few = random_alarms(STUDY.planted, STUDY.truth, rate=1 / 2000, rng=rng)["found"].mean()
    many = random_alarms(STUDY.planted, STUDY.truth, rate=1 / 20, rng=rng)["found"].mean()
    assert few < 0.3 < many


@pytest.mark.parametrize("name", [*OURS, "EWMA z-score"])
def test_scores_of_a_series_do_not_depend_on_the_others(name: str) -> None:
    numbers = series_numbers(STUDY.clean)
    alone = STUDY.clean[numbers == 1]
    together = score_rows(name, STUDY.clean, rate=1 / 600)[numbers == 1]
    assert np.array_equal(score_rows(name, alone, rate=1 / 600), together)


def test_detectors_are_compared_at_every_rate() -> None:
    faults, alarms = compare_detectors(
        STUDY.planted,
        STUDY.truth,
        STUDY.clean,
        scores={
            name: (
                score_rows(name, STUDY.planted, rate=1 / 240),
                score_rows(name, STUDY.clean, rate=1 / 240),
            )
            for name in ("Hampel", "z-score")
        },
        rates=[1 / 240, 1 / 60],
    )
    assert len(faults) == 4 * len(STUDY.truth)
    assert len(alarms) == 4
    found = faults.groupby("rate")["found"].sum()
    assert found[1 / 60] >= found[1 / 240]
