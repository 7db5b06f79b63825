"""What the detectors of single numbers have in common: many keys, times, and a file."""

from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.anomaly.change_detector import ChangeDetector
from nextcall.anomaly.hampel import HampelDetector
from nextcall.anomaly.spot import SpotDetector

Detector = HampelDetector | SpotDetector | ChangeDetector
Row = tuple[float, float | None, Hashable]

MAKERS: dict[str, Callable[[], Detector]] = {
    "hampel": lambda: HampelDetector(window=7),
    "spot": lambda: SpotDetector(risk=0.02, warm_up=50),
    "spot, upper, long": lambda: SpotDetector(risk=0.02, sides="upper", warm_up=900),
    "dspot": lambda: SpotDetector(risk=0.02, sides="lower", depth=5, warm_up=60),
    "focus": lambda: ChangeDetector(rate=0.02),
    "cusum": lambda: ChangeDetector(method="cusum", rate=0.02),
    "page_hinkley": lambda: ChangeDetector(method="page_hinkley", rate=0.02),
}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
values = st.floats(allow_infinity=False) | st.integers(-3, 3).map(float)
times = st.none() | st.floats(-5, 500) | st.just(float("nan")) | st.just(float("inf"))
odd_rows = st.lists(st.tuples(values, times, st.sampled_from(["", "a", 7, -1])), max_size=40)


