"""The file of a change detector: what would lead it out of its hulls is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nextcall.anomaly.change_detector import ChangeDetector, Method
from nextcall.anomaly.change_kernels import (
    DOWN_ROWS,
    FOUND,
    LATE,
    LATEST,
    LENGTH,
    LOWER,
    LOWER_SIZE,
    MISSING,
    PLACE,
    SIGN,
    TIME,
    TOTAL,
    UP_SUM,
    UPPER,
    UPPER_SIZE,
    VERTICES,
    WEIGHT,
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

COUNT, POINTS = "a count of its states is not one", "points of a hull of its states do not follow"
SIZE, NOISE = "a hull of its states has another number of points", "the noise of its states is none"


def spoilt(column: int, value: float) -> Any:
    def change(states: Any) -> Any:
        states[1, column] = value
        return states

    return change


def refused(path: Path, method: Method, name: str, change: Any) -> str:
    rng = np.random.default_rng(0)
    detector = ChangeDetector(method=method)
    detector.score(rng.normal(size=240), np.arange(240), ["a", "b", "c"] * 80)
    detector.save(path)
    with np.load(path) as arrays:
        content = dict(arrays)
    np.savez(path, **(content | {name: change(content[name])}))
    with pytest.raises(ValueError, match="is no state of a change detector: ") as error:
        ChangeDetector.load(path)
    assert str(error.value).startswith(str(path))
    return str(error.value)


@pytest.mark.parametrize("method", ["focus", "cusum", "page_hinkley"])
@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("format", lambda _: np.int64(2), "format must be 1, got 2"),
        ("keys", lambda _: np.frombuffer(b"{}", dtype=np.uint8), "its keys are no list"),
        ("keys", lambda _: np.frombuffer(b"[1]", dtype=np.uint8), "states must have the shape"),
        ("options", lambda old: old[1:], "options must have the shape"),
        ("options", lambda old: old + np.array([0.5, 0]), "its method is"),
        ("options", lambda old: old + np.array([3, 0]), "its method is"),
        ("options", lambda old: old * [1, np.nan], "rate must be above 0"),
        ("options", lambda old: old * [1, 100], "rate must be above 0"),
        ("states", lambda old: old[:, 1:], "states must have the shape"),
        ("states", lambda old: old.astype(np.float32), "states must have the shape"),
        ("states", spoilt(SEEN, -1.0), COUNT),
        ("states", spoilt(ROWS, 0.5), COUNT),
        ("states", spoilt(FOUND, 1e300), COUNT),
        ("states", spoilt(MISSING, -1.0), COUNT),
        ("states", spoilt(LATE, 1.0), "the rows of its states are not as many as were seen"),
        ("states", spoilt(NEWEST_PLACE, 81.0), "a place of its states is behind the newest row"),
        ("states", spoilt(PLACE, 81.0), "a place of its states is behind the newest row"),
        ("states", spoilt(LATEST, 0.5), COUNT),
        ("states", spoilt(SIGN, 0.5), "a direction of its states is none"),
        ("states", spoilt(TIME, np.nan), "a time of its states is not a number"),
        ("states", spoilt(SQUARES, -1.0), NOISE),
        ("states", spoilt(SQUARES_2, 1e250), NOISE),
        ("states", spoilt(STEP, -1.0), NOISE),
        ("states", spoilt(CROWDED, 1.5), "a share of jumps of its states is none"),
        ("states", spoilt(TOTAL, 1e200), "larger than one that is learned"),
        ("states", spoilt(TOTAL, np.inf), "not finite"),
    ],
)
def test_a_spoiled_file_is_refused(
    tmp_path: Path, method: Method, name: str, change: Any, message: str
) -> None:
    assert message in refused(tmp_path / "state.npz", method, name, change)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (LENGTH, -1.0, COUNT),
        (LENGTH, 0.0, SIZE),
        (LENGTH, 3.0, POINTS),
        (LOWER_SIZE, VERTICES + 1.0, SIZE),
        (UPPER_SIZE, 1e9, SIZE),
        (UPPER_SIZE, 0.0, SIZE),
        (LOWER_SIZE, 1.5, COUNT),
        (UPPER_SIZE, -1.0, COUNT),
        (LOWER_SIZE, float(VERTICES), POINTS),
        (LOWER, 1.0, POINTS),
        (UPPER + 3, 0.0, POINTS),
        (UPPER + 3, 0.5, COUNT),
        (LOWER + 2, -1.0, COUNT),
        (LOWER + 2, 81.0, "a point of a hull of its states lies behind the newest row"),
    ],
)
def test_a_spoiled_hull_is_refused(tmp_path: Path, column: int, value: float, message: str) -> None:
    path = tmp_path / "state.npz"
    assert message in refused(path, "focus", "states", spoilt(column, value))


@pytest.mark.parametrize("method", ["cusum", "page_hinkley"])
def test_a_spoiled_sum_is_refused(tmp_path: Path, method: Method) -> None:
    path = tmp_path / "state.npz"
    assert COUNT in refused(path, method, "states", spoilt(DOWN_ROWS, -1.0))
    assert COUNT in refused(path, method, "states", spoilt(WEIGHT, 0.5))
    assert "sum of its states is below 0" in refused(path, method, "states", spoilt(UP_SUM, -1.0))
