"""Whatever a model says, only calls of what was shown come of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.assistant.run import Run, UnusableAnswerError
from nextcall.catalog import Operation

Ran = Callable[..., Run]

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just("getUser")
)
NAMES = st.sampled_from(
    ["calls", "answer", "operation_id", "arguments", "reason", "name", "value", "id", "integer"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=4)
    ),
)
ARGUMENTS = VALUES | st.lists(st.fixed_dictionaries({"name": NAMES | st.text(), "value": VALUES}))
CALLS = st.fixed_dictionaries(
    {},
    optional={
        "operation_id": st.sampled_from(["getUser", "makeOrder", "deleteAll", ""]) | VALUES,
        "arguments": ARGUMENTS,
        "reason": VALUES,
        "else": VALUES,
    },
)
ANSWERS = st.fixed_dictionaries(
    {}, optional={"calls": st.lists(CALLS | VALUES) | VALUES, "answer": st.text() | VALUES}
)


def _call(operation_id: object = "getUser", arguments: object = ()) -> dict[str, Any]:
    return {"operation_id": operation_id, "arguments": arguments, "reason": "so"}


def _answer(*calls: object, answer: object = "done") -> str:
    return json.dumps({"calls": calls, "answer": answer})


@given(text=st.text() | ANSWERS.map(json.dumps) | VALUES.map(json.dumps), most=st.integers(1, 5))
def test_no_text_makes_a_call_of_what_was_not_shown(
    ran: Ran, shown: tuple[Operation, ...], text: str, most: int
) -> None:
    try:
        run = ran(text, most_calls=most)
    except UnusableAnswerError:
        return  # there is no call at all
    assert len(run.calls) <= most
    assert run.dropped == len(json.loads(text)["calls"]) - len(run.calls)
    for call in run.calls:
        assert call.operation in shown
        names = {each.name for each in call.operation.parameters}
        needed = {each.name for each in call.operation.parameters if each.required}
        assert set(call.arguments) <= names
        assert set(call.missing) == needed - set(call.arguments)
        assert names.isdisjoint(call.unknown)
        assert len(call.reason) <= 160
        json.dumps(call.arguments, allow_nan=False, ensure_ascii=False).encode()
    assert len(run.answer) <= 400
    run.answer.encode()


@pytest.mark.parametrize(
    ("text", "ended", "fault"),
    [
        (_answer(), "length", "cut_off"),
        (_answer(), "refused", "refused"),
        ("", "stop", "not_json"),
        ("Call getUser.", "stop", "not_json"),
        (_answer()[:-1], "stop", "not_json"),
        (f"```json\n{_answer()}\n```", "stop", "not_json"),
        ('{"calls": [], "answer": NaN}', "stop", "not_json"),
        ('{"calls": [1e999], "answer": ""}', "stop", "not_json"),
        ("[" * 200_000, "stop", "other_form"),
        ("[" * 99_999, "stop", "not_json"),
        ("[]", "stop", "other_form"),
        ('{"answer": "no calls"}', "stop", "other_form"),
        ('{"calls": {}, "answer": ""}', "stop", "other_form"),
        ('{"calls": [], "answer": ["no text"]}', "stop", "other_form"),
        ('{"calls": [%s], "answer": ""}' % ("[" * 40 + "]" * 40), "stop", "other_form"),
    ],
)
def test_an_answer_of_no_use_is_an_error_that_names_why(
    ran: Ran, text: str, ended: str, fault: str
) -> None:
    with pytest.raises(UnusableAnswerError, match=r"^the answer of 'scripted' ") as caught:
        ran(text, ended=ended)
    assert caught.value.fault == fault
    assert caught.value.told.cost_usd == 0.001  # it is paid for all the same
    assert "getUser" not in str(caught.value)


def test_calls_keep_their_order_and_what_was_not_shown_is_counted(ran: Ran) -> None:
    run = ran(_answer(_call("listUsers"), _call("deleteAll"), "getUser", _call("getUser"), {}))
    assert [each.operation.operation_id for each in run.calls] == ["listUsers", "getUser"]
    assert (run.dropped, run.answer) == (3, "done")


def test_no_more_calls_than_may_be(ran: Ran) -> None:
    run = ran(_answer(*[_call()] * 4), most_calls=2)
    assert (len(run.calls), run.dropped) == (2, 2)


def test_arguments_may_be_a_list_or_an_object(ran: Ran) -> None:
    listed = [{"name": "id", "value": "7"}, {"name": "who", "value": "8"}, {"value": "9"}, "id"]
    for arguments in (listed, {"id": "7", "who": "8"}):
        (call,) = ran(_answer(_call(arguments=arguments))).calls
        assert (call.arguments, call.missing, call.unknown) == ({"id": "7"}, (), ("who",))
        assert call.reason == "so"


@pytest.mark.parametrize("nothing", [None, "", " \t", []])
def test_what_is_not_given_is_missing(ran: Ran, nothing: object) -> None:
    arguments = [{"name": "integer", "value": nothing}] if nothing != [] else []
    (call,) = ran(_answer(_call("makeOrder", arguments))).calls
    assert (call.arguments, call.missing) == ({}, ("string", "integer"))


@pytest.mark.parametrize(
    ("kind", "said", "read"),
    [
        ("string", "7", "7"),
        ("string", 7, 7),
        ("integer", "7", 7),
        ("integer", "7.5", "7.5"),
        ("integer", "true", "true"),
        ("integer", "seven", "seven"),
        ("number", "7", 7),
        ("number", "7.5", 7.5),
        ("number", "NaN", "NaN"),
        ("boolean", "true", True),
        ("boolean", "1", "1"),
        ("array", '["a", 1]', ["a", 1]),
        ("array", "a", "a"),
        ("array", "[" * 5000, "[" * 5000),
        ("array", "[" * 50 + "]" * 50, "[" * 50 + "]" * 50),
        ("object", '{"a": {"b": [null]}}', {"a": {"b": [None]}}),
        ("object", '{"\ud800": "\\ud800"}', {"?": "?"}),
        ("other", '{"a": 1}', '{"a": 1}'),
        ("other", "a\x00b\ud800", "ab?"),
    ],
)
def test_a_text_is_read_as_what_its_parameter_is(
    ran: Ran, kind: str, said: object, read: object
) -> None:
    (call,) = ran(_answer(_call("makeOrder", [{"name": kind, "value": said}]))).calls
    assert call.arguments == {kind: read}
    assert type(call.arguments[kind]) is type(read)


def test_names_that_an_operation_does_not_have_are_told_in_short(ran: Ran) -> None:
    arguments = {f"{number}{'x' * 200}": "v" for number in range(50)}
    (call,) = ran(_answer(_call("listUsers", arguments))).calls
    assert call.arguments == {}
    assert len(call.unknown) == 20
    assert max(map(len, call.unknown)) == 100


def test_words_are_cut_and_stand_on_one_line(ran: Ran) -> None:
    run = ran(_answer({**_call(), "reason": "a\n" * 400}, answer="b\u2028" * 400))
    assert run.answer == "b " * 198 + "b..."
    assert len(run.calls[0].reason) == 160
    assert "\n" not in run.calls[0].reason
