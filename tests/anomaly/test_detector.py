"""The stream detector: one form equals the other, noise is left alone, state goes on."""

import math
from collections.abc import Callable, Hashable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.anomaly.channels import DOWN_TAIL, SAID_WIDTH, SHAPE_TAIL
from nextcall.anomaly.detector import ONLY_KEY, Score, StreamDetector, explanations
from nextcall.anomaly.step import (
    CHANNELS,
    LEVEL,
    RESULT_WIDTH,
    SHAPE,
    STATE_WIDTH,
    boundary,
    judge,
    score_row,
    score_rows,
    skip,
    start,
    step,
)
from nextcall.anomaly.tails import COUNTS, HIGHEST, Floats

FIELDS = [field.name for field in fields(Score)]
NAMES = ["channel", "also"]

numbers = st.floats(allow_infinity=False, width=64)
runs = st.lists(
    st.tuples(st.integers(0, 3), st.one_of(numbers, st.integers(-3, 3).map(float))), max_size=300
)


def _streamed(detector: StreamDetector, keys: list[int], values: list[float]) -> pd.DataFrame:
    scores = [detector.update(key, value) for key, value in zip(keys, values, strict=True)]
    return pd.DataFrame([{name: getattr(one, name) for name in FIELDS} for one in scores])


def _same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    for name in FIELDS:
        if name in NAMES:
            assert left[name].astype(str).tolist() == right[name].astype(str).tolist()
        else:
            np.testing.assert_array_equal(left[name].to_numpy(), right[name].to_numpy())


@given(runs)
def test_batch_gives_the_numbers_of_the_stream(rows: list[tuple[int, float]]) -> None:
    keys, values = [key for key, _ in rows], [value for _, value in rows]
    batch = StreamDetector().score(values, keys)
    if rows:
        _same(batch, _streamed(StreamDetector(), keys, values))
    assert batch["risk"].between(0, 1).all()


def _mixed(rows: int = 6000) -> tuple[list[int], list[float]]:
    rng = np.random.default_rng(10)
    values = rng.normal(size=rows) + np.where(rng.random(rows) < 0.005, 15.0, 0.0)
    values[rng.random(rows) < 0.02] = np.nan
    values[4000:] -= 5.0
    return rng.integers(0, 3, size=rows).tolist(), values.tolist()


def test_batch_and_stream_continue_each_other() -> None:
    keys, values = _mixed()
    whole = StreamDetector().score(values, keys)
    assert (whole["risk"] >= 0.5).sum() > 5
    assert set(whole["channel"]) == set(CHANNELS)
    detector = StreamDetector()
    parts = [
        detector.score(values[:1000], keys[:1000]),
        _streamed(detector, keys[1000:4500], values[1000:4500]),
        detector.score(values[4500:], keys[4500:]),
    ]
    parts = [part.astype(dict.fromkeys(NAMES, str)) for part in parts]
    _same(whole, pd.concat(parts, ignore_index=True))


def test_the_future_changes_no_score() -> None:
    keys, values = _mixed()
    before = StreamDetector().score(values, keys)
    other = StreamDetector().score(values[:3000] + [1e6] * 3000, keys)
    _same(before[:3000], other[:3000])


def test_a_key_is_not_moved_by_another() -> None:
    keys, values = _mixed()
    mine = [place for place, key in enumerate(keys) if key == 1]
    alone = StreamDetector().score([values[place] for place in mine])
    _same(alone, StreamDetector().score(values, keys).iloc[mine])


