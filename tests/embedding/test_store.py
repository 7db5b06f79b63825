from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.embedding import OnnxEmbedder, encode_cached, vectors_key
from nextcall.embedding.store import _read
from nextcall.progress import Progress, silent

TEXTS = ["list users", "delete a bucket"]


class Counting:
    """A real embedder that counts how often it is asked."""

    def __init__(self) -> None:
        self.inner = OnnxEmbedder(max_tokens=48)
        self.name = self.inner.name
        self.dimensions = self.inner.dimensions
        self.calls = 0

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
        self.calls += 1
        return self.inner.encode(texts, progress=progress)


def test_second_call_reads_what_the_first_left(tmp_path: Path) -> None:
    embedder = Counting()
    first = encode_cached(embedder, TEXTS, directory=tmp_path / "vectors")
    second = encode_cached(embedder, TEXTS, directory=tmp_path / "vectors")
    assert embedder.calls == 1
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, embedder.inner.encode(TEXTS))
    assert [path.name for path in (tmp_path / "vectors").iterdir()] == [
        f"{vectors_key(embedder, TEXTS)}.npy"
    ]


def test_vectors_that_were_kept_may_stay_in_their_file(tmp_path: Path) -> None:
    embedder = Counting()
    first = encode_cached(embedder, TEXTS, directory=tmp_path, mapped=True)
    second = encode_cached(embedder, TEXTS, directory=tmp_path, mapped=True)
    assert embedder.calls == 1
    np.testing.assert_array_equal(first, second)
    assert isinstance(second.base, np.memmap)
    assert encode_cached(embedder, [], directory=tmp_path, mapped=True).shape == (0, 384)
    assert encode_cached(embedder, [], directory=tmp_path, mapped=True).shape == (0, 384)


def test_many_vectors_are_read_whole(tmp_path: Path) -> None:
    many = np.eye(5_000, 384, dtype=np.float32)
    many[384:, 0] = 1
    np.save(tmp_path / "many.npy", many)
    texts = [str(row) for row in range(len(many))]
    for mapped in (False, True):
        kept = encode_cached(Counting(), texts, directory=tmp_path, key="many", mapped=mapped)
        np.testing.assert_array_equal(kept, many)
    many[4_999] *= 1.1  # in the last block
    np.save(tmp_path / "many.npy", many)
    assert _read(tmp_path / "many.npy", shape=many.shape, mapped=True) is None


def test_other_texts_or_order_are_computed_anew(tmp_path: Path) -> None:
    embedder = Counting()
    for texts in (TEXTS, TEXTS[::-1], TEXTS[:1]):
        encode_cached(embedder, texts, directory=tmp_path)
    assert embedder.calls == 3


def test_a_key_of_the_callers_names_the_file(tmp_path: Path) -> None:
    embedder = Counting()
    encode_cached(embedder, TEXTS, directory=tmp_path, key="aws")
    encode_cached(embedder, TEXTS, directory=tmp_path, key="aws")
    assert embedder.calls == 1
    assert [path.name for path in tmp_path.iterdir()] == ["aws.npy"]


def damaged_files() -> dict[str, bytes | NDArray[np.generic]]:
    unit = np.full((2, 384), 384**-0.5, dtype=np.float32)
    changed = unit.copy()
    changed[1, 5] = 9
    huge = b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 384), }\n"
    return {
        "empty": b"",
        "text": b"no vectors here",
        "cut": b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'",
        "archive": b"PK\x05\x06" + bytes(18),
        "broken archive": b"PK\x03\x04 and no more",
        "shape": unit[:1],
        "type": unit.astype(np.float64),
        "version": b"\x93NUMPY\x02\x00" + bytes(50),
        "huge": b"\x93NUMPY\x01\x00" + len(huge).to_bytes(2, "little") + huge,
        "pickle": np.array([{"a": 1}], dtype=object),
        "values": changed,
        "nan": np.full((2, 384), np.nan, dtype=np.float32),
    }


@pytest.mark.parametrize("damage", list(damaged_files()))
def test_a_damaged_file_is_replaced(tmp_path: Path, damage: str) -> None:
    embedder = Counting()
    path = tmp_path / "kept.npy"
    content = damaged_files()[damage]
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    vectors = encode_cached(embedder, TEXTS, directory=tmp_path, key="kept")
    assert embedder.calls == 1
    np.testing.assert_array_equal(vectors, embedder.inner.encode(TEXTS))
    np.testing.assert_array_equal(np.load(path), vectors)


def test_a_file_cut_short_is_replaced(tmp_path: Path) -> None:
    embedder = Counting()
    vectors = encode_cached(embedder, TEXTS, directory=tmp_path, key="kept")
    path = tmp_path / "kept.npy"
    path.write_bytes(path.read_bytes()[:-100])
    np.testing.assert_array_equal(
        encode_cached(embedder, TEXTS, directory=tmp_path, key="kept"), vectors
    )
    assert embedder.calls == 2


def test_no_texts_are_kept_too(tmp_path: Path) -> None:
    embedder = Counting()
    assert encode_cached(embedder, [], directory=tmp_path).shape == (0, 384)
    assert encode_cached(embedder, [], directory=tmp_path).shape == (0, 384)
    assert embedder.calls == 1


def test_one_string_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="must be a sequence of strings"):
        encode_cached(OnnxEmbedder(), "list users", directory=tmp_path)


texts_lists = st.lists(st.text(max_size=4), max_size=3)


@given(left=texts_lists, right=texts_lists)
def test_keys_are_equal_only_for_equal_texts(left: list[str], right: list[str]) -> None:
    embedder = OnnxEmbedder()
    assert (vectors_key(embedder, left) == vectors_key(embedder, right)) == (left == right)


def test_key_depends_on_the_embedder() -> None:
    assert vectors_key(OnnxEmbedder(max_tokens=48), TEXTS) != vectors_key(OnnxEmbedder(), TEXTS)
