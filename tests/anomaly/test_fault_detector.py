import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from nextcall.anomaly import fault_clusters, fault_forecast, fault_step
from nextcall.anomaly.fault_detector import FaultDetector
from nextcall.synth.series import SeriesSettings, metric_series

Floats = NDArray[np.float64]
WEEK = 10_080
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", 1]),
        st.one_of(
            st.floats(-1e3, 1e3),
            st.sampled_from([0.0, 5.0, math.nan, math.inf, 1e308, -1e308, 1e-320]),
        ),
        st.floats(0, 1e6) | st.just(math.nan),
    ),
    max_size=60,
)


def _season(minutes: int, seed: int = 0) -> pd.DataFrame:
    return metric_series(minutes, rng=np.random.default_rng(seed), settings=SeriesSettings())


@given(rows=ROWS)
@settings(max_examples=60, deadline=None)
def test_rows_one_by_one_and_at_once_have_the_same_scores(
    rows: list[tuple[str | int, float, float]],
) -> None:
    start = [(key, 10.0 + place % 7, float(place * 60)) for place in range(130) for key in ("a", 1)]
    rows = [*start, *((key, value, time + 1e4) for key, value, time in rows)]
    one = FaultDetector()
    single = [one.update(key, value, time) for key, value, time in rows]
    table = FaultDetector().score(
        [value for _, value, _ in rows], [key for key, _, _ in rows], [time for _, _, time in rows]
    )
    for name in (
        "risk",
        "enough_data",
        "resting",
        "reason",
        "expected",
        "sigma",
        "once_in",
        "rows",
    ):
        mine = [getattr(score, name) for score in single]
        if name in {"expected", "sigma"}:
            assert np.array_equal(mine, table[name], equal_nan=True)
        else:
            assert mine == table[name].tolist()
    assert all(0 <= score.risk <= 1 for score in single)


def test_compiled_and_plain_steps_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.concatenate([_season(400)["value"], [0.0, math.nan, 900.0], np.full(60, 150.0)])
    values[380] = -1.0
    times = np.append(np.arange(len(values) - 1) * 1200.0, 5.0)
    results = []
    for plain in (False, True):
        if plain:
            for module in (fault_clusters, fault_forecast, fault_step):
                for name, kernel in vars(module).items():
                    if hasattr(kernel, "py_func"):
                        monkeypatch.setattr(module, name, kernel.py_func)
        states = np.zeros((1, fault_step.STATE_WIDTH))
        fault_step.start(states[0])
        rows = np.empty((len(values), fault_step.RESULT_WIDTH))
        places = np.zeros(len(values), dtype=np.int64)
        fault_step.step_rows(states, places, values, times, 1 / 100, 10.0, rows)
        last = np.empty(fault_step.RESULT_WIDTH)
        fault_step.step_at(states, 0, 3.0, math.nan, 1 / 100, 10.0, last)
        results.append(np.vstack([rows, last]))
    assert np.allclose(results[0], results[1], rtol=1e-6, equal_nan=True)


@pytest.mark.parametrize("rate", [1 / 600, 1 / 200])
@pytest.mark.parametrize(
    "noise",
    [
        lambda rng, rows: rng.normal(size=rows),
        lambda rng, rows: rng.laplace(size=rows),
        lambda rng, rows: rng.poisson(5, size=rows).astype(float),
        lambda rng, rows: rng.standard_t(3, size=rows),
        lambda rng, rows: np.exp(rng.normal(size=rows)),
    ],
    ids=["gaussian", "laplace", "poisson", "heavy", "log-normal"],
)
def test_noise_raises_alarms_at_the_rate(
    noise: Callable[[np.random.Generator, int], Floats], rate: float
) -> None:
    values = noise(np.random.default_rng(8), 120_000)
    alarms = (FaultDetector(rate=rate).score(values)["risk"] >= 0.5).sum()
    assert rate * len(values) / 2 <= alarms <= rate * len(values) * 2


