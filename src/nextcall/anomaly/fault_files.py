"""The state of a fault detector as a file."""

import json
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.fault_step import (
    ALARMS,
    LATE,
    MISSING,
    ROWS_SEEN,
    STATE_WIDTH,
    TIME,
)
from nextcall.files import atomic_path

_FORMAT: Final = 1
_COUNTS: Final = [ROWS_SEEN, MISSING, LATE, ALARMS]


def save_faults(
    path: Path,
    *,
    options: tuple[float, float],
    keys: Sequence[Hashable],
    states: NDArray[np.float64],
) -> None:
    """Write rate and rest, keys and states; as `FaultDetector.save`."""
    for key in keys:
        if type(key) not in {str, int}:
            raise ValueError(f"keys must be text or whole numbers to be saved, got {key!r}.")
    text = np.frombuffer(json.dumps(list(keys)).encode(), dtype=np.uint8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, format=_FORMAT, options=np.array(options), keys=text, states=states)


def load_faults(
    path: Path,
) -> tuple[tuple[float, float], list[str | int], NDArray[np.float64]]:
    """Read options, keys and states; as `FaultDetector.load`."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            version, options, text, states = (
                arrays[name] for name in ("format", "options", "keys", "states")
            )
        if version.shape or version != _FORMAT:
            raise ValueError(f"its format must be {_FORMAT}, got {version}")  # noqa: TRY301  # told with the path below
        if options.shape != (2,) or options.dtype != np.float64:
            raise ValueError("its options must be two numbers")  # noqa: TRY301  # as above
        keys = _read_keys(text)
        _check_states(states, len(keys))
    except (AttributeError, BadZipFile, EOFError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no state of a fault detector: {error}.") from error
    rate, rest = options.tolist()
    return (rate, rest), keys, np.ascontiguousarray(states)


def _read_keys(text: NDArray[Any]) -> list[str | int]:
    keys = json.loads(text.tobytes())
    if not isinstance(keys, list) or any(type(key) not in {str, int} for key in keys):
        raise ValueError("its keys must be texts and whole numbers")
    if len(set(keys)) < len(keys):
        raise ValueError("a key occurs twice")
    return keys


def _check_states(states: NDArray[Any], n_keys: int) -> None:
    if states.dtype != np.float64 or states.shape != (n_keys, STATE_WIDTH):
        raise ValueError(f"its states must have the shape {(n_keys, STATE_WIDTH)}")
    if not (np.isfinite(states).all(axis=0) | (np.arange(STATE_WIDTH) == TIME)).all():
        raise ValueError("a number of its states is not finite")
    if np.isnan(states[:, TIME]).any() or np.isposinf(states[:, TIME]).any():
        raise ValueError("a time of its states is not a number")
    counts = states[:, _COUNTS]
    if not ((counts >= 0) & (counts < 2**53) & (counts == np.floor(counts))).all():
        raise ValueError("a count of its states is not one")
