"""Vectors that are computed once and kept on disk, found again by what they were made of."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.lib.format as npy
from numpy.typing import NDArray

from nextcall.embedding.embedder import Embedder, check_texts
from nextcall.embedding.mapped import mapped_array
from nextcall.files import atomic_path
from nextcall.progress import Progress, silent

_BLOCK: Final = 2_048  # vectors that are looked at at a time


def vectors_key(embedder: Embedder, texts: Sequence[str]) -> str:
    """Hash the embedder's name and every text, in order, as hexadecimal digits.

    Any other text, order or split of the texts gives another key.
    """
    digest = hashlib.sha256()
    for part in (embedder.name, *texts):
        coded = part.encode("utf-8", "surrogatepass")
        digest.update(f"{len(coded)}:".encode())
        digest.update(coded)
    return digest.hexdigest()


def encode_cached(
    embedder: Embedder,
    texts: Sequence[str],
    *,
    directory: Path,
    key: str | None = None,
    mapped: bool = False,
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Encode texts, or read what an earlier call with the same texts left in `directory`.

    Parameters
    ----------
    embedder : Embedder
        Makes the vectors where none are kept.
    texts : sequence of str
        What to encode.
    directory : Path
        Folder of the kept files, one ``.npy`` a list of texts; made where it is missing.
    key : str, optional
        Name of the file, where the caller knows a shorter proof of content than all the texts; it
        must stand for the embedder and the texts. Default: `vectors_key`.
    mapped : bool
        Whether vectors that were kept stay in their file (see `mapped_array`).
    progress : Progress
        Shows how far a computation is.

    Returns
    -------
    ndarray of shape (len(texts), embedder.dimensions)
        A file that is damaged or of another shape is computed anew and replaced.

    Raises
    ------
    OSError
        Where `directory` cannot be written.
    TypeError
        Where `texts` is one string.
    """
    check_texts(texts)
    path = directory / f"{key or vectors_key(embedder, texts)}.npy"
    kept = _read(path, shape=(len(texts), embedder.dimensions), mapped=mapped)
    if kept is not None:
        return kept
    vectors = embedder.encode(texts, progress=progress)
    with atomic_path(path) as temporary:
        np.save(temporary, vectors, allow_pickle=False)
    return vectors


def _read(path: Path, *, shape: tuple[int, int], mapped: bool) -> NDArray[np.float32] | None:
    """Read vectors; None where there is no whole file of this shape."""
    expected = (shape, False, np.dtype(np.float32))
    try:
        with path.open("rb") as file:
            # The header is compared before anything is allocated: a damaged one may claim any size.
            if npy.read_magic(file) != (1, 0) or npy.read_array_header_1_0(file) != expected:
                return None
            begin = file.tell()
            if path.stat().st_size != begin + 4 * shape[0] * shape[1]:
                return None
            vectors = np.empty((0 if mapped else shape[0], shape[1]), dtype=np.float32)
            for row in range(0, shape[0], _BLOCK):
                count = min(_BLOCK, shape[0] - row)
                block = np.fromfile(file, np.float32, count * shape[1]).reshape(count, shape[1])
                # Bytes that changed in place show in the norms.
                squares = np.einsum("ij,ij->i", block, block)
                if not np.allclose(np.sqrt(squares), 1, atol=1e-3):
                    return None
                if not mapped:
                    vectors[row : row + count] = block
        if mapped and shape[0]:
            return mapped_array(path, shape=shape, dtype=np.float32, offset=begin)
    except (OSError, ValueError):
        return None
    return vectors
