"""What tied candidates share, beside the mean over every order that a sort may give them."""

import math
from itertools import pairwise, permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextcall.ranking.tied_ranks import TiedRanks

rows = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 3.0]), st.sampled_from([0.1, 0.2, -math.inf])),
    min_size=1,
    max_size=6,
)


@given(rows=rows)
def test_the_gain_of_a_rank_is_its_mean_over_all_orders(rows: list[tuple[float, float]]) -> None:
    orders = [
        order
        for order in permutations(rows)
        if all(one >= other for (_, one), (_, other) in pairwise(order))
    ]
    placed = [[gain * (score > -math.inf) for gain, score in order] for order in orders]
    gains, scores = (np.array([column]) for column in zip(*rows, strict=True))
    found = TiedRanks.of(gains, scores)
    np.testing.assert_allclose(found.gain[0], np.mean(placed, axis=0), atol=1e-12)
    assert found.ranks.tolist() == list(range(1, len(rows) + 1))


@given(rows=rows)
def test_groups_hold_their_candidates_and_know_what_stands_above(
    rows: list[tuple[float, float]],
) -> None:
    gains, scores = (np.array([column]) for column in zip(*rows, strict=True))
    found = TiedRanks.of(gains, scores)
    for place, own in enumerate(sorted((score for _, score in rows), reverse=True)):
        group = [gain for gain, score in rows if score == own]
        above = [gain for gain, score in rows if score > own]
        retrieved = own > -math.inf
        assert found.start[0, place] == len(above)
        assert found.size[0, place] == len(group)
        assert found.hits[0, place] == sum(gain > 0 for gain in group) * retrieved
        assert found.before[0, place] == sum(gain > 0 for gain in above)
    assert found.ideal[0].tolist() == sorted((gain for gain, _ in rows), reverse=True)
    assert found.n_relevant.tolist() == [sum(gain > 0 for gain, _ in rows)]