@pytest.mark.parametrize("rate", [1 / 600, 1 / 1440])
def test_bursts_raise_alarms_at_the_rate(rate: float) -> None:
    rng = np.random.default_rng(8)
    rows = 1_000_000
    on = np.repeat(rng.random(rows // 20) < 0.07, 20)  # one in 286 rows begins a burst
    values = rng.normal(size=rows) + np.where(on, rng.exponential(10.0, rows), 0.0)
    alarms = (FaultDetector(rate=rate).score(values)["risk"] >= 0.5).sum()
    assert rate * rows / 2 <= alarms <= rate * rows * 2


def test_a_season_is_learned_and_raises_no_more_alarms_than_noise() -> None:
    series = _season(4 * WEEK)
    table = FaultDetector(rate=1 / 600).score(series["value"], times=series["time"])
    late = slice(2 * WEEK, None)
    off = (table["expected"] - series["expected"])[late] / series["sigma"][late]
    assert off.std() < 0.2  # 60 values an hour and week: 1 / sqrt(2 x 40) and some
    assert table["sigma"][late].to_numpy() == pytest.approx(
        series["sigma"][late].to_numpy(), rel=0.15
    )
    assert (table["risk"][late] >= 0.5).mean() < 2 / 600


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (lambda values: values + 120, {"high", "restless"}),
        (lambda values: values * 0.5, {"low", "lower since"}),
        (lambda values: values + np.linspace(0, 60, len(values)), {"high", "higher since"}),
        (
            lambda values: values + np.resize([50.0, -50.0], len(values)),
            {"high", "low", "restless"},
        ),
    ],
    ids=["spike", "dip", "trend", "irregular"],
)
def test_a_fault_is_found_and_told(change: Callable[[Floats], Floats], reasons: set[str]) -> None:
    series = _season(2 * WEEK + 800, seed=4)
    values = series["value"].to_numpy().copy()
    values[-100:] = change(values[-100:])
    table = FaultDetector(rate=1 / 1440).score(values, times=series["time"])
    alarms = table.iloc[-100:][table["risk"].iloc[-100:] >= 0.5]
    assert alarms["reason"].iloc[0] in reasons
    assert (alarms["once_in"] >= 1439).all()


def test_an_explanation_says_what_was_expected_and_since_when() -> None:
    detector = FaultDetector()
    rng = np.random.default_rng(0)
    for value in rng.normal(100, 5, 3_000):
        assert detector.update("a", value).enough_data or len(detector) == 1
    spike = detector.update("a", 160.0)
    assert spike.explanation.startswith("high: now 160, expected 99.7567 (")
    assert "once in" in spike.explanation
    assert spike.reason == "high"
    for value in rng.normal(100, 5, 300):
        detector.update("a", value)
    scores = [detector.update("a", value) for value in rng.normal(110, 5, 40)]
    told = next(score.explanation for score in scores if score.explanation)
    assert told.startswith("higher over ")
    assert detector.update("a", 100.0).explanation == ""


def test_an_alarm_is_followed_by_a_rest() -> None:
    detector = FaultDetector(rest=5)
    detector.score(np.random.default_rng(0).normal(size=1_000))
    scores = [detector.update("", value) for value in [50.0] * 7]
    assert [score.risk >= 0.5 for score in scores] == [True, *[False] * 5, True]
    assert [score.resting for score in scores] == [False, *[True] * 5, False]


def test_rests_double_while_a_fault_goes_on() -> None:
    detector = FaultDetector(rest=5)
    noise = np.random.default_rng(0)
    detector.score(noise.normal(size=1_000))
    alarms = np.flatnonzero(detector.score(np.full(60, 50.0))["risk"] >= 0.5)
    assert alarms.tolist() == [0, 6, 17, 38]  # 5, 10 and 20 rows between
    detector.score(noise.normal(size=200))
    alarms = np.flatnonzero(detector.score(np.full(7, 50.0))["risk"] >= 0.5)
    assert alarms.tolist() == [0, 6]


def test_what_stays_becomes_the_new_normal() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(100, 5, 5_000), rng.normal(200, 5, 12_000)])
    table = FaultDetector().score(values)
    assert (table["risk"][5_000:5_003] >= 0.5).any()
    assert (table["risk"][-5_000:] >= 0.5).mean() < 4 / 600


def test_suspicious_rows_teach_little_until_patience_ends() -> None:
    own = np.zeros(fault_step.STATE_WIDTH)
    shares = [fault_step.trust.py_func(own, 1e9, 0.01) for _ in range(800)]
    assert shares[0] == 1.0
    assert max(shares[1:720]) < 0.01
    assert shares[-1] == 1.0
    calm = [fault_step.trust.py_func(own, 1.0, 0.01) for _ in range(1_000)]
    assert calm[-1] > 0.99


