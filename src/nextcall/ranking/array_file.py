"""Many arrays in one file, read without running anything and without taking more than it holds."""

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any, Final, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from nextcall.files import atomic_path, sha256_file
from nextcall.ranking.signed_files import ModelError, require

Arrays = Mapping[str, NDArray[Any]]

_NEWLINE: Final = "\n"
_HEADERS: Final = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def write_arrays(arrays: Arrays, directory: Path, *, stem: str) -> tuple[str, str]:
    """Write arrays to a file that is named after its content; give its name and its hash."""
    data = BytesIO()
    np.savez(data, allow_pickle=False, **dict(arrays))
    sha256 = hashlib.sha256(data.getbuffer()).hexdigest()
    path = directory / f"{stem}-{sha256[:12]}.npz"
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.getbuffer())
    return path.name, sha256


def read_arrays(path: Path, *, sha256: str, stated_in: str) -> dict[str, NDArray[Any]]:
    """Read what `write_arrays` wrote; the arrays cannot be written to.

    Raises
    ------
    ModelError
        Where the file cannot be read, is another, or holds what is no plain array.
    """
    try:
        intact = sha256_file(path) == sha256
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error}.") from error
    require(intact, path, f"does not match the sha256 in {stated_in}: it is damaged")
    try:
        with zipfile.ZipFile(path) as stored:
            return {
                each.filename.removesuffix(".npy"): _member(stored, each)
                for each in stored.infolist()
            }
    except (ValueError, OSError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: must hold plain arrays: {error}.") from error


def _member(stored: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.compress_type != zipfile.ZIP_STORED:  # what is packed may be larger than any memory
        raise ValueError(f"{member.filename} must not be compressed")
    with stored.open(member) as file:
        shape, dtype, in_columns = _header(file)
        size = prod(shape) * dtype.itemsize
        if dtype.hasobject or in_columns or size != member.file_size - file.tell():
            raise ValueError(f"{member.filename} must be as long as its shape {shape} says")
        return np.frombuffer(file.read(size), dtype=dtype).reshape(shape)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    read = _HEADERS.get(npy.read_magic(file))
    if read is None:
        raise ValueError("must be of a version of .npy that is known")
    shape, in_columns, dtype = read(file)
    return shape, dtype, in_columns and len(shape) > 1


@dataclass(frozen=True, slots=True)
class ArrayGroup:
    """Arrays whose names begin alike, each taken with the type and the shape that it must have."""

    arrays: Arrays
    prefix: str = ""

    def within(self, name: str) -> "ArrayGroup":
        """Give the arrays of one part."""
        return ArrayGroup(self.arrays, f"{self.prefix}{name}.")

    def holds(self, name: str) -> bool:
        """Tell whether there is any array of a part."""
        return any(each.startswith(f"{self.prefix}{name}.") for each in self.arrays)

    def take(
        self,
        name: str,
        *shape: int | None,
        dtype: Literal["<f8", "<f4", "<i8", "<i4", "|i1", "|u1"],
    ) -> NDArray[Any]:
        """Give an array.

        Parameters
        ----------
        shape : int or None
            Length of each axis; any where it is None.

        Raises
        ------
        ValueError
            Where there is none, or it has another type or shape.
        """
        found = self.arrays.get(self.prefix + name)
        if found is None:
            raise ValueError(f"{self.prefix}{name} must be given, found none")
        alike = len(found.shape) == len(shape) and all(
            wanted is None or wanted == length
            for wanted, length in zip(shape, found.shape, strict=True)
        )
        if found.dtype != np.dtype(dtype) or not alike:
            raise ValueError(
                f"{self.prefix}{name} must be {dtype} of shape {shape}, got {found.dtype.str} "
                f"of shape {found.shape}"
            )
        return found

    def places(self, name: str, *shape: int | None, below: int) -> NDArray[np.int64]:
        """Give an array of positions, each from 0 and below a length.

        Raises
        ------
        ValueError
            As `take`, or where one is out of range.
        """
        found = self.take(name, *shape, dtype="<i8")
        if found.size and not (found.min() >= 0 and found.max() < below):
            raise ValueError(f"{self.prefix}{name} must lie from 0 to below {below}")
        return found

    def texts(self, name: str) -> list[str]:
        """Give the texts that `of_texts` made an array of."""
        data = self.take(name, None, dtype="|u1").tobytes()
        return data.decode("utf-8").split(_NEWLINE) if data else []


def of_texts(texts: list[str]) -> NDArray[np.uint8]:
    """Write texts without line ends as one array of bytes; empty ones cannot stand alone.

    Examples
    --------
    >>> ArrayGroup({"terms": of_texts(["list", "user"])}).texts("terms")
    ['list', 'user']
    """
    return np.frombuffer(_NEWLINE.join(texts).encode("utf-8"), dtype=np.uint8)


def within(name: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Put the name of a part before the names of its arrays, as `ArrayGroup.within` reads them.

    Examples
    --------
    >>> list(within("votes", {"share": np.zeros(2)}))
    ['votes.share']
    """
    return {f"{name}.{each}": array for each, array in arrays.items()}
