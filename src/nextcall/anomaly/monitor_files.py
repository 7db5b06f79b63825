"""The state of a monitor as a file."""

from pathlib import Path
from typing import Any, Final, NamedTuple

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
    RARITY,
    RATE,
    REST,
    REST_LENGTH,
    SLOT,
    SLOTS,
    TIME,
    VALUES,
    VARIANCE,
)
from nextcall.anomaly.named_rarity import check_rarities
from nextcall.anomaly.quartiles import RING
from nextcall.anomaly.state_file import (
    check_array,
    check_counts,
    check_finite,
    read_state,
    write_state,
)

_FORMAT: Final = 3
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
    arrays = {
        "format": _FORMAT,
        "settings": np.array(saved.settings),
        "hot": saved.hot,
        "cold": saved.cold,
    }
    write_state(path, arrays, saved.keys)


def load_state(path: Path) -> Saved:
    """Read a file back.

    Raises
    ------
    ValueError
        Where the file is not one that `save_state` wrote, or its numbers cannot be.
    OSError
        Where the file cannot be read.
    """
    with read_state(
        path,
        ("settings", "hot", "cold"),
        of="a monitor",
        layout=("format", _FORMAT),
        read_key=_read_key,
    ) as (found, keys):
        settings, hot, cold = (found[name] for name in ("settings", "hot", "cold"))
        check_array("settings", settings, np.float64, (4,))
        common = Settings(*settings.tolist())
        _check_numbers(hot, cold, len(keys))
        same = (hot[:, [RATE, LEAST, MEMORY]] == common[:3]).all()
        if not (same and (cold[:, REST_LENGTH] == common.rest).all()):
            raise ValueError("a key has other settings")
    return Saved(common, keys, hot, cold)


def _read_key(found: Any) -> Key:
    metric, entity, behavior = found
    check_key((metric, entity, behavior))
    return metric, entity, behavior


def _check_numbers(hot: NDArray[Any], cold: NDArray[Any], n_keys: int) -> None:
    check_array("hot rows", hot, np.float64, (n_keys, COLD))
    check_array("cold rows", cold, np.float64, (n_keys, COLD_WIDTH))
    check_finite(hot, time=TIME)
    check_finite(cold[:, BLOCK_MEAN:])
    values = cold[:, VALUES:RANKS]
    _check_order(values, np.ascontiguousarray(cold[:, RANKS:BLOCK_MEAN]).view(np.uint8))
    for counts in (hot[:, [POINTS, REST]], cold[:, _COUNTS], cold[:, _VISITS]):
        check_counts(counts)
    squares = (hot[:, [VARIANCE, CHANGE]], cold[:, PATTERN], cold[:, BLOCK_SQUARES:MISSING])
    if any((each < 0).any() for each in squares):
        raise ValueError("a variance of its state is below 0")
    check_rarities(cold[:, RARITY:SLOT], hot[:, POINTS])


def _check_order(values: NDArray[np.float64], ranks: NDArray[np.uint8]) -> None:
    order = np.full(values.shape, np.nan)
    np.put_along_axis(order, ranks % RING, values, axis=1)
    ascending = (order[:, 1:] >= order[:, :-1]).all() and (order[:, 0] > -np.inf).all()
    if not (ascending and (ranks < RING).all()):
        raise ValueError("an order of its state is none")
