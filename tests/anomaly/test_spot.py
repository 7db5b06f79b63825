"""SPOT and DSPOT beside laws whose tails are known, and beside themselves in both forms."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from nextcall.anomaly.spot import Side, SpotDetector
from nextcall.anomaly.spot_kernels import MISSING

Floats = NDArray[np.float64]
numbers = st.one_of(st.floats(width=64), st.integers(-3, 3).map(float))
LAWS: dict[str, Any] = {
    "normal": stats.norm(10, 2),
    "exponential": stats.expon(),
    "pareto": stats.pareto(3),
    "log-normal": stats.lognorm(0.25),
}


def draw(law: Any, n: int, seed: int = 0) -> Floats:
    return np.asarray(law.rvs(n, random_state=np.random.default_rng(seed)), dtype=np.float64)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(numbers, max_size=50),
    st.integers(0, 300),
    st.sampled_from(["both", "upper", "lower"]),
    st.sampled_from([0, 1, 7]),
    st.integers(0, 350),
)
def test_many_at_once_get_the_scores_of_one_after_the_other(
    odd: list[float], place: int, sides: Side, depth: int, cut: int
) -> None:
    values = np.insert(np.random.default_rng(0).normal(size=300).round(2), place, odd)
    one = SpotDetector(sides=sides, depth=depth, warm_up=60)
    other = SpotDetector(sides=sides, depth=depth, warm_up=60)
    expected = [one.update(value) for value in values.tolist()]
    found = np.concatenate([other.score(values[:cut]), other.score(values[cut:])])
    np.testing.assert_array_equal(found, expected)
    assert one._rows.used()[0].tobytes() == other._rows.used()[0].tobytes()
    assert ((found >= 0) & (found <= 300)).all()
    assert one.points + one.missing == len(values)
    assert one.missing == sum(not np.isfinite(value) for value in odd)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("risk", "factor"), [(1e-2, 1.1), (1e-3, 1.3), (1e-4, 2.5)])
def test_the_threshold_is_passed_at_the_risk(law: str, risk: float, factor: float) -> None:
    """Of 100,000 values three times; the factors hold what 200 excesses can know, and chance."""
    rates = []
    for seed in range(3):
        detector = SpotDetector(risk=risk, sides="upper")
        frame = detector.score_frame(draw(LAWS[law], 100_000, seed))
        passed = (frame["actual"] > frame["high"]).sum()
        assert passed == (frame["score"] > -np.log10(risk)).sum() == detector.alarms
        rates.append(passed / 99_000)
    assert risk / factor < np.mean(rates) < risk * factor


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("sides", ["both", "upper", "lower"])
def test_the_probability_is_that_of_the_law(law: str, sides: Side) -> None:
    known = LAWS[law]
    for probability, within in ((0.3, 0.05), (0.05, 0.05), (1e-2, 0.1), (1e-3, 0.1), (1e-4, 0.4)):
        found = []
        for seed in range(10):
            fitted = SpotDetector(sides=sides).fit(draw(known, 10_000, seed))
            if sides == "both":  # of either side, half of it
                found.append(fitted.check(float(known.isf(probability / 2))).score)
            elif sides == "upper":
                found.append(fitted.check(float(known.isf(probability))).score)
            else:
                mirrored = SpotDetector(sides=sides).fit(-draw(known, 10_000, seed))
                found.append(mirrored.check(-float(known.isf(probability))).score)
        assert np.median(found) == pytest.approx(-np.log10(probability), abs=within)


def test_a_fitted_detector_is_one_that_saw_its_values() -> None:
    values = draw(LAWS["normal"], 3000)
    streamed = SpotDetector(depth=10, warm_up=1500)
    streamed.score(values[:1510])
    fitted = SpotDetector(depth=10).fit(np.r_[np.nan, values[:1510]])
    assert fitted.missing == 1
    np.testing.assert_array_equal(streamed.score(values[1510:]), fitted.score(values[1510:]))
    assert fitted.fit(values[:100]).points == 100
    np.testing.assert_array_equal(
        fitted.score(values),
        SpotDetector(depth=10, warm_up=90).score(np.r_[values[:100], values])[100:],
    )
    fitted.fit(values, key="other")
    assert [fitted.summary()[name].tolist() for name in ("key", "points")] == [
        ["", "other"],
        [3100, 3000],
    ]


def test_a_drift_is_followed_with_depth_alone() -> None:
    values = draw(LAWS["normal"], 20_000) + np.linspace(0, 100, 20_000)
    still, moving = SpotDetector(), SpotDetector(depth=20)
    still.score(values)
    assert 0.5e-3 < (moving.score(values) > 3).mean() < 2e-3
    assert still.update(40.0) < 3  # usual once
    assert moving.update(40.0) > 3  # no longer
    frame = SpotDetector(depth=20).score_frame(values)
    assert abs(frame["expected"].iloc[-1] - 110) < 2
    assert frame["low"].iloc[-1] < frame["expected"].iloc[-1] < frame["high"].iloc[-1]
    shifted = SpotDetector(depth=20).score(np.r_[values, values[-300:] + 1000])
    assert (shifted[20_000:] > 3).any()
    assert not (shifted[-50:] > 3).any()  # a new level is taken over, by steps


def test_an_alarm_teaches_little() -> None:
    values = draw(LAWS["exponential"], 5000)
    clean, hit = SpotDetector(sides="upper"), SpotDetector(sides="upper")
    clean.score(values)
    values[2000::500] = 1e6
    assert (hit.score(values)[2000::500] > 6).all()
    assert hit.check(0.0).high < 1.6 * clean.check(0.0).high


def test_old_values_fade() -> None:
    detector = SpotDetector(sides="upper")
    detector.score(draw(stats.norm(), 100_000))
    later = detector.score(3 * draw(stats.norm(), 100_000, 1))
    assert (later[:1000] > 3).mean() > 0.01
    assert 0.3e-3 < (later[-50_000:] > 3).mean() < 3e-3


@pytest.mark.parametrize("make", [np.zeros, np.ones, lambda n: np.full(n, 1000.0)])
def test_a_flat_series_makes_no_giant_of_a_flicker(make: Callable[[int], Floats]) -> None:
    detector = SpotDetector(risk=1e-3)
    flat = make(2000)
    assert detector.score(flat).max() < 3
    assert detector.update(flat[0] * 1.002) <= 3
    assert detector.update(flat[0] + 100) > 3


def test_counts_are_no_alarms_because_they_are_whole() -> None:
    for mean in (0.5, 5.0, 50.0):
        values = draw(stats.poisson(mean), 100_000)
        assert (SpotDetector(sides="upper").score(values) > 3).mean() < 2e-3
        assert (SpotDetector().score(values) > 3).mean() < 2e-3


def test_missing_immense_and_few_values() -> None:
    detector = SpotDetector(warm_up=50)
    before = detector.check(1.0)
    assert (before.score, before.probability, before.enough_data) == (0, 1, False)
    assert np.isnan([before.expected, before.low, before.high]).all()
    assert detector.score(draw(LAWS["normal"], 49)).max() == 0
    own = detector._rows.states[0].copy()
    missing = detector.check(float("nan"))
    assert missing.enough_data
    assert missing.score == 0
    assert missing.low < missing.expected < missing.high
    assert detector.update(float("-inf")) == 0
    assert detector.missing == 2
    own[MISSING] = 2
    np.testing.assert_array_equal(detector._rows.states[0], own)
    result = detector.check(1e308)
    assert result.score > 5
    assert result.actual == 1e308
    assert result.probability < 1e-5
    assert np.isfinite(detector.score(np.tile([1e308, -1e308, 0.0], 300))).all()
    assert SpotDetector().score([np.nan] * 2000).max() == 0
    assert SpotDetector().score([]).shape == (0,)


def test_bad_arguments_are_refused() -> None:
    for options, message in (
        ({"risk": 0.0}, "risk must be above 0 and at most 0.02, got 0.0"),
        ({"risk": 0.1}, "risk must be above 0"),
        ({"sides": "left"}, "sides must be of both, upper, lower, got 'left'"),
        ({"depth": -1}, "depth must be at least 0, got -1"),
        ({"warm_up": 49}, "warm_up must be at least 50, got 49"),
    ):
        with pytest.raises(ValueError, match=message):
            SpotDetector(**options)
    with pytest.raises(ValueError, match="values must have one dimension, got 2"):
        SpotDetector().score([[1.0]])
    with pytest.raises(ValueError, match="must hold at least 52 finite numbers, got 51"):
        SpotDetector(depth=2).fit([*range(51), np.nan])
