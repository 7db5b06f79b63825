"""The state of a monitor as a file."""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.monitor_input import Key, check_key
from nextcall.anomaly.monitor_rows import Settings
from nextcall.anomaly.named_kernels import (
    ALARMS,
    BLOCK_MEAN,
    BLOCK_SQUARES,
    CHANGE,
    COLD,
    COLD_WIDTH,
    LATE,
    LEAST,
    MEMORY,
    MISSING,
    PATTERN,
    PATTERN_POINTS,
    POINTS,
    RANKS,
    RATE,
    REST,
    REST_LENGTH,
    SLOT,
    SLOTS,
    TIME,
    VALUES,
    VARIANCE,
)
from nextcall.anomaly.quartiles import RING
from nextcall.files import atomic_path

_FORMAT: Final = 2
_VISITS: Final = slice(SLOT + 1, SLOT + 2 * SLOTS, 2)
_COUNTS: Final = [MISSING, LATE, ALARMS, PATTERN_POINTS]


class Saved(NamedTuple):
    """What a file holds."""

    settings: Settings
    keys: list[Key]
    hot: NDArray[np.float64]
    """Shape (n_keys, COLD): all but the addresses."""
    cold: NDArray[np.float64]
    """Shape (n_keys, COLD_WIDTH)."""


def save_state(path: Path, saved: Saved) -> None:
    """Write a file that is whole or absent: numpy's ``npz``, without pickle."""
    keys = np.frombuffer(json.dumps(saved.keys).encode(), dtype=np.uint8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            format=_FORMAT,
            settings=np.array(saved.settings),
            keys=keys,
            hot=saved.hot,
            cold=saved.cold,
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
            version, settings, keys, hot, cold = (
                arrays[name] for name in ("format", "settings", "keys", "hot", "cold")
            )
        common = Settings(*_read_settings(version, settings))
        names = _read_keys(json.loads(keys.tobytes()))
        _check_numbers(hot, cold, len(names))
        same = (hot[:, [RATE, LEAST, MEMORY]] == common[:3]).all()
        if not (same and (cold[:, REST_LENGTH] == common.rest).all()):
            raise ValueError("a key has other settings")  # noqa: TRY301  # told with the path below
    except (BadZipFile, EOFError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no state of a monitor: {error}.") from error
    return Saved(common, names, hot, cold)


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


def _check_numbers(hot: NDArray[Any], cold: NDArray[Any], n_keys: int) -> None:
    for state, width in ((hot, COLD), (cold, COLD_WIDTH)):
        if state.dtype != np.float64 or state.shape != (n_keys, width):
            raise ValueError(f"its state must have the shape {(n_keys, width)}, got {state.shape}")
    times, values = hot[:, TIME], cold[:, VALUES:RANKS]
    if not (np.isfinite(hot).all(axis=0) | (np.arange(COLD) == TIME)).all():
        raise ValueError("a number of its state is not finite")
    if not np.isfinite(cold[:, BLOCK_MEAN:]).all():
        raise ValueError("a number of its state is not finite")
    if np.isnan(times).any() or np.isposinf(times).any():
        raise ValueError("a time of its state is not a number")
    _check_order(values, np.ascontiguousarray(cold[:, RANKS:BLOCK_MEAN]).view(np.uint8))
    for counts in (hot[:, [POINTS, REST]], cold[:, _COUNTS], cold[:, _VISITS]):
        if not ((counts >= 0) & (counts < 2**53) & (counts == np.floor(counts))).all():
            raise ValueError("a count of its state is not one")
    squares = (hot[:, [VARIANCE, CHANGE]], cold[:, PATTERN], cold[:, BLOCK_SQUARES:MISSING])
    if any((each < 0).any() for each in squares):
        raise ValueError("a variance of its state is below 0")


def _check_order(values: NDArray[np.float64], ranks: NDArray[np.uint8]) -> None:
    order = np.full(values.shape, np.nan)
    np.put_along_axis(order, ranks % RING, values, axis=1)
    ascending = (order[:, 1:] >= order[:, :-1]).all() and (order[:, 0] > -np.inf).all()
    if not (ascending and (ranks < RING).all()):
        raise ValueError("an order of its state is none")
