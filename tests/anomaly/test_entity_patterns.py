"""Events of many entities: against counting by pandas, planted behaviour, files, odd input."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.anomaly.entity_patterns import EntityPatterns, score_table
from nextcall.synth.anomalies import plant_anomalies

HOUR, WEEK = 3600.0, 168


def table(rows: list[tuple[str, str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["entity", "behavior", "time"])


def calls(hours: int, seed: int, volume: float = 12.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = rng.poisson(volume * hours)
    return pd.DataFrame(
        {
            "entity": rng.choice(["ann", "bob"], n),
            "behavior": rng.choice(["read", "write", "list"], n, p=[0.6, 0.3, 0.1]),
            "time": np.sort(rng.uniform(0.0, hours * HOUR, n)),
        }
    )


def test_counts_are_those_of_pandas() -> None:
    frame = calls(300, 0)
    frame.loc[frame["time"].between(100 * HOUR, 110 * HOUR), "entity"] = "ann"
    patterns = EntityPatterns()
    scores = patterns.score_frame(frame)
    hour = (frame["time"] // HOUR).astype(int)
    for entity in ("ann", "bob"):
        of = frame["entity"] == entity
        counts = hour[of].value_counts().reindex(range(hour[of].max()), fill_value=0).sort_index()
        found = scores[scores["entity"] == entity]
        assert found["events"].tolist() == counts.iloc[1:].tolist()
        assert (found["start"] / HOUR).tolist() == counts.index[1:].tolist()
    summary = patterns.summary().set_index("entity")
    assert summary["events"].sum() == len(frame)
    assert summary["behaviors"].tolist() == [3, 3]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 400))
def test_a_frame_gives_what_events_one_by_one_give(seed: int, cut: int) -> None:
    frame = calls(60, seed, volume=8.0).sample(frac=1.0, random_state=seed)  # late ones too
    frame = frame.sort_values("time", key=lambda time: time // (3 * HOUR), kind="stable")
    whole, parts, single = EntityPatterns(), EntityPatterns(), EntityPatterns()
    expected = whole.score_frame(frame)
    found = [parts.score_frame(frame.iloc[:cut]), parts.score_frame(frame.iloc[cut:])]
    pd.testing.assert_frame_equal(pd.concat(found, ignore_index=True), expected, check_exact=True)
    one_by_one = [score for row in frame.itertuples(index=False) for score in single.update(*row)]
    pd.testing.assert_frame_equal(score_table(one_by_one), expected, check_exact=True)
    pd.testing.assert_frame_equal(single.summary(), whole.summary())


def minutes(days: int, rng: np.random.Generator) -> pd.DataFrame:
    """Give calls of two APIs a minute, with a day's profile; 18 an hour each."""
    time = pd.date_range("2026-01-05", periods=days * 1440, freq="min", unit="us", tz="UTC")
    mean = 0.3 * (1 + 0.5 * np.sin(2 * np.pi * np.arange(len(time)) / 1440))
    return pd.DataFrame(
        {
            "entity": np.repeat(["api-a", "api-b"], len(time)),
            "time": pd.Series(time.append(time)),
            "value": rng.poisson(np.tile(mean, 2)).astype(np.float64),
        }
    )


@pytest.mark.parametrize(
    ("kind", "deviation"),
    [("behaviour/busier", 0.5), ("behaviour/quieter", 0.5), ("behaviour/mix", 0.8)],
)
def test_planted_behaviour_is_found(kind: str, deviation: float) -> None:
    rng = np.random.default_rng(7)
    series = minutes(31, rng)
    late = series["time"] >= series["time"].iloc[0] + timedelta(days=28)
    planted, truth = plant_anomalies(series[late], rng=rng, kinds=[kind], deviation=deviation)
    series = pd.concat([series[~late], planted])
    events = series.loc[series.index.repeat(series["value"].astype(int))]
    events = events.sort_values("time", kind="stable")
    if kind == "behaviour/mix":
        frame = events.rename(columns={"entity": "behavior"}).assign(entity="shop")
        wanted = "mix"
    else:
        frame = events.assign(behavior="call")
        frame = frame[frame["entity"] == truth.loc[0, "entity"]]
        wanted = "rate"
    scores = EntityPatterns().score_frame(frame)
    alarms = scores[(scores["risk_score"] >= 0.5) & (scores["kind"] == wanted)]
    start, stop = (truth[name].dt.as_unit("us").iloc[0].timestamp() for name in ("start", "stop"))
    within = alarms["start"].between(start - HOUR, stop + 16 * HOUR)
    assert within.any()
    assert (~within).sum() <= 3
    assert alarms.loc[within, "explanation"].str.len().min() > 0


