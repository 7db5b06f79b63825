"""Distances beside numpy's, contributions by their laws, planted outliers, rates on noise."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.anomaly import mahalanobis
from nextcall.anomaly.mahalanobis import MahalanobisDetector, squared_distance

MEMORY = 500


def correlated(n_rows: int, size: int, *, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, size)) @ rng.normal(size=(size, size)) * 5 + 100


def distance(detector: MahalanobisDetector, row: NDArray[np.float64]) -> float:
    return squared_distance(detector._state, row, MEMORY)


@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_distance_is_that_of_the_shrunken_covariance(size: int) -> None:
    """Before anything fades or is cut, mean and covariance are those of all rows."""
    rows = correlated(16 + size, size, seed=size)
    detector = MahalanobisDetector(size, memory=MEMORY)
    detector.score(rows)
    covariance = np.atleast_2d(np.cov(rows.T, bias=True))
    kept = 1 - (size / (len(rows) + size)) ** 2
    shrunken = kept * covariance + (1 - kept) * np.diag(np.diag(covariance))
    row = rows[0] + 3
    away = row - rows.mean(axis=0)
    plain = away @ np.linalg.solve(shrunken, away)
    assert distance(detector, row) == pytest.approx(plain)


def test_contributions_sum_to_the_squared_distance_and_name_the_odd_number() -> None:
    rows = correlated(800, 6, seed=1)
    detector = MahalanobisDetector(6)
    detector.score(rows)
    for seed in range(20):
        row = rows[seed] + np.random.default_rng(seed).normal(0, 5, 6)
        told = detector.contributions(row)
        assert (told >= 0).all()
        assert told.sum() == pytest.approx(distance(detector, row), rel=1e-6)
    alone = MahalanobisDetector(3)
    alone.score(np.random.default_rng(2).normal(size=(500, 3)) * [1, 10, 100])
    told = alone.contributions([0.0, 80.0, 0.0])
    assert told.argmax() == 1
    assert told[1] > 0.95 * told.sum()
    assert alone.rows == 500


numbers = st.one_of(st.floats(allow_infinity=False), st.floats(-1, 1), st.just(0.0))


@given(st.lists(st.tuples(numbers, numbers), max_size=140), st.integers(0))
@settings(max_examples=40, deadline=None)
def test_a_row_at_a_time_and_all_at_once_are_the_same_bit_for_bit(
    rows: list[tuple[float, float]], cut: int
) -> None:
    one, many = MahalanobisDetector(2, rate=0.05), MahalanobisDetector(2, rate=0.05)
    told = [one.update(row) for row in rows]
    cut %= len(rows) + 1
    parts = [np.array(part).reshape(-1, 2) for part in (rows[:cut], rows[cut:])]
    assert told == [score for part in parts for score in many.score(part).tolist()]
    assert all(0 <= score <= 1 for score in told)
    assert one.rows + one.missing == len(rows)
    np.testing.assert_array_equal(one._state, many._state)


def test_units_do_not_matter() -> None:
    rows = correlated(600, 4, seed=3)
    scores = MahalanobisDetector(4).score(rows)
    scaled = MahalanobisDetector(4).score(rows * [1e-6, 1.0, 1e3, 1e9])
    np.testing.assert_allclose(scaled, scores, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("freedom", [3.0, 1e6])
def test_alarms_of_noise_come_at_the_rate(freedom: float) -> None:
    alarms = 0.0
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rows = rng.standard_t(freedom, size=(10_000, 5))
        scores = MahalanobisDetector(5, rate=0.01).score(rows)
        assert (scores[:100] == 0).all()
        alarms += (scores >= 0.5).sum() / len(rows) / 3
    assert 0.005 < alarms < 0.02


def test_pairs_that_are_odd_together_only_are_found_though_outliers_came_before() -> None:
    rng = np.random.default_rng(4)
    load = rng.normal(0, 1, 2000)
    rows = np.column_stack([load, load + rng.normal(0, 0.1, 2000)])
    rows[300:2000:100] = [50.0, -80.0]
    rows[350:2000:100] = [1.0, -1.0]  # each within a standard deviation
    scores = MahalanobisDetector(2, rate=0.02).score(rows)
    assert (scores[350::100] >= 0.5).mean() > 0.8
    calm = np.ones(2000, dtype=bool)
    calm[300::50] = False
    assert (scores[calm] >= 0.5).mean() < 0.03


def test_degenerate_rows_have_an_answer() -> None:
    for rows in (
        np.full((300, 3), 7.0),
        np.zeros((300, 3)),
        np.full((300, 3), np.nan),
        np.tile([1e308, -1e308, 0.0], (300, 1)),
        np.random.default_rng(5).normal(size=(300, 1)) @ np.ones((1, 3)),
        np.empty((0, 3)),
        np.ones((1, 3)),
    ):
        detector = MahalanobisDetector(3)
        scores = detector.score(rows)
        assert scores.shape == (len(rows),)
        assert np.isfinite(scores).all()
        assert np.isfinite(detector.contributions([1e308, 0.0, -1e308])).all()
    assert np.isnan(detector.contributions([1.0, np.nan, 0.0])).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dimensions": 0}, "dimensions must be from 1 to 64, got 0"),
        ({"dimensions": 65}, "dimensions must be from 1 to 64, got 65"),
        ({"dimensions": 2, "rate": 0.0}, "rate must be above 0 and at most 0.05, got 0.0"),
        ({"dimensions": 2, "memory": 3}, "memory must be at least 16, got 3"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MahalanobisDetector(**options)


def test_rows_that_are_none_are_refused() -> None:
    detector = MahalanobisDetector(2)
    with pytest.raises(ValueError, match=r"values must have shape \(2,\), got \(3,\)"):
        detector.update([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="finite or NaN, got an infinity"):
        detector.score([[1.0, 2.0], [np.inf, 0.0]])
    assert detector.rows == 0


def test_compiled_and_plain_python_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = correlated(150, 3, seed=6)
    rows[[30, 120]] = [[np.nan, 1.0, 1.0], [1e5, 0.0, 0.0]]
    compiled = MahalanobisDetector(3)
    scores = compiled.score(rows)
    for name in ("scale_of", "squared_distance", "step", "steps"):
        kernel: Any = getattr(mahalanobis, name)
        monkeypatch.setattr(mahalanobis, name, kernel.py_func)
    plain = MahalanobisDetector(3)
    np.testing.assert_allclose(plain.score(rows), scores, rtol=1e-9)
    np.testing.assert_allclose(plain._state, compiled._state, rtol=1e-9)
