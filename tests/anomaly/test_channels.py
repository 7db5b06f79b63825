"""The three channels, against brute force over what they should remember."""

import numpy as np
import pytest

from nextcall.anomaly import channels
from nextcall.anomaly.channels import (
    CLIP,
    FILLING,
    HALF,
    LEVEL_WIDTH,
    MEDIAN,
    PAIRS,
    PAIRS_EVERY,
    REGULAR,
    REGULAR_EVERY,
    SCALE,
    SHAPE_WIDTH,
    SURPRISE,
    SURPRISING,
    VALUE_WIDTH,
    cut,
    level_change,
    shape_novelty,
    value_novelty,
)
from nextcall.anomaly.tails import TAIL_WIDTH, Floats, decades_then_learn


@pytest.fixture(scope="module")
def series() -> Floats:
    rng = np.random.default_rng(7)
    values = rng.normal(size=2500) + np.where(rng.random(2500) < 0.02, 9.0, 0.0)
    values[1800:] += 4.0
    return values


def test_value_novelty_is_the_distance_to_the_nearest_of_what_is_kept(series: Floats) -> None:
    channel, tail = np.zeros(VALUE_WIDTH), np.zeros(TAIL_WIDTH)
    regular: list[float] = []
    surprising: list[float] = []
    for row, value in enumerate(series):
        kept = regular[-REGULAR:] + surprising[-SURPRISING:]
        plain, nearest = 0.0, value
        if kept:
            nearest = min(kept, key=lambda known: abs(value - known))
        if row >= 12:
            plain = decades_then_learn(tail, abs(value - nearest))
        if row < FILLING or row % REGULAR_EVERY == 0:
            regular.append(value)
        elif plain >= SURPRISE:
            surprising.append(value)
        assert value_novelty(channel, value, row) == (plain, nearest)
    assert len(surprising) > SURPRISING


def test_shape_novelty_is_the_distance_to_the_third_nearest_pair(series: Floats) -> None:
    channel, tail = np.zeros(SHAPE_WIDTH), np.zeros(TAIL_WIDTH)
    pairs: list[tuple[float, float]] = []
    for row, value in enumerate(series):
        plain = 0.0
        if row >= 5:
            newer, older = (
                sum(series[row - back] for back in range(first, first + 3)) / 3 for first in (0, 3)
            )
            away = sorted(abs(newer - a) + abs(older - b) for a, b in pairs[-PAIRS:])
            if row >= 6:
                plain = decades_then_learn(tail, away[2] if len(away) > 2 else 0.0)
            if row == 5 or row % PAIRS_EVERY == 0:
                pairs.append((newer, older))
        assert shape_novelty(channel, value, row) == pytest.approx(plain, abs=1e-9)
    assert len(pairs) > PAIRS


def test_level_change_is_the_difference_of_two_windows_of_cut_rows(series: Floats) -> None:
    channel, alone = np.zeros(LEVEL_WIDTH), np.zeros(LEVEL_WIDTH)
    up, down = np.zeros(TAIL_WIDTH), np.zeros(TAIL_WIDTH)
    rows: list[float] = []
    for row, value in enumerate(series):
        rows.append(cut(alone, value, row))
        told = level_change(channel, value, row)
        whole = 2 * (len(rows) // 2)
        if whole < 4 * HALF:
            assert told == 0.0
            continue
        newer = np.mean(rows[whole - 2 * HALF : whole])
        older = np.mean(rows[whole - 4 * HALF : whole - 2 * HALF])
        rise = decades_then_learn(up, float(newer - older))
        fall = decades_then_learn(down, float(older - newer))
        plain = max(rise, fall, np.log10(2)) - np.log10(2)
        assert abs(told) == pytest.approx(plain, abs=1e-4)
        if plain > 1.0:
            assert (told > 0) == (rise > fall)


def test_a_cut_row_counts_scales_from_the_median() -> None:
    channel = np.zeros(LEVEL_WIDTH)
    values = np.random.default_rng(8).normal(10.0, 2.0, size=20_000)
    rows = np.array([cut(channel, value, row) for row, value in enumerate(values)])
    assert channel[MEDIAN] == pytest.approx(10.0, abs=0.3)
    assert channel[SCALE] == pytest.approx(2.0 * np.sqrt(2 / np.pi), rel=0.15)
    assert rows[1000:].std() == pytest.approx(1.0, abs=0.1)
    assert cut(channel, 1e9, 20_000) == CLIP
    assert cut(channel, -1e9, 20_001) == -CLIP


def test_plain_python_gives_the_same(series: Floats) -> None:
    short = np.concatenate([series[:130], [channels.CLIP], np.full(20, 3.0)]).tolist()
    width = {value_novelty: VALUE_WIDTH, shape_novelty: SHAPE_WIDTH, level_change: LEVEL_WIDTH}
    for kernel, size in width.items():
        fast, slow = np.zeros(size), np.zeros(size)
        for row, value in enumerate(short):
            assert kernel(fast, value, row) == kernel.py_func(slow, value, row)
        np.testing.assert_array_equal(fast, slow)
    fast, slow = np.zeros(LEVEL_WIDTH), np.zeros(LEVEL_WIDTH)
    for row, value in enumerate([3.0] * 20 + short):
        assert cut(fast, value, row) == cut.py_func(slow, value, row)
    np.testing.assert_array_equal(fast, slow)
