"""Sums that are updated event by event say what the moments of the raw data say."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.abtest.moments import Moments
from nextcall.trials.aggregates import Aggregate, UnitTotal

EVENTS = st.lists(st.tuples(st.integers(0, 5), st.floats(-1e6, 1e6)), max_size=40)


def fed(events: list[tuple[int, float]]) -> tuple[Aggregate, dict[int, list[float]]]:
    sums = Aggregate()
    totals: dict[int, UnitTotal] = defaultdict(UnitTotal)
    values: dict[int, list[float]] = defaultdict(list)
    for unit, value in events:
        new = totals[unit].with_event(value)
        sums = sums.replaced([(totals[unit], new)])
        totals[unit] = new
        values[unit].append(value)
    return sums, values


def agree(found: Moments, expected: Moments) -> None:
    scale = max(1.0, float(np.abs(expected.mean).max()))
    assert found.n == expected.n
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12, atol=1e-9 * scale)
    size = max(1.0, float(np.abs(expected.products).max()))
    np.testing.assert_allclose(found.products, expected.products, rtol=1e-9, atol=1e-9 * size)
    if expected.n:
        assert found.cubes == pytest.approx(expected.cubes, rel=1e-6, abs=1e-6 * size**1.5)


@given(EVENTS, st.integers(0, 5))
def test_moments_are_those_of_the_raw_data(events: list[tuple[int, float]], without: int) -> None:
    sums, values = fed(events)
    rows = [[sum(own), len(own)] for own in values.values()]
    agree(sums.by_event(), Moments.of(rows) if rows else Moments.empty(2))
    totals = [row[0] for row in rows] + [0.0] * without
    agree(sums.by_unit(len(totals)), Moments.of(np.array(totals)[:, None]))


@given(EVENTS, st.randoms())
def test_the_order_of_events_makes_no_difference_at_all(
    events: list[tuple[int, float]], random: object
) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' own Random
    assert fed(shuffled)[0] == fed(events)[0]


def test_nothing_is_lost_beside_a_large_number_that_goes_again() -> None:
    sums, values = fed([(unit, 1e12 + unit % 7) for unit in range(100)])
    spread = np.array([own[0] - 1e12 for own in values.values()])
    assert sums.by_event().products[0, 0] == pytest.approx(((spread - spread.mean()) ** 2).sum())
    huge = UnitTotal().with_event(1e90)
    assert sums.replaced([(UnitTotal(), huge)]).replaced([(huge, UnitTotal())]) == sums
