"""A map learned on a large catalogue, for those too small to tell one of their own."""

import zipfile
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextcall.files import atomic_path


def shipped_map(teacher: str) -> NDArray[np.float32] | None:
    """Read the map that the package holds; None where it was made for another teacher.

    Parameters
    ----------
    teacher : str
        Name of an embedder; how long its texts may be does not matter.
    """
    with as_file(files("nextcall.embedding").joinpath("data", "map.npz")) as path:
        made_for, values = read_map(path)
    return values if _model(made_for) == _model(teacher) else None


def write_map(values: NDArray[np.float32], path: Path, *, teacher: str) -> None:
    """Write a map and the name of its teacher, in half precision: others only start from it."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file, allow_pickle=False, map=values.astype(np.float16), teacher=np.array(teacher)
        )


def read_map(path: Path) -> tuple[str, NDArray[np.float32]]:
    """Read what `write_map` wrote: the teacher's name, and the map.

    Raises
    ------
    ValueError
        Where the file holds no square map of finite numbers and a name.
    """
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as stored:
            teacher, values = str(stored["teacher"]), stored["map"].astype(np.float32)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: must hold a map and its teacher's name: {error}.") from error
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not np.isfinite(values).all():
        raise ValueError(f"{path}: the map must be square and finite, got shape {values.shape}.")
    return teacher, values


def _model(name: str) -> str:
    """What an embedder's name says before the longest text."""
    return name.rpartition("-")[0]