def _bursts(rng: np.random.Generator, rows: int) -> Floats:
    on = np.repeat(rng.random(rows // 20 + 1) < 0.07, 20)[:rows]
    return rng.normal(size=rows) + np.where(on, rng.exponential(10.0, rows), 0.0)


NOISE: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "gaussian": lambda rng, rows: rng.normal(size=rows),
    "laplace": lambda rng, rows: rng.laplace(size=rows),
    "poisson": lambda rng, rows: rng.poisson(5, size=rows).astype(float),
    "heavy": lambda rng, rows: rng.standard_t(2, size=rows),
    "bursts": _bursts,
}


@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize("rate", [1 / 600, 1e-3])
def test_noise_raises_alarms_at_the_rate_that_is_set(kind: str, rate: float) -> None:
    rows = 100_000
    values = NOISE[kind](np.random.default_rng(11), rows)
    alarms = int((StreamDetector(rate=rate).score(values)["risk"] >= 0.5).sum())
    assert rate * rows / 2 <= alarms <= rate * rows * 2


def test_a_constant_raises_no_alarm_and_a_step_from_it_does() -> None:
    detector = StreamDetector()
    assert detector.score(np.full(100_000, 7.0))["risk"].max() < 0.5
    score = detector.update(ONLY_KEY, 7.5)
    assert score.risk >= 0.5
    assert score.explanation == (
        "shape of 6 points, mean of 3 7.1667, in the nearest known 7 (usual 7 to 7); "
        "also value; once in 66,647 points, an alarm from 40"
    )


@pytest.mark.parametrize("huge", [1e308, -1e308, 5e-324])
def test_extreme_numbers_do_not_break_it(huge: float) -> None:
    values = np.random.default_rng(12).normal(size=1000)
    values[::97] = huge
    values[500:520] = np.resize([huge, -huge], 20)
    scores = StreamDetector().score(values)
    assert scores["risk"].between(0, 1).all()
    assert np.isfinite(scores["once_in"]).all()
    alternating = StreamDetector().score(np.resize([1e308, -1e308], 2000))
    assert alternating["risk"].between(0, 1).all()


def test_a_spike_and_a_shift_are_found_and_explained() -> None:
    values = np.random.default_rng(13).normal(size=3000)
    values[1500] = 12.0
    values[2400:] += 6.0
    detector = StreamDetector()
    scores = [detector.update("host-1", value) for value in values.tolist()]
    spike = scores[1500]
    assert spike.risk >= 0.5
    assert spike.channel == "value"
    assert spike.actual == 12.0
    assert spike.expected < 6.0
    assert spike.once_in > 600
    assert any(score.risk >= 0.5 for score in scores[2400:2410])
    assert scores[1501].resting
    assert "level up" in {score.channel for score in scores[2410:2470]}
    assert spike.low < spike.expected < spike.high < 12.0
    assert spike.odd_rows == 1
    assert spike.also == "shape"
    assert scores[2420].odd_rows > 10
    strange = [score for score in scores if score.once_in >= score.alarm_from]
    assert [score for score in scores if score.risk >= 0.5] == [
        score for score in strange if score.enough_data and not score.resting
    ]
    assert all((score.explanation != "") == (score in strange) for score in scores)
    told = StreamDetector().score(values)
    assert explanations(told) == [score.explanation for score in scores]


TOLD = Score(
    risk=0.6, enough_data=True, resting=False, channel="value", also="shape and level up",
    actual=12.0, expected=4.5, low=2.25, high=6.75, odd_rows=1, once_in=3000.0, alarm_from=650.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (
            {},
            (
                "value 12, nearest known 4.5 (usual 2.25 to 6.75); also shape and level up; "
                "once in 3,000 points, an alarm from 650"
            ),
        ),
        ({"once_in": 649.0, "risk": 0.49}, ""),
        ({"alarm_from": math.nan}, ""),
        (
            {"channel": "shape", "also": "", "risk": 0.17, "resting": True},
            (
                "shape of 6 points, mean of 3 12, in the nearest known 4.5 (usual 2.25 to 6.75); "
                "once in 3,000 points, an alarm from 650; resting after an alarm"
            ),
        ),
        (
            {"channel": "level up", "also": "", "odd_rows": 12, "risk": 0.0, "enough_data": False},
            (
                "level up, mean of 48 points 12, before 4.5 (usual at most 6.75); "
                "odd for 12 points; once in 3,000 points, an alarm from 650; not enough data"
            ),
        ),
        (
            {"channel": "level down", "also": "value"},
            (
                "level down, mean of 48 points 12, before 4.5 (usual at least 2.25); also value; "
                "once in 3,000 points, an alarm from 650"
            ),
        ),
    ],
)
def test_a_reason_says_what_was_expected_and_what_lowered_the_risk(
    changed: dict[str, Any], text: str
) -> None:
    assert replace(TOLD, **changed).explanation == text


def test_an_alarm_lies_outside_its_band() -> None:
    _, values = _mixed()
    told = StreamDetector().score(values)
    alarms = told[told["risk"] >= 0.5]
    assert {"value", "shape", "level up"} <= set(alarms["channel"])
    assert ((alarms["actual"] < alarms["low"]) | (alarms["actual"] > alarms["high"])).all()
    assert told.loc[told["once_in"] < told["alarm_from"], ["low", "high"]].isna().all(axis=None)


def test_warm_up_says_so_and_never_alarms() -> None:
    detector = StreamDetector()
    scores = [detector.update("a", 1000.0 * (place % 50 == 49)) for place in range(101)]
    assert not any(score.enough_data for score in scores[:100])
    assert all(score.risk == 0.0 for score in scores[:100])
    assert scores[100].enough_data


