"""What a unit sees: the same by the one and by the many; layers, hold-outs and overrides hold."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nextcall.abtest.allocation import allocate, reallocate
from nextcall.abtest.assignment import REASONS, Assigned, Assignment
from nextcall.abtest.eligibility import Eligibility
from nextcall.abtest.hashing import BucketHash
from nextcall.abtest.layers import Holdout, Layer

HALVES = allocate({"A": 50, "B": 50})
UNITS = [f"user-{n}" for n in range(20_000)]


@st.composite
def assignments(draw: st.DrawFn) -> Assignment:
    tests = draw(st.dictionaries(st.sampled_from(["x", "y", "z"]), st.integers(0, 33), min_size=1))
    variants = draw(
        st.dictionaries(st.sampled_from(["A", "B", "C"]), st.integers(0, 33), min_size=1)
    )
    test = draw(st.sampled_from(sorted(tests)))
    return Assignment(
        test=test,
        salt=draw(st.text("ab", max_size=2)),
        allocation=allocate(variants),
        layer=draw(st.sampled_from([None, Layer(name="l", salt="", allocation=allocate(tests))])),
        holdouts=[
            Holdout(name=name, salt="", share=share)
            for name, share in draw(
                st.dictionaries(st.text("hi", max_size=2), st.integers(0, 60), max_size=2)
            ).items()
        ],
        eligibility=draw(
            st.sampled_from([None, Eligibility({"attribute": "age", "at_least": 18})])
        ),
        overrides=draw(
            st.dictionaries(
                st.one_of(st.integers(0, 30), st.text("0123", max_size=2)),
                st.sampled_from(sorted(variants)),
                max_size=3,
            )
        ),
    )


@settings(max_examples=50)
@given(assignments(), st.lists(st.tuples(st.integers(0, 60), st.integers(10, 30)), max_size=40))
def test_many_units_see_what_each_sees(assignment: Assignment, rows: list[tuple[int, int]]) -> None:
    units = [unit for unit, _ in rows]
    frame = pd.DataFrame({"age": [age for _, age in rows]}, index=range(5, 5 + len(rows)))
    expected = [assignment.assign(unit, {"age": age}) for unit, age in rows]
    for column in (units, pd.Series(map(str, units), dtype="category")):
        found = assignment.assign_many(column, frame)
        assert [REASONS[code] for code in found.reasons] == [one.reason for one in expected]
        names = np.array([*found.variants, None], dtype=object)[found.codes]
        assert names.tolist() == [one.variant for one in expected]
    bare = assignment.assign_many(units)
    assert [REASONS[code] for code in bare.reasons] == [
        assignment.assign(unit).reason for unit in units
    ]


def test_the_first_to_decide_has_the_last_word() -> None:
    """Everything would keep the unit out; what decides is taken away one by one."""
    everything: dict[str, Any] = {
        "overrides": {"user-1": "B"},
        "eligibility": Eligibility({"any": []}),
        "holdouts": [Holdout(name="all", salt="", share=100)],
        "layer": Layer(
            name="l", salt="", allocation=reallocate(allocate({"t": 1, "u": 99}), {"u": 100})
        ),
    }
    expected: list[Assigned] = [
        Assigned("B", "override"),
        Assigned(None, "not eligible"),
        Assigned(None, "held out"),
        Assigned(None, "other test"),
        Assigned(None, "not exposed"),
    ]
    for wanted in expected:
        test = Assignment(test="t", salt="", allocation=allocate({"A": 0, "B": 0}), **everything)
        assert test.assign("user-1") == wanted
        assert REASONS[test.assign_many(["user-1"]).reasons[0]] == wanted.reason
        if everything:
            del everything[next(iter(everything))]


def test_a_unit_of_a_layer_enters_one_test_at_most() -> None:
    layer = Layer(name="page", salt="1", allocation=allocate({"x": 30, "y": 50}))
    entered = np.zeros(len(UNITS), int)
    for test in ("x", "y"):
        assignment = Assignment(test=test, salt="1", allocation=HALVES, layer=layer)
        found = assignment.assign_many(UNITS)
        entered += found.codes >= 0
        share = layer.allocation.shares[test] / 100
        error = np.sqrt(share * (1 - share) / len(UNITS))
        assert (found.codes >= 0).mean() == pytest.approx(share, abs=4 * error)
        # The layer says nothing of the variant, though test, layer and salt are named alike.
        inside = found.codes[found.codes >= 0]
        assert stats.binomtest(int(inside.sum()), len(inside)).pvalue > 0.001
    assert entered.max() == 1


def test_a_layer_and_a_test_of_one_name_are_unrelated() -> None:
    layer = Layer(name="x", salt="1", allocation=allocate({"x": 50}))
    found = Assignment(test="x", salt="1", allocation=HALVES, layer=layer).assign_many(UNITS)
    counts = np.bincount(found.codes[found.codes >= 0])
    assert stats.chisquare(counts).pvalue > 0.001


def test_room_for_another_test_of_a_layer_moves_no_one() -> None:
    small = Layer(name="page", salt="1", allocation=allocate({"x": 30}))
    wide = Layer(name="page", salt="1", allocation=reallocate(small.allocation, {"x": 30, "y": 70}))
    tests = [Assignment(test="x", salt="", allocation=HALVES, layer=one) for one in (small, wide)]
    before, after = (test.assign_many(UNITS).codes for test in tests)
    np.testing.assert_array_equal(before, after)


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=2))
def test_a_larger_hold_out_keeps_those_held(shares: list[int]) -> None:
    small, large = (Holdout(name="2026", salt="", share=share / 100) for share in sorted(shares))
    for unit in UNITS[:50]:
        assert small.holds(unit) <= large.holds(unit)


def test_hold_outs_are_of_their_share() -> None:
    held = Assignment(
        test="x",
        salt="",
        allocation=HALVES,
        holdouts=[Holdout(name="a", salt="", share=10), Holdout(name="b", salt="", share=20)],
    ).assign_many(UNITS)
    share = float((held.reasons == REASONS.index("held out")).mean())
    expected = 1 - 0.9 * 0.8  # independent of one another
    error = np.sqrt(expected * (1 - expected) / len(UNITS))
    assert share == pytest.approx(expected, abs=4 * error)


def test_a_ramp_keeps_each_unit_and_its_variant() -> None:
    small = allocate({"A": 2.5, "B": 2.5})
    before, after = (
        Assignment(test="x", salt="1", allocation=one).assign_many(UNITS).codes
        for one in (small, reallocate(small, {"A": 10, "B": 10}))
    )
    np.testing.assert_array_equal(after[before >= 0], before[before >= 0])
    assert (after >= 0).mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / len(UNITS)))


def test_assignments_show_as_a_frame() -> None:
    test = Assignment(test="x", salt="", allocation=allocate({"A": 100}), overrides={7: "A"})
    frame = test.assign_many(["7", "8"]).to_frame()
    assert frame["variant"].tolist() == ["A", "A"]
    assert frame["reason"].tolist() == ["override", "assigned"]
    none = Assignment(test="x", salt="", allocation=allocate({"A": 0})).assign_many(["7"])
    assert none.to_frame()["variant"].isna().tolist() == [True]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"layer must know the test 'x', got \('y',\)"):
        Assignment(
            test="x",
            salt="",
            allocation=HALVES,
            layer=Layer(name="l", salt="", allocation=allocate({"y": 1})),
        )
    with pytest.raises(ValueError, match=r"override of 'u' must be one of \('A', 'B'\), got 'C'"):
        Assignment(test="x", salt="", allocation=HALVES, overrides={"u": "C"})
    with pytest.raises(ValueError, match=r"share of 'h' must lie between 0 and 100, got 101"):
        Holdout(name="h", salt="", share=101)
    eligible = Eligibility({"attribute": "age", "above": 1})
    test = Assignment(test="x", salt="", allocation=HALVES, eligibility=eligible)
    with pytest.raises(ValueError, match=r"attributes must have a row a unit, got 1 for 2 units"):
        test.assign_many(["a", "b"], pd.DataFrame({"age": [3]}))


def test_a_unit_goes_by_its_bucket() -> None:
    """The plain definition: buckets 0 to 4,999 see A."""
    test = Assignment(test="x", salt="1", allocation=HALVES)
    spread = BucketHash(kind="test", name="x", salt="1")
    for unit in UNITS[:200]:
        wanted = "A" if spread.bucket(unit) < 5_000 else "B"
        assert test.assign(unit) == Assigned(wanted, "assigned")
