"""Arrays that stay in their file: read where they are asked for, one copy for all processes."""

import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.lib.format as npy
from numpy.typing import DTypeLike, NDArray

_LOCAL_HEADER: Final = 30  # bytes of a member's header in a zip file, before its name


def mapped_array(
    path: Path, *, shape: tuple[int, ...], dtype: DTypeLike, offset: int
) -> NDArray[Any]:
    """Give an array of a file's bytes; what is written to it stays in this process.

    The file may be replaced by another or removed meanwhile, but not be written over.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Not empty.
    dtype : data type
    offset : int
        Bytes of the file before the array.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a").write_bytes(b"..abc")
    ...     mapped_array(Path(folder, "a"), shape=(3,), dtype=np.uint8, offset=2)
    array([97, 98, 99], dtype=uint8)
    """
    return np.memmap(path, dtype=dtype, mode="c", offset=offset, shape=shape).view(np.ndarray)


def mapped_member(path: Path, name: str) -> NDArray[Any]:
    """Give an array of a file that `numpy.savez` wrote; see `mapped_array`.

    Raises
    ------
    ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile
        Where the file holds no such array, or holds it compressed.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        member = archive.getinfo(f"{name}.npy")
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{path}: {name} must not be compressed, to be mapped.")
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER)
        lengths = np.frombuffer(header, "<u2", offset=_LOCAL_HEADER - 4)  # of name and extra field
        file.seek(member.header_offset + _LOCAL_HEADER + int(lengths.sum()))
        if npy.read_magic(file) != (1, 0):
            raise ValueError(f"{path}: {name} must be an array of numpy's first format.")
        shape, fortran_order, dtype = npy.read_array_header_1_0(file)
        if fortran_order or dtype.hasobject:
            raise ValueError(
                f"{path}: {name} must be stored by rows, without objects (allow_pickle=False)."
            )
        return mapped_array(path, shape=shape, dtype=dtype, offset=file.tell())
