import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog.term_lists import TermLists

N_TERMS = 4
rows = st.lists(
    st.lists(st.sampled_from(range(N_TERMS)), min_size=0, max_size=3, unique=True),
    min_size=1,
    max_size=6,
)


@given(rows=rows, seed=st.integers(0, 99))
def test_the_matrix_is_the_table_turned_round(rows: list[list[int]], seed: int) -> None:
    terms = np.full((len(rows), 3), N_TERMS, dtype=np.int32)
    weights = np.zeros((len(rows), 3), dtype=np.float32)
    plain = np.zeros((N_TERMS, len(rows)), dtype=np.float32)
    rng = np.random.default_rng(seed)
    for row, own in enumerate(rows):
        for place, term in enumerate(own):
            terms[row, place] = term
            weights[row, place] = plain[term, row] = 1 - rng.random()
    lists = TermLists.of(terms, weights, N_TERMS)
    np.testing.assert_array_equal(lists.matrix(len(rows)).toarray(), plain)
    for term in range(N_TERMS):
        part = slice(lists.starts[term], lists.starts[term + 1])
        np.testing.assert_array_equal(lists.rows[part], np.flatnonzero(plain[term]))
        np.testing.assert_array_equal(lists.weights[part], plain[term][plain[term] > 0])
