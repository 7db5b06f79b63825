"""The state of Hampel's rule as a file."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.hampel_kernels import LATE, MISSING, POINTS, RING, STEP, TIME
from nextcall.anomaly.named_kernels import LARGEST
from nextcall.anomaly.ordered import check_in_order
from nextcall.anomaly.state_file import (
    check_array,
    check_counts,
    check_finite,
    check_sizes,
    plain_key,
    read_state,
    write_state,
)

OF: Final = "Hampel's rule"
_FORMAT: Final = 1


def save_windows(
    path: Path, *, window: int, keys: Sequence[Hashable], states: NDArray[np.float64]
) -> None:
    """Write window, keys and states; as `HampelDetector.save`."""
    arrays = {"format": _FORMAT, "window": np.int64(window), "states": states}
    write_state(path, arrays, list(map(plain_key, keys)))


def load_windows(path: Path) -> tuple[int, list[str | int], NDArray[np.float64]]:
    """Read window, keys and states; as `HampelDetector.load`."""
    with read_state(path, ("window", "states"), of=OF, layout=("format", _FORMAT)) as (
        content,
        keys,
    ):
        check_array("window", content["window"], np.int64, ())
        window, states = int(content["window"]), content["states"]
        check_array("states", states, np.float64, (len(keys), RING + 2 * window))
        check_finite(states, time=TIME)
        check_counts(states[:, [POINTS, MISSING, LATE]])
        check_sizes(states, 2 * LARGEST, time=TIME)
        if (states[:, STEP] < 0).any():
            raise ValueError("a step of its states is below 0")
        if keys:  # a window of any width is none of a file without
            check_in_order(
                states[:, RING : RING + window],
                states[:, RING + window :],
                np.minimum(states[:, POINTS], window),
            )
    return window, keys, states
