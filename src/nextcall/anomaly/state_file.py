"""The state of a detector as a file that any numpy reads, without pickle."""

import json
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextcall.files import atomic_path

_BEGINNINGS: Final = (b"PK", b"\x93N")  # of an archive and of an array


def plain_key(key: Hashable) -> Hashable:
    """Give a key that is text or a whole number as it is.

    Raises
    ------
    ValueError
        Where it is neither: a file cannot hold it.
    """
    if type(key) not in {str, int}:
        raise ValueError(f"keys must be text or whole numbers to be saved, got {key!r}.")
    return key


def write_state(path: Path, arrays: Mapping[str, Any], keys: Sequence[Hashable]) -> None:
    """Write a file that is whole or absent: numpy's ``npz``, the keys in it as JSON."""
    text = np.frombuffer(json.dumps(keys).encode(), dtype=np.uint8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, keys=text, **arrays)


@contextmanager
def read_state(
    path: Path,
    fields: Collection[str],
    *,
    of: str,
    layout: tuple[str, int],
    read_key: Callable[[Any], Hashable] = plain_key,
) -> Iterator[tuple[dict[str, NDArray[Any]], list[Any]]]:
    """Read the arrays and keys that `write_state` wrote; what is found wrong names the file.

    Parameters
    ----------
    path : Path
    fields : collection of str
        Names of the arrays.
    of : str
        Whose state it is, for errors.
    layout : tuple of str and int
        Name of the array that tells how the others are to be read, and what it must hold.
    read_key : callable
        Makes a key of what JSON holds, or raises.

    Raises
    ------
    ValueError
        Where the file is not such a file, or the body of the ``with`` finds it wrong.
    OSError
        Where it cannot be read.
    """
    try:
        content = _content(path, {*fields, "keys", layout[0]})
        version = content[layout[0]]
        if version.shape or version != layout[1]:
            raise ValueError(f"its {layout[0]} must be {layout[1]}, got {version}")  # noqa: TRY301  # told with the path below
        yield content, _read_keys(content["keys"], read_key)
    except (BadZipFile, EOFError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no state of {of}: {str(error).rstrip('.')}.") from error


def check_array(name: str, array: NDArray[Any], kind: DTypeLike, shape: tuple[int, ...]) -> None:
    """Refuse an array of another type or shape."""
    if array.dtype != kind or array.shape != shape:
        raise ValueError(
            f"its {name} must have the shape {shape} and be {np.dtype(kind)}, "
            f"got {array.shape} and {array.dtype}"
        )


def check_finite(states: NDArray[Any], *, time: int | None = None) -> None:
    """Refuse rows with a number that is not finite; at `time`, minus infinity is allowed."""
    known = np.isfinite(states)
    times = known[:, [] if time is None else [time]].copy()
    if time is not None:
        times |= np.isneginf(states[:, [time]])
        known[:, time] = True
    if not known.all():
        raise ValueError("a number of its states is not finite")
    if not times.all():
        raise ValueError("a time of its states is not a number")


def check_sizes(states: NDArray[Any], most: float, *, time: int) -> None:
    """Refuse rows with a number beyond `most` in size, but at `time`."""
    sizes = np.abs(states)
    sizes[:, time] = 0.0
    if not (sizes <= most).all():
        raise ValueError("a number of its states is larger than one that is learned")


def check_counts(counts: NDArray[Any]) -> None:
    """Refuse what is no count: not whole, below 0, or too large to be counted on."""
    if not ((counts >= 0) & (counts < 2**53) & (counts == np.floor(counts))).all():
        raise ValueError("a count of its states is not one")


def check_beginning(file: BinaryIO) -> None:
    """Refuse what numpy would take for a pickle, and advise to load unsafely."""
    if file.read(2) not in _BEGINNINGS:
        raise ValueError("it is no npz file")
    file.seek(0)


def _content(path: Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    with path.open("rb") as file:
        check_beginning(file)
        arrays = np.load(file, allow_pickle=False)
        if isinstance(arrays, np.ndarray):
            raise ValueError("it holds one array")  # noqa: TRY004  # the file is wrong, not the call
        with arrays:
            if missing := sorted(set(names) - set(arrays.files)):
                raise ValueError(f"it lacks {', '.join(missing)}")
            return {name: np.asarray(arrays[name], order="C") for name in names}


def _read_keys(text: NDArray[Any], read_key: Callable[[Any], Hashable]) -> list[Hashable]:
    found = json.loads(text.tobytes())
    if not isinstance(found, list):
        raise ValueError("its keys are no list")  # noqa: TRY004  # the file is wrong, not the call
    keys = [read_key(each) for each in found]
    if len(set(keys)) < len(keys):
        raise ValueError("a key occurs twice")
    return keys
