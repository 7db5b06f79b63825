"""The state of a monitor as a file."""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.monitor_input import Key, check_key
from nextcall.anomaly.named_kernels import (
    ALARMS,
    CHANGE,
    LATE,
    MISSING,
    PATTERN,
    PATTERN_POINTS,
    POINTS,
    RATE,
    REST,
    REST_LENGTH,
    SLOT_VISITS,
    TIME,
    VARIANCE,
    WIDTH,
)
from nextcall.files import atomic_path

_FORMAT: Final = 1
_COUNTS: Final = [POINTS, MISSING, LATE, ALARMS, REST, PATTERN_POINTS, *range(SLOT_VISITS, WIDTH)]
_SQUARES: Final = [VARIANCE, CHANGE, PATTERN]


class Saved(NamedTuple):
    """What a file holds."""

    settings: tuple[float, float, float, float]
    """Rate, least change, memory and rest."""
    keys: list[Key]
    state: NDArray[np.float64]
    """Shape (n_keys, WIDTH)."""


def save_state(path: Path, saved: Saved) -> None:
    """Write a file that is whole or absent: numpy's ``npz``, without pickle."""
    keys = np.frombuffer(json.dumps(saved.keys).encode(), dtype=np.uint8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file, format=_FORMAT, settings=np.array(saved.settings), keys=keys, state=saved.state
        )


def load_state(path: Path) -> Saved:
    """Read a file back.

    Raises
    ------
    ValueError
        Where the file is not one that `save_state` wrote, or its numbers cannot be.
    OSError
        Where the file cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            version, settings, keys, state = (
                arrays[name] for name in ("format", "settings", "keys", "state")
            )
        rate, least_change, memory, rest = _read_settings(version, settings)
        names = _read_keys(json.loads(keys.tobytes()))
        _check_numbers(state, len(names))
        if (state[:, RATE : REST_LENGTH + 1] != settings).any():
            raise ValueError("a key has other settings")  # noqa: TRY301  # told with the path below
    except (BadZipFile, EOFError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no state of a monitor: {error}.") from error
    return Saved((rate, least_change, memory, rest), names, np.ascontiguousarray(state))


def _read_settings(version: NDArray[Any], settings: NDArray[Any]) -> list[float]:
    if version.shape or version != _FORMAT:
        raise ValueError(f"its format must be {_FORMAT}, got {version}")
    if settings.shape != (4,) or settings.dtype != np.float64:
        raise ValueError("its settings must be four numbers")
    found: list[float] = settings.tolist()
    return found


def _read_keys(found: Any) -> list[Key]:
    keys: list[Key] = []
    for metric, entity, behavior in found:
        keys.append((metric, entity, behavior))
        check_key(keys[-1])
    if len(set(keys)) < len(keys):
        raise ValueError("a key occurs twice")
    return keys


def _check_numbers(state: NDArray[Any], n_keys: int) -> None:
    if state.dtype != np.float64 or state.shape != (n_keys, WIDTH):
        raise ValueError(f"its state must have the shape {(n_keys, WIDTH)}, got {state.shape}")
    if not (np.isfinite(state).all(axis=0) | (np.arange(WIDTH) == TIME)).all():
        raise ValueError("a number of its state is not finite")
    if np.isnan(state[:, TIME]).any() or np.isposinf(state[:, TIME]).any():
        raise ValueError("a time of its state is not a number")
    counts = state[:, _COUNTS]
    if not ((counts >= 0) & (counts < 2**53) & (counts == np.floor(counts))).all():
        raise ValueError("a count of its state is not one")
    if (state[:, _SQUARES] < 0).any():
        raise ValueError("a variance of its state is below 0")
