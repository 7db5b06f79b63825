"""The noise of a series with changes, beside that of the series without."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.anomaly import change_noise
from nextcall.anomaly.change_noise import (
    BEFORE,
    MEMORY,
    NEWEST,
    NOISE_WIDTH,
    ROWS,
    cut_newest,
    learn_noise,
    noise,
)


def learned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    state = np.zeros(NOISE_WIDTH)
    for value in values:
        learn_noise(state, value)
        state[BEFORE] = state[NEWEST]
        state[NEWEST] = value
        state[ROWS] += 1
    return state


def test_noise_is_that_of_independent_rows() -> None:
    told = [
        noise(learned(np.random.default_rng(seed).normal(50, 3, 2000)))[0] for seed in range(20)
    ]
    assert np.mean(told) == pytest.approx(3.0, rel=0.03)
    assert np.std(told) < 0.25  # the spread of a mean of MEMORY squares


@pytest.mark.parametrize("size", [8.0, 30.0])
def test_changes_of_level_teach_nothing(size: float) -> None:
    values = np.random.default_rng(1).normal(0, 1, 2000)
    levels = size * (np.arange(2000) // 5 % 2)  # every fifth difference is a jump
    levels[:100] = 0
    plain, changed = (noise(learned(rows))[0] for rows in (values, values + levels))
    assert changed == pytest.approx(plain, rel=0.15)


def test_a_giant_teaches_nothing() -> None:
    values = np.random.default_rng(4).normal(0, 1, 500)
    plain = noise(learned(values))
    values[[300, 301]] = 1e90
    assert noise(learned(values)) == pytest.approx(plain, rel=0.02)


def test_noise_that_grows_is_learned_though_its_differences_look_like_jumps() -> None:
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(0, 0.01, 500), rng.normal(0, 5, 1500)])
    assert noise(learned(values))[0] == pytest.approx(5.0, rel=0.15)
    assert noise(learned(values[:540]))[0] > 1.0


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_long_run_noise_is_that_of_the_mean_of_correlated_rows(correlation: float) -> None:
    """The law: of an autoregression, sums have the variance of its innovations / (1 - r)^2."""
    told = []
    for seed in range(20):
        shocks = np.random.default_rng(seed).normal(size=4000)
        values = np.zeros(4000)
        for row in range(1, 4000):
            values[row] = correlation * values[row - 1] + shocks[row]
        told.append(noise(learned(values))[1])
    # less one standard error of the correlation; what is below 0 counts as 0
    least = 1 / (1 - correlation + 1 / np.sqrt(MEMORY) * (correlation > 0))
    assert least * 0.8 < np.median(told) < 1.15 / (1 - correlation)


def test_flat_series_have_floors() -> None:
    assert noise(learned(np.zeros(100)))[0] == 1e-100
    assert noise(learned(np.full(100, 500.0)))[0] == pytest.approx(0.05)
    flicker = np.zeros(400)
    flicker[[350, 399]] = 4.0
    assert noise(learned(flicker))[0] >= 2.0  # half the smallest step
    for values in ([], [3.0], [3.0, 3.0]):
        assert np.isfinite(noise(learned(np.array(values)))).all()


def test_a_row_that_stands_out_alone_is_cut_and_a_change_is_not() -> None:
    state = np.zeros(NOISE_WIDTH)
    state[[ROWS, BEFORE, NEWEST]] = 2, 1.0, 50.0
    assert cut_newest(state, 2.0, 0.5) == 2.5
    assert cut_newest(state, 49.0, 0.5) == 49.5
    assert cut_newest(state, 70.0, 0.5) == 50.0
    state[NEWEST] = -50.0
    assert cut_newest(state, 2.0, 0.5) == 0.5
    state[ROWS] = 1
    assert cut_newest(state, 2.0, 0.5) == 1.5


def test_compiled_and_plain_python_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([np.full(40, 2.0), rng.normal(9, 0.1, 100), rng.normal(0, 9, 100)])
    values[60] = 1e100
    compiled = learned(values)
    short = noise(compiled)[0]
    told = noise(compiled), cut_newest(compiled, 1.0, short)
    kernel: Any = change_noise.learn_square
    monkeypatch.setattr(change_noise, "learn_square", kernel.py_func)
    monkeypatch.setitem(globals(), "learn_noise", learn_noise.py_func)
    plain = learned(values)
    np.testing.assert_array_equal(plain, compiled)
    assert (noise.py_func(plain), cut_newest.py_func(plain, 1.0, short)) == told
