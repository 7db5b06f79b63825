"""The monitor: one value at a time, a frame at once, and what lies in a file say the same."""

import copy
import json
import math
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.anomaly.monitor import AnomalyMonitor
from nextcall.anomaly.monitor_input import number_combinations
from nextcall.anomaly.named_kernels import (
    COLD,
    KINDS,
    LEAST,
    MEMORY,
    MISSING,
    POINTS,
    RANKS,
    RARITY,
    RATE,
    REST_LENGTH,
    SLOT,
    TIME,
    VALUES,
    VARIANCE,
    WARM,
)
from nextcall.anomaly.named_rarity import FIRST_ODD, LAST_ODD, STRENGTH, TAIL, TIMED

START = datetime(2026, 1, 5, tzinfo=UTC)


def frame(n: int = 1200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = 10 + rng.standard_t(3, n)
    values[rng.random(n) < 0.02] = np.nan
    minutes = np.cumsum(rng.integers(0, 40, n))
    return pd.DataFrame(
        {
            "metric": rng.choice(["calls", "latency"], n),
            "entity": rng.choice(np.array(["a", "b", None], dtype=object), n),
            "value": values,
            "time": pd.Series(START + pd.to_timedelta(minutes, unit="min")).astype(
                "datetime64[us, UTC]"
            ),
        },
        index=np.arange(n) * 2,
    )


def state_of(monitor: AnomalyMonitor) -> bytes:
    """Give all numbers of all keys."""
    return b"".join(each.tobytes() for each in monitor._rows.arrays())


def streamed(monitor: AnomalyMonitor, rows: pd.DataFrame) -> pd.DataFrame:
    found: list[dict[str, Any]] = []
    for row in rows.to_dict("records"):
        missing = {name: value for name, value in row.items() if name == "value" or pd.notna(value)}
        result = monitor.check(**{str(name): value for name, value in missing.items()})
        found.append(
            {
                "risk_score": result.risk_score,
                "enough_data": result.enough_data,
                "learned": result.learned,
                "resting": result.resting,
                "found": {anomaly.kind for anomaly in result.anomalies},
            }
        )
    return pd.DataFrame(found, index=rows.index)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(0, 1200))
def test_a_frame_says_what_single_values_say(seed: int, cut: int) -> None:
    rows = frame(seed=seed)
    one, other = AnomalyMonitor(rate=0.01), AnomalyMonitor(rate=0.01)
    expected = streamed(one, rows)
    found = pd.concat([other.check_frame(rows[:cut]), other.check_frame(rows[cut:])])
    kinds = [{kind for kind in KINDS if row[kind] > 1} for row in found.to_dict("records")]
    assert kinds == expected["found"].tolist()
    columns = ["risk_score", "enough_data", "learned", "resting"]
    pd.testing.assert_frame_equal(found[columns], expected[columns], check_exact=True)
    assert state_of(one) == state_of(other)
    pd.testing.assert_frame_equal(one.summary(), other.summary())
    assert one.summary()["alarms"].sum() == (found["risk_score"] >= 0.5).sum()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(0, 1200))
def test_the_risks_alone_are_those_of_a_frame(seed: int, cut: int) -> None:
    rows = frame(seed=seed)
    one, other = AnomalyMonitor(rate=0.01), AnomalyMonitor(rate=0.01)
    expected = one.check_frame(rows)["risk_score"].to_numpy()
    found = np.concatenate([other.update_frame(rows[:cut]), other.update_frame(rows[cut:])])
    np.testing.assert_array_equal(found, expected)
    assert state_of(one) == state_of(other)


def test_it_goes_on_from_a_file_bit_for_bit(tmp_path: Path) -> None:
    rows = frame()
    monitor = AnomalyMonitor(rate=0.01, least_change=0.5, memory=100, rest=7)
    monitor.check_frame(rows[:700])
    monitor.save(tmp_path / "state.npz")
    again = AnomalyMonitor.load(tmp_path / "state.npz")
    assert len(again) == len(monitor)
    pd.testing.assert_frame_equal(again.summary(), monitor.summary())
    expected, found = monitor.check_frame(rows[700:]), again.check_frame(rows[700:])
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    monitor.save(tmp_path / "one.npz")
    again.save(tmp_path / "other.npz")
    assert again._settings == monitor._settings
    assert state_of(again) == state_of(monitor)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


