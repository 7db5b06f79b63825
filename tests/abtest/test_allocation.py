"""Shares are what was asked, and their changes move no more buckets than they must."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.abtest.allocation import Allocation, Span, allocate, reallocate, shares_at
from nextcall.abtest.hashing import BUCKETS

NAMES = ("A", "B", "C", "D")


@st.composite
def shares(draw: st.DrawFn, *, whole: bool = False) -> dict[str, float]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    n_cuts = len(names) - 1 if whole else len(names)
    cuts = sorted(draw(st.lists(st.integers(0, BUCKETS), min_size=n_cuts, max_size=n_cuts)))
    counts = np.diff([0, *cuts, BUCKETS] if whole else [0, *cuts]).tolist()
    return {name: n / 100 for name, n in zip(names, counts, strict=True)}


def named(allocation: Allocation) -> np.ndarray[Any, Any]:
    return np.array([*allocation.owners, None], dtype=object)[allocation.codes]


@settings(max_examples=50)
@given(st.lists(shares(), min_size=1, max_size=6))
def test_a_history_of_changes_gives_the_shares_and_moves_the_least(
    history: list[dict[str, float]],
) -> None:
    allocation = allocate(history[0])
    assert {k: v for k, v in allocation.shares.items() if v} == {
        k: v for k, v in history[0].items() if v
    }
    for asked in history[1:]:
        before, after = named(allocation), named(reallocate(allocation, asked))
        free = int((allocation.codes < 0).sum())
        kept = grown = 0
        for name in NAMES:
            old, new = int((before == name).sum()), int((after == name).sum())
            assert new == round(100 * asked.get(name, 0))
            assert int(((before == name) & (after == name)).sum()) == min(old, new)
            kept, grown = kept + min(old, new), grown + max(0, new - old)
        in_both = (before != None) & (after != None)  # noqa: E711  # elementwise
        # Nobody changes from one to another while there is room.
        assert int((in_both & (before != after)).sum()) == max(0, grown - free)
        allocation = reallocate(allocation, asked)
        assert Allocation.from_dict(json.loads(json.dumps(allocation.to_dict()))) == allocation


@given(shares(), st.data())
def test_a_ramp_down_and_up_brings_the_same_buckets_back(
    asked: dict[str, float], data: st.DataObject
) -> None:
    full = allocate(asked)
    less = {name: data.draw(st.integers(0, round(100 * s))) / 100 for name, s in asked.items()}
    down = reallocate(full, less)
    inside = down.codes >= 0
    np.testing.assert_array_equal(down.codes[inside], full.codes[inside])
    np.testing.assert_array_equal(reallocate(down, asked).codes, full.codes)


def test_a_ramp_from_5_to_20_percent_moves_no_one_who_is_in() -> None:
    small = allocate({"A": 2.5, "B": 2.5})
    large = reallocate(small, {"A": 10, "B": 10})
    inside = small.codes >= 0
    assert inside.sum() == 500
    np.testing.assert_array_equal(large.codes[inside], small.codes[inside])
    assert large.shares == {"A": 10.0, "B": 10.0}


def test_what_was_given_up_before_is_taken_before_what_is_given_up_now() -> None:
    state = reallocate(allocate({"A": 60, "B": 40}), {"A": 50, "B": 40})
    after = reallocate(state, {"A": 40, "B": 40, "C": 20})
    assert after.owners == ("A", "B", "C")
    assert after.spans == (
        Span(0, 4_000, "A"),
        Span(4_000, 6_000, "C"),
        Span(6_000, 10_000, "B"),
    )
    after = reallocate(state, {"A": 40, "B": 40, "C": 10})
    assert after.spans[1:3] == (Span(4_000, 5_000, "A", active=False), Span(5_000, 6_000, "C"))


@given(shares(whole=True), st.lists(st.integers(0, BUCKETS), min_size=2, max_size=5))
def test_exposure_that_grows_takes_nothing_from_anyone(
    asked: dict[str, float], exposures: list[int]
) -> None:
    last = dict.fromkeys(asked, 0)
    for exposure in sorted(exposures):
        given_ = {name: round(100 * s) for name, s in shares_at(asked, exposure / 100).items()}
        assert list(given_) == list(asked)
        assert sum(given_.values()) == exposure
        assert all(given_[name] >= last[name] for name in asked)
        for name, share in asked.items():
            # Webster's method may leave the quota, but not by a whole bucket for four or fewer.
            assert abs(given_[name] - share / 100 * exposure) < 2
        last = given_


@settings(max_examples=30)
@given(shares(whole=True))
def test_full_exposure_gives_the_shares_themselves(asked: dict[str, float]) -> None:
    assert shares_at(asked, 100) == asked


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"A": -1}, r"share of 'A' must lie between 0 and 100, got -1\."),
        ({"A": 101}, r"share of 'A' must lie between 0 and 100, got 101\."),
        ({"A": float("nan")}, r"share of 'A' must lie between 0 and 100, got nan\."),
        ({"A": float("inf")}, r"share of 'A' must lie between 0 and 100, got inf\."),
        ({"A": 33.333}, r"share of 'A' must be a multiple of 0\.01, got 33\.333\."),
        ({"A": 60, "B": 40.01}, r"shares must be at most 100 together, got "),
    ],
)
def test_shares_that_cannot_be_are_refused(asked: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        allocate(asked)


def test_exposure_of_shares_that_are_not_100_together_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shares must be 100 together, got \{'A': 50\}"):
        shares_at({"A": 50}, 5)
    with pytest.raises(ValueError, match=r"share of 'exposure' must be a multiple of 0\.01"):
        shares_at({"A": 100}, 5.001)


@pytest.mark.parametrize(
    ("owners", "spans", "message"),
    [
        (["A", "A"], [], r"owners must differ, got 'A' twice"),
        (["A"], [Span(5, 5, "A")], r"spans must rise from 0 to 10000 without overlap"),
        (["A"], [Span(-1, 5, "A")], r"spans must rise"),
        (["A"], [Span(0, 10_001, "A")], r"spans must rise"),
        (["A"], [Span(0, 5, "A"), Span(4, 6, "A")], r"spans must rise .* after 5\."),
        (["A"], [Span(0, 5, "B")], r"owner of a span must be one of \('A',\), got "),
    ],
)
def test_a_state_that_cannot_be_is_refused(
    owners: list[str], spans: list[Span], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Allocation(owners=owners, spans=spans)


@pytest.mark.parametrize(
    "state", [{}, {"owners": ["A"]}, {"owners": "A", "spans": []}, {"owners": [1], "spans": []}]
)
def test_plain_data_that_is_no_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"state must hold owners and spans, got "):
        Allocation.from_dict(state)


@pytest.mark.parametrize("row", [[0, 5, "A"], [0.5, 5, "A", True], [0, 5, "A", 1], "span"])
def test_plain_data_that_is_no_span_is_refused(row: object) -> None:
    with pytest.raises(ValueError, match=r"span must be \[start, stop, owner, active\], got "):
        Allocation.from_dict({"owners": ["A"], "spans": [row]})
