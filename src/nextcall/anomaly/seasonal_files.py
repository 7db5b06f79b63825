"""The state of seasonal residuals as a file."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.seasonal_kernels import OWN_PATTERN, SKIPPED, SPECIAL_SLOTS
from nextcall.anomaly.seasonal_state import LATE, LEVELS, MISSING, POINTS, TIME
from nextcall.anomaly.state_file import (
    check_array,
    check_finite,
    plain_key,
    read_state,
    write_state,
)

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
    arrays = saved._asdict()
    keys = list(map(plain_key, arrays.pop("keys")))
    write_state(path, arrays | {"format": _FORMAT}, keys)


def load_seasons(path: Path) -> SavedSeasons:
    """Read a file back.

    Raises
    ------
    ValueError
        Where the file is not one that `save_seasons` wrote, or its numbers cannot be.
    OSError
        Where the file cannot be read.
    """
    fields = set(SavedSeasons._fields) - {"keys"}
    with read_state(path, fields, of="seasons", layout=("format", _FORMAT)) as (found, keys):
        _check_rhythm(found["rhythm"], found["settings"], found["days"], found["special"])
        knots = int(found["rhythm"][1].sum()) + SPECIAL_SLOTS
        _check_states(found["own"], found["shares"], found["visits"], (len(keys), knots))
        special = int(found["special"])
    arrays: dict[str, Any] = {name: found[name] for name in fields}
    return SavedSeasons(**arrays | {"keys": keys, "special": special})


def _check_rhythm(
    rhythm: NDArray[Any], settings: NDArray[Any], days: NDArray[Any], special: NDArray[Any]
) -> None:
    if rhythm.dtype != np.float64 or rhythm.ndim != 2 or rhythm.shape[0] != 3:
        raise ValueError(f"its rhythm must have the shape (3, seasons), got {rhythm.shape}")
    if not (rhythm[1] == np.floor(rhythm[1])).all():
        raise ValueError("a number of slots is not whole")
    check_array("settings", settings, np.float64, (3,))
    if days.dtype != np.int64 or days.ndim != 1:
        raise ValueError("its special days must be whole numbers")
    if special.shape or int(special) not in {OWN_PATTERN, SKIPPED}:
        raise ValueError(f"special days cannot be treated as {special}")


def _check_states(
    own: NDArray[Any], shares: NDArray[Any], visits: NDArray[Any], shape: tuple[int, int]
) -> None:
    check_array("own", own, np.float64, (shape[0], LEVELS + shape[1]))
    check_array("shares", shares, np.float32, shape)
    check_array("visits", visits, np.float32, shape)
    check_finite(own, time=TIME)
    check_finite(shares)
    check_finite(visits)
    if (visits < 0).any() or (shares < 0).any() or (own[:, [POINTS, MISSING, LATE]] < 0).any():
        raise ValueError("a count of its state is below 0")
