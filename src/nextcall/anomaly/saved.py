"""The state of a stream detector as a file."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.channels import DOWN_TAIL, SHAPE_TAIL, UP_TAIL, VALUE_TAIL
from nextcall.anomaly.state_file import check_array, plain_key, read_state, write_state
from nextcall.anomaly.step import (
    LARGEST,
    LEVEL,
    MISSING,
    MOST_GOAL,
    ROWS_SEEN,
    SHAPE,
    STATE_WIDTH,
    VALUE,
)
from nextcall.anomaly.tails import TAIL_WIDTH, check_history

LAYOUT: Final = 2
"""Rises where a state means something else than before."""

_HISTORIES: Final = (VALUE + VALUE_TAIL, SHAPE + SHAPE_TAIL, LEVEL + UP_TAIL, LEVEL + DOWN_TAIL)


def save(path: Path, *, rate: float, keys: Sequence[Hashable], states: NDArray[np.float64]) -> None:
    """Write a detector's state; as `StreamDetector.save`."""
    arrays = {"layout": np.int64(LAYOUT), "rate": np.float64(rate), "states": states}
    write_state(path, arrays, list(map(plain_key, keys)))


def load(path: Path) -> tuple[float, list[str | int], NDArray[np.float64]]:
    """Read the rate, the keys and their states; as `StreamDetector.load`."""
    with read_state(
        path, ("rate", "states"), of="a stream detector", layout=("layout", LAYOUT)
    ) as (content, keys):
        rate, states = content["rate"], content["states"]
        check_array("rate", rate, np.float64, ())
        if not 0.0 < float(rate) <= MOST_GOAL:
            raise ValueError(f"its rate is {rate}")
        check_array("states", states, np.float64, (len(keys), STATE_WIDTH))
        # 16 sums of values of that size may stand in a state
        within = (np.abs(states) <= 16 * LARGEST).all()
        if not (within and (states[:, [ROWS_SEEN, MISSING]] >= 0).all()):
            raise ValueError("a state is no number that a detector holds")
        for first in _HISTORIES:
            check_history(states[:, first : first + TAIL_WIDTH])
    return float(rate), keys, states
