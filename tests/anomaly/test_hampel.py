"""Hampel's rule beside pandas, scipy and numpy; one value at a time and many say the same."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.stats import median_abs_deviation

from nextcall.anomaly import hampel_kernels
from nextcall.anomaly.hampel import HampelDetector
from nextcall.anomaly.hampel_kernels import FIELDS, FIRST, MISSING, median_deviation

Floats = NDArray[np.float64]
numbers = st.one_of(st.floats(width=64), st.integers(-3, 3).map(float))


@given(st.lists(numbers, max_size=120), st.integers(5, 20), st.integers(0, 120))
def test_many_at_once_get_the_scores_of_one_after_the_other(
    values: list[float], window: int, cut: int
) -> None:
    one, other = HampelDetector(window=window), HampelDetector(window=window)
    expected = [one.update(value) for value in values]
    found = np.concatenate([other.score(values[:cut]), other.score(values[cut:])])
    np.testing.assert_array_equal(found, expected)
    assert one._rows.used()[0].tobytes() == other._rows.used()[0].tobytes()
    assert ((found >= 0) & (found <= 1e6)).all()
    assert one.points + one.missing == len(values)
    assert one.missing == sum(not np.isfinite(value) for value in values)


@pytest.mark.parametrize("window", [5, 31, 64])
def test_expected_and_scale_are_the_rolling_median_and_its_median_deviation(window: int) -> None:
    values = np.random.default_rng(0).standard_t(2, size=400)
    found = HampelDetector(window=window).score_frame(values)
    rolling = pd.Series(values).rolling(window)
    median = rolling.median().shift(1)
    deviation = rolling.apply(median_abs_deviation, raw=True).shift(1)
    whole = found.iloc[window:]
    np.testing.assert_allclose(whole["expected"], median[window:], rtol=1e-12)
    smallest_step = pd.Series(values).diff().abs().cummin().shift(1)
    scale = pd.concat([1.4826 * deviation, 1e-3 * median.abs(), 0.5 * smallest_step], axis=1)
    np.testing.assert_allclose(whole["scale"], scale.max(axis=1)[window:], rtol=1e-9)
    np.testing.assert_allclose(
        whole["score"], (whole["actual"] - whole["expected"]).abs() / whole["scale"], rtol=1e-12
    )
    assert not found["enough_data"][: min(window, FIRST)].any()
    assert found["enough_data"][min(window, FIRST) :].all()


def test_expected_is_the_median_filter_of_the_values_before() -> None:
    values = np.random.default_rng(1).normal(size=500)
    found = HampelDetector(window=9).score_frame(values)["expected"].to_numpy()
    filtered = median_filter(values, size=9)  # of four to the left, itself, four to the right
    np.testing.assert_array_equal(found[9:], filtered[4:-5])


@given(st.lists(st.floats(-1e6, 1e6) | st.integers(-2, 2).map(float), min_size=1, max_size=40))
def test_median_deviation_is_that_of_scipy(values: list[float]) -> None:
    ordered = np.sort(np.array(values))
    middle = float(np.median(ordered))
    plain = float(median_abs_deviation(ordered))
    for kernel in (median_deviation, median_deviation.py_func):
        assert kernel(ordered, len(ordered), middle) == pytest.approx(plain, rel=1e-9, abs=1e-9)


def test_one_normal_value_in_370_is_an_outlier() -> None:
    scores = HampelDetector(window=501).score(np.random.default_rng(2).normal(size=100_000))
    assert 0.8 * 0.0027 < (scores > 3).mean() < 1.3 * 0.0027


def test_outliers_in_a_third_of_the_window_hide_no_outlier() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(100, 5, size=600)
    values[rng.permutation(600)[:200]] += 100
    detector = HampelDetector()
    assert detector.score(values)[values > 150][-50:].min() > 3
    result = detector.check(200.0)
    low, high = result.band()
    assert result.score > 3
    assert low < result.expected < high < result.actual == 200
    assert result.enough_data


def test_a_flat_series_makes_no_giant_of_a_flicker() -> None:
    detector = HampelDetector()
    assert detector.score(np.full(1000, 1000.0)).max() == 0
    assert detector.update(1000.5) == pytest.approx(0.5)
    counts = np.zeros(1000)
    counts[::7] = 1
    assert HampelDetector().score(counts).max() == 2
    assert HampelDetector().score(np.r_[np.zeros(100), 5.0])[-1] == 1e6  # nothing to measure it by


def test_missing_and_immense_values() -> None:
    detector = HampelDetector()
    before = detector.check(5.0)
    assert not before.enough_data
    assert np.isnan(before.expected)
    detector.score(np.arange(100) % 5)
    state = detector._rows.states[0].copy()
    result = detector.check(float("nan"))
    assert result.score == 0
    assert result.expected == 2
    assert np.isnan(result.actual)
    assert detector.update(float("inf")) == 0
    assert detector.missing == 2
    state[MISSING] = 2
    np.testing.assert_array_equal(detector._rows.states[0], state)
    assert detector.update(1e308) == 1e6
    assert detector.check(3.0).score < 3
    assert HampelDetector().score([np.nan] * 300).max() == 0
    assert HampelDetector().score([]).shape == (0,)
    assert HampelDetector().score([1e308, -1e308] * 50).max() == 2  # half a step is the floor


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="window must be at least 5, got 4"):
        HampelDetector(window=4)
    with pytest.raises(ValueError, match="values must have one dimension, got 2"):
        HampelDetector().score([[1.0]])


def test_plain_python_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=200).round(1)
    values[[3, 50, 51]] = np.nan, 1e308, np.inf
    times = np.arange(200.0)
    times[[7, 80, 81]] = np.nan, 3.0, 79.0
    keys = rng.integers(0, 2, 200).tolist()
    detector = HampelDetector(window=21)
    expected = detector.score_frame(values, times, keys)
    places = detector._rows.places(keys)
    for name in ("least_points", "median_deviation", "put_in_order", "quantile", "step"):
        monkeypatch.setattr(hampel_kernels, name, getattr(hampel_kernels, name).py_func)
    plain = HampelDetector(window=21)
    plain._rows.places(detector.keys)
    results = np.empty((len(values), len(FIELDS)))
    hampel_kernels.steps.py_func(plain._rows.states, places, values, times, results)
    np.testing.assert_array_equal(results, expected[list(FIELDS)])
    assert plain.summary().equals(detector.summary())
    one = np.empty(len(FIELDS))
    score = hampel_kernels.step_at.py_func(plain._rows.states, 0, 9.0, 500.0, one)
    assert score == detector.update(9.0, 500.0, detector.keys[0])