def test_missing_rows_are_counted_and_change_nothing_else() -> None:
    keys, values = _mixed(900)
    detector, other = StreamDetector(), StreamDetector()
    present = [(key, value) for key, value in zip(keys, values, strict=True) if value == value]  # noqa: PLR0124
    batch = detector.score(values, keys)
    kept = other.score([value for _, value in present], [key for key, _ in present])
    _same(batch[np.array(values) == values], kept)
    absent = batch[batch["actual"].isna()]
    assert (absent["risk"] == 0).all()
    assert len(absent) == len(values) - len(present)
    assert detector.missing(1) == sum(
        1 for key, value in zip(keys, values, strict=True) if key == 1 and np.isnan(value)
    )
    assert detector.rows(1) == other.rows(1) > 0
    assert detector.missing("nobody") == detector.rows("nobody") == 0
    for gap in (float("nan"), None):
        blank = StreamDetector().update("new", gap)
        assert blank.risk == 0.0
        assert not blank.enough_data
        assert blank.channel == ""


def test_bad_values_are_refused_before_anything_is_learned() -> None:
    detector = StreamDetector()
    with pytest.raises(ValueError, match="value must be finite or NaN, got inf for key 'a'"):
        detector.update("a", float("inf"))
    with pytest.raises(ValueError, match="got an infinity at 1"):
        detector.score([1.0, -np.inf])
    text: Any = "5"
    with pytest.raises(TypeError, match="value must be a number, got '5'"):
        detector.update("a", text)
    with pytest.raises(TypeError, match=r"values must be numbers, got .*'5'.* at 0"):
        detector.score([text])
    with pytest.raises(ValueError, match="one dimension, got 2"):
        detector.score([[1.0]])
    with pytest.raises(ValueError, match="as many as values, 2, got 1"):
        detector.score([1.0, 2.0], ["a"])
    assert len(detector) == 0
    for rate in (0.0, 0.06, float("nan")):
        with pytest.raises(ValueError, match="rate must be above 0 and at most"):
            StreamDetector(rate=rate)


def test_state_of_a_key_is_at_most_4_kilobytes() -> None:
    detector = StreamDetector()
    detector.score(np.zeros(5000), range(5000))
    assert detector.keys == list(range(5000))
    assert STATE_WIDTH * 8 <= 4096
    assert detector._rows.states.nbytes <= 2 * 5000 * 4096


def test_what_was_saved_goes_on_bit_for_bit(tmp_path: Path) -> None:
    keys, values = _mixed()
    detector = StreamDetector(rate=1e-3)
    names: list[Hashable] = [f"host {key}" if key else key for key in keys]
    detector.score(values[:3000], names[:3000])
    detector.score(np.resize([1e308, -1e308, 0.0, 5e-324], 500), ["extreme"] * 500)
    path = tmp_path / "state" / "detector.npz"
    detector.save(path)
    loaded = StreamDetector.load(path)
    assert loaded.rate == 1e-3
    assert loaded.keys == detector.keys
    names[3500:] = [f"new {place % 50}" for place in range(2500)]
    _same(loaded.score(values[3000:], names[3000:]), detector.score(values[3000:], names[3000:]))
    np.testing.assert_array_equal(loaded._rows.used()[0], detector._rows.used()[0])


def test_an_empty_detector_is_saved_too(tmp_path: Path) -> None:
    StreamDetector().save(tmp_path / "empty.npz")
    loaded = StreamDetector.load(tmp_path / "empty.npz")
    assert len(loaded) == 0
    assert isinstance(loaded.update("a", 1.0), Score)


