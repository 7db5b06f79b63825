"""Values in order, beside numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.anomaly.ordered import check_in_order, put_in_order, quantile

values = st.lists(st.one_of(st.integers(-3, 3).map(float), st.floats(-1e9, 1e9)), min_size=1)


@pytest.mark.parametrize("put", [put_in_order, put_in_order.py_func])
@given(values=values, room=st.integers(1, 9))
def test_the_newest_stand_in_order(put: object, values: list[float], room: int) -> None:
    assert callable(put)
    ordered = np.zeros(room)
    for place, value in enumerate(values):
        old = values[place - room] if place >= room else 0.0
        put(ordered, min(place, room), old, value)
        count = min(place + 1, room)
        newest = sorted(values[max(0, place + 1 - room) : place + 1])
        np.testing.assert_array_equal(ordered[:count], newest)


@pytest.mark.parametrize("measure", [quantile, quantile.py_func])
@given(values=values, share=st.floats(0, 1))
def test_a_quantile_is_that_of_numpy(measure: object, values: list[float], share: float) -> None:
    assert callable(measure)
    ordered = np.sort(np.array([*values, 0.0, 0.0]))
    expected = np.quantile(ordered[: len(values)], share)
    assert measure(ordered, len(values), share) == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_what_came_and_the_same_in_order_belong_together() -> None:
    rings = np.array([[3.0, 1.0, 2.0], [5.0, 4.0, 0.0], [9.0, 9.0, 9.0]])
    ordered = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0], [0.0, 0.0, 0.0]])
    kept = np.array([3.0, 2.0, 0.0])
    check_in_order(rings, ordered, kept)
    with pytest.raises(ValueError, match="are not those that came"):
        check_in_order(rings, ordered, np.array([3.0, 3.0, 0.0]))
    with pytest.raises(ValueError, match="are not those that came"):
        check_in_order(ordered, rings, kept)
    with pytest.raises(ValueError, match="keeps more values than 3"):
        check_in_order(rings, ordered, np.array([4.0, 2.0, 0.0]))
