"""The state of seasonal residuals as a file that any numpy reads, without pickle."""

import json
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.seasonal_kernels import OWN_PATTERN, SKIPPED, SPECIAL_SLOTS
from nextcall.anomaly.seasonal_state import LATE, LEVELS, MISSING, POINTS, TIME
from nextcall.files import atomic_path

_FORMAT: Final = 1


class SavedSeasons(NamedTuple):
    """What a file holds."""

    rhythm: NDArray[np.float64]
    """Shape (3, n_seasons): periods, slots, and whether they are interpolated."""
    settings: NDArray[np.float64]
    """Visits before a slot scores, longest periods that weigh, and seconds of a takeover."""
    days: NDArray[np.int64]
    """Special days since 1970."""
    special: int
    keys: list[Hashable]
    own: NDArray[np.float64]
    shares: NDArray[np.float32]
    visits: NDArray[np.float32]


def save_seasons(path: Path, saved: SavedSeasons) -> None:
    """Write a file that is whole or absent: numpy's ``npz``.

    Raises
    ------
    ValueError
        Where a key is neither text nor a whole number: a file cannot hold it.
    """
    for key in saved.keys:
        if type(key) not in {str, int}:
            raise ValueError(f"keys must be text or whole numbers to be saved, got {key!r}.")
    fields = saved._asdict()
    fields["keys"] = np.frombuffer(json.dumps(saved.keys).encode(), dtype=np.uint8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, format=_FORMAT, **fields)


def load_seasons(path: Path) -> SavedSeasons:
    """Read a file back.

    Raises
    ------
    ValueError
        Where the file is not one that `save_seasons` wrote, or its numbers cannot be.
    OSError
        Where the file cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            version = arrays["format"]
            found = {name: arrays[name] for name in SavedSeasons._fields}
        if version.shape or version != _FORMAT:
            raise ValueError(f"its format must be {_FORMAT}, got {version}")  # noqa: TRY301  # told with the path below
        keys = _read_keys(json.loads(found["keys"].tobytes()))
        _check_rhythm(found["rhythm"], found["settings"], found["days"], found["special"])
        knots = int(found["rhythm"][1].sum()) + SPECIAL_SLOTS
        _check_states(found["own"], found["shares"], found["visits"], (len(keys), knots))
    except (BadZipFile, EOFError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no state of seasons: {error}.") from error
    found |= {"keys": keys, "special": int(found["special"])}
    return SavedSeasons(**found)


def _read_keys(found: Any) -> Sequence[str | int]:
    if not isinstance(found, list) or any(type(key) not in {str, int} for key in found):
        raise ValueError("its keys are no list of texts and whole numbers")
    if len(set(found)) < len(found):
        raise ValueError("a key occurs twice")
    return found


def _check_rhythm(
    rhythm: NDArray[Any], settings: NDArray[Any], days: NDArray[Any], special: NDArray[Any]
) -> None:
    if rhythm.dtype != np.float64 or rhythm.ndim != 2 or rhythm.shape[0] != 3:
        raise ValueError(f"its rhythm must have the shape (3, seasons), got {rhythm.shape}")
    if not (rhythm[1] == np.floor(rhythm[1])).all():
        raise ValueError("a number of slots is not whole")
    if settings.dtype != np.float64 or settings.shape != (3,):
        raise ValueError("its settings must be three numbers")
    if days.dtype != np.int64 or days.ndim != 1:
        raise ValueError("its special days must be whole numbers")
    if special.shape or int(special) not in {OWN_PATTERN, SKIPPED}:
        raise ValueError(f"special days cannot be treated as {special}")


def _check_states(
    own: NDArray[Any], shares: NDArray[Any], visits: NDArray[Any], shape: tuple[int, int]
) -> None:
    for part, kind, wanted in (
        (own, np.float64, (shape[0], LEVELS + shape[1])),
        (shares, np.float32, shape),
        (visits, np.float32, shape),
    ):
        if part.dtype != kind or part.shape != wanted:
            raise ValueError(f"its state must have the shape {wanted}, got {part.shape}")
        known = np.isfinite(part).all(axis=0)
        if not (known | ((np.arange(part.shape[1]) == TIME) & (part is own))).all():
            raise ValueError("a number of its state is not finite")
    if np.isnan(own[:, TIME]).any() or np.isposinf(own[:, TIME]).any():
        raise ValueError("a time of its state is not a number")
    if (visits < 0).any() or (shares < 0).any() or (own[:, [POINTS, MISSING, LATE]] < 0).any():
        raise ValueError("a count of its state is below 0")
