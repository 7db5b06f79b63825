import re
from pathlib import Path

import numpy as np
import pytest

from nextcall.embedding import OnnxEmbedder
from nextcall.embedding.base_map import read_map, shipped_map, write_map


def test_what_is_read_is_what_was_written_in_half_precision(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((5, 5), dtype=np.float32)
    write_map(values, tmp_path / "map.npz", teacher="model-0a-128")
    teacher, read = read_map(tmp_path / "map.npz")
    assert teacher == "model-0a-128"
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values.astype(np.float16))


def test_the_shipped_map_is_for_the_shipped_encoder_however_long_its_texts() -> None:
    of_prompts = shipped_map(OnnxEmbedder().name)
    of_documents = shipped_map(OnnxEmbedder(max_tokens=40).name)
    assert of_prompts is not None
    assert of_documents is not None
    assert of_prompts.shape == (384, 384)
    np.testing.assert_array_equal(of_prompts, of_documents)
    assert shipped_map("all-MiniLM-L6-v2-torch-128") is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x93NUMPY\x01\x00v"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "map.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"map\.npz: must hold a map and its teacher's name"):
        read_map(path)


def test_what_is_no_archive_but_an_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.npy"
    np.save(path, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="must hold a map and its teacher's name"):
        read_map(path)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"map": np.zeros((2, 2))}, "must hold a map and its teacher's name"),
        ({"map": np.zeros(2), "teacher": "x"}, "must be square and finite, got shape (2,)."),
        ({"map": np.zeros((2, 3)), "teacher": "x"}, "got shape (2, 3)."),
        ({"map": np.full((2, 2), np.nan), "teacher": "x"}, "must be square and finite"),
        ({"map": np.array([[{}]], dtype=object), "teacher": "x"}, "allow_pickle=False"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, stored: dict[str, object], message: str) -> None:
    path = tmp_path / "map.npz"
    np.savez(path, **stored)  # type: ignore[arg-type]  # whatever a stranger stores
    with pytest.raises(ValueError, match=re.escape(message)):
        read_map(path)
