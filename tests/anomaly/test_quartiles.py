"""Quantiles of the newest values beside numpy's; ranks stay an order."""

from math import inf

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextcall.anomaly import quartiles
from nextcall.anomaly.quartiles import RING, insert, quantile


@given(
    st.lists(st.floats(-1e150, 1e150) | st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=200)
)
def test_quantiles_are_those_of_numpy(values: list[float]) -> None:
    ring, ranks = np.full(RING, inf), np.arange(RING, dtype=np.uint8)
    for place, value in enumerate(values):
        insert(ring, ranks, place % RING, value)
    newest = values[-RING:]
    assert sorted(ranks) == list(range(RING))
    assert ring[ranks.argsort()][: len(newest)].tolist() == sorted(newest)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        found = quantile(ring, ranks, len(newest), share)
        np.testing.assert_allclose(found, np.quantile(newest, share), rtol=1e-12, atol=1e-300)


def test_compiled_and_plain_python_say_the_same() -> None:
    rng = np.random.default_rng(0)
    one, other = np.full(RING, inf), np.full(RING, inf)
    ranks = np.arange(RING, dtype=np.uint8)
    plain = ranks.copy()
    for place, value in enumerate(rng.integers(0, 30, 150).astype(np.float64)):
        insert(one, ranks, place % RING, value)
        insert.py_func(other, plain, place % RING, value)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(ranks, plain)
    for rank in range(RING):
        assert quartiles.ranked(one, ranks, rank) == quartiles.ranked.py_func(one, ranks, rank)
    assert quantile(one, ranks, 40, 0.3) == quantile.py_func(one, ranks, 40, 0.3)
