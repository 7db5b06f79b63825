"""Seasonal residuals against series whose level and spread at each minute are known."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.anomaly import seasonal_kernels, seasonal_state
from nextcall.anomaly.seasonal import SeasonalDetector
from nextcall.anomaly.seasonal_kernels import (
    FIELDS,
    interpolate,
    steps,
)
from nextcall.anomaly.seasonal_state import (
    LEVELS,
    RESIDUALS,
    TIME,
    learn_skew,
    skew_of,
    skewed,
    unskewed,
)
from nextcall.anomaly.seasons import DAY, WEEK, WEEKDAYS, Season
from nextcall.synth.series import SeriesSettings, metric_series

Floats = NDArray[np.float64]
START = datetime(2026, 1, 5, tzinfo=UTC)
HOURS_AN_EIGHTH = Season(period=3600.0, slots=8)
KERNELS = (
    "interpolate", "near_value", "pass_time", "look_up", "learn_spread", "learn_knots", "step",
    "skew_of", "learn_skew", "unskewed", "skewed",
)  # fmt: skip


def minutes(days: int, kind: Any = "count", seed: int = 0, level: float = 100.0) -> pd.DataFrame:
    knobs = SeriesSettings(kind=kind, level=level, start=START)
    return metric_series(1440 * days, rng=np.random.default_rng(seed), settings=knobs)


def hourly(days: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Values and times with a day of 100 to 123 and noise of 1."""
    hours = np.arange(24 * days)
    values = 100.0 + hours % 24 + np.random.default_rng(seed).normal(size=len(hours))
    return values, hours.astype(np.float64) * 3600


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 1500), st.sampled_from(["pattern", "skip"]))
def test_many_at_once_get_the_scores_of_one_after_the_other(
    seed: int, cut: int, special: Any
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(50, 5, 1500)
    values[rng.permutation(1500)[:20]] = np.repeat([np.nan, np.inf, 1e308, -1e200], 5)
    times = pd.Series(START + pd.to_timedelta(np.cumsum(rng.integers(-2, 40, 1500)), unit="min"))
    times = times.dt.tz_convert("America/New_York")
    keys = rng.choice(["a", "b", "c", "d", "e"], 1500).tolist()
    made = [
        SeasonalDetector(
            seasons=[DAY, WEEKDAYS, HOURS_AN_EIGHTH],
            special_days={date(2026, 1, 8), date(2026, 1, 12)},
            special=special,
        )
        for _ in range(2)
    ]
    expected = [
        made[0].update(key, value, time)
        for key, value, time in zip(keys, values.tolist(), times, strict=True)
    ]
    found = np.concatenate(
        [
            made[1].score(values[:cut], times[:cut], keys[:cut]),
            made[1].score(values[cut:], times[cut:], keys[cut:]),
        ]
    )
    np.testing.assert_array_equal(found, expected)
    pd.testing.assert_frame_equal(made[0].summary(), made[1].summary())
    for one, other in zip(made[0]._rows.used(), made[1]._rows.used(), strict=True):
        assert one.tobytes() == other.tobytes()
    assert np.isfinite(found).all()
    summary = made[0].summary()
    assert summary[["points", "missing", "late"]].to_numpy().sum() == 1500
    assert summary["missing"].sum() == (~np.isfinite(values)).sum()


@pytest.mark.parametrize(("kind", "level"), [("count", 100.0), ("count", 5.0), ("latency", 20.0)])
def test_expected_and_scale_are_the_mean_and_deviation_that_it_was_drawn_from(
    kind: str, level: float
) -> None:
    series = minutes(28, kind, level=level)
    found = SeasonalDetector().score_frame(series["value"], series["time"])
    known = found["enough_data"].to_numpy()
    assert not known[: 1440 * 13].any()
    assert known[1440 * 14 + 120 :].all()
    assert (found["score"][~known] == 0).all()
    off = (found["expected"] - series["expected"]) / series["sigma"]
    assert np.sqrt((off[known] ** 2).mean()) < 0.15
    shares = (found["scale"] / series["sigma"])[known]
    assert shares.quantile([0.05, 0.95]).between(0.85, 1.15).all()
    assert 0.002 < (found["score"][known] > 3).mean() < 0.006  # of a normal law 0.0027
    if kind == "latency":
        above, below = np.exp([0.49, -0.49]) - np.exp(0.25**2 / 2)  # 95 % about the mean
        assert found["skew"].iloc[-1] == pytest.approx(np.log(above / -below) / 1.96, abs=0.05)


def test_two_seasons_that_add_up_are_taken_apart() -> None:
    values, times = hourly(120)
    weekend = 20.0 * (times // 86_400 % 7 < 2)
    for seasons in ([DAY, WEEKDAYS], [DAY, WEEK]):
        found = SeasonalDetector(seasons=seasons).score_frame(values + weekend, times)
        off = found["expected"] - (values + weekend)
        assert off[-24 * 28 :].std() < 1.4
    alone = SeasonalDetector(seasons=[DAY]).score_frame(values + weekend, times)
    assert (alone["expected"] - values - weekend)[-24 * 28 :].std() > 5


def test_nothing_jumps_between_slots_but_where_it_shall() -> None:
    times = 60.0 * np.arange(1440 * 10)
    values = 100 + 50 * np.sin(2 * np.pi * times / 86_400)
    smooth = SeasonalDetector(seasons=[DAY]).score_frame(values, times)["expected"]
    assert smooth[-1440:].diff().abs().max() < 0.5
    assert (smooth - values)[-1440:].abs().max() < 2
    steep = Season(period=86_400.0, slots=24, smooth=False)
    steps_up = SeasonalDetector(seasons=[steep]).score_frame(values, times)["expected"]
    assert steps_up[-1440:].diff().abs().max() > 5


def test_irregular_times_teach_by_the_time_they_stand_for() -> None:
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 86_400 * 60, 8000))
    values = 100 + 50 * np.sin(2 * np.pi * times / 86_400) + rng.normal(size=8000)
    found = SeasonalDetector(seasons=[DAY]).score_frame(values, times)
    off = (found["actual"] - found["expected"])[-2000:]
    assert off.std() < 1.5
    assert (found["score"][-2000:] > 4).mean() < 0.01


