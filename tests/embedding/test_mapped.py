"""Arrays that stay in their file beside numpy's own reader."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn
from numpy.typing import NDArray

from nextcall.embedding.mapped import mapped_array, mapped_member

TYPES: st.SearchStrategy[np.dtype[Any]] = st.sampled_from(
    [np.dtype(np.int8), np.dtype(np.float32), np.dtype("<i8")]
)
SHAPES = drawn.array_shapes(max_dims=3, max_side=20)


@given(drawn.arrays(TYPES, SHAPES), st.text("abcdefgh", min_size=1, max_size=9))
def test_a_member_is_what_numpy_reads(
    tmp_path_factory: pytest.TempPathFactory, array: NDArray[Any], name: str
) -> None:
    path = tmp_path_factory.mktemp("arrays") / "a.npz"
    arrays: dict[str, Any] = {name: array, "other": np.arange(5)}
    np.savez(path, **arrays)
    found = mapped_member(path, name)
    assert (found.dtype, type(found)) == (array.dtype, np.ndarray)
    np.testing.assert_array_equal(found, array)
    np.testing.assert_array_equal(mapped_member(path, "other"), np.arange(5))


def test_an_array_outlives_its_file_and_keeps_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"..abc")
    one, other = (mapped_array(path, shape=(3,), dtype=np.int8, offset=2) for _ in range(2))
    one[0] = 1
    assert path.read_bytes() == b"..abc"
    path.unlink()
    assert (one.tolist(), other.tolist()) == ([1, 98, 99], [97, 98, 99])


def test_what_cannot_stay_in_its_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    table = np.arange(6.0).reshape(2, 3)
    np.savez_compressed(path, table=table)
    with pytest.raises(ValueError, match="table must not be compressed"):
        mapped_member(path, "table")
    np.savez(path, table=np.asfortranarray(table), objects=np.array([{}], dtype=object))
    for name in ("table", "objects"):
        with pytest.raises(ValueError, match="without objects"):
            mapped_member(path, name)
    with pytest.raises(KeyError, match="nothing"):
        mapped_member(path, "nothing")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("table.npy", b"\x93NUMPY\x02\x00" + bytes(50))
    with pytest.raises(ValueError, match="numpy's first format"):
        mapped_member(path, "table")
