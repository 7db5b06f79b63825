"""What an answer repeats of what came."""

import json

from hypothesis import given
from hypothesis import strategies as st

from nextcall.serve.problems import SHOWN_CHARACTERS, invalid, json_response, problem, shown

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_what_is_shown_is_short_and_can_be_written(value: object) -> None:
    seen = shown(value)
    assert not isinstance(seen, str) or len(seen) <= SHOWN_CHARACTERS
    answer = json_response(problem("no", field="f", rule="r", got=value), status=422)
    assert answer.status_code == 422
    assert json.loads(bytes(answer.body))["details"][0]["field"] == "f"


@given(st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=100))
def test_what_is_short_is_shown_as_it_came(value: object) -> None:
    assert shown(value) == value
    assert type(shown(value)) is type(value)


def test_a_missing_field_shows_nothing_of_the_others() -> None:
    error = {
        "loc": ("prompt",),
        "type": "missing",
        "msg": "Field required",
        "input": {"x": "secret"},
    }
    detail = invalid([error]).details[0]
    assert (detail.field, detail.rule, detail.got) == ("prompt", "Field required", None)


def test_a_long_list_of_errors_is_cut_and_a_long_name_too() -> None:
    error = {"loc": ("k" * 1000, 3), "type": "extra_forbidden", "msg": "", "input": 1}
    details = invalid([error] * 1000).details
    assert len(details) == 20
    assert details[0].field == f"{'k' * 97}....3"
    assert details[0].rule == "Field is not known"