def test_summer_time_moves_the_pattern_with_the_clock_on_the_wall() -> None:
    times = pd.Series(pd.date_range("2026-03-01", periods=24 * 42, freq="h", tz="Europe/Berlin"))
    values = np.where(times.dt.hour == 9, 200.0, 100.0) + np.arange(len(times)) % 5
    local = SeasonalDetector(seasons=[DAY]).score(values, times)
    assert local[24 * 5 :].max() < 6  # after 2 visits of each hour
    in_utc = SeasonalDetector(seasons=[DAY]).score(values, times.dt.tz_convert("UTC"))
    change = 24 * 28
    assert in_utc[change : change + 48].max() > 15
    one = SeasonalDetector(seasons=[DAY])
    zone = ZoneInfo("Europe/Berlin")
    for value, time in zip(values, times.dt.to_pydatetime(), strict=True):
        last = one.update("", value, time.astimezone(zone))
    assert last == local[-1]


def test_special_days_are_a_pattern_of_their_own_or_left_out() -> None:
    values, times = hourly(90)
    special_numbers = range(10, 90, 8)
    days = {date(1970, 1, 1) + timedelta(days=number) for number in special_numbers}
    special = np.isin(times // 86_400, list(special_numbers))
    values[special] = 5.0 + np.random.default_rng(3).normal(size=special.sum())
    own = SeasonalDetector(seasons=[DAY], special_days=days).score_frame(values, times)
    left_out = SeasonalDetector(seasons=[DAY], special_days=days, special="skip")
    skipped = left_out.score_frame(values, times)
    unknown = SeasonalDetector(seasons=[DAY]).score(values, times)
    assert unknown[special][-24:].max() > 10
    assert own["score"].max() < 6
    assert own["expected"][special].iloc[-24:].between(0, 10).all()
    assert own["enough_data"][special].iloc[-24:].all()
    assert not own["enough_data"][special].iloc[:40].any()
    assert skipped["score"][special].max() == 0
    assert skipped["learned"].all()
    usual = skipped[~special].iloc[-200:]
    assert ((usual["expected"] - usual["actual"]).abs() < 6).all()


def test_outliers_teach_little_and_a_new_level_is_taken_over() -> None:
    series = minutes(7 * 3)
    clean, hit = SeasonalDetector(seasons=[DAY]), SeasonalDetector(seasons=[DAY])
    values = series["value"].to_numpy().copy()
    before = clean.score_frame(values, series["time"])
    odd = np.random.default_rng(2).permutation(len(values))[:600]
    values[odd] += 1e6
    after = hit.score_frame(values, series["time"])
    moved = (after["expected"] - before["expected"]).abs() / before["scale"]
    assert moved[1440 * 4 :].quantile(0.99) < 0.5
    assert after["score"][odd[odd > 1440 * 4]].min() > 20
    steady, times = hourly(60)
    steady[24 * 30 :] += 5
    score = SeasonalDetector(seasons=[DAY]).score(steady, times)
    assert np.median(score[24 * 30 : 24 * 30 + 6]) > 3
    assert np.median(score[-24 * 7 :]) < 1.5


def test_a_fault_is_told_with_its_band_and_keys_learn_alone() -> None:
    values, times = hourly(14)
    detector = SeasonalDetector(seasons=[DAY])
    for value, time in zip(values.tolist(), times.tolist(), strict=True):
        result = detector.check("calls", value, time)
    assert result.enough_data
    assert result.learned
    result = detector.check("calls", 140.0, times[-1] + 3600)
    low, high = result.band()
    assert low < result.expected < high < result.actual
    assert result.score > 3
    other = detector.check("latency", 140.0, times[-1] + 3600)
    assert not other.enough_data
    assert np.isnan(other.expected)
    assert detector.keys == ["calls", "latency"]
    assert len(detector) == 2


def test_a_flat_series_makes_no_giant_of_a_flicker() -> None:
    times = 3600.0 * np.arange(24 * 21)
    detector = SeasonalDetector(seasons=[DAY])
    assert detector.score(np.full(len(times), 1000.0), times).max() == 0
    assert detector.update("", 1001.0, times[-1] + 3600) == pytest.approx(1.0, rel=0.01)
    zero = SeasonalDetector(seasons=[DAY])
    assert zero.score(np.zeros(len(times)), times).max() == 0
    assert zero.update("", 1.0, times[-1] + 3600) == 1e6  # nothing to measure it by


def test_missing_late_and_immense_points() -> None:
    values, times = hourly(14)
    detector = SeasonalDetector(seasons=[DAY])
    detector.score(values, times)
    state = detector._rows.states.copy()
    later = times[-1] + 3600
    odd: list[tuple[float | None, Any]] = [
        (np.nan, later), (np.inf, later), (None, later), (5.0, None), (5.0, times[-1]),
        (5.0, times[0]),
    ]  # fmt: skip
    for value, time in odd:
        result = detector.check("", value, time)
        assert (result.score, result.learned, result.enough_data) == (0, False, False)
    assert detector.summary().iloc[0].tolist() == ["", 24 * 14, 4, 2]
    state[0, [1, 2]] = 4, 2
    np.testing.assert_array_equal(detector._rows.states, state)
    assert 20 < detector.update("", 1e308, later) <= 1e6
    assert detector.update("", values[1], later + 3600) < 4
    assert SeasonalDetector().score([np.nan] * 50, 60.0 * np.arange(50)).max() == 0
    assert SeasonalDetector().score([], []).shape == (0,)
    assert SeasonalDetector().summary().empty


def test_a_key_takes_less_than_4_kilobytes() -> None:
    detector = SeasonalDetector()
    for key in range(100):
        detector.update(key, 1.0, START)
    assert detector.bytes_per_key == 16 * (168 + 24) + 120
    assert len(detector._rows.states) <= 2 * 100
    assert detector.keys == list(range(100))


def test_bad_arguments_are_refused() -> None:
    for options, message in (
        ({"seasons": []}, "seasons must hold at least one"),
        ({"special": "odd"}, "special must be 'pattern' or 'skip', got 'odd'"),
        ({"visits": 0}, "visits must be at least 1, got 0"),
        ({"visits": 9}, "memory must be at least visits, 9, got 8"),
        ({"takeover": 0.0}, "takeover must be above 0, got 0.0"),
    ):
        with pytest.raises(ValueError, match=message):
            SeasonalDetector(**options)
    with pytest.raises(ValueError, match="period must be above 0, got 0"):
        Season(period=0, slots=2)
    with pytest.raises(ValueError, match="slots must be at least 2, got 1"):
        Season(period=60, slots=1)
    detector = SeasonalDetector()
    text: Any = "5"
    with pytest.raises(TypeError, match="value must be a number, got '5'"):
        detector.update("", text, 0.0)
    with pytest.raises(TypeError, match=r"values must be numbers, got .*'5'.* at 0"):
        detector.score([text], [0.0])
    with pytest.raises(ValueError, match="values must have one dimension, got 2"):
        detector.score([[1.0]], [0.0])
    with pytest.raises(ValueError, match="times must be as many as values, 1, got 2"):
        detector.score([1.0], [0.0, 1.0])
    with pytest.raises(ValueError, match="keys must be as many as values, 1, got 2"):
        detector.score([1.0], [0.0], ["a", "b"])
    with pytest.raises(ValueError, match="time must have a time zone"):
        detector.update("", 1.0, datetime(2026, 1, 1))  # noqa: DTZ001  # wrong on purpose
    assert len(detector) == 0


def test_between_two_knots_the_one_that_was_seen_counts() -> None:
    own, shares = np.zeros(LEVELS + 3), np.array([1, 2, 0], dtype=np.float32)
    own[LEVELS:] = 10, 20, 0
    visits = np.array([1, 3, 0], dtype=np.float32)
    for kernel in (interpolate, interpolate.py_func):
        assert kernel(own, shares, visits, 0, 1, 0.75) == (12.5, 1.25, 1.5)
        assert kernel(own, shares, visits, 0, 2, 0.75) == (10, 1, 1)
        assert kernel(own, shares, visits, 2, 0, 0.75) == (10, 1, 1)
        assert kernel(own, shares, visits, 0, 2, 1.0) == (10, 1, 1)
        assert kernel(own, shares, visits, 2, 2, 0.5) == (0, 1, 0)


def test_the_skew_is_that_of_the_log_normal_law_that_it_was_drawn_from() -> None:
    for sigma in (-0.4, -0.1, 0.0, 0.25, 0.45):
        normal = np.random.default_rng(5).normal(size=50_000)
        own = np.zeros(LEVELS)
        assert skew_of(own) == 0
        for place, even in enumerate(normal.tolist()):
            own[RESIDUALS] = place + 1
            learn_skew(own, np.expm1(sigma * even) / sigma if sigma else even)
        assert skew_of(own) == pytest.approx(sigma, abs=0.05)


@pytest.mark.parametrize("skew", [-0.5, -0.1, 0.0, 1e-4, 0.25, 0.5])
def test_skew_is_taken_out_and_put_back(skew: float) -> None:
    for compiled, undo in ((unskewed, skewed), (unskewed.py_func, skewed.py_func)):
        for even in (-4.0, -1.0, 0.0, 0.5, 4.0):
            assert compiled(undo(even, skew), skew) == pytest.approx(even)
        assert abs(compiled(1e6, skew)) > 20
        assert abs(compiled(-1e6, skew)) > 20


def test_plain_python_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    n = 1200
    values = np.round(rng.normal(10, 1, n), 1)
    values[[3, 700, 701]] = np.nan, 1e308, -50.0
    times = 600.0 * np.cumsum(rng.integers(0, 5, n))
    days = np.where(times // 86_400 % 5 == 2, 1, np.where(times // 86_400 % 7 == 3, 2, 0))
    points = np.stack([values, times, times + 3600])
    rhythm = np.array([[86_400.0, 3600.0], [24.0, 4.0], [1.0, 0.0]])

    def run(kernel: Any) -> tuple[Floats, Floats]:
        own, results = np.zeros((1, LEVELS + 52)), np.empty((n, len(FIELDS)))
        own[:, TIME] = -np.inf
        shares, visits = np.zeros((2, 1, 52), dtype=np.float32)
        settings_ = np.array([1.0, 8.0, 86_400.0])
        rows = np.zeros(n, dtype=np.int64)
        kernel(own, shares, visits, rhythm, settings_, rows, points, days.astype(np.int64), results)
        return own, results

    expected = run(steps)
    assert (expected[1][:, 0] > 3).sum() > 1
    for name in KERNELS:
        plain = getattr(seasonal_kernels, name).py_func
        for module in (seasonal_kernels, seasonal_state):
            monkeypatch.setattr(module, name, plain, raising=False)
    found = run(steps.py_func)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4, atol=1e-6)
    points[0] = 7.0
    flat = run(steps.py_func)[1]
    assert np.isfinite(flat[:, 3]).any()
    assert (flat[:, 0] == 0).all()
