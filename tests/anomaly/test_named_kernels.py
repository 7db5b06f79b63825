"""Each detector beside a slow and plain definition; compiled and plain Python say the same."""

from math import inf, nan, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.anomaly import named_kernels, named_rarity, named_steps, quartiles, tails
from nextcall.anomaly.monitor_rows import Rows, Settings
from nextcall.anomaly.named_kernels import (
    ALARMS,
    BEHAVIOR,
    BLOCK_MEAN,
    COLD,
    COLD_WIDTH,
    FIRST,
    HIGH,
    HOT_WIDTH,
    IQR,
    KINDS,
    LOW,
    NEW_MEAN,
    RISK,
    SPIKE,
    TIME,
    TREND,
    Z_SCORE,
)
from nextcall.anomaly.named_steps import (
    by_key,
    judged_at,
    judged_entry,
    risk_at,
    risk_entry,
    risks,
    steps,
    told_at,
)
from nextcall.compiling import floats_at

RATE_OF_ALARMS = 1 / 600
KERNELS = (
    "block_of", "windows", "note", "judge", "measure", "measure_pattern", "look_back", "step",
    "insert", "quantile", "note_odd",
)  # fmt: skip
NO_TIMES = np.empty(0)


class State(Rows):
    """Rows with numbers for keys."""

    def __init__(self, n_keys: int = 1, *, least: float = 0.0) -> None:
        super().__init__(Settings(RATE_OF_ALARMS, least, 200.0, 30.0))
        for key in range(n_keys):
            self.add((str(key), None, None))
        self.places = np.array(list(self.addresses.values()))

    def hot(self, key: int = 0) -> NDArray[np.float64]:
        return floats_at(int(self.places[key]), HOT_WIDTH).copy()

    def cold(self, key: int = 0) -> NDArray[np.float64]:
        return floats_at(int(self.hot(key)[COLD]), COLD_WIDTH).copy()


def run(
    values: NDArray[Any], times: NDArray[Any] | None = None, *, least: float = 0.0
) -> tuple[State, NDArray[np.float64]]:
    """Give the state after a series, and risk and magnitudes of each value."""
    state = State(least=least)
    key_of = np.zeros(len(values), dtype=np.int64)
    scores, _ = steps(state.places, key_of, values, NO_TIMES if times is None else times)
    return state, scores


