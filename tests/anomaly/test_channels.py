"""The three channels, against brute force over what they should remember."""

import math

import numpy as np
import pytest

from nextcall.anomaly import channels
from nextcall.anomaly.channels import (
    ACTUAL,
    CLIP,
    EXPECTED,
    FILLING,
    HALF,
    HIGH,
    LEVEL_WIDTH,
    LOW,
    MEDIAN,
    PAIRS,
    PAIRS_EVERY,
    REGULAR,
    REGULAR_EVERY,
    SAID_WIDTH,
    SCALE,
    SCALE_TO_SIGMA,
    SHAPE_WIDTH,
    SURPRISE,
    SURPRISING,
    VALUE_WIDTH,
    cut,
    level_change,
    say,
    shape_novelty,
    third_nearest,
    value_novelty,
)
from nextcall.anomaly.tails import TAIL_WIDTH, Floats, reach, weigh

NEVER = math.inf
WANTED = 1.5


@pytest.fixture(scope="module")
def series() -> Floats:
    rng = np.random.default_rng(7)
    values = rng.normal(size=2500) + np.where(rng.random(2500) < 0.02, 9.0, 0.0)
    values[1800:] += 4.0
    return values


def test_value_novelty_is_the_distance_to_the_nearest_of_what_is_kept(series: Floats) -> None:
    channel, tail, said = np.zeros(VALUE_WIDTH), np.zeros(TAIL_WIDTH), np.zeros(SAID_WIDTH)
    regular: list[float] = []
    surprising: list[float] = []
    for row, value in enumerate(series):
        kept = regular[-REGULAR:] + surprising[-SURPRISING:]
        plain, nearest, usual = 0.0, math.nan, math.nan
        if kept:
            nearest = min(kept, key=lambda known: abs(value - known))
        if row >= 12:
            usual = reach(tail, WANTED)
            plain, _ = weigh(tail, abs(value - nearest), NEVER)
        if row < FILLING or row % REGULAR_EVERY == 0:
            regular.append(value)
        elif plain >= SURPRISE:
            surprising.append(value)
        assert value_novelty(channel, value, row, WANTED, said) == plain
        band = [nearest - usual, nearest + usual] if plain >= WANTED else [math.nan] * 2
        np.testing.assert_array_equal(said, [value, nearest, *band])
    assert len(surprising) > SURPRISING


def test_shape_novelty_is_the_distance_to_the_third_nearest_pair(series: Floats) -> None:
    channel, tail, said = np.zeros(SHAPE_WIDTH), np.zeros(TAIL_WIDTH), np.zeros(SAID_WIDTH)
    pairs: list[tuple[float, float]] = []
    for row, value in enumerate(series):
        plain = 0.0
        if row >= 5:
            newer, older = (
                sum(series[row - back] for back in range(first, first + 3)) / 3 for first in (0, 3)
            )
            away = sorted(abs(newer - a) + abs(older - b) for a, b in pairs[-PAIRS:])
            if row >= 6:
                plain, _ = weigh(tail, away[2] if len(away) > 2 else 0.0, NEVER)
            if row == 5 or row % PAIRS_EVERY == 0:
                pairs.append((newer, older))
        told = shape_novelty(channel, value, row, WANTED, said)
        assert told == pytest.approx(plain, abs=1e-9)
        if row >= 6 and len(pairs) > 3:
            assert said[ACTUAL] == pytest.approx(newer)
        if row >= 80:
            known = [
                pair for pair in pairs[-PAIRS - 1 :] if pair[0] == pytest.approx(said[EXPECTED])
            ]
            assert any(abs(newer - a) + abs(older - b) == pytest.approx(away[2]) for a, b in known)
            if told >= WANTED:
                assert not said[LOW] < newer < said[HIGH]
            else:
                assert np.isnan(said[LOW:]).all()
    assert len(pairs) > PAIRS


def test_level_change_is_the_difference_of_two_windows_of_cut_rows(series: Floats) -> None:
    channel, alone, said = np.zeros(LEVEL_WIDTH), np.zeros(LEVEL_WIDTH), np.zeros(SAID_WIDTH)
    up, down = np.zeros(TAIL_WIDTH), np.zeros(TAIL_WIDTH)
    rows: list[float] = []
    for row, value in enumerate(series):
        rows.append(cut(alone, value, row))
        told = level_change(channel, value, row, WANTED, said)
        whole = 2 * (len(rows) // 2)
        if whole < 4 * HALF:
            assert told == 0.0
            continue
        newer = np.mean(rows[whole - 2 * HALF : whole])
        older = np.mean(rows[whole - 4 * HALF : whole - 2 * HALF])
        rise, above = weigh(up, float(newer - older), WANTED + np.log10(2))
        fall, below = weigh(down, float(older - newer), WANTED + np.log10(2))
        plain = max(rise, fall, np.log10(2)) - np.log10(2)
        assert abs(told) == pytest.approx(plain, abs=1e-4)
        if plain > 1.0:
            assert (told > 0) == (rise > fall)
        sigma = SCALE_TO_SIGMA * channel[SCALE]
        middle = channel[MEDIAN] + older * sigma
        ends = [middle - below * sigma, middle + above * sigma]
        np.testing.assert_allclose(said, [channel[MEDIAN] + newer * sigma, middle, *ends])
        assert np.isnan(said[LOW:]).sum() == (1 if plain >= WANTED else 2)


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
            told, plain = np.zeros((2, SAID_WIDTH))
            compared = kernel(fast, value, row, WANTED, told)
            assert compared == kernel.py_func(slow, value, row, WANTED, plain)
            np.testing.assert_array_equal(told, plain)
        np.testing.assert_array_equal(fast, slow)
    pairs = np.random.default_rng(9).normal(size=2 * PAIRS)
    for kept in (2, 3, PAIRS):
        assert third_nearest(pairs, kept, 0.1, 0.2) == third_nearest.py_func(pairs, kept, 0.1, 0.2)
    said, plain = np.zeros((2, SAID_WIDTH))
    say(said, 5.0, 2.0, 1.0, 3.0)
    say.py_func(plain, 5.0, 2.0, 1.0, 3.0)
    assert said.tolist() == plain.tolist() == [5.0, 2.0, 1.0, 5.0]
    fast, slow = np.zeros(LEVEL_WIDTH), np.zeros(LEVEL_WIDTH)
    for row, value in enumerate([3.0] * 20 + short):
        assert cut(fast, value, row) == cut.py_func(slow, value, row)
    np.testing.assert_array_equal(fast, slow)