def test_a_copy_goes_on_by_itself() -> None:
    rows = frame()
    monitor = AnomalyMonitor(rate=0.01)
    monitor.check_frame(rows[:700])
    stream = monitor.stream("calls", "a")
    copies = [copy.deepcopy(monitor), pickle.loads(pickle.dumps(monitor))]  # noqa: S301  # ours
    before = state_of(monitor)
    found = [each.check_frame(rows[700:]) for each in copies]
    assert state_of(monitor) == before
    expected = monitor.check_frame(rows[700:])
    for each in found:
        pd.testing.assert_frame_equal(each, expected, check_exact=True)
    del monitor
    risks = {each.stream("calls", "a").update(30.0) for each in copies}
    assert risks == {stream.update(30.0)}


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_stream_is_not_copied_away_from_its_monitor(take: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="copy its monitor"):
        take(AnomalyMonitor().stream("calls"))


def test_a_stream_says_what_its_monitor_says() -> None:
    one, other = AnomalyMonitor(rate=0.01), AnomalyMonitor(rate=0.01)
    stream = one.stream("latency", "a", "read")
    assert one.stream("latency", "a", "read") is stream
    for row in frame(400).to_dict("records"):
        value, time = row["value"], row["time"]
        assert stream.update(value, time) == other.update("latency", value, "a", "read", time)
    assert stream.check(90, START) == other.check("latency", 90, "a", "read", START)
    assert stream.check(90) == other.check("latency", 90, "a", "read")
    assert state_of(one) == state_of(other)
    with pytest.raises(TypeError, match="value must be a number, got '12'"):
        stream.update("12")  # type: ignore[arg-type]  # text on purpose
    with pytest.raises(TypeError, match="time must be seconds"):
        stream.check(1.0, "now")
    with pytest.raises(TypeError, match="metric must be text, got 3"):
        one.stream(3)  # type: ignore[arg-type]  # a number on purpose


@pytest.mark.parametrize("dtype", ["object", "string", "string[python]", "category"])
def test_names_of_a_frame_may_be_of_any_kind(dtype: str) -> None:
    rows = frame()
    one, other = AnomalyMonitor(), AnomalyMonitor()
    for part in (rows[:3], pd.concat([rows[:50], rows[50:]]), rows[:0]):
        expected = streamed(one, part)
        found = other.check_frame(part.astype({"metric": dtype, "entity": dtype}))
        assert found["risk_score"].tolist() == expected.get("risk_score", pd.Series()).tolist()
    assert state_of(one) == state_of(other)
    assert list(one._rows.addresses) == list(other._rows.addresses)


def test_many_names_in_all_columns_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    names = {name: rng.integers(0, 900, 1000).astype(str) for name in ("entity", "behavior")}
    rows = pd.DataFrame({"metric": rng.integers(0, 900, 1000).astype(str), "value": 1.0, **names})
    monitor = AnomalyMonitor()
    monitor.check_frame(rows)
    keys = dict.fromkeys(rows[["metric", "entity", "behavior"]].itertuples(index=False, name=None))
    assert list(monitor._rows.addresses) == list(keys)
    code = rng.integers(0, 50, 300)
    for one, other in zip(
        number_combinations(code, 50), number_combinations.py_func(code, 50), strict=True
    ):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(number_combinations(code, 50)[0], pd.factorize(code)[0])


