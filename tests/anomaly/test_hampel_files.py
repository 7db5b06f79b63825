"""The file of Hampel's rule: what would lead it out of its window is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nextcall.anomaly.hampel import HampelDetector
from nextcall.anomaly.hampel_kernels import LATE, MISSING, POINTS, RING, STEP, TIME

WINDOW = 7


def spoilt(states: Any, column: int, value: float) -> Any:
    states[1, column] = value
    return states


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("format", lambda _: np.int64(2), "format must be 1, got 2"),
        ("keys", lambda _: np.frombuffer(b'["a", 1.5]', dtype=np.uint8), "keys must be text or"),
        ("keys", lambda _: np.frombuffer(b'["a"]', dtype=np.uint8), "states must have the shape"),
        ("window", lambda _: np.int64(WINDOW + 1), "states must have the shape"),
        ("window", lambda _: np.int64(-1), "states must have the shape"),
        ("window", lambda _: np.float64(WINDOW), "window must have the shape"),
        ("states", lambda old: old[:, 1:], "states must have the shape"),
        ("states", lambda old: old.astype(np.float32), "states must have the shape"),
        ("states", lambda old: spoilt(old, POINTS, -1.0), "a count of its states is not one"),
        ("states", lambda old: spoilt(old, POINTS, 20.5), "a count of its states is not one"),
        ("states", lambda old: spoilt(old, POINTS, 1e300), "a count of its states is not one"),
        ("states", lambda old: spoilt(old, POINTS, 3.0), "are not those that came"),
        ("states", lambda old: spoilt(old, MISSING, -1.0), "a count of its states is not one"),
        ("states", lambda old: spoilt(old, LATE, np.nan), "not finite"),
        ("states", lambda old: spoilt(old, TIME, np.nan), "a time of its states is not a number"),
        ("states", lambda old: spoilt(old, STEP, -1.0), "a step of its states is below 0"),
        ("states", lambda old: spoilt(old, RING, 1e200), "larger than one that is learned"),
        ("states", lambda old: spoilt(old, RING, 50.0), "are not those that came"),
        ("states", lambda old: spoilt(old, RING + WINDOW, 50.0), "are not those that came"),
    ],
)
def test_a_spoiled_file_is_refused(tmp_path: Path, name: str, change: Any, message: str) -> None:
    path = tmp_path / "state.npz"
    detector = HampelDetector(window=WINDOW)
    detector.score(np.random.default_rng(0).normal(size=90), np.arange(90), ["a", "b", "c"] * 30)
    detector.save(path)
    with np.load(path) as arrays:
        content = dict(arrays)
    np.savez(path, **(content | {name: change(content[name])}))
    with pytest.raises(ValueError, match=message) as error:
        HampelDetector.load(path)
    assert str(error.value).startswith(f"{path} is no state of Hampel's rule: ")


@pytest.mark.parametrize(
    ("window", "message"), [(4, "window must be at least 5, got 4"), (2**50, "Unable to allocate")]
)
def test_a_window_that_cannot_be_is_refused(tmp_path: Path, window: int, message: str) -> None:
    path = tmp_path / "state.npz"
    HampelDetector().save(path)
    with np.load(path) as arrays:
        content = dict(arrays)
    states = np.zeros((0, RING + 2 * window))
    np.savez(path, **(content | {"window": np.int64(window), "states": states}))
    with pytest.raises(ValueError, match=f"is no state of Hampel's rule: {message}"):
        HampelDetector.load(path)
