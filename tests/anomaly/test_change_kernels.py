"""Each method beside its slow and plain definition."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.anomaly import change_kernels, change_noise
from nextcall.anomaly.change_kernels import (
    CUSUM,
    FOCUS,
    FOUND,
    LATE,
    LOWER,
    LOWER_SIZE,
    NEW_LEVEL,
    OLD_LEVEL,
    PAGE_HINKLEY,
    PLACE,
    RESULT_WIDTH,
    SIGN,
    UPPER_SIZE,
    VERTICES,
    WAITS,
    WIDTH,
    cumulate,
    focus,
    push,
    step_at,
    steps,
)
from nextcall.anomaly.change_noise import NEWEST_PLACE, ROWS

METHODS = (FOCUS, CUSUM, PAGE_HINKLEY)
FAR = 1e300


def run(values: NDArray[np.float64], method: int, limit: float) -> NDArray[np.float64]:
    results = np.empty((len(values), RESULT_WIDTH))
    places, whens = np.zeros(len(values), np.int64), np.full(len(values), np.nan)
    steps(np.zeros((1, WIDTH)), places, values, whens, method, limit, results)
    return results


def statistics(
    rows: NDArray[np.float64], method: int, *, limit: float = FAR
) -> tuple[list[float], NDArray[np.float64]]:
    """Feed a method alone with rows of standard deviation 1; the statistics and the state."""
    state = np.zeros(WIDTH)
    told = []
    for place, row in enumerate(rows):
        state[NEWEST_PLACE] = place
        told.append(
            focus(state, row, 1.0, limit)
            if method == FOCUS
            else cumulate(state, row, 1.0, method, limit)
        )
        state[ROWS] += 1
    return told, state


def best_split(rows: NDArray[np.float64]) -> float:
    """Twice the gain in Gaussian log-likelihood of the best split."""
    spread = ((rows - rows.mean()) ** 2).sum()
    return max(
        (
            spread
            - ((rows[:place] - rows[:place].mean()) ** 2).sum()
            - ((rows[place:] - rows[place:].mean()) ** 2).sum()
            for place in range(1, len(rows))
        ),
        default=0.0,
    )


@given(st.lists(st.integers(-30, 30), min_size=1, max_size=25), st.sampled_from([0.1, 1.0, 7.0]))
@settings(max_examples=100, deadline=None)
def test_focus_is_the_likelihood_ratio_of_the_best_of_all_splits(
    numbers: list[int], unit: float
) -> None:
    rows = np.array(numbers) * unit
    told, _ = statistics(rows, FOCUS)
    plain = [best_split(rows[: end + 1]) for end in range(len(rows))]
    np.testing.assert_allclose(told, plain, atol=1e-8 * (1 + np.abs(rows).max() ** 2))


def test_focus_keeps_few_vertices_of_a_long_series() -> None:
    rows = np.random.default_rng(0).normal(size=20_000)
    told, state = statistics(rows, FOCUS)
    assert max(state[LOWER_SIZE], state[UPPER_SIZE]) < VERTICES
    sums = np.concatenate([[0.0], np.cumsum(rows)])
    at = np.arange(1, len(rows))
    gaps = at * sums[-1] / len(rows) - sums[at]
    assert told[-1] == pytest.approx((gaps**2 * len(rows) / (at * (len(rows) - at))).max())


@pytest.mark.parametrize("put", [push, push.py_func])
def test_a_full_hull_forgets_its_second_point(put: Callable[..., None]) -> None:
    state = np.zeros(WIDTH)
    for rows in range(VERTICES + 3):
        put(state, LOWER, float(rows), float(rows**2), float(rows), 1.0)
    assert state[LOWER_SIZE] == VERTICES
    kept = state[LOWER : LOWER + 3 * VERTICES : 3]
    np.testing.assert_array_equal(kept, [0, *range(4, VERTICES + 3)])


def test_focus_tells_a_change_when_it_has_rows_enough_and_goes_on_from_there() -> None:
    """Behind a change its rows alone count: the best split of them is told next."""
    rng = np.random.default_rng(1)
    rows = np.concatenate([rng.normal(0, 1, 50), rng.normal(30, 1, 44)])
    told, state = statistics(rows[:53], FOCUS, limit=40.0)
    assert (state[FOUND], state[PLACE], state[SIGN]) == (1, 50, 1)
    assert told[50:52] == [WAITS * 40.0] * 2
    assert told[52] == pytest.approx(best_split(rows[:53]))
    assert state[OLD_LEVEL] == pytest.approx(rows[:50].mean())
    assert state[NEW_LEVEL] == pytest.approx(rows[50:53].mean())
    for place in range(53, len(rows)):
        state[NEWEST_PLACE] = place
        ratio = focus(state, rows[place], 1.0, FAR)
        assert ratio <= best_split(rows[50 : place + 1]) + 1e-9
        assert ratio >= 0.9 * best_split(rows[50 : place + 1])  # the other hull lost some points


def plain_page_hinkley(rows: NDArray[np.float64]) -> list[float]:
    """Deviations from the running mean, less the tolerance; their sum less its least so far."""
    told = []
    for end in range(1, len(rows) + 1):
        means = np.cumsum(rows[:end]) / np.arange(1, end + 1)
        sides = []
        for side in (1, -1):
            sums = np.cumsum(side * (rows[:end] - means) - 0.5)
            sides.append(sums[-1] - min(0.0, sums.min()))
        told.append(max(sides))
    return told


def plain_cusum(rows: NDArray[np.float64]) -> list[float]:
    """Recursive residuals, less the reference; their sum less its least so far."""
    residuals = [0.0] + [
        (rows[end] - rows[:end].mean()) / np.sqrt(1 + 1 / end) for end in range(1, len(rows))
    ]
    told = []
    for end in range(1, len(rows) + 1):
        sides = []
        for side in (1, -1):
            sums = np.cumsum(side * np.array(residuals[:end]) - 1.0)
            sides.append(sums[-1] - min(0.0, sums.min()))
        told.append(max(sides))
    return told


def test_cumulative_sums_are_their_plain_definitions() -> None:
    rows = np.random.default_rng(2).uniform(-2.5, 2.5, 60)  # no row is beyond a limit
    np.testing.assert_allclose(
        statistics(rows, PAGE_HINKLEY)[0], plain_page_hinkley(rows), atol=1e-9
    )
    np.testing.assert_allclose(statistics(rows, CUSUM)[0], plain_cusum(rows), atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_place_levels_and_direction_of_a_planted_change(method: int, side: float) -> None:
    values = np.random.default_rng(3).normal(100, 1, 400)
    values[250:] += side * 10
    limit = (20.0, 5.0, 10.0)[method]
    results = run(values, method, limit)
    told = results[~np.isnan(results[:, 1])]
    assert told.shape == (1, RESULT_WIDTH)
    assert told[0, 1] == 250
    assert told[0, 2] == side
    assert told[0, 3] == pytest.approx(100, abs=0.7)
    assert told[0, 4] == pytest.approx(100 + side * 10, abs=2.5)
    row = int(np.flatnonzero(~np.isnan(results[:, 1]))[0])
    assert 250 < row < 256
    assert results[row, 0] >= 0.5


@pytest.mark.parametrize("method", METHODS)
def test_a_change_that_goes_on_is_one_and_one_back_is_another(method: int) -> None:
    limit = (20.0, 5.0, 10.0)[method]
    values = np.random.default_rng(4).normal(0, 1, 600)
    values[300:] += 8
    values[310:] += 8
    values[400:] -= 16
    values[500:] += 6
    results = run(values, method, limit)
    told = results[~np.isnan(results[:, 1]), 1]
    assert len(told) == 3
    assert (np.abs(told - [300, 400, 500]) <= [10, 1, 1]).all()  # a sum may leave zero early


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rate_of", ["normal", "t3", "correlated", "constant"])
def test_alarms_of_noise_are_as_few_as_the_limit_says(method: int, rate_of: str) -> None:
    n = 100_000
    rng = np.random.default_rng(5)
    values = rng.normal(size=n)
    if rate_of == "t3":
        values = rng.standard_t(3, size=n)
    elif rate_of == "correlated":
        for row in range(1, n):
            values[row] += 0.5 * values[row - 1]
    elif rate_of == "constant":
        values[:] = 7.0
    limit = (15.0, 3.25, 6.35)[method]  # one in 1,000 rows
    results = run(values, method, limit)
    assert (~np.isnan(results[:, 1])).sum() <= n / 1000 * (1.3 if rate_of == "normal" else 3.0)
    if rate_of == "normal":
        assert (~np.isnan(results[:, 1])).sum() >= n / 1000 / 2


def test_compiled_and_plain_python_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    values = np.concatenate(
        [
            rng.normal(0, 1, 60),
            rng.normal(9, 1, 8),
            rng.normal(18, 1, 30),
            [np.nan, 1e308],
            rng.normal(-3, 1, 40),
        ]
    )
    compiled = [run(values, method, 8.0) for method in METHODS]
    whens, one_by_one = (5.0, np.nan, 6.0, 6.0, 3.0, 7.0), []
    for method in METHODS:
        state = np.zeros((1, WIDTH))
        scores = [step_at(state, 0, when % 4, when, method, 8.0) for when in whens]
        one_by_one.append((scores, state.tolist()))
    assert all(np.nansum(each[:, 1]) > 0 for each in compiled)
    for module, names in (
        (change_noise, ("learn_square",)),
        (
            change_kernels,
            ("learn_noise", "noise", "cut_newest", "push", "restart", "tell", "focus", "add",
             "cumulate", "step"),
        ),
    ):  # fmt: skip
        for name in names:
            kernel: Any = getattr(module, name)
            monkeypatch.setattr(module, name, kernel.py_func)
    monkeypatch.setitem(globals(), "steps", steps.py_func)
    monkeypatch.setitem(globals(), "step_at", step_at.py_func)
    for method in METHODS:
        np.testing.assert_array_equal(run(values, method, 8.0), compiled[method])
        state = np.zeros((1, WIDTH))
        scores = [step_at(state, 0, when % 4, when, method, 8.0) for when in whens]
        assert (scores, state.tolist()) == one_by_one[method]
        assert state[0, LATE] == 2
