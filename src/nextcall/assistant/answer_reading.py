"""Reads a model's answer: whatever it says, nothing leaves but calls of what was shown."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from nextcall.assistant.asking import Told
from nextcall.assistant.messages import ANSWER_CHARACTERS, REASON_CHARACTERS
from nextcall.assistant.run import Proposed, Run, UnusableAnswerError
from nextcall.assistant.task import Task
from nextcall.catalog.operation import Operation

_MOST_CHARACTERS: Final = 100_000
_DEEPEST: Final = 32
_MOST_NAMES: Final = 20  # of unknown arguments that are told
_NAME_CHARACTERS: Final = 100
_KINDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
"""Of a parameter, by the type that a catalogue states; an argument is a text in all other cases."""


def read_answer(task: Task, told: Told) -> Run:
    """Make a run of what a model told.

    A call of an operation that was not shown is left out and counted, and so is one beyond the most
    that may be. Arguments that an operation does not have are left out and named.

    Parameters
    ----------
    task : Task
        What was asked.
    told : Told

    Raises
    ------
    UnusableAnswerError
        Where the answer was cut off, refused, is no JSON, or is JSON of another form.
    """
    completion = told.completion
    if completion.ended != "stop":
        raise UnusableAnswerError("cut_off" if completion.ended == "length" else "refused", told)
    said = _parsed(completion.text, told)
    if not isinstance(said, dict):
        raise UnusableAnswerError("other_form", told)
    answer, proposed = said.get("answer", ""), said.get("calls")
    if not isinstance(answer, str) or not isinstance(proposed, list):
        raise UnusableAnswerError("other_form", told)
    shown = {each.operation_id: each for each in task.shown}
    read = [_read_call(each, shown) for each in proposed]
    calls = [each for each in read if each is not None][: task.most_calls]
    return Run(
        answer=_cut(answer, ANSWER_CHARACTERS),
        calls=tuple(calls),
        dropped=len(proposed) - len(calls),
        told=told,
    )


def _parsed(text: str, told: Told) -> object:
    if len(text) > _MOST_CHARACTERS:
        raise UnusableAnswerError("other_form", told)
    try:
        said = _loaded(text)
    except ValueError as error:
        raise UnusableAnswerError("not_json", told) from error
    if _is_deep(said):
        raise UnusableAnswerError("other_form", told)
    return said


def _loaded(text: str) -> object:
    try:
        said: object = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("too deep.") from error
    return said


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON.")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _read_call(said: object, shown: Mapping[str, Operation]) -> Proposed | None:
    if not isinstance(said, dict):
        return None
    named = said.get("operation_id")
    operation = shown.get(named) if isinstance(named, str) else None
    if operation is None:
        return None
    reason = said.get("reason", "")
    given = dict(_given(said.get("arguments")))
    types = {each.name: each.type for each in operation.parameters}
    values = {
        name: _typed(value, types[name])
        for name, value in given.items()
        if name in types and _is_said(value)
    }
    needed = dict.fromkeys(each.name for each in operation.parameters if each.required)
    return Proposed(
        operation=operation,
        arguments=values,
        missing=tuple(name for name in needed if name not in values),
        unknown=tuple(_cut(name, _NAME_CHARACTERS) for name in given if name not in types)[
            :_MOST_NAMES
        ],
        reason=_cut(reason, REASON_CHARACTERS) if isinstance(reason, str) else "",
    )


def _given(said: object) -> Iterator[tuple[str, object]]:
    """Yield names and values, of a list of both or of an object; what has no form is left out."""
    if isinstance(said, dict):
        yield from said.items()
    elif isinstance(said, list):
        for each in said:
            if isinstance(each, dict) and isinstance(each.get("name"), str):
                yield each["name"], each.get("value")


def _is_said(value: object) -> bool:
    """Tell whether something is given: no null and no blank text."""
    return value is not None and not (isinstance(value, str) and not value.strip())


def _typed(value: object, kind: str) -> object:
    """Read a text as what its parameter is; one that is nothing such stays as it came."""
    if not isinstance(value, str) or kind not in _KINDS:
        return _plain(value)
    try:
        read = _loaded(value)
    except ValueError:
        return _plain(value)
    is_other = isinstance(read, bool) and kind != "boolean"  # to Python a truth is a number
    fits = isinstance(read, _KINDS[kind]) and not is_other and not _is_deep(read)
    return _plain(read if fits else value)


def _plain(value: object) -> object:
    """Give a value whose texts can be written as UTF-8."""
    if isinstance(value, str):
        return _writable(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {_writable(name): _plain(each) for name, each in value.items()}
    return value


def _writable(text: str) -> str:
    """Put question marks in the place of lone surrogates, and take out null characters."""
    return text.encode(errors="replace").decode().replace("\x00", "")


def _is_deep(value: object) -> bool:
    """Tell whether values stand within values too often to be looked at one within the other."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return False
    return True


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _cut(text: str, most: int) -> str:
    flat = " ".join(_writable(text).split())
    return flat if len(flat) <= most else f"{flat[: most - 3]}..."
