"""Pelt beside plain dynamic programming, where ruptures is there."""

import sys

import numpy as np
import pytest

from nextcall.anomaly.offline_changes import find_changes_offline


def best_places(values: np.ndarray, penalty: float) -> list[int]:
    """Give the places of least cost, by trying every last stretch of every beginning."""
    least, places = [-penalty], [[]]  # type: list[float], list[list[int]]
    for end in range(1, len(values) + 1):
        costs = {
            first: least[first] + penalty + float(((part - part.mean()) ** 2).sum())
            for first in range(end)
            if len(part := values[first:end]) >= 2 and np.isfinite(least[first])
        }
        first = min(costs, key=costs.__getitem__, default=-1)
        least.append(costs[first] if costs else np.inf)
        places.append([*places[first], first] if costs else [])
    return places[-1][1:]


def test_places_cost_least() -> None:
    pytest.importorskip("ruptures", reason="ruptures is not installed")
    rng = np.random.default_rng(0)
    for seed in range(8):
        values = rng.normal(size=60)
        values[20:45] += seed
        steps = np.diff(values)
        sigma = 1.4826 * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2)
        penalty = 2 * np.log(60)
        plain = best_places(values / sigma, penalty)
        assert [change.place for change in find_changes_offline(values)] == plain
        again = find_changes_offline(values, penalty=penalty, least_rows=2)
        assert [change.place for change in again] == plain


def test_levels_directions_and_no_change() -> None:
    pytest.importorskip("ruptures", reason="ruptures is not installed")
    values = np.random.default_rng(1).normal(50, 1, 200)
    assert find_changes_offline(values, penalty=100.0) == []
    values[80:120] -= 9
    down, up = find_changes_offline(values, penalty=20.0)
    assert (down.place, down.direction, up.place, up.direction) == (80, "down", 120, "up")
    assert down.before == pytest.approx(values[:80].mean())
    assert down.after == up.before == pytest.approx(values[80:120].mean())
    for flat in ([], [1.0], [4.0] * 50):
        assert find_changes_offline(flat) == []
    assert [change.place for change in find_changes_offline([4.0] * 50 + [7.0] * 50)] == [50]


def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="values must be finite, got nan at 1"):
        find_changes_offline([1.0, np.nan])
    with pytest.raises(ValueError, match="one dimension, got 2"):
        find_changes_offline([[1.0]])
    with pytest.raises(ValueError, match="penalty must be above 0, got 0"):
        find_changes_offline([1.0], penalty=0.0)
    with pytest.raises(ValueError, match="least_rows must be at least 1, got 0"):
        find_changes_offline([1.0], least_rows=0)
    monkeypatch.setitem(sys.modules, "ruptures", None)
    with pytest.raises(ImportError, match="offline change points need ruptures"):
        find_changes_offline([1.0, 2.0, 3.0, 9.0])
