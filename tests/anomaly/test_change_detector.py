"""Streaming and batch are one, and "no change" is an answer."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.anomaly.change_detector import Change, ChangeDetector, Method, find_changes

METHODS: tuple[Method, ...] = ("focus", "cusum", "page_hinkley")
anything = st.one_of(
    st.floats(allow_nan=True, allow_infinity=False),
    st.floats(-1, 1),
    st.floats(50, 60),
    st.just(0.0),
)


@pytest.mark.parametrize("method", METHODS)
@given(rows=st.lists(st.tuples(anything, st.sampled_from("abc")), max_size=150), cut=st.integers(0))
@settings(max_examples=30, deadline=None)
def test_a_row_at_a_time_and_all_at_once_are_the_same_bit_for_bit(
    method: Method, rows: list[tuple[float, str]], cut: int
) -> None:
    one, many = ChangeDetector(method=method, rate=0.02), ChangeDetector(method=method, rate=0.02)
    told = [one.update(value, key=key) for value, key in rows]
    cut %= len(rows) + 1
    scores: list[float] = []
    for part in (rows[:cut], rows[cut:]):
        frame = many.score([value for value, _ in part], keys=[key for _, key in part])
        scores += frame["score"].tolist()
    assert told == scores
    assert all(0 <= score <= 1 for score in told)
    for key in one.keys:  # a list, not a dict's
        assert one.latest(key) == many.latest(key)
        assert one.found(key) == many.found(key)


@pytest.mark.parametrize("method", METHODS)
def test_scores_do_not_know_what_follows(method: Method) -> None:
    values = np.random.default_rng(0).normal(0, 1, 300)
    values[200:] += 7
    whole = ChangeDetector(method=method).score(values)
    part = ChangeDetector(method=method).score(values[:203])
    assert whole["score"][:203].tolist() == part["score"].tolist()


@pytest.mark.parametrize("method", METHODS)
def test_a_change_counts_missing_rows_and_those_of_its_key_alone(method: Method) -> None:
    rng = np.random.default_rng(4)
    detector = ChangeDetector(method=method)
    for row in range(240):
        value = np.nan if row % 10 == 3 else rng.normal(9.0 if row >= 200 else 0.0, 1.0)
        assert (detector.update(value, key="a") == 0.0) or not np.isnan(value)
        detector.update(rng.normal(), key="b")
    assert detector.latest("b") is None
    change = detector.latest("a")
    assert change is not None
    assert (change.place, change.direction) == (200, "up")
    assert (detector.rows("a"), detector.missing("a"), detector.found("a")) == (216, 24, 1)
    assert (detector.rows("c"), detector.latest("c")) == (0, None)
    assert (len(detector), detector.keys) == (2, ["a", "b"])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "values",
    [[], [5.0], [np.nan] * 100, [3.0] * 500, [1e308, -1e308] * 50, [0.0] * 99 + [1e-300] * 99],
)
def test_degenerate_series_have_no_change(method: Method, values: list[float]) -> None:
    frame = ChangeDetector(method=method).score(values)
    assert len(frame) == len(values)
    assert np.isfinite(frame["score"]).all()
    if 1e-300 not in values:
        assert find_changes(values, method=method) == []


@pytest.mark.parametrize("method", METHODS)
def test_the_first_step_of_a_flat_series_is_a_change_and_its_flicker_none(method: Method) -> None:
    step = [10.0] * 200 + [12.0] * 100
    assert [(each.place, each.direction) for each in find_changes(step, method=method)] == [
        (200, "up")
    ]
    flicker = [10.0] * 500
    flicker[300] = flicker[400] = 12.0
    assert find_changes(flicker, method=method) == []


def test_many_keys_grow_and_stay_apart() -> None:
    detector = ChangeDetector()
    values = np.random.default_rng(1).normal(size=(60, 100))
    frame = detector.score(values.ravel(), keys=list(range(100)) * 60)
    alone = ChangeDetector().score(values[:, 42])
    assert frame["score"][42::100].tolist() == alone["score"].tolist()
    assert detector.rows(99) == 60


def test_changes_of_a_series_in_order() -> None:
    values = np.random.default_rng(2).normal(0, 0.5, 300)
    values[100:200] -= 6
    for method in METHODS:
        first, second = find_changes(values, method=method)
        assert (first.direction, second.direction) == ("down", "up")
        assert abs(first.place - 100) <= 3  # a cumulative sum may leave zero early
        assert abs(second.place - 200) <= 3
        assert second.after == pytest.approx(0, abs=2.5)
        assert isinstance(first, Change)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "bocpd"}, "method must be one of focus, cusum, page_hinkley, got 'bocpd'."),
        ({"rate": 0.5}, "rate must be above 0 and at most 0.02, got 0.5."),
        ({"rate": 0.0}, "rate must be above 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ChangeDetector(**options)


def test_values_that_are_none_are_refused_before_anything_is_learned() -> None:
    detector = ChangeDetector()
    with pytest.raises(ValueError, match="value must be finite or NaN, got inf for key 'k'"):
        detector.update(np.inf, key="k")
    with pytest.raises(ValueError, match="got an infinity at 1"):
        detector.score([1.0, -np.inf])
    with pytest.raises(ValueError, match="values must have one dimension, got 2"):
        detector.score([[1.0]])
    with pytest.raises(ValueError, match="keys must be as many as values, 1, got 2"):
        detector.score([1.0], keys=["a", "b"])
    assert len(detector) == 0
