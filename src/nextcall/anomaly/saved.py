"""The state of a detector as a file that any numpy reads, without pickle."""

import json
import zipfile
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.step import LARGEST, MISSING, MOST_GOAL, ROWS_SEEN, STATE_WIDTH
from nextcall.files import atomic_path

LAYOUT: Final = 2
"""Rises where a state means something else than before."""

_FIELDS: Final = frozenset({"layout", "rate", "keys", "states"})


def save(path: Path, *, rate: float, keys: Sequence[Hashable], states: NDArray[np.float64]) -> None:
    """Write a detector's state; as `StreamDetector.save`."""
    for key in keys:
        if type(key) not in {str, int}:
            raise ValueError(f"keys must be text or whole numbers to be saved, got {key!r}.")
    text = json.dumps(list(keys)).encode()
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            layout=np.int64(LAYOUT),
            rate=np.float64(rate),
            keys=np.frombuffer(text, dtype=np.uint8),
            states=states,
        )


def load(path: Path) -> tuple[float, list[str | int], NDArray[np.float64]]:
    """Read the rate, the keys and their states; as `StreamDetector.load`."""
    try:
        with path.open("rb") as file:
            return _checked(_content(file))
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: must be a saved detector, but {error}.") from error


def _content(file: BinaryIO) -> dict[str, NDArray[np.generic]]:
    arrays = np.load(file, allow_pickle=False)
    if isinstance(arrays, np.ndarray):
        raise ValueError("it holds one array")  # noqa: TRY004  # the file is wrong, not the call
    with arrays:
        if missing := sorted(_FIELDS - set(arrays.files)):
            raise ValueError(f"it lacks {', '.join(missing)}")
        return {name: arrays[name] for name in _FIELDS}


def _checked(
    content: dict[str, NDArray[np.generic]],
) -> tuple[float, list[str | int], NDArray[np.float64]]:
    if content["layout"].shape != () or content["layout"] != LAYOUT:
        raise ValueError(f"its layout is {content['layout']}, not {LAYOUT}")
    rate = content["rate"]
    if rate.shape != () or rate.dtype != np.float64 or not 0.0 < float(rate) <= MOST_GOAL:
        raise ValueError(f"its rate is {rate}")
    keys = json.loads(content["keys"].tobytes().decode())
    if not isinstance(keys, list) or any(type(key) not in {str, int} for key in keys):
        raise ValueError("its keys are no list of texts and whole numbers")
    if len(set(keys)) != len(keys):
        raise ValueError("its keys repeat")
    states = content["states"]
    if states.dtype != np.float64 or states.shape != (len(keys), STATE_WIDTH):
        raise ValueError(
            f"its states are {states.dtype} of shape {states.shape}, "
            f"not float64 of shape {(len(keys), STATE_WIDTH)}"
        )
    numbers = np.ascontiguousarray(states, dtype=np.float64)
    counts = numbers[:, [ROWS_SEEN, MISSING]]
    # 16 sums of values of that size may stand in a state
    if not (np.abs(numbers) <= 16 * LARGEST).all() or not (counts >= 0).all():
        raise ValueError("a state is no number that a detector holds")
    return float(rate), keys, numbers
