"""JSON Schemas inside an API description: types, and the properties of a body."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from nextcall.catalog.description import At, Description
from nextcall.catalog.operation import Parameter

_TYPES: Final = frozenset(
    {"string", "number", "integer", "boolean", "array", "object", "null", "file"}
)
_MAX_DEPTH: Final = 16  # levels of allOf and their kin that are looked through
_UNKNOWN: Final = "nothing is known of this schema"


def schema_type(description: Description, schema: Any, at: At) -> str:
    """Give a schema's JSON type name; empty where it states none."""
    if isinstance(schema, dict) and "$ref" not in schema:  # most are as plain as this
        kind = schema.get("type")
        if isinstance(kind, str) and kind in _TYPES and kind not in {"null", "file"}:
            description.spend(1)
            return kind
    for part, _, _ in _parts(description, schema, at):
        stated = part.get("type")
        kinds = stated if isinstance(stated, list) else (stated,)
        description.spend(len(kinds))
        for kind in kinds:
            if isinstance(kind, str) and kind in _TYPES and kind != "null":
                return "string" if kind == "file" else kind
        if "properties" in part or "additionalProperties" in part:
            return "object"
        if "items" in part:
            return "array"
        choices = part.get("enum")
        if isinstance(choices, list) and choices:
            description.spend(len(choices))
            if all(isinstance(choice, str) for choice in choices):
                return "string"
    return ""


def body_parameters(
    description: Description, schema: Any, at: At, *, name: str, required: bool
) -> tuple[Parameter, ...]:
    """Give one parameter for each property of a body's schema.

    Properties of all ``allOf``, ``oneOf`` and ``anyOf`` branches count; only those that no choice
    can leave out are required. Read-only ones are left out, for no caller sends them. A body
    without properties, such as a list, is one parameter.

    Parameters
    ----------
    description : Description
        What the schema stands in.
    schema : object
        The schema.
    at : At
        Where it stands.
    name : str
        Name of the one parameter.
    required : bool
        Whether the one parameter is required.
    """
    properties: dict[str, tuple[Any, At]] = {}
    needed: set[str] = set()
    for part, here, optional in _parts(description, schema, at):
        stated = part.get("properties")
        if isinstance(stated, dict):
            description.spend(len(stated))
            for key, value in stated.items():
                properties.setdefault(key, (value, (*here, "properties", key)))
        required_keys = part.get("required")
        if isinstance(required_keys, list) and not optional:
            description.spend(len(required_keys))
            needed.update(key for key in required_keys if isinstance(key, str))
    if not properties:
        kind = schema_type(description, schema, at)
        return (Parameter(name=name, location="body", type=kind, required=required),)
    return tuple(
        Parameter(
            name=key,
            location="body",
            type=schema_type(description, value, here),
            required=key in needed,
        )
        for key, (value, here) in properties.items()
        if not (isinstance(value, dict) and value.get("readOnly") is True)
    )


def _parts(
    description: Description, schema: Any, at: At
) -> Iterator[tuple[Mapping[str, Any], At, bool]]:
    """Yield a schema and the schemas it is composed of, each once, with place and optionality."""
    seen: dict[int, Any] = {}  # the values too, so that no id is given again
    waiting: list[tuple[Any, At, bool, int]] = [(schema, at, False, 0)]
    while waiting:
        description.spend(1)
        raw, here, optional, depth = waiting.pop()
        if isinstance(raw, bool) or depth > _MAX_DEPTH or id(raw) in seen:
            continue  # OpenAPI 3.1: true allows anything
        seen[id(raw)] = raw
        part, here = description.follow(raw, here, done=_UNKNOWN)
        if part is None or (id(part) in seen and part is not raw):
            continue
        seen[id(part)] = part
        yield part, here, optional
        below = [
            (branch, (*here, key, row), optional or key != "allOf", depth + 1)
            for key in ("allOf", "oneOf", "anyOf")
            if isinstance(part.get(key), list)
            for row, branch in enumerate(part[key])
        ]
        description.spend(len(below))
        waiting.extend(reversed(below))
