"""The state of a fault detector as a file."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.fault_clusters import ALARMED, KNOWN
from nextcall.anomaly.fault_step import (
    ABOVE,
    ALARMS,
    BELOW,
    CLUSTER,
    LATE,
    MISSING,
    ROWS_SEEN,
    STATE_WIDTH,
    TIME,
)
from nextcall.anomaly.state_file import (
    check_array,
    check_counts,
    check_finite,
    plain_key,
    read_state,
    write_state,
)
from nextcall.anomaly.tails import TAIL_WIDTH, check_history

_FORMAT: Final = 2  # 1 had no stretches
_COUNTS: Final = [ROWS_SEEN, MISSING, LATE, ALARMS, CLUSTER + ALARMED]
_HISTORIES: Final = (ABOVE, BELOW, CLUSTER + KNOWN)


def save_faults(
    path: Path,
    *,
    options: tuple[float, float],
    keys: Sequence[Hashable],
    states: NDArray[np.float64],
) -> None:
    """Write rate and rest, keys and states; as `FaultDetector.save`."""
    arrays = {"format": _FORMAT, "options": np.array(options), "states": states}
    write_state(path, arrays, list(map(plain_key, keys)))


def load_faults(
    path: Path,
) -> tuple[tuple[float, float], list[str | int], NDArray[np.float64]]:
    """Read options, keys and states; as `FaultDetector.load`."""
    with read_state(
        path, ("options", "states"), of="a fault detector", layout=("format", _FORMAT)
    ) as (content, keys):
        options, states = content["options"], content["states"]
        check_array("options", options, np.float64, (2,))
        check_array("states", states, np.float64, (len(keys), STATE_WIDTH))
        check_finite(states, time=TIME)
        check_counts(states[:, _COUNTS])
        for first in _HISTORIES:
            check_history(states[:, first : first + TAIL_WIDTH])
    rate, rest = options.tolist()
    return (rate, rest), keys, states