def test_the_slow_mean_speaks_where_its_errors_are_smaller() -> None:
    own = np.zeros(fault_forecast.FORECAST_WIDTH)
    own[fault_forecast.MEAN_QUICK], own[fault_forecast.MEAN_SLOW] = 1.0, 2.0
    own[fault_forecast.ERRORS], own[fault_forecast.ERRORS + 1] = 1.0, 0.9
    assert fault_forecast.expect.py_func(own, math.nan) == 2.0
    own[fault_forecast.ERRORS + 1] = 1.1
    assert fault_forecast.expect.py_func(own, math.nan) == 1.0
    own[fault_forecast.KNOT : fault_forecast.VARIANCE] = 3.0
    own[fault_forecast.VARIANCE :] = 0.01
    assert fault_forecast.expect.py_func(own, 100.0) == 3.0


def test_a_constant_raises_no_alarm_and_a_step_from_it_does() -> None:
    detector = FaultDetector()
    assert detector.score(np.full(20_000, 7.0))["risk"].max() < 0.5
    assert detector.update("", 7.5).risk >= 0.5


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_a_missing_value_is_counted_and_changes_nothing_else(value: float | None) -> None:
    values = np.random.default_rng(0).normal(size=300)
    with_it, without = FaultDetector(), FaultDetector()
    for place, each in enumerate(values):
        if place == 200:
            score = with_it.update("a", value)
            assert (score.risk, score.reason, score.explanation) == (0.0, "", "")
        assert with_it.update("a", each) == without.update("a", each)
    assert with_it.summary()["missing"].tolist() == [1]


def test_a_late_row_is_counted_and_not_learned() -> None:
    detector = FaultDetector()
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    for minute in range(200):
        detector.update("a", 10.0 + minute % 3, begin + timedelta(minutes=minute))
    assert detector.update("a", 1e6, begin).risk == 0
    summary = detector.summary().iloc[0]
    assert summary[["key", "points", "missing", "late"]].tolist() == ["a", 200, 0, 1]


def test_nothing_is_said_before_there_is_enough_data() -> None:
    table = FaultDetector().score([1.0, *np.resize([0.0, 1e9], 99), 1.0])
    assert table["risk"][:100].max() == 0
    assert table["enough_data"].tolist() == [False] * 100 + [True]
    assert len(FaultDetector().score([])) == 0


def test_room_is_made_for_keys_as_they_come() -> None:
    keys = [f"key {number}" for number in range(100)] * 3
    values = np.random.default_rng(0).normal(50, 5, 300)
    one, many = FaultDetector(), FaultDetector()
    for key, value in zip(keys, values.tolist(), strict=True):
        one.update(key, value)
    many.score(values, keys)
    pd.testing.assert_frame_equal(one.summary(), many.summary(), check_exact=True)
    assert (one.summary()["points"] == 3).all()


def test_extreme_numbers_leave_the_state_finite(tmp_path: Path) -> None:
    detector = FaultDetector()
    detector.score(np.resize([1e308, -1e308, 0.0, 5e-324, 1.0], 2_000))
    detector.save(tmp_path / "state.npz")
    assert FaultDetector.load(tmp_path / "state.npz").summary().equals(detector.summary())


def test_state_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    series = _season(3_000)
    detector = FaultDetector(rate=1 / 500, rest=7)
    keys = ["a", 1] * 1_000
    detector.score(series["value"][:2_000], keys, series["time"][:2_000])
    detector.save(tmp_path / "state.npz")
    other = FaultDetector.load(tmp_path / "state.npz")
    assert (other.rate, other.rest, len(other)) == (1 / 500, 7, 2)
    left = series.iloc[2_000:]
    tables = [
        each.score(left["value"], ["a", 1, "b", 2] * 250, left["time"])
        for each in (detector, other)
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)
    FaultDetector().save(tmp_path / "empty.npz")
    assert FaultDetector.load(tmp_path / "empty.npz").update("a", 1.0).risk == 0


