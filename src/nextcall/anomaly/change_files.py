"""The state of a detector of changes as a file."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.change_kernels import (
    CUSUM,
    DOWN_ROWS,
    DOWN_SUM,
    FOCUS,
    FOUND,
    LARGEST,
    LATE,
    LATEST,
    LENGTH,
    LOWER,
    LOWER_SIZE,
    MISSING,
    PAGE_HINKLEY,
    PLACE,
    POINT,
    SIGN,
    TIME,
    UP_ROWS,
    UP_SUM,
    UPPER,
    UPPER_SIZE,
    VERTICES,
    WEIGHT,
    WIDTH,
)
from nextcall.anomaly.change_noise import (
    CROWDED,
    NEWEST_PLACE,
    ROWS,
    SEEN,
    SQUARES,
    SQUARES_2,
    STEP,
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

OF: Final = "a change detector"
_FORMAT: Final = 1
_COUNTS: Final = [SEEN, ROWS, NEWEST_PLACE, FOUND, PLACE, LATEST, MISSING, LATE]
_MOST: Final = 2.0**53 * 4 * LARGEST  # a sum of as many rows as can be counted
_MOST_SQUARE: Final = 16 * LARGEST**2


def save_changes(
    path: Path,
    *,
    options: tuple[int, float],
    keys: Sequence[Hashable],
    states: NDArray[np.float64],
) -> None:
    """Write method and rate, keys and states; as `ChangeDetector.save`."""
    arrays = {"format": _FORMAT, "options": np.array(options, dtype=np.float64), "states": states}
    write_state(path, arrays, list(map(plain_key, keys)))


def load_changes(
    path: Path,
) -> tuple[tuple[int, float], list[str | int], NDArray[np.float64]]:
    """Read options, keys and states; as `ChangeDetector.load`."""
    with read_state(path, ("options", "states"), of=OF, layout=("format", _FORMAT)) as (
        content,
        keys,
    ):
        options, states = content["options"], content["states"]
        check_array("options", options, np.float64, (2,))
        method, rate = options.tolist()
        if method not in {FOCUS, CUSUM, PAGE_HINKLEY}:
            raise ValueError(f"its method is {method}")
        check_array("states", states, np.float64, (len(keys), WIDTH))
        check_finite(states, time=TIME)
        check_counts(states[:, _COUNTS])
        _check_noise(states)
        if method == FOCUS:
            for size_at, start in ((LOWER_SIZE, LOWER), (UPPER_SIZE, UPPER)):
                _check_hulls(states, size_at, start)
        else:
            check_counts(states[:, [WEIGHT, UP_ROWS, DOWN_ROWS]])
            if (states[:, [UP_SUM, DOWN_SUM]] < 0).any():
                raise ValueError("a sum of its states is below 0")
    return (int(method), rate), keys, states


def _check_noise(states: NDArray[Any]) -> None:
    squares = states[:, [SQUARES, SQUARES_2]]
    if not ((squares >= 0) & (squares <= _MOST_SQUARE)).all() or (states[:, STEP] < 0).any():
        raise ValueError("the noise of its states is none")
    others = states.copy()
    others[:, [SQUARES, SQUARES_2]] = 0.0
    check_sizes(others, _MOST, time=TIME)
    if not ((states[:, CROWDED] >= 0) & (states[:, CROWDED] <= 1)).all():
        raise ValueError("a share of jumps of its states is none")
    if not np.isin(states[:, SIGN], [-1.0, 0.0, 1.0]).all():
        raise ValueError("a direction of its states is none")
    before = states[:, [NEWEST_PLACE, PLACE, LATEST]]
    if not (before <= states[:, [SEEN]]).all():
        raise ValueError("a place of its states is behind the newest row")
    if (states[:, ROWS] + states[:, MISSING] + states[:, LATE] != states[:, SEEN]).any():
        raise ValueError("the rows of its states are not as many as were seen")


def _check_hulls(states: NDArray[Any], size_at: int, start: int) -> None:
    """Refuse hulls that pass their room, or whose points do not follow each other."""
    check_counts(states[:, [LENGTH, size_at]])
    length, size = states[:, LENGTH], states[:, size_at]
    if not ((size <= VERTICES) & ((size > 0) == (length > 0))).all():
        raise ValueError("a hull of its states has another number of points")
    points = states[:, start : start + POINT * VERTICES].reshape(-1, VERTICES, POINT)
    within = np.arange(VERTICES) < size[:, np.newaxis]
    rows = np.where(within, points[:, :, 0], 0.0)
    check_counts(rows)
    check_counts(np.where(within, points[:, :, 2], 0.0))
    rising = (np.diff(rows, axis=1) > 0) | ~within[:, 1:]
    if not (
        rising.all(axis=1) & (rows[:, 0] == 0) & (rows.max(axis=1) < np.maximum(length, 1))
    ).all():
        raise ValueError("the points of a hull of its states do not follow each other")
    if not (np.where(within, points[:, :, 2], 0.0) <= states[:, [SEEN]]).all():
        raise ValueError("a point of a hull of its states lies behind the newest row")
