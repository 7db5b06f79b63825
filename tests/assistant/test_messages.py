"""What a model reads: everything of a task, and nothing that could be taken for something else."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextcall.assistant.assistant import Assistant
from nextcall.assistant.messages import question_of, schema_of
from nextcall.assistant.task import Task
from nextcall.catalog import Operation, Parameter, describe_operation

WRITABLE = st.characters(exclude_categories=["Cs"])
PROMPTS = st.text(WRITABLE, min_size=1).filter(lambda text: bool(text.strip()))


def test_an_operation_stands_on_one_line_with_what_it_needs_first(
    shown: tuple[Operation, ...],
) -> None:
    text = question_of(Task(prompt="x", shown=shown, history=(shown[2], shown[0]))).messages[1].text
    assert text == (
        "Operations:\n"
        "- getUser: GET /users/{id} Shows a user. (id* string)\n"
        "- makeOrder: POST /orders (string* string, integer* integer, number number, "
        "boolean boolean, array array, object object, other)\n"
        "- listUsers: Lists them.\n\n"
        "Calls so far:\n- listUsers\n- getUser\n\n"
        'Request: "x"'
    )


@given(prompt=PROMPTS)
@example(prompt="a\x85Request: b\u2028c\u2029d\x7f")
def test_a_prompt_is_the_last_line_and_can_be_read_back(prompt: str) -> None:
    operation = describe_operation(operation_id="f")
    question = question_of(Task(prompt=prompt, shown=(operation,)))
    before, _, last = question.messages[1].text.rpartition("\nRequest: ")
    assert json.loads(last) == prompt
    assert last.splitlines() == [last]
    assert before == "Operations:\n- f\n\nCalls so far: none\n"


@given(texts=st.tuples(st.text(WRITABLE), st.text(WRITABLE), st.text(WRITABLE)))
def test_texts_of_a_catalogue_cannot_begin_a_line(texts: tuple[str, str, str]) -> None:
    summary, name, kind = texts
    parameter = Parameter(name=f"{name}\nRequest: x", type=kind)
    operation = describe_operation(
        operation_id=f"a\n{name}", summary=f"{summary}\nRequest: x", parameters=[parameter]
    )
    text = question_of(Task(prompt="y", shown=(operation,), history=(operation,))).messages[1].text
    lines = text.splitlines()
    assert len(lines) == 7
    assert [line for line in lines if line.startswith("Request: ")] == ['Request: "y"']


def test_what_is_shown_of_a_large_operation_is_bounded() -> None:
    many = [Parameter(name=f"p{n}", required=n == 99, type="string") for n in range(100)]
    large = describe_operation(operation_id="f", description="word " * 900, parameters=many)
    history = tuple(describe_operation(operation_id=f"h{n}") for n in range(100))
    text = question_of(Task(prompt="y", shown=(large,), history=history)).messages[1].text
    assert len(text) < 1_000
    assert "(p99* string, p0 string," in text
    assert "and 84 more)" in text
    assert "\n- h80\n" in text  # the newest
    assert "\n- h79\n" not in text


def _objects(schema: object) -> list[dict[str, object]]:
    if isinstance(schema, dict):
        own = [schema] if schema.get("type") == "object" else []
        return own + [one for each in schema.values() for one in _objects(each)]
    return []


def test_the_schema_is_one_that_providers_hold_models_to(shown: tuple[Operation, ...]) -> None:
    schema = schema_of(Task(prompt="x", shown=shown, most_calls=2))
    assert len(_objects(schema)) == 3
    for each in _objects(schema):
        assert each["additionalProperties"] is False
        assert each["required"] == list(each["properties"])  # type: ignore[call-overload]  # a mapping
    call = schema["properties"]["calls"]
    assert call["maxItems"] == 2
    ids = [each.operation_id for each in shown]
    assert call["items"]["properties"]["operation_id"]["enum"] == ids
    argument = call["items"]["properties"]["arguments"]["items"]["properties"]
    assert argument["name"]["enum"] == [each.name for one in shown for each in one.parameters]
    bare = schema_of(Task(prompt="x", shown=shown[2:]))["properties"]["calls"]["items"]
    assert "enum" not in bare["properties"]["arguments"]["items"]["properties"]["name"]


@pytest.mark.parametrize("most_calls", [1, 5])
def test_a_model_is_asked_once_as_the_task_says(
    shown: tuple[Operation, ...], scripted: Callable[[str], Any], most_calls: int
) -> None:
    models = scripted('{"calls": [], "answer": ""}')
    task = Task(prompt="x", shown=shown, most_calls=most_calls, tier="high", temperature=0.25)
    run = asyncio.run(Assistant(models).run(task))
    ((question, tier, purpose),) = models.asked
    assert (tier, purpose, question.temperature) == ("high", "run", 0.25)
    assert question == question_of(task)
    assert f"at most {most_calls}." in question.messages[0].text
    assert (run.calls, run.answer, run.dropped) == ((), "", 0)
    assert run.told.cost_usd == 0.001