def _spoil(path: Path, **changed: Any) -> None:
    with np.load(path) as arrays:
        content = dict(arrays)
    np.savez(path, **(content | changed))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"format": 1}, "format must be 2"),
        ({"options": np.zeros(3)}, "options must have the shape"),
        ({"options": np.array([0.5, 10.0])}, "rate must be"),
        ({"options": np.array([0.01, -1.0])}, "rest must be"),
        ({"keys": np.frombuffer(b'{"a": 1}', dtype=np.uint8)}, "keys are no list"),
        ({"keys": np.frombuffer(b'["a", "a"]', dtype=np.uint8)}, "occurs twice"),
        ({"states": np.zeros((2, 3))}, "must have the shape"),
        ({"states": np.full((2, fault_step.STATE_WIDTH), np.nan)}, "not finite"),
        ({"states": np.full((2, fault_step.STATE_WIDTH), 0.5)}, "count of its states"),
        ({"states": np.full((2, fault_step.STATE_WIDTH), 1e6)}, "a history of its states is none"),
    ],
)
def test_a_spoiled_file_is_refused(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    path = tmp_path / "state.npz"
    detector = FaultDetector()
    detector.score([1.0, 2.0], ["a", "b"])
    detector.save(path)
    _spoil(path, **changed)
    with pytest.raises(ValueError, match=said) as error:
        FaultDetector.load(path)
    assert str(path) in str(error.value)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    for content in (b"", b"text", json.dumps([1]).encode()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="no state of a fault detector"):
            FaultDetector.load(path)
    np.save(path.with_suffix(".npy"), np.zeros(3))
    with pytest.raises(ValueError, match="no state of a fault detector"):
        FaultDetector.load(path.with_suffix(".npy"))
    states = np.zeros((1, fault_step.STATE_WIDTH))
    states[0, fault_step.TIME] = np.nan
    detector = FaultDetector()
    detector.update("a", 1.0)
    detector.save(path)
    _spoil(path, states=states)
    with pytest.raises(ValueError, match="a time of its states"):
        FaultDetector.load(path)


def test_a_key_that_no_file_can_hold_is_named(tmp_path: Path) -> None:
    detector = FaultDetector()
    detector.update(("a", "b"), 1.0)
    with pytest.raises(ValueError, match=r"got \('a', 'b'\)"):
        detector.save(tmp_path / "state.npz")


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"rate must be above 0 and at most 0.05, got 0\."):
        FaultDetector(rate=0)
    with pytest.raises(ValueError, match="rest must be at least 0, got -1"):
        FaultDetector(rest=-1)
    detector = FaultDetector()
    with pytest.raises(ValueError, match="one dimension"):
        detector.score([[1.0]])
    with pytest.raises(ValueError, match="keys must be as many as values, 2, got 1"):
        detector.score([1.0, 2.0], ["a"])
    with pytest.raises(TypeError, match="value must be a number"):
        detector.update("a", "1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="time zone"):
        detector.update("a", 1.0, datetime(2026, 1, 1))  # noqa: DTZ001  # what is refused
    assert len(detector) == 0


def test_a_time_that_is_missing_is_as_none() -> None:
    times = pd.Series([pd.NaT, pd.Timestamp("2026-01-01", tz="UTC")])
    table = FaultDetector().score([1.0, 2.0], times=times)
    assert table["expected"].tolist() == [1.0, 1.0]


@given(decades=st.floats(0.31, 60))
def test_quantiles_agree_with_scipy(decades: float) -> None:
    right = stats.norm.isf(10.0**-decades)
    assert fault_step.normal_quantile.py_func(decades) == pytest.approx(right, abs=5e-4)
    assert fault_step.normal_quantile.py_func(0.3) == 0


def test_overshoot_is_that_of_simulated_sums() -> None:
    rng = np.random.default_rng(0)
    shift, boundary, rows, count = 1.0, 200.0, 0, 0
    total = 0.0
    for score in rng.normal(size=200_000).tolist():
        rows += 1
        total = (1 + total) * math.exp(shift * (score - shift / 2))
        if total >= boundary:
            total, count = 0.0, count + 1
    assert rows / count == pytest.approx(boundary / fault_step._OVERSHOOT[1], rel=0.1)


def test_memory_of_a_key_is_below_four_kilobytes() -> None:
    assert FaultDetector().bytes_per_key <= 4_000