def test_an_empty_monitor_is_kept_and_grows(tmp_path: Path) -> None:
    AnomalyMonitor().save(tmp_path / "state.npz")
    monitor = AnomalyMonitor.load(tmp_path / "state.npz")
    assert monitor.summary().empty
    for entity in range(100):
        monitor.check("calls", 1, entity=str(entity), behavior="read")
    assert len(monitor) == 100
    assert monitor.summary()["entity"].tolist() == [str(entity) for entity in range(100)]
    assert (monitor.summary()["points"] == 1).all()
    assert monitor.bytes_per_key <= 4000
    assert monitor._rows._room <= 200


def test_a_spike_is_told_with_its_band() -> None:
    monitor = AnomalyMonitor()
    rng = np.random.default_rng(0)
    for value in rng.normal(100, 5, 400):
        result = monitor.check("latency", value, entity="a")
    assert result.enough_data
    result = monitor.check("latency", 300, entity="a")
    assert result.alarm
    assert [anomaly.kind for anomaly in result.anomalies][-1] == "spike"
    for anomaly in result.anomalies:
        assert anomaly.low < anomaly.expected < anomaly.high < anomaly.actual == 300
        assert anomaly.magnitude > 1
    assert sorted({a.magnitude for a in result.anomalies}, reverse=True) == [
        a.magnitude for a in result.anomalies
    ]
    after = monitor.check("latency", 300, entity="a")
    assert after.resting
    assert not after.alarm


def test_a_run_of_anomalies_is_told_with_its_first_time() -> None:
    one, other = AnomalyMonitor(), AnomalyMonitor()
    values = np.random.default_rng(0).normal(100, 5, 380)
    values[[200, *range(300, 310)]] = 300.0
    values[305] = math.nan  # missing: the run goes on
    times = [START + timedelta(minutes=place) for place in range(len(values))]
    told = [one.check("a", *row[:1], time=row[1]) for row in zip(values, times, strict=True)]
    runs = [result.rarity.odd_rows if result.rarity else 0 for result in told]
    assert runs[200] == 1
    assert runs[300:305] == [1, 2, 3, 4, 5]
    assert (runs[305], runs[306], told[305].rarity) == (0, 6, None)
    assert told[306].rarity is not None
    assert told[306].rarity.odd_since == times[300]
    assert all((run > 0) == bool(each.anomalies) for run, each in zip(runs, told, strict=True))
    assert "odd for 6 points, since 2026-01-05 05:00:00 UTC; once in " in told[306].explanation
    rows = pd.DataFrame({"metric": "a", "value": values, "time": times})
    other.check_frame(rows[:307])
    row = other.summary().iloc[0]
    assert (row["once_in"], row["odd_rows"]) == (told[306].rarity.once_in, 6)
    assert row["odd_since"] == times[300]
    other.check_frame(rows[307:])
    pd.testing.assert_frame_equal(one.summary(), other.summary(), check_exact=True)
    assert (one.summary()[["once_in", "odd_rows"]] == [1.0, 0]).all(axis=None)
    assert one.summary()["odd_since"].isna().all()


@pytest.mark.parametrize("time", [None, 1e300])
def test_a_run_whose_time_is_not_known_has_none(time: float | None) -> None:
    monitor = AnomalyMonitor()
    for value in np.random.default_rng(0).normal(100, 5, 300):
        monitor.check("a", value)
    rarity = monitor.check("a", 300.0, time=time).rarity
    assert rarity is not None
    assert (rarity.odd_rows, rarity.odd_since) == (1, None)
    assert monitor.summary()["odd_since"].isna().all()


def test_a_trend_is_told_with_both_means() -> None:
    monitor = AnomalyMonitor()
    rng = np.random.default_rng(0)
    told = []
    for value in np.r_[rng.normal(100, 5, 200), rng.normal(180, 5, 40)]:
        told += [a for a in monitor.check("latency", value).anomalies if a.kind == "trend"]
    assert 90 < told[0].expected < 110
    assert told[0].actual > told[0].high > 120


def test_warm_up_says_so_and_never_alarms() -> None:
    monitor = AnomalyMonitor()
    for place in range(WARM):
        result = monitor.check("calls", 10.0 ** (place % 9))
        assert not result.enough_data
        assert result.risk_score == 0
    assert monitor.check("calls", 1).enough_data


