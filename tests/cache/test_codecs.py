"""What is written is read again; what is not ours is refused as a value, never run."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.cache.codecs import BytesCodec, JsonCodec, VectorCodec

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(PLAIN)
def test_json_comes_back(value: object) -> None:
    assert JsonCodec().decode(JsonCodec().encode(value)) == value


@given(st.binary())
def test_any_bytes_are_read_or_refused_as_a_value_error(data: bytes) -> None:
    assert BytesCodec().decode(BytesCodec().encode(data)) == data
    with suppress(ValueError):
        JsonCodec().decode(data)
    if len(data) != 12:
        with pytest.raises(ValueError, match="data must be 12 bytes"):
            VectorCodec(3).decode(data)


@given(st.lists(st.floats(width=32), min_size=3, max_size=3))
def test_vectors_come_back_bit_by_bit(values: list[float]) -> None:
    vector = np.array(values, dtype=np.float32)
    back = VectorCodec(3).decode(VectorCodec(3).encode(vector))
    assert back.tobytes() == vector.tobytes()
    assert back.dtype == np.float32


def test_what_cannot_be_written_is_told() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        JsonCodec().encode(float("nan"))
    with pytest.raises(TypeError, match="not JSON serializable"):
        JsonCodec().encode({1, 2})
    for wrong in (np.zeros(3), np.zeros(2, dtype=np.float32)):
        with pytest.raises(ValueError, match=r"float32 of shape \(3,\)"):
            VectorCodec(3).encode(wrong)  # type: ignore[arg-type]
