"""The file of seasonal residuals: what was saved goes on, what was spoiled is refused."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nextcall.anomaly.seasonal import SeasonalDetector
from nextcall.anomaly.seasonal_state import TIME
from nextcall.anomaly.seasons import DAY, WEEKDAYS


def filled() -> SeasonalDetector:
    detector = SeasonalDetector(
        seasons=[DAY, WEEKDAYS],
        special_days={date(1970, 1, 9), date(1970, 1, 20)},
        special="skip",
        visits=1,
        memory=5,
        takeover=3600.0,
    )
    detector.score(*points(0, 2000))
    return detector


def points(first: int, last: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    values, keys = rng.normal(50, 5, 4000), rng.integers(0, 7, 4000).tolist()
    return values[first:last], 900.0 * np.arange(first, last), keys[first:last]


def test_it_goes_on_from_a_file_bit_for_bit(tmp_path: Path) -> None:
    detector = filled()
    detector.save(tmp_path / "state.npz")
    again = SeasonalDetector.load(tmp_path / "state.npz")
    pd.testing.assert_frame_equal(again.summary(), detector.summary())
    expected, found = detector.score(*points(2000, 4000)), again.score(*points(2000, 4000))
    np.testing.assert_array_equal(found, expected)
    assert (found > 2).any()
    assert again.update("new", 1.0, 0.0) == 0
    detector.update("new", 1.0, 0.0)
    detector.save(tmp_path / "one.npz")
    again.save(tmp_path / "other.npz")
    one, other = (np.load(tmp_path / name) for name in ("one.npz", "other.npz"))
    for name in one.files:
        assert one[name].tobytes() == other[name].tobytes()


def test_an_empty_detector_is_kept(tmp_path: Path) -> None:
    SeasonalDetector().save(tmp_path / "state.npz")
    again = SeasonalDetector.load(tmp_path / "state.npz")
    assert again.summary().empty
    assert again.update("a", 1.0, 0.0) == 0


def test_a_key_that_no_file_holds_is_refused(tmp_path: Path) -> None:
    detector = SeasonalDetector()
    detector.update(("a", 1), 1.0, 0.0)
    with pytest.raises(ValueError, match="keys must be text or whole numbers"):
        detector.save(tmp_path / "state.npz")
    assert not list(tmp_path.iterdir())


def spoil(own: Any, column: int, value: float) -> Any:
    spoiled = own.copy()
    spoiled[0, column] = value
    return spoiled


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("format", lambda _: np.int64(2), "format must be 1, got 2"),
        (
            "keys",
            lambda _: np.frombuffer(b'["a", 1.5]', dtype=np.uint8),
            "keys must be text or whole",
        ),
        ("keys", lambda _: np.frombuffer(b"[1, 1]", dtype=np.uint8), "a key occurs twice"),
        ("keys", lambda _: np.frombuffer(b"[", dtype=np.uint8), "is no state of seasons"),
        ("rhythm", lambda old: old[:2], "rhythm must have the shape"),
        ("rhythm", lambda old: old + 0.5, "number of slots is not whole"),
        ("rhythm", lambda old: -old, "is no state of seasons"),
        ("rhythm", lambda old: old * np.array([[-1], [1], [1]]), "period must be above 0"),
        ("settings", lambda old: old[:2], "settings must have the shape"),
        ("settings", lambda old: -old, "visits must be at least 1"),
        ("days", lambda old: old / 2, "special days must be whole numbers"),
        ("special", lambda _: np.int64(7), "cannot be treated as 7"),
        ("own", lambda old: old[:, 1:], "must have the shape"),
        ("shares", lambda old: old.astype(np.float64), "must have the shape"),
        ("own", lambda old: spoil(old, 20, np.inf), "not finite"),
        ("visits", lambda old: spoil(old, TIME, np.inf), "not finite"),
        ("own", lambda old: spoil(old, TIME, np.nan), "a time of its state"),
        ("own", lambda old: spoil(old, TIME, np.inf), "a time of its state"),
        ("own", lambda old: spoil(old, 0, -1.0), "a count of its state is below 0"),
    ],
)
def test_a_spoiled_file_is_refused(tmp_path: Path, name: str, change: Any, message: str) -> None:
    filled().save(tmp_path / "state.npz")
    with np.load(tmp_path / "state.npz") as arrays:
        content = dict(arrays)
    content[name] = change(content[name])
    np.savez(tmp_path / "spoiled.npz", **content)
    with pytest.raises(ValueError, match=message):
        SeasonalDetector.load(tmp_path / "spoiled.npz")


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no numbers")
    with pytest.raises(ValueError, match="is no state of seasons"):
        SeasonalDetector.load(tmp_path / "text.npz")
    np.savez(tmp_path / "short.npz", format=1)
    with pytest.raises(ValueError, match="is no state of seasons"):
        SeasonalDetector.load(tmp_path / "short.npz")
    with pytest.raises(FileNotFoundError):
        SeasonalDetector.load(tmp_path / "none.npz")