def series(kind: str, n: int, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    on = np.convolve(rng.random(n) < 0.005, np.ones(6), mode="full")[:n] > 0
    drawn: dict[str, NDArray[Any]] = {
        "gauss": rng.normal(100, 5, n),
        "laplace": rng.laplace(0, 1, n),
        "poisson": rng.poisson(3, n),
        "heavy": rng.standard_t(2.5, n),
        "bursts": rng.normal(10, 1, n) + on * rng.exponential(20, n),
        "constant": np.full(n, 7.0),
        "walk": np.cumsum(rng.normal(size=n)),
    }
    return drawn[kind].astype(np.float64)


def plain(values: NDArray[np.float64], least: float) -> list[dict[int, float]]:
    """Magnitudes by definition, from all values before."""
    found: list[dict[int, float]] = []
    mean = variance = change_variance = 0.0
    for n, x in enumerate(values):
        looked = n // 8 * 8
        before = values[max(0, looked - 64) : looked]
        steps_seen = np.abs(np.diff(values[:n]))
        smallest = min(steps_seen[steps_seen > 0], default=0.0)
        limits: dict[int, tuple[float, float]] = {}
        if n < FIRST:
            first = values[:FIRST]
            mean = float(np.median(first))
            variance = float(np.subtract(*np.quantile(first, [0.75, 0.25])) / 1.349) ** 2
            change_variance = 2 * variance
            found.append({})
            continue
        floor = max(1e-3 * abs(mean), smallest / 2)
        low, high = np.quantile(before, [0.25, 0.75])
        sigma, spread = max(sqrt(variance), floor), max(high - low, 1.349 * floor)
        jitter = max(sqrt(change_variance), floor)
        change = abs(x - values[n - 1])
        limits[Z_SCORE] = abs(x - mean), 3 * sigma
        limits[IQR] = max(low - x, x - high, 0), 1.5 * spread
        limits[SPIKE] = change, 2.5 * jitter
        if n + 1 >= 64 and (n + 1) % 8 == 0:
            old, new = values[n + 1 - 64 : n + 1 - 32], values[n + 1 - 32 : n + 1]
            error = sqrt(old.var(ddof=1) / 32 + new.var(ddof=1) / 32)
            widest = max(0.25 * abs(old.mean()), 4 * error, 3 * floor)
            limits[TREND] = abs(new.mean() - old.mean()), widest
        weight = 1 / min(n + 1, 200)
        off = float(np.clip(x - mean, -6 * max(sigma, spread), 6 * max(sigma, spread)))
        variance = (1 - weight) * (variance + weight * off**2)
        mean += weight * off
        change_variance += weight * (min(change, 6 * max(jitter, spread)) ** 2 - change_variance)
        found.append({kind: off / max(limit, least) for kind, (off, limit) in limits.items()})
    return found


@pytest.mark.parametrize("kind", ["gauss", "laplace", "poisson", "heavy", "walk"])
@pytest.mark.parametrize("least", [0.0, 2.0])
def test_magnitudes_are_those_of_the_plain_definition(kind: str, least: float) -> None:
    values = series(kind, 600)
    values[300:] += 4 * values[:300].std()
    _, scores = run(values, least=least)
    for magnitudes, definition in zip(scores[1:].T, plain(values, least), strict=True):
        expected = [definition.get(detector, 0.0) for detector in range(5)]
        np.testing.assert_allclose(magnitudes, expected, rtol=1e-7, atol=1e-9)


def test_pattern_is_the_mean_of_the_hour_of_the_week() -> None:
    rng = np.random.default_rng(0)
    hours = np.arange(24 * 7 * 12)
    values = 100 + 80 * np.sin(hours * 2 * np.pi / 24) + rng.normal(0, 1, len(hours))
    values[-1] += 60
    state, scores = run(values, hours * 3600.0)
    magnitudes = scores[1 + BEHAVIOR]
    assert not magnitudes[: 24 * 7 * 8].any()
    usual = values[len(hours) - 1 - 168 :: -168].mean()
    own = state.cold()
    assert (own[LOW + BEHAVIOR] + own[HIGH + BEHAVIOR]) / 2 == pytest.approx(usual)
    off = own[HIGH + BEHAVIOR] - usual
    assert off >= 0.3 * abs(usual) * (1 - 1e-9)
    assert magnitudes[-1] == pytest.approx((values[-1] - usual) / off)
    assert magnitudes[-1] > 1 > magnitudes[24 * 7 * 10 : -1].max()
    assert not run(values)[1][1 + BEHAVIOR].any()


def test_a_flat_series_makes_no_giant_of_a_step() -> None:
    flicker = np.r_[np.zeros(150), np.tile([0.0, 0, 0, 1], 40)]
    assert run(flicker)[1][1:, 160:].max() <= 1
    _, scores = run(np.r_[np.full(200, 50.0), 50.1])
    assert scores[1:, -1].max() <= 1
    assert scores[0].max() < 0.5
    assert run(np.r_[np.full(200, 50.0), 60.0], least=11.0)[1][0, -1] < 0.5
    assert run(np.r_[np.full(200, 50.0), 60.0])[1][0, -1] > 0.9


def test_the_bands_of_anomalies_stand_in_the_row() -> None:
    values = series("gauss", 127)
    values[-1] = 1000
    own = run(values)[0].cold()
    low, high = np.quantile(values[56:120], [0.25, 0.75])
    assert own[LOW + IQR] == pytest.approx(low - 1.5 * (high - low))
    assert own[HIGH + IQR] == pytest.approx(high + 1.5 * (high - low))
    assert (own[LOW + SPIKE] + own[HIGH + SPIKE]) / 2 == pytest.approx(values[-2])
    assert own[LOW + Z_SCORE] < own[HIGH + Z_SCORE] < 1000
    values = series("gauss", 128)
    values[-32:] += 100
    own = run(values)[0].cold()
    assert own[NEW_MEAN] == pytest.approx(values[-32:].mean())
    assert (own[LOW + TREND] + own[HIGH + TREND]) / 2 == pytest.approx(values[-64:-32].mean())


@pytest.mark.parametrize("kind", ["gauss", "laplace", "poisson", "heavy", "bursts", "constant"])
def test_noise_alarms_at_the_rate_within_a_factor_of_two(kind: str) -> None:
    values = series(kind, 100_000, seed=5)
    state, _ = run(values, 300.0 * np.arange(len(values), dtype=np.float64))
    found = state.cold()[ALARMS] / len(values) / RATE_OF_ALARMS
    assert found < 2
    assert found > 0.5 or kind == "constant"


def test_short_noise_alarms_at_the_rate_within_a_factor_of_two() -> None:
    state = State(500)
    values = np.random.default_rng(1).normal(size=500 * 1000)
    steps(state.places, np.repeat(np.arange(500), 1000), values, NO_TIMES)
    assert state.arrays()[1][:, ALARMS].sum() / len(values) < 2 * RATE_OF_ALARMS


def mixed(n: int = 1500) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(2)
    values = 10 + 3 * rng.standard_t(3, n)
    values[-n // 10 :] += 500
    values[rng.random(n) < 0.02] = nan
    values[rng.random(n) < 0.02] = 1e308
    values[[n // 3, n // 2]] = inf, -1e308
    times = (np.cumsum(rng.integers(-1, 8, n)) * 60).astype(np.float64)
    times[rng.random(n) < 0.1] = nan
    return values, times


def test_compiled_and_plain_python_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    values, times = mixed()
    key_of = np.arange(len(values)) // 500
    fast = State(3)
    expected = steps(fast.places, key_of, values, times)
    told = [told_at(int(place)) for place in fast.places]
    for name in KERNELS:
        monkeypatch.setattr(named_kernels, name, getattr(named_kernels, name).py_func)
    monkeypatch.setattr(named_steps, "step", named_kernels.step)
    monkeypatch.setattr(named_rarity, "learn", tails.learn.py_func)
    monkeypatch.setattr(named_rarity, "decades", tails.decades.py_func)
    monkeypatch.setattr(tails, "pareto_decades", tails.pareto_decades.py_func)
    monkeypatch.setattr(quartiles, "ranked", quartiles.ranked.py_func)
    slow = State(3)
    found = steps.py_func(slow.places, key_of, values, times)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9)
    np.testing.assert_array_equal(found[1], expected[1])
    for one, other in zip(slow.arrays(), fast.arrays(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    monkeypatch.setattr(named_steps, "rarity_at", named_rarity.rarity_at.py_func)
    for place, right in zip(slow.places, told, strict=True):
        np.testing.assert_allclose(told_at.py_func(int(place)), right, rtol=1e-9)
    address = int(slow.places[0])
    assert risk_at.py_func(address, 1e9) > 0
    assert judged_at.py_func(address, nan, nan) == (0.0, named_kernels.ENOUGH)


def test_hostile_values_leave_finite_numbers() -> None:
    values, times = mixed()
    state, scores = run(values, times)
    assert np.isfinite(np.delete(state.hot(), TIME)).all()
    assert np.isfinite(state.cold()[BLOCK_MEAN:]).all()
    assert np.isfinite(scores).all()
    assert ((scores[0] >= 0) & (scores[0] <= 1)).all()
    assert state.hot()[RISK] == scores[0, -1]
    assert not run(np.full(300, 1e308))[1][0].any()
    assert not run(np.full(300, nan))[1][0].any()


def test_entries_give_the_same_numbers() -> None:
    values, times = mixed(300)
    one, other = State(), State()
    risk, judged = risk_entry(), judged_entry()
    key_of = np.zeros(300, dtype=np.int64)
    expected, flags = steps(one.places, key_of, values, times)
    for place, (value, when) in enumerate(zip(values.tolist(), times.tolist(), strict=True)):
        told = judged(int(other.places[0]), value, when)
        assert told == (expected[0, place], flags[place])
    expected, _ = steps(one.places, key_of, values, NO_TIMES)
    risks = [risk(int(other.places[0]), value) for value in values.tolist()]
    assert risks == expected[0].tolist()
    for mine, theirs in zip(one.arrays(), other.arrays(), strict=True):
        assert mine.tobytes() == theirs.tobytes()


def test_a_key_takes_at_most_four_kilobytes() -> None:
    assert 8 * (HOT_WIDTH + COLD_WIDTH) <= 4000
    assert named_kernels.SLOT + 2 * named_kernels.SLOTS <= COLD_WIDTH
    assert len(KINDS) == 5


def test_blocks_of_values_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    key_of = np.random.default_rng(1).integers(0, 3, 500)
    values = series("gauss", 500)
    whole, parts, alone = State(3), State(3), State(3)
    expected, flags = steps(whole.places, key_of, values, NO_TIMES)
    monkeypatch.setattr(named_steps, "_BLOCK", 64)
    found = steps.py_func(parts.places, key_of, values, NO_TIMES)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], flags)
    risk = risks.py_func(alone.places, key_of, values, NO_TIMES)
    np.testing.assert_array_equal(risk, expected[0])
    for key in range(3):
        np.testing.assert_array_equal(parts.hot(key)[:COLD], whole.hot(key)[:COLD])
        np.testing.assert_array_equal(alone.hot(key)[:COLD], whole.hot(key)[:COLD])


@given(key_of=st.lists(st.integers(0, 4), max_size=40))
def test_points_are_ordered_by_key_and_then_as_they_came(key_of: list[int]) -> None:
    codes = np.array(key_of, dtype=np.int64)
    order, ends = by_key(codes, 5)
    assert [each.tolist() for each in by_key.py_func(codes, 5)] == [order.tolist(), ends.tolist()]
    np.testing.assert_array_equal(order, np.argsort(codes, kind="stable"))
    np.testing.assert_array_equal(ends[:5], np.cumsum(np.bincount(codes, minlength=5)))
