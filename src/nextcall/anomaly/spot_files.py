"""The state of SPOT as a file."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.named_kernels import LARGEST
from nextcall.anomaly.ordered import check_in_order
from nextcall.anomaly.spot_kernels import (
    ALARMS,
    BODY,
    BOTH_SIDES,
    FIRST_KEPT,
    LATE,
    LOWER,
    MISSING,
    POINTS,
    READY,
    RISK,
    SIDES,
    STEP,
    TIME,
    UPPER,
    UPPER_SIDE,
    WIDTH,
    row_width,
)
from nextcall.anomaly.spot_tail import (
    EXCESSES,
    KEPT,
    LEAST_SCALE,
    ORDERED,
    PEAKS,
    PLACE,
    RING,
    SCALE,
    SEEN,
    SHAPE,
)
from nextcall.anomaly.state_file import (
    check_array,
    check_counts,
    check_finite,
    check_sizes,
    plain_key,
    read_state,
    write_state,
)

OF: Final = "SPOT"
_FORMAT: Final = 1
_COUNTS: Final = [POINTS, MISSING, LATE, ALARMS, FIRST_KEPT]
_MOST: Final = 1e3 * LARGEST  # a scale is at most some excesses, and an excess some values


def save_spots(
    path: Path,
    *,
    options: tuple[float, int, int, int],
    keys: Sequence[Hashable],
    states: NDArray[np.float64],
) -> None:
    """Write risk, sides, depth and warm-up, keys and states; as `SpotDetector.save`."""
    arrays = {"format": _FORMAT, "options": np.array(options, dtype=np.float64), "states": states}
    write_state(path, arrays, list(map(plain_key, keys)))


def load_spots(
    path: Path,
) -> tuple[tuple[float, int, int, int], list[str | int], NDArray[np.float64]]:
    """Read options, keys and states; as `SpotDetector.load`."""
    with read_state(path, ("options", "states"), of=OF, layout=("format", _FORMAT)) as (
        content,
        keys,
    ):
        options, states = content["options"], content["states"]
        check_array("options", options, np.float64, (4,))
        check_counts(options[1:])
        risk = float(options[0])
        sides, depth, warm_up = (int(each) for each in options[1:])
        if not UPPER_SIDE <= sides <= BOTH_SIDES:
            raise ValueError(f"its sides are {sides}")
        check_array("states", states, np.float64, (len(keys), row_width(depth, warm_up)))
        own = states[:, depth:]
        check_finite(states, time=depth + TIME)
        check_sizes(states, _MOST, time=depth + TIME)
        check_counts(own[:, _COUNTS])
        if not (own[:, [RISK, SIDES]] == [risk, sides]).all():
            raise ValueError("a risk or side of its states is another")
        if (own[:, STEP] < 0).any() or not np.isin(own[:, READY], [0.0, 1.0]).all():
            raise ValueError("a step of its states is below 0, or they are neither ready nor not")
        ready = own[:, READY] > 0
        if keys:  # without, the warm-up may be of any length
            _check_first(own[~ready], depth, warm_up)
        for begin, end in ((UPPER, LOWER), (LOWER, WIDTH)):
            _check_tails(own[ready, begin:end])
    return (risk, sides, depth, warm_up), keys, states


def _check_first(own: NDArray[Any], depth: int, warm_up: int) -> None:
    """Refuse first stretches with another number of values than were learned, or too many."""
    kept = own[:, FIRST_KEPT]
    expected = np.maximum(own[:, POINTS] - depth, 0.0)
    if not ((kept < warm_up) & (kept == expected)).all():
        raise ValueError("a first stretch of its states has another number of values")
    if (own[:, BODY:][np.arange(own.shape[1] - BODY) >= kept[:, np.newaxis]] != 0).any():
        raise ValueError("a first stretch of its states goes on behind its end")


def _check_tails(tails: NDArray[Any]) -> None:
    """Refuse tails whose numbers would lead out of their rings, or that are no tails."""
    check_counts(tails[:, [PLACE, KEPT]])
    check_in_order(tails[:, RING:ORDERED], tails[:, ORDERED:], tails[:, KEPT])
    full = tails[:, KEPT] == EXCESSES
    if not np.where(full, tails[:, PLACE] < EXCESSES, tails[:, PLACE] == tails[:, KEPT]).all():
        raise ValueError("a place in a tail of its states is none")
    counts = (tails[:, PEAKS] >= 0) & (tails[:, PEAKS] <= tails[:, SEEN])
    law = (tails[:, SCALE] >= LEAST_SCALE) & (np.abs(tails[:, SHAPE]) <= 1.0)
    if not (counts & law & (tails[:, RING:] >= 0).all(axis=1)).all():
        raise ValueError("a tail of its states is none")