@pytest.mark.parametrize("key", [None, True, 1.5, ("a", "b")])
def test_keys_that_no_file_holds_are_refused(tmp_path: Path, key: Hashable) -> None:
    detector = StreamDetector()
    detector.update(key, 1.0)
    with pytest.raises(ValueError, match="keys must be text or whole numbers to be saved"):
        detector.save(tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []


def _content(**changed: np.ndarray | None) -> dict[str, Any]:
    states = np.zeros((2, STATE_WIDTH))
    content: dict[str, np.ndarray | None] = {
        "layout": np.int64(2) * np.ones((), dtype=np.int64),
        "rate": np.array(0.001),
        "keys": np.frombuffer(b'["a", "b"]', dtype=np.uint8),
        "states": states,
    }
    return {name: value for name, value in (content | changed).items() if value is not None}


NEGATIVE = np.zeros((2, STATE_WIDTH))
NEGATIVE[0, 0] = -1.0
ASTRAY = np.zeros((2, STATE_WIDTH))
ASTRAY[1, SHAPE + SHAPE_TAIL + HIGHEST] = -1e290
UNCOUNTED = np.zeros((2, STATE_WIDTH))
UNCOUNTED[1, LEVEL + DOWN_TAIL + COUNTS] = -1.0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rate": None}, "it lacks rate"),
        ({"layout": np.array(0)}, "its layout must be 2, got 0"),
        ({"rate": np.array(0.5)}, "its rate is 0.5"),
        ({"rate": np.array([0.001])}, "its rate must have the shape"),
        ({"keys": np.frombuffer(b"{}", dtype=np.uint8)}, "its keys are no list"),
        ({"keys": np.frombuffer(b'["a", true]', dtype=np.uint8)}, "keys must be text or whole"),
        ({"keys": np.frombuffer(b'["a", "a"]', dtype=np.uint8)}, "a key occurs twice"),
        ({"keys": np.frombuffer(b'["a"', dtype=np.uint8)}, "Expecting"),
        ({"states": np.zeros((3, STATE_WIDTH))}, "its states must have the shape"),
        (
            {"states": np.zeros((2, STATE_WIDTH), dtype=np.float32)},
            "its states must .* and float32",
        ),
        ({"states": np.full((2, STATE_WIDTH), np.nan)}, "a state is no number"),
        ({"states": NEGATIVE}, "a state is no number"),
        ({"states": ASTRAY}, "a history of its states is none"),
        ({"states": UNCOUNTED}, "a history of its states is none"),
        ({"states": np.array([None, {}])}, "Object arrays"),
    ],
)
def test_files_that_are_no_detector_are_refused(
    tmp_path: Path, changed: dict[str, np.ndarray | None], message: str
) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **_content(**changed))
    with pytest.raises(ValueError, match=rf"a\.npz is no state of a stream detector: .*{message}"):
        StreamDetector.load(path)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **_content())
    assert len(StreamDetector.load(path)) == 2
    cut = path.read_bytes()[:-40]
    for content in (b"", b"PK\x03\x04", b"text", cut):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is no state of a stream detector") as error:
            StreamDetector.load(path)
        assert "pickle" not in str(error.value)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match="it holds one array"):
        StreamDetector.load(path)
    with pytest.raises(FileNotFoundError):
        StreamDetector.load(tmp_path / "none.npz")


def test_plain_python_gives_the_same() -> None:
    _, values = _mixed(900)
    values += [float("nan"), 50.0, 51.0, -80.0] + [60.0] * 60 + [-60.0] * 60 + [0.0, 0.0]
    fast, slow = np.zeros((1, STATE_WIDTH)), np.full((1, STATE_WIDTH), 7.0)
    start(fast[0])
    start.py_func(slow[0])
    expected = np.zeros((len(values), RESULT_WIDTH))
    score_rows(fast, np.zeros(len(values), dtype=np.int64), np.array(values), 0.01, expected)
    found, said = np.zeros(RESULT_WIDTH), np.zeros((3, SAID_WIDTH))
    spoke = set()
    for row, value in enumerate(values):
        step.py_func(slow[0], value, 0.01, said, found)
        np.testing.assert_array_equal(found, expected[row])
        spoke.add(CHANNELS[int(found[3])])
    np.testing.assert_array_equal(fast, slow)
    assert spoke == set(CHANNELS)
    again = slow.copy()
    score_row.py_func(again, 0, 1.0, 0.01, said, found)
    score_rows.py_func(slow, np.array([0]), np.array([1.0]), 0.01, expected)
    np.testing.assert_array_equal(slow, again)


def test_plain_python_skips_the_same() -> None:
    fast, slow = np.full((2, STATE_WIDTH), 200.0)
    told, plain = np.zeros((2, RESULT_WIDTH))
    skip(fast, told)
    skip.py_func(slow, plain)
    np.testing.assert_array_equal(told, plain)
    np.testing.assert_array_equal(fast, slow)


def test_plain_python_judges_the_same() -> None:
    fast, slow = np.zeros((2, STATE_WIDTH))
    told, plain = np.zeros((2, RESULT_WIDTH))
    start(fast)
    start(slow)
    for rows, probability in enumerate([1e-9] * 110 + [1.0] * 30 + [1e-9]):
        fast[0] = slow[0] = rows + 1.0
        bounds = boundary(fast, 0.01)
        assert boundary.py_func(slow, 0.01) == bounds
        judge(fast, probability, *bounds, told)
        judge.py_func(slow, probability, *bounds, plain)
        np.testing.assert_array_equal(told, plain)
        assert told[0] < 0.5 or rows in {100, 106, 140}
    np.testing.assert_array_equal(fast, slow)
    assert told[0] >= 0.5
