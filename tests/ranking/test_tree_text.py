import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextcall.ranking.tree_text import largest_left

ZERO = float(np.float32(1e-35))  # LightGBM's: what is no larger counts as 0


@given(
    threshold=st.floats(allow_nan=False),
    value=st.one_of(st.floats(width=32, allow_nan=False), st.sampled_from([ZERO, -ZERO])),
)
def test_the_largest_float_that_goes_left(threshold: float, value: float) -> None:
    """Against LightGBM's rule: tiny is zero, and the comparison is in 64 bits."""
    goes_left = (0.0 if abs(value) <= ZERO else value) <= threshold
    for near in (value, float(np.nextafter(np.float32(value), np.float32(np.inf)))):
        goes_left = (0.0 if abs(near) <= ZERO else near) <= threshold
        assert (np.float32(near) <= largest_left(np.array([threshold]))[0]) == goes_left
