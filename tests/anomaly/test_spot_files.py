"""The file of SPOT: what would lead it out of its window, stretch or tails is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nextcall.anomaly.spot import SpotDetector
from nextcall.anomaly.spot_kernels import (
    ALARMS,
    BODY,
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
    row_width,
)
from nextcall.anomaly.spot_tail import (
    EXCESSES,
    KEPT,
    ORDERED,
    PEAKS,
    PLACE,
    RING,
    SCALE,
    SEEN,
    SHAPE,
)

DEPTH = 3
COUNT, STRETCH = "a count of its states is not one", "another number of values"
ORDER, TAIL = "are not those that came", "a tail of its states is none"


def spoilt(row: int, column: int, value: float) -> Any:
    """Change a number of the first key, whose tails are known, or of the second, in its warm-up."""

    def change(states: Any) -> Any:
        states[row, DEPTH + column] = value
        return states

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("format", lambda _: np.int64(2), "format must be 1, got 2"),
        ("keys", lambda _: np.frombuffer(b"[1, 1]", dtype=np.uint8), "a key occurs twice"),
        ("keys", lambda _: np.frombuffer(b"[1]", dtype=np.uint8), "states must have the shape"),
        ("options", lambda old: old[1:], "options must have the shape"),
        ("options", lambda old: old * [-1, 1, 1, 1], "a risk or side of its states is another"),
        ("options", lambda old: old + np.array([0, 1, 0, 0]), "its sides are 4"),
        ("options", lambda old: old - np.array([0, 3, 0, 0]), "its sides are 0"),
        (
            "options",
            lambda old: old - np.array([0, 1, 0, 0]),
            "a risk or side of its states is another",
        ),
        ("options", lambda old: old + np.array([0, 0, 0.5, 0]), COUNT),
        ("options", lambda old: old + np.array([0, 0, 1, 0]), "states must have the shape"),
        ("options", lambda old: old + np.array([0, 0, 0, 2000]), "states must have the shape"),
        ("options", lambda old: old + np.array([0, 0, 0, -10]), "warm_up must be at least 50"),
        ("options", lambda old: old * [1, 1, 1, -1], COUNT),
        ("states", lambda old: old[:, 1:], "states must have the shape"),
        ("states", lambda old: old.astype(np.float32), "states must have the shape"),
        ("states", spoilt(0, POINTS, -1.0), COUNT),
        ("states", spoilt(0, POINTS, 700.5), COUNT),
        ("states", spoilt(0, MISSING, -1.0), COUNT),
        ("states", spoilt(0, LATE, 1e300), "larger than one that is learned"),
        ("states", spoilt(0, ALARMS, 0.5), COUNT),
        ("states", spoilt(0, TIME, np.inf), "a time of its states is not a number"),
        ("states", spoilt(0, RISK, 0.5), "a risk or side of its states is another"),
        ("states", spoilt(0, SIDES, 1.0), "a risk or side of its states is another"),
        ("states", spoilt(0, STEP, -1.0), "a step of its states is below 0"),
        ("states", spoilt(0, READY, 0.5), "neither ready nor not"),
        ("states", spoilt(0, READY, 0.0), STRETCH),
        ("states", spoilt(0, -1, np.nan), "not finite"),
        ("states", spoilt(1, READY, 1.0), TAIL),
        ("states", spoilt(1, FIRST_KEPT, 5.0), STRETCH),
        ("states", spoilt(1, FIRST_KEPT, 50.0), STRETCH),
        ("states", spoilt(1, POINTS, 53.0), STRETCH),
        ("states", spoilt(1, BODY + 49, 1.0), "goes on behind its end"),
        ("states", spoilt(0, UPPER + KEPT, EXCESSES + 1.0), f"keeps more values than {EXCESSES}"),
        ("states", spoilt(0, UPPER + KEPT, 2.0), ORDER),
        ("states", spoilt(0, LOWER + KEPT, -1.0), COUNT),
        ("states", spoilt(0, LOWER + KEPT, 1.5), COUNT),
        ("states", spoilt(0, LOWER + PLACE, EXCESSES), "a place in a tail of its states is none"),
        ("states", spoilt(0, UPPER + PLACE, 0.0), "a place in a tail of its states is none"),
        ("states", spoilt(2, UPPER + PLACE, EXCESSES), "a place in a tail of its states is none"),
        ("states", spoilt(2, UPPER + PLACE, 1e9), "a place in a tail of its states is none"),
        ("states", spoilt(0, UPPER + RING, 50.0), ORDER),
        ("states", spoilt(0, LOWER + ORDERED, 50.0), ORDER),
        ("states", spoilt(0, LOWER + ORDERED + EXCESSES - 1, -1.0), TAIL),
        ("states", spoilt(0, UPPER + PEAKS, -1.0), TAIL),
        ("states", spoilt(0, UPPER + SEEN, 0.0), TAIL),
        ("states", spoilt(0, LOWER + SCALE, 0.0), TAIL),
        ("states", spoilt(0, LOWER + SHAPE, -1.5), TAIL),
    ],
)
def test_a_spoiled_file_is_refused(tmp_path: Path, name: str, change: Any, message: str) -> None:
    path = tmp_path / "state.npz"
    rng = np.random.default_rng(0)
    detector = SpotDetector(depth=DEPTH, warm_up=50)
    detector.score(rng.normal(size=700))
    detector.score(rng.normal(size=10), keys=["warming up"] * 10)
    detector.score(np.arange(3000.0) ** 2, keys=["always higher"] * 3000)
    detector.save(path)
    with np.load(path) as arrays:
        content = dict(arrays)
    assert content["states"][:, DEPTH + READY].tolist() == [1, 0, 1]
    assert content["states"][2, DEPTH + UPPER + KEPT] == EXCESSES
    np.savez(path, **(content | {name: change(content[name])}))
    with pytest.raises(ValueError, match=message) as error:
        SpotDetector.load(path)
    assert str(error.value).startswith(f"{path} is no state of SPOT: ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([0.5, 3, 0, 1000], "risk must be above 0"),
        ([np.nan, 3, 0, 1000], "risk must be above 0"),
        ([1e-3, 3, 0, 2**50], "Unable to allocate"),
        ([1e-3, 3, 0, 40], "warm_up must be at least 50"),
    ],
)
def test_options_that_cannot_be_are_refused(
    tmp_path: Path, options: list[float], message: str
) -> None:
    path = tmp_path / "state.npz"
    SpotDetector().save(path)
    with np.load(path) as arrays:
        content = dict(arrays)
    states = np.zeros((0, row_width(0, int(options[3]))))
    np.savez(path, **(content | {"options": np.array(options), "states": states}))
    with pytest.raises(ValueError, match=message):
        SpotDetector.load(path)