def usual_rows(n: int, seed: int) -> list[Row]:
    """Rows of three keys whose level changes, some missing, some late, some without a time."""
    rng = np.random.default_rng(seed)
    level = np.where(np.arange(n) > n // 2, 9.0, 0.0)
    numbers = (level + rng.standard_t(3, n)).round(2)
    numbers[rng.random(n) < 0.02] = np.nan
    seconds = np.arange(n) - np.where(rng.random(n) < 0.1, 40.0, 0.0)
    seconds[rng.random(n) < 0.1] = np.nan
    keys = rng.choice(3, n).tolist()
    names: list[Hashable] = ["", "a", 7]
    return [
        (value, second, names[key])
        for value, second, key in zip(numbers.tolist(), seconds.tolist(), keys, strict=True)
    ]


def one_by_one(detector: Detector, rows: list[Row]) -> list[float]:
    return [detector.update(value, time, key) for value, time, key in rows]


def at_once(detector: Detector, rows: list[Row]) -> list[float]:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    found = detector.score(*columns)
    return [float(score) for score in (found if isinstance(found, np.ndarray) else found["score"])]


def state(detector: Detector) -> bytes:
    return detector._rows.used()[0].tobytes()


@makers
@given(odd=odd_rows, place=st.integers(0, 400), cut=st.integers(0, 440), seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_a_frame_of_mixed_keys_gets_the_scores_of_one_after_the_other(
    make: Callable[[], Detector], odd: list[Row], place: int, cut: int, seed: int
) -> None:
    rows = usual_rows(400, seed)
    rows[place:place] = odd
    one, many = make(), make()
    scores = one_by_one(one, rows)
    assert at_once(many, rows[:cut]) + at_once(many, rows[cut:]) == scores
    assert one.keys == many.keys
    assert state(one) == state(many)
    for key in one.keys:  # a list, not a dict's
        alone = make()
        own = [at for at, row in enumerate(rows) if row[2] == key]
        assert one_by_one(alone, [(*rows[at][:2], "") for at in own]) == [scores[at] for at in own]


@makers
@given(odd=odd_rows, place=st.integers(0, 400), cut=st.integers(0, 440), seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_it_goes_on_from_a_file_bit_for_bit(
    make: Callable[[], Detector], odd: list[Row], place: int, cut: int, seed: int
) -> None:
    rows = usual_rows(400, seed)
    rows[place:place] = odd
    detector = make()
    at_once(detector, rows[:cut])
    with TemporaryDirectory() as folder:
        path = Path(folder, "state.npz")
        detector.save(path)
        again = type(detector).load(path)
        with np.load(path, allow_pickle=False) as content:
            assert content["states"].tobytes() == state(detector)
    pd.testing.assert_frame_equal(again.summary(), detector.summary())
    assert again.keys == detector.keys
    left: list[Row] = [*rows[cut:], (1.0, None, "new")]
    assert at_once(again, left) == one_by_one(detector, left)
    assert state(again) == state(detector)


@makers
def test_what_is_late_or_missing_is_counted_and_teaches_nothing(
    make: Callable[[], Detector],
) -> None:
    """The times of a key are its own; without one a value counts as it comes."""
    rng = np.random.default_rng(0)
    plain, timed = make(), make()
    for row in range(1100):
        value = float(rng.normal())
        expected = plain.update(value, key="a")
        assert timed.update(value, None if row % 7 == 0 else 1e9 + row, "a") == expected
        if row % 7:  # the same time again, and one before
            assert timed.update(50.0, 1e9 + row, "a") == 0
            assert timed.update(50.0, datetime(1999, 1, 1, tzinfo=UTC), "a") == 0
        assert timed.update(None, 2e9, "a") == 0  # its time does not count either
    timed.update(1.0, 5.0, "b")
    summary = timed.summary()
    name = "rows" if isinstance(timed, ChangeDetector) else "points"
    counts = summary[["key", name, "missing", "late"]].to_numpy().tolist()
    assert counts == [["a", 1100, 1100, 1884], ["b", 1, 0, 0]]
    assert len(timed) == 2
    if isinstance(timed, ChangeDetector):
        assert (timed.late("a"), timed.late("c")) == (1884, 0)
    else:
        assert (timed.points, timed.missing, timed.late) == (1101, 1100, 1884)


@makers
def test_times_of_any_kind_are_the_same_instants(make: Callable[[], Detector]) -> None:
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=200)
    stamps = pd.Series(pd.date_range("2026-03-28", periods=200, freq="17min", tz="Europe/Berlin"))
    stamps[20], stamps[30] = stamps[3], None
    zone = timezone(timedelta(hours=5))
    listed: list[Any] = stamps.tolist()
    ways: list[Any] = [
        stamps,
        [None if pd.isna(stamp) else stamp.astimezone(zone) for stamp in listed],
        [np.nan if pd.isna(stamp) else stamp.timestamp() for stamp in listed],
    ]
    states = set()
    for way in ways:
        batch, stream = make(), make()
        batch.score(numbers, way)
        for number, time in zip(numbers.tolist(), way, strict=True):
            stream.update(number, time)
        states |= {state(batch), state(stream)}
        assert batch.summary()["late"].tolist() == [1]
    assert len(states) == 1


@makers
def test_what_is_no_value_time_or_key_is_refused_before_anything_is_learned(
    make: Callable[[], Detector], tmp_path: Path
) -> None:
    detector = make()
    naive = datetime(2026, 1, 1)  # noqa: DTZ001  # wrong on purpose
    for arguments, error, message in (
        (("1",), TypeError, "value must be a number, got '1'"),
        ((1.0, "noon"), TypeError, "time must be seconds or a datetime, got 'noon'"),
        ((1.0, naive), ValueError, "time must have a time zone"),
    ):
        with pytest.raises(error, match=message):
            detector.update(*arguments)
    for columns, error, message in (
        (([1.0, 2.0], [1.0]), ValueError, "times must be as many as values, 2, got 1"),
        (([1.0], ["noon"]), TypeError, "time must be seconds or a datetime"),
        (([1.0], [naive]), ValueError, "time must have a time zone"),
        (([1.0, 2.0], None, ["a"]), ValueError, "keys must be as many as values, 2, got 1"),
        (([[1.0]],), ValueError, "values must have one dimension, got 2"),
    ):
        with pytest.raises(error, match=message):
            detector.score(*columns)
    assert len(detector) == 0
    assert detector.summary().empty
    detector.update(1.0, key=("a", 1))
    with pytest.raises(ValueError, match="keys must be text or whole numbers"):
        detector.save(tmp_path / "state.npz")
    assert not list(tmp_path.iterdir())


@makers
def test_another_file_is_refused(make: Callable[[], Detector], tmp_path: Path) -> None:
    load = type(make()).load
    (tmp_path / "text.npz").write_text("no numbers")
    np.savez(tmp_path / "short.npz", format=1)
    for name in ("text.npz", "short.npz"):
        with pytest.raises(ValueError, match="is no state of"):
            load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")
    make().save(tmp_path / "empty.npz")
    assert load(tmp_path / "empty.npz").keys == []
    for other in MAKERS.values():
        if type(other()) is not type(make()):
            other().save(tmp_path / "other.npz")
            with pytest.raises(ValueError, match="is no state of"):
                load(tmp_path / "other.npz")


@makers
def test_thousands_of_keys_take_what_their_rows_take(make: Callable[[], Detector]) -> None:
    detector = make()
    numbers = np.random.default_rng(2).normal(size=3 * 2000)
    keys = list(range(2000)) * 3
    many = at_once(detector, list(zip(numbers, [None] * 6000, keys, strict=True)))
    assert len(detector) == 2000
    assert len(state(detector)) == 2000 * detector.bytes_per_key
    one = make()
    assert at_once(one, [(number, None, "") for number in numbers[42::2000]]) == many[42::2000]


@makers
def test_a_file_with_a_wrong_number_is_refused_or_goes_on_in_finite_scores(
    make: Callable[[], Detector], tmp_path: Path
) -> None:
    path = tmp_path / "state.npz"
    rng = np.random.default_rng(3)
    detector = make()
    at_once(detector, usual_rows(300, 0))
    detector.save(path)
    with np.load(path) as arrays:
        content = dict(arrays)
    refused = 0
    for _ in range(150):
        states = content["states"].copy()
        column = rng.integers(min(states.shape[1], rng.choice([40, 2000])))
        wrong = [0.0, -1.0, 0.5, 1.0, 3.0, 32.0, 33.0, 1e9, 2.0**52, 1e100, 1e150, -1e150, 1e-300]
        states[rng.integers(len(states)), column] = rng.choice(wrong)
        np.savez(path, **(content | {"states": states}))
        try:
            again = type(detector).load(path)
        except ValueError as error:
            assert str(error).startswith(str(path))  # noqa: PT017  # either of two answers is right
            refused += 1
            continue
        rows: list[Row] = [
            (value, None, key) for value in rng.normal(0, 9, 12) for key in detector.keys
        ]
        assert np.isfinite(at_once(again, rows)).all()
    assert 0 < refused < 150  # both answers were seen