def test_times_are_aware_or_seconds() -> None:
    numbers = calls(40, 3)
    aware = numbers.assign(time=pd.to_datetime(numbers["time"], unit="s", utc=True))
    rounded = numbers.assign(time=(numbers["time"] * 1e6 // 1) / 1e6)
    found = EntityPatterns().score_frame(aware)
    pd.testing.assert_frame_equal(found, EntityPatterns().score_frame(rounded))


def by_the_clock(days: int, zone: str) -> pd.DataFrame:
    """Give 60 calls in each hour from 9 to 17 on the wall clock, 10 in the others."""
    hours = pd.date_range("2026-02-16", periods=24 * days, freq="h", tz=zone, unit="s")
    calls = np.where((hours.hour >= 9) & (hours.hour < 17), 60, 10)
    seconds = np.repeat(hours.astype("int64"), calls) + np.concatenate(
        [np.arange(each) * 3600 // each for each in calls]
    )
    return pd.DataFrame({"entity": "shop", "behavior": "call", "time": seconds})


def test_summer_time_is_no_change_where_the_zone_is_known(tmp_path: Path) -> None:
    frame = by_the_clock(63, "Europe/Berlin")  # summer time from 29 March, day 41, on
    found = {}
    for zone in ("Europe/Berlin", "UTC"):
        patterns = EntityPatterns(zone=zone)
        before = frame["time"] < frame["time"].iloc[0] + 35 * 86_400
        patterns.score_frame(frame[before])
        patterns.save(tmp_path / "state.npz")
        patterns = EntityPatterns.load(tmp_path / "state.npz")
        assert patterns.zone == zone
        found[zone] = patterns.score_frame(frame[~before])
    alarms = {zone: (scores["risk_score"] >= 0.5).sum() for zone, scores in found.items()}
    assert alarms["Europe/Berlin"] == 0
    assert alarms["UTC"] >= 2
    exact = found["Europe/Berlin"]
    np.testing.assert_allclose(exact["expected"], exact["events"], rtol=1e-5)


def test_late_and_missing_events_are_counted_and_teach_nothing() -> None:
    patterns = EntityPatterns()
    now = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    patterns.update("ann", "read", None)
    assert patterns.close(now) == ()
    patterns.update("ann", "read", now)
    before = patterns._records["ann"].counts.copy()
    for time in (now - timedelta(hours=2), float("nan"), float("inf"), 1e300, -1e12):
        assert patterns.update("ann", "read", time) == ()
    assert (patterns._records["ann"].counts == before).all()
    patterns.update("ann", "read", now - timedelta(minutes=20))  # in the span under way
    assert patterns.summary()[["events", "late", "missing"]].to_numpy().tolist() == [[2, 1, 5]]
    assert patterns.close(now + timedelta(hours=1)) == ()  # the first span is partial
    (score,) = patterns.close(now + timedelta(hours=2))
    assert (score.events, score.enough_data, score.risk_score) == (0, False, 0.0)
    assert (score.alarm, score.explanation) == (False, "")
    assert patterns.close(now) == ()
    assert patterns.update("ann", "read", now + timedelta(hours=1)) == ()
    assert patterns.summary()["late"].tolist() == [2]


def test_nothing_gives_nothing() -> None:
    patterns = EntityPatterns()
    assert len(patterns) == 0
    assert patterns.summary().empty
    assert patterns.score_frame(table([])).empty
    assert patterns.close(0.0) == ()


@pytest.mark.parametrize(
    "options",
    [
        {"rate": 0.0},
        {"rate": 0.5},
        {"rate": float("nan")},
        {"span": 1.0},
        {"span": 1e6},
        {"zone": "noon"},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        EntityPatterns(**options)


def test_wrong_events_are_refused_and_leave_nothing() -> None:
    patterns = EntityPatterns()
    for entity, behavior in ((None, "read"), ("ann", 3)):
        with pytest.raises(TypeError, match="must be text"):
            patterns.update(entity, behavior, 0.0)  # type: ignore[arg-type]  # the point
    with pytest.raises(TypeError, match="time must be"):
        patterns.update("ann", "read", "noon")
    with pytest.raises(ValueError, match="time zone"):
        patterns.update("ann", "read", datetime(2026, 1, 1))  # noqa: DTZ001  # the point
    with pytest.raises(ValueError, match="must be a time"):
        patterns.close(None)
    with pytest.raises(ValueError, match="a column 'time'"):
        patterns.score_frame(table([])[["entity", "behavior"]])
    with pytest.raises(ValueError, match="row 1: time must be"):
        patterns.score_frame(table([("ann", "read", 0.0), ("ann", "read", "noon")]))
    with pytest.raises(ValueError, match="row 1: entity and behavior must be text"):
        patterns.score_frame(table([("ann", "read", 0.0), ("ann", None, 1.0)]))  # type: ignore[list-item]  # the point
    assert len(patterns) == 0


def test_saved_patterns_go_on_bit_for_bit(tmp_path: Path) -> None:
    frame = calls(WEEK * 3, 5)
    half = len(frame) * 5 // 6
    patterns = EntityPatterns(rate=0.01)
    patterns.score_frame(frame.iloc[:half])
    patterns.save(tmp_path / "state.npz")
    loaded = EntityPatterns.load(tmp_path / "state.npz")
    assert (loaded.rate, loaded.span, len(loaded)) == (0.01, 3600.0, 2)
    expected = patterns.score_frame(frame.iloc[half:])
    pd.testing.assert_frame_equal(loaded.score_frame(frame.iloc[half:]), expected, check_exact=True)
    assert expected["enough_data"].any()
    EntityPatterns().save(tmp_path / "empty.npz")
    assert len(EntityPatterns.load(tmp_path / "empty.npz")) == 0


def changed(name: str, values: Any) -> Any:
    return lambda parts: parts | {name: values(parts[name].copy())}


def at(place: Any, value: Any) -> Any:
    def put(values: Any) -> Any:
        values[place] = value
        return values

    return put


def text(content: str) -> Any:
    return lambda _: np.frombuffer(content.encode(), dtype=np.uint8)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (changed("format", lambda _: np.array(9)), "format must be"),
        (changed("options", lambda _: np.zeros(3)), "two numbers"),
        (changed("options", lambda _: np.array([7.0, 3600.0])), "rate must be"),
        (changed("zone", text("Nowhere/Land")), "zone must be"),
        (changed("zone", lambda _: np.array([255], dtype=np.uint8)), "no state of entities"),
        (changed("names", text("[[1, []]]")), "must be text"),
        (changed("names", text('[["a", []], ["a", []]]')), "occurs twice"),
        (changed("names", text('[["a", ["b", "b"]]]')), "occurs twice"),
        (changed("names", text(f'[["a", {list(map(str, range(33)))}]]'.replace("'", '"'))), "more"),
        (changed("names", text('[["a", []]]')), "must be float64 of shape"),
        (changed("names", text("[7]")), "no state of entities"),
        (changed("levels", at((0, 0), np.nan)), "not finite"),
        (changed("learned", at((0, 0), -1.0)), "below 0"),
        (changed("numbers", at((0, 3), 0.5)), "a count"),
        (changed("numbers", at((0, 3), -1.0)), "below 0"),
        (changed("numbers", at((0, 14), -1.0)), "below 0"),
        (changed("visits", at((0, 0), 200)), "too often"),
        (lambda parts: {name: parts[name] for name in parts if name != "visits"}, "visits"),
    ],
)
def test_a_spoiled_file_is_refused(tmp_path: Path, spoil: Any, message: str) -> None:
    patterns = EntityPatterns()
    patterns.score_frame(calls(10, 1))
    path = tmp_path / "state.npz"
    patterns.save(path)
    with np.load(path) as arrays:
        parts = dict(arrays)
    np.savez(path, **spoil(parts))
    with pytest.raises(ValueError, match=message):
        EntityPatterns.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no state of entities: it is no npz file"):
        EntityPatterns.load(path)