def test_missing_late_and_duplicate_points_are_counted_not_learned() -> None:
    monitor = AnomalyMonitor()
    assert monitor.check("calls", 5, time=START).learned
    missing: list[Any] = [None, float("nan"), float("inf"), -(10**400), pd.NA]
    for value in missing:
        result = monitor.check("calls", value, time=START + timedelta(hours=1))
        assert result.risk_score == 0
        assert not result.learned
    for time in (START, START - timedelta(seconds=1), START.timestamp()):
        assert not monitor.check("calls", 5, time=time).learned
    assert monitor.check("calls", 5, time=pd.Timestamp(START) + pd.Timedelta(seconds=1)).learned
    assert monitor.check("calls", 5, time=pd.NaT).learned
    row = monitor.summary().iloc[0]
    assert (row["points"], row["missing"], row["late"]) == (3, 5, 3)


def test_times_of_a_frame_may_be_of_any_kind() -> None:
    times = pd.Series(pd.date_range(START, periods=5, freq="37min", unit="ns"))
    kinds: list[Any] = [
        times,
        times.dt.tz_convert("Europe/Berlin"),
        times.astype("int64") / 1e9,
        times.dt.to_pydatetime().astype(object),
        times.where(times.index != 2),
    ]
    states = []
    for column in kinds:
        monitor = AnomalyMonitor()
        monitor.check_frame(pd.DataFrame({"metric": "a", "value": range(5), "time": column}))
        states.append(monitor._rows.arrays())
    for other in states[1:4]:
        for one, two in zip(states[0], other, strict=True):
            np.testing.assert_array_equal(one, two)
    assert states[4][0][0, POINTS] == 5
    assert states[4][0][0, TIME] == states[0][0][0, TIME]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"rate": 0}, "rate"),
        ({"rate": 0.1}, "rate"),
        ({"least_change": -1}, "least_change"),
        ({"least_change": float("inf")}, "least_change"),
        ({"memory": 5}, "memory"),
        ({"rest": -1}, "rest"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        AnomalyMonitor(**options)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"value": "12"}, TypeError, "value must be a number, got '12'"),
        ({"value": []}, TypeError, "value must be a number"),
        ({"entity": 3}, TypeError, "entity must be text or None, got 3"),
        ({"metric": None}, TypeError, "metric must be text, got None"),
        ({"time": "now"}, TypeError, "time must be seconds or a datetime"),
        ({"time": datetime(2026, 1, 1)}, ValueError, "time must have a time zone"),  # noqa: DTZ001
    ],
)
def test_bad_arguments_are_refused_and_leave_no_key(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    monitor = AnomalyMonitor()
    passed: dict[str, Any] = {"metric": "calls", "value": 1.0} | arguments
    with pytest.raises(error, match=message):
        monitor.check(**passed)
    assert len(monitor) == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"metric": ["a"]}, "must have a column 'value'"),
        ({"metric": ["a", "a"], "value": [1, "x"]}, "row 1: value must be a number, got 'x'"),
        ({"metric": ["a", None], "value": [1, 2]}, "row 1: metric must be text"),
        ({"metric": ["a"], "value": [1], "time": ["now"]}, "row 0: time must be"),
        ({"metric": ["a"], "value": [1], "time": [pd.Timestamp(0)]}, "row 0: time must have"),
    ],
)
def test_bad_frames_are_refused_whole(columns: dict[str, Any], message: str) -> None:
    monitor = AnomalyMonitor()
    with pytest.raises(ValueError, match=message):
        monitor.check_frame(pd.DataFrame(columns))
    assert len(monitor) == 0


def test_an_empty_frame_gives_an_empty_frame() -> None:
    empty = pd.DataFrame({"metric": [], "value": []})
    assert AnomalyMonitor().check_frame(empty).empty


