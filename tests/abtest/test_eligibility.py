"""A rule on attributes says of a row what it says of a frame, and what Python would say."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.abtest.eligibility import Eligibility

ATTRIBUTES = ("country", "age", "score", "known", "mixed", "absent")

values = st.one_of(
    st.sampled_from(["DE", "AT", "", "2026-01-01", "1"]),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -2.5]),
    st.booleans(),
)
limits = st.one_of(st.sampled_from(["DE", "AT", "2026"]), st.integers(-3, 3), st.just(0.5))
tests = st.one_of(
    st.fixed_dictionaries({"equals": values}),
    st.fixed_dictionaries({"in": st.lists(values, max_size=3)}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    *(st.fixed_dictionaries({name: limits}) for name in ("above", "at_least", "below", "at_most")),
)
rules: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.builds(lambda name, test: {"attribute": name} | test, st.sampled_from(ATTRIBUTES), tests),
    lambda parts: st.one_of(
        st.fixed_dictionaries({"all": st.lists(parts, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(parts, max_size=3)}),
        st.fixed_dictionaries({"not": parts}),
    ),
    max_leaves=6,
)
rows = st.lists(
    st.tuples(
        st.sampled_from(["DE", "AT", "2026-01-01", None]),
        st.integers(-3, 3),
        st.sampled_from([0.5, 1.0, float("nan"), float("inf")]),
        st.booleans(),
        st.one_of(st.none(), values, st.just(float("nan")), st.just(date(2026, 1, 1))),
    ),
    max_size=8,
)


def plain(  # noqa: PLR0911  # a line a form
    rule: dict[str, Any], attributes: dict[str, Any]
) -> bool:
    """Say what the table of the docstring says, in another way."""
    if "all" in rule:
        return all(plain(part, attributes) for part in rule["all"])
    if "any" in rule:
        return any(plain(part, attributes) for part in rule["any"])
    if "not" in rule:
        return not plain(rule["not"], attributes)
    value = attributes.get(rule["attribute"])
    missing = value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))
    if "exists" in rule:
        return bool(rule["exists"] != missing)
    if missing:
        return False

    def alike(one: Any, other: Any) -> bool:
        kinds = (bool, str, (int, float))
        return any(
            isinstance(one, kind) and isinstance(other, kind)
            for kind in (kinds if not isinstance(one, bool) | isinstance(other, bool) else (bool,))
        )

    if "equals" in rule or "in" in rule:
        listed = rule["in"] if "in" in rule else [rule["equals"]]
        return any(alike(value, each) and value == each for each in listed)
    (name,) = set(rule) - {"attribute"}
    limit = rule[name]
    if not alike(value, limit):
        return False
    return bool(
        {
            "above": value > limit,
            "at_least": value >= limit,
            "below": value < limit,
            "at_most": value <= limit,
        }[name]
    )


@given(rules, rows)
def test_a_rule_says_of_rows_and_frames_what_it_says_in_words(
    rule: dict[str, Any], table: list[tuple[Any, ...]]
) -> None:
    names = ATTRIBUTES[:-1]
    expected = [plain(rule, dict(zip(names, row, strict=True))) for row in table]
    eligible = Eligibility(rule)
    assert [eligible.admits(dict(zip(names, row, strict=True))) for row in table] == expected
    columns = list(zip(*table, strict=True)) if table else [()] * 5
    frame = pd.DataFrame(
        {
            "country": pd.Series(columns[0], dtype="str"),
            "age": pd.Series(columns[1], dtype="int64"),
            "score": pd.Series(columns[2], dtype="float64"),
            "known": pd.Series(columns[3], dtype="bool"),
            "mixed": pd.Series(columns[4], dtype="object"),
        }
    )
    assert eligible.admits_many(frame).tolist() == expected
    others = frame.astype({"country": "category", "age": "Int64", "known": "boolean"})
    assert eligible.admits_many(others).tolist() == expected


def test_values_of_numpy_and_missing_ones_of_pandas_are_taken() -> None:
    above = Eligibility({"attribute": "x", "above": 0.1})
    assert above.admits({"x": np.float32(0.1)})  # 0.100000001..., as a column of it holds
    assert above.admits_many(pd.DataFrame({"x": np.array([0.1], np.float32)})).tolist() == [True]
    assert Eligibility({"attribute": "x", "equals": True}).admits({"x": np.True_})
    assert Eligibility({"attribute": "x", "equals": 10**400}).admits({"x": 10**400})
    for missing in (None, pd.NA, pd.NaT, float("nan"), np.float64("nan")):
        assert Eligibility({"attribute": "x", "exists": False}).admits({"x": missing})


@pytest.mark.parametrize(
    "rule",
    [
        {},
        [],
        "country",
        {"attribute": "x"},
        {"attribute": 1, "equals": 1},
        {"attribute": "x", "equals": 1, "above": 0},
        {"attribute": "x", "equals": None},
        {"attribute": "x", "equals": float("nan")},
        {"attribute": "x", "equals": [1]},
        {"attribute": "x", "in": "DE"},
        {"attribute": "x", "in": ["DE", None]},
        {"attribute": "x", "above": True},
        {"attribute": "x", "below": None},
        {"attribute": "x", "exists": 1},
        {"attribute": "x", "matches": "D.*"},
        {"all": {"attribute": "x", "equals": 1}},
        {"all": [], "any": []},
        {"all": [{}]},
        {"not": []},
        {"not": {"all": []}, "any": []},
    ],
)
def test_what_is_no_rule_is_refused(rule: Any) -> None:
    with pytest.raises(ValueError, match=r"^rule must be all, any, not, or an attribute with "):
        Eligibility(rule)


def test_rules_within_rules_have_a_depth() -> None:
    rule: dict[str, Any] = {"all": []}
    for _ in range(19):
        rule = {"not": rule}
    assert not Eligibility(rule).admits({})
    with pytest.raises(ValueError, match=r"rule must be nested at most 20 deep"):
        Eligibility({"not": rule})
