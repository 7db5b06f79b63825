"""The parts of SPOT beside plain definitions; compiled and plain Python say the same."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from nextcall.anomaly import spot_kernels, spot_tail
from nextcall.anomaly.spot_kernels import (
    FIELDS,
    LATE,
    LOWER,
    UPPER,
    fresh_row,
    share_beyond,
    steps,
)
from nextcall.anomaly.spot_tail import (
    EXCESSES,
    HIGHEST,
    PEAKS,
    SCALE,
    SEEN,
    SHAPE,
    fit_tail,
    learn_excess,
    tail_decades,
    tail_quantile,
)

Floats = NDArray[np.float64]
KERNELS = (
    "fit_tail", "learn_excess", "tail_share", "tail_decades", "tail_quantile", "share_beyond",
    "side_risk", "decades", "start_tails", "remember", "learn_off", "put_in_order", "quantile",
    "step", "step_at",
)  # fmt: skip


def tail_of(excesses: Floats, floor: float = 0.0) -> Floats:
    tail = np.zeros(LOWER - UPPER)
    for excess in excesses:
        learn_excess(tail, excess)
    tail[SEEN] = 50.0 * len(excesses)
    fit_tail(tail, floor)
    return tail


@pytest.mark.parametrize("n", [1, 20, EXCESSES, 3 * EXCESSES])
def test_the_fit_is_by_probability_weighted_moments_of_the_newest(n: int) -> None:
    excesses = stats.genpareto.rvs(0.2, scale=3, size=n, random_state=np.random.default_rng(0))
    tail = tail_of(excesses)
    newest = np.sort(excesses[-EXCESSES:])
    kept = len(newest)
    weighted = np.mean(newest * (1 - (np.arange(kept) + 0.5) / kept))
    ratio = (weighted / newest.mean() * kept + 0.22 * 10) / (kept + 10)
    assert tail[SHAPE] == pytest.approx(2 - 1 / (1 - 2 * ratio))
    assert tail[SCALE] == pytest.approx(2 * newest.mean() * ratio / (1 - 2 * ratio))
    assert tail[PEAKS] == n
    known = stats.genpareto(tail[SHAPE], scale=tail[SCALE])
    for excess in (0.0, 0.5, 5.0, 20.0):
        survival = (n + 0.1) / (50 * n + 0.1) * known.sf(excess)
        assert tail_decades(tail, excess) == pytest.approx(-np.log10(survival))
        assert tail_quantile(tail, survival) == pytest.approx(excess, abs=1e-9)
    assert tail_quantile(tail, 0.5) == 0


def test_a_shape_of_zero_is_an_exponential() -> None:
    for kernel, inverse in (
        (tail_decades, tail_quantile),
        (tail_decades.py_func, tail_quantile.py_func),
    ):
        tail = tail_of(np.ones(20))
        tail[[SHAPE, SCALE]] = 0.0, 2.0
        share = 20.1 / 1000.1
        assert kernel(tail, 6.0) == pytest.approx(-np.log10(share * np.exp(-3)))
        assert inverse(tail, share * np.exp(-3)) == pytest.approx(6.0)
        tail[SHAPE] = 2e-3
        assert kernel(tail, 6.0) == pytest.approx(-np.log10(share * np.exp(-3)), abs=0.01)
        tail[SHAPE] = -0.38
        assert kernel(tail, 1e9) < kernel(tail, 1e9) + 1 <= HIGHEST
        tail[SHAPE] = 0.0
        assert kernel(tail, 1e9) == HIGHEST


def test_the_scale_has_a_floor() -> None:
    assert tail_of(np.zeros(0), floor=2.0)[SCALE] == 2
    assert tail_of(np.full(5, 1e-9), floor=2.0)[SCALE] == 2
    assert tail_of(np.zeros(0))[SCALE] > 0


def test_the_share_beyond_counts_from_either_end() -> None:
    marks = np.array([0.0, 0.0, 1.0, 3.0, 3.0])
    for kernel in (share_beyond, share_beyond.py_func):
        above = [kernel(marks, value, 1.0) for value in (-1, 0, 0.5, 1, 2, 3, 4)]
        below = [kernel(marks, value, -1.0) for value in (-1, 0, 0.5, 1, 2, 3, 4)]
        assert above == [1, 1, 0.625, 0.5, 0.375, 0.25, 0]
        assert below == [0, 0.25, 0.375, 0.5, 0.625, 1, 1]


@pytest.mark.parametrize("sides", [1, 2, 3])
@pytest.mark.parametrize("depth", [0, 5])
def test_plain_python_gives_the_same(
    monkeypatch: pytest.MonkeyPatch, sides: int, depth: int
) -> None:
    values = np.random.default_rng(0).standard_t(3, size=400).round(1)
    values[[3, 200, 201, 300]] = np.nan, 1e308, np.inf, -50.0
    times = np.arange(400.0)
    times[[5, 250, 251]] = np.nan, 249.0, 3.0

    def run(kernel: object) -> tuple[Floats, Floats]:
        row, results = fresh_row(depth, 100, 0.01, sides), np.empty((len(values), len(FIELDS)))
        places = np.zeros(len(values), dtype=np.int64)
        kernel(row[np.newaxis], places, (depth, 100), values, times, results)  # type: ignore[operator]
        return row[depth:], results

    expected = run(steps)
    assert expected[0][LATE] == 2
    for name in KERNELS:
        for module in (spot_kernels, spot_tail):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, getattr(module, name).py_func)
    monkeypatch.setattr(spot_kernels, "MEMORY", 1e9)
    found = run(steps.py_func)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9)
    monkeypatch.setattr(spot_kernels, "MEMORY", 200.0)
    own, _ = run(steps.py_func)
    assert 100 <= own[UPPER + SEEN] <= 200
