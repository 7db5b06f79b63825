from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.sessions.followers import count_followers, count_windows

N_STATES = 3  # codes: 0-2 states, 3 end, 4 start, 5 nothing
flats = st.lists(st.integers(0, N_STATES + 2), max_size=40)


@settings(max_examples=50)
@given(flats, st.integers(1, 4))
def test_windows_are_the_runs_that_a_counter_finds(flat: list[int], order: int) -> None:
    runs, counts = count_windows(np.array(flat, dtype=np.int64), order=order, n_states=N_STATES)
    expected = Counter(
        tuple(flat[stop - order : stop])
        for stop in range(order, len(flat) + 1)
        if flat[stop - 1] <= N_STATES
    )
    assert [tuple(run) for run in runs.tolist()] == sorted(expected)
    assert counts.tolist() == [expected[run] for run in sorted(expected)]


@settings(max_examples=50)
@given(flats, st.floats(0, 0.9), st.floats(0.1, 3))
def test_every_context_gives_all_its_probability_away(
    flat: list[int], discount: float, strength: float
) -> None:
    runs, counts = count_windows(np.array(flat, dtype=np.int64), order=3, n_states=N_STATES)
    levels = count_followers(
        runs, counts, n_codes=N_STATES + 3, discount=discount, strength=strength
    )
    for level in levels:
        for row, (begin, stop) in enumerate(zip(level.indptr[:-1], level.indptr[1:], strict=True)):
            given_away = level.kept[begin:stop].sum() + level.passed_on[row]
            np.testing.assert_allclose(given_away, 1)
            assert (np.diff(level.symbols[begin:stop]) > 0).all()
