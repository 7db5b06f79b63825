"""Results: a flat map of name to finite number, and how they are written for a reader."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.runs.result import format_number, format_result, read_result

NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))


@given(st.dictionaries(st.text(), NUMBERS, min_size=1))
def test_what_a_notebook_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, result: dict[str, float]
) -> None:
    path = tmp_path_factory.mktemp("result") / "result.json"
    path.write_text(json.dumps(result), encoding="utf-8")
    assert read_result(path) == result


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "must be JSON"),
        ("[1]", "must be a map"),
        ("{}", "must be a map of name to number that is not empty"),
        ('{"a": "1"}', "a must be a number, got '1'"),
        ('{"a": true}', "a must be a number, got True"),
        ('{"a": {"b": 1}}', "a must be a number"),
        ('{"a": NaN}', "a must be finite, got nan"),
        ('{"a": -Infinity}', "a must be finite, got -inf"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=fault) as caught:
        read_result(path)
    assert str(caught.value).startswith(str(path))


@given(st.floats(min_value=-1e12, max_value=1e12))
def test_a_written_number_is_near_the_number(value: float) -> None:
    written = float(format_number(value).replace(",", ""))
    assert written == pytest.approx(value, rel=0.01, abs=0.0005)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1.0, "1.000"), (0.0, "0.000"), (129000.0, "129,000"), (-3, "-3"), (1.5, "1.500")],
)
def test_counts_have_no_decimals_and_shares_have_three(value: float, text: str) -> None:
    assert format_number(value) == text


def test_an_interval_needs_both_ends() -> None:
    assert format_result({"a": 0.5, "a.low": 0.25}, "a") == "0.500"
