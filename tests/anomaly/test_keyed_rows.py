"""Rows of keys: each as it was left, whatever comes after it."""

import copy
import pickle
from collections.abc import Hashable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextcall.anomaly.keyed_rows import KeyedRows


def rows() -> KeyedRows:
    return KeyedRows(np.array([0.0, -np.inf]), np.ones(3, dtype=np.float32))


@given(st.lists(st.integers(0, 60) | st.text(max_size=1), max_size=150))
def test_it_holds_what_a_dict_of_rows_holds(keys: list[Hashable]) -> None:
    found, plain = rows(), dict[Hashable, tuple[list[float], list[float]]]()
    for number, key in enumerate(keys):
        place = found.place(key)
        own, other = plain.setdefault(key, ([0.0, -np.inf], [1.0, 1.0, 1.0]))
        assert found.states[place].tolist() == own
        assert found.parts[1][place].tolist() == other
        found.states[place, 0] = own[0] = number
        found.parts[1][place, 2] = other[2] = number
    assert found.keys == list(plain)
    assert len(found) == len(plain)
    assert found.places(keys).tolist() == [list(plain).index(key) for key in keys]
    for part, number in zip(found.used(), (0, 1), strict=True):
        assert part.tolist() == [both[number] for both in plain.values()]


def test_a_key_that_was_not_seen_has_no_row_and_gets_none() -> None:
    found = rows()
    assert found.known("a") is None
    assert found.count("a", 0) == 0
    assert len(found) == 0
    found.states[found.place("a"), 0] = 3.0
    assert found.count("a", 0) == 3


def test_it_goes_on_from_what_it_is_filled_with() -> None:
    found = rows()
    found.place("old")
    found.fill([], np.empty((0, 2)), np.empty((0, 3), dtype=np.float32))
    assert found.keys == []
    assert found.place("new") == 0
    found.fill(["a", 1], np.full((2, 2), 5.0), np.full((2, 3), 6, dtype=np.float32))
    assert [found.place(key) for key in (1, "a", "b")] == [1, 0, 2]
    assert found.used()[0].tolist() == [[5, 5], [5, 5], [0, -np.inf]]
    assert found.parts[1].dtype == np.float32


def test_copies_are_apart() -> None:
    found = rows()
    found.place("a")
    for other in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):  # noqa: S301  # ours
        other.states[other.place("a"), 0] = 1.0
        assert other.keys == found.keys
        assert found.count("a", 0) == 0


def test_a_key_takes_what_its_rows_take() -> None:
    assert rows().bytes_per_key == 2 * 8 + 3 * 4


def test_counts_are_those_of_the_keys_in_their_order() -> None:
    found = rows()
    assert found.counts(points=0).to_dict("list") == {"key": [], "points": []}
    assert found.total(0) == 0
    for number, key in enumerate(["b", 7, "a"]):
        found.states[found.place(key), 0] = number
    table = found.counts(points=0)
    assert table.to_dict("list") == {"key": ["b", 7, "a"], "points": [0, 1, 2]}
    assert table["points"].dtype == np.int64
    assert found.total(0) == 3
