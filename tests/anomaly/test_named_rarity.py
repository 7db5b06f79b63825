"""How rare an anomaly is: as often as it says, and an alarm where it says so."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.anomaly import tails
from nextcall.anomaly.check_result import ALARM
from nextcall.anomaly.monitor import AnomalyMonitor
from nextcall.anomaly.named_rarity import (
    FIRST_ODD,
    LAST_ODD,
    RARITY_WIDTH,
    newest_rarities,
    note_odd,
    rarity_at,
)


def _noise(kind: str, n: int) -> NDArray[Any]:
    rng = np.random.default_rng(5)
    drawn: dict[str, NDArray[Any]] = {
        "gauss": rng.normal(100, 5, n),
        "poisson": rng.poisson(3, n),
        "heavy": rng.standard_t(2.5, n),
    }
    return drawn[kind].astype(np.float64)


@pytest.mark.parametrize("kind", ["gauss", "poisson", "heavy"])
def test_what_is_told_as_once_in_n_points_comes_so_often(kind: str) -> None:
    n = 30_000
    stream = AnomalyMonitor(rest=0).stream("a")
    once_in = np.ones(n)
    for place, value in enumerate(_noise(kind, n).tolist()):
        result = stream.check(value)
        if result.rarity:
            once_in[place] = result.rarity.once_in
            strange = result.rarity.once_in >= result.rarity.alarm_from
            assert strange == (result.risk_score >= ALARM) or not result.enough_data
    for points in (100, 600):
        expected = n / points
        assert abs((once_in >= points).sum() - expected) < 4 * np.sqrt(expected)


def test_a_point_is_held_against_those_before_it_alone() -> None:
    """The history that the columns keep is one of all excesses before, the calm points as none."""
    rng = np.random.default_rng(0)
    own, history = np.zeros(RARITY_WIDTH), np.zeros(tails.TAIL_WIDTH)
    points = 0
    for strength in 1 + rng.exponential(1.0, 400):
        gap = int(rng.integers(1, 9))
        points += gap
        for _ in range(gap - 1):
            tails.learn(history, 0.0)
        note_odd(own.ctypes.data, strength, 2.5, points, np.nan)
        expected = [10 ** tails.decades(history, excess) for excess in (strength - 1, 1.5)]
        assert rarity_at(own.ctypes.data) == pytest.approx(tuple(expected), rel=1e-12)
        tails.learn(history, strength - 1)
        assert own[LAST_ODD] == points
        assert (own[FIRST_ODD] == points) == (gap > 1)


def test_where_nothing_was_found_nothing_is_rare() -> None:
    told = newest_rarities(np.zeros((2, RARITY_WIDTH)), np.array([0.0, 30.0]))
    assert told.once_in.tolist() == [1.0, 1.0]
    assert told.odd_rows.tolist() == [0, 0]
    assert np.isnan(told.since).all()
