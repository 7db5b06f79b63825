from itertools import pairwise, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextcall.ranking.index_arrays import field_sums


@given(widths=st.lists(st.integers(1, 40), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_weights_are_summed_field_by_field_as_numpy_sums(widths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    bounds = np.cumsum([0, *widths])
    present = np.append(rng.random(29) * (rng.random(29) < 0.5), 0).astype(np.float32)
    ids = rng.integers(29, size=(9, bounds[-1])).astype(np.int32)
    for row, (start, end) in product(ids, pairwise(bounds)):
        row[start + rng.integers(end - start + 1) : end] = 29  # the padding
    asked = rng.integers(9, size=5)
    expected = np.add.reduceat(present[ids[asked]], bounds[:-1], axis=1).T
    for kernel in (field_sums, field_sums.py_func):
        found = kernel(present, ids, bounds, asked)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