def packed(first: float, second: float) -> float:
    """Give the float whose bytes are two of four bytes."""
    return float(np.array([first, second], dtype=np.float32).view(np.float64)[0])


def spoiled(**changes: Any) -> dict[str, Any]:
    monitor = AnomalyMonitor()
    monitor.check("calls", 1.0)
    monitor.check("calls", 1.0, entity="b")
    keys = [["calls", None, None], ["calls", "b", None]]
    hot, cold = monitor._rows.arrays()
    arrays: dict[str, Any] = {
        "format": 3,
        "settings": np.array(monitor._settings),
        "keys": keys,
        "hot": hot,
        "cold": cold,
    }
    for name, change in changes.items():
        if name.endswith("_cell"):
            column, value = change
            arrays[name.removesuffix("_cell")][1, column] = value
        else:
            arrays[name] = change
    if isinstance(arrays["keys"], list):
        arrays["keys"] = np.frombuffer(json.dumps(arrays["keys"]).encode(), dtype=np.uint8)
    return arrays


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 1},
        {"settings": np.ones(3)},
        {"settings": np.ones(4)},
        {"keys": [["calls", None, None], ["calls", None, None]]},
        {"keys": [["calls", None, None], ["calls", 3, None]]},
        {"keys": [["calls", None, None]]},
        {"keys": np.array([1, 2], dtype=np.uint8)},
        {"keys": np.array([{}], dtype=object)},
        {"hot": np.zeros((2, COLD), dtype=np.float32)},
        {"cold": np.zeros((2, 3))},
        {"hot_cell": (POINTS, -1.0)},
        {"hot_cell": (POINTS, 0.5)},
        {"hot_cell": (TIME, np.nan)},
        {"hot_cell": (TIME, np.inf)},
        {"hot_cell": (VARIANCE, -1.0)},
        {"hot_cell": (VARIANCE, np.nan)},
        {"cold_cell": (REST_LENGTH, 31.0)},
        {"cold_cell": (RANKS, 0.0)},
        {"cold_cell": (VALUES + 1, 3.0)},
        {"cold_cell": (VALUES, -np.inf)},
        {"cold_cell": (VALUES, np.nan)},
        {"cold_cell": (SLOT, np.nan)},
        {"cold_cell": (SLOT + 1, -1.0)},
        {"cold_cell": (MISSING, 0.5)},
        {"cold_cell": (RARITY + FIRST_ODD, 1.0)},
        {"cold_cell": (RARITY + LAST_ODD, 2.0)},
        {"cold_cell": (RARITY + LAST_ODD, 0.5)},
        {"cold_cell": (RARITY + STRENGTH, -1.0)},
        {"cold_cell": (RARITY + TIMED, 2.0)},
        {
            "cold_cell": (
                RARITY + TAIL,
                packed(np.nan, 0.0),
            )
        },
        {"cold_cell": (RARITY + TAIL, packed(0.0, 1e9))},
    ],
)
def test_a_spoiled_file_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", **spoiled(**changes))
    with pytest.raises(ValueError, match=r"state\.npz is no state of a monitor"):
        AnomalyMonitor.load(tmp_path / "state.npz")


def test_settings_of_a_file_are_held_to_the_rules(tmp_path: Path) -> None:
    arrays = spoiled(settings=np.array([0.5, 0.0, 200.0, 30.0]))
    arrays["hot"][:, [RATE, LEAST, MEMORY]] = arrays["settings"][:3]
    np.savez(tmp_path / "state.npz", **arrays)
    with pytest.raises(ValueError, match="rate must be"):
        AnomalyMonitor.load(tmp_path / "state.npz")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04 no", b"text"):
        (tmp_path / "state.npz").write_bytes(content)
        with pytest.raises(ValueError, match="is no state of a monitor") as error:
            AnomalyMonitor.load(tmp_path / "state.npz")
        assert "pickle" not in str(error.value)
    with pytest.raises(FileNotFoundError):
        AnomalyMonitor.load(tmp_path / "none.npz")
