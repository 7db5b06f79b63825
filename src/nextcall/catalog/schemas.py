"""JSON Schemas inside an API description: references, types and the properties of a body."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from nextcall.catalog.catalog import CatalogError
from nextcall.catalog.document import follow_pointer, join_pointer
from nextcall.catalog.operation import Parameter

_TYPES: Final = frozenset(
    {"string", "number", "integer", "boolean", "array", "object", "null", "file"}
)
_MAX_DEPTH: Final = 16  # levels of allOf and their kin that are looked through


class Description:
    """A description that is being read; its references are followed where they are met."""

    def __init__(self, root: Any, *, place: str) -> None:
        self.root = root
        self._place = place

    def error(self, at: str, rule: str) -> CatalogError:
        """Make the error for a place that breaks a rule."""
        return CatalogError(f"{self._place}: {at}: {rule}.")

    def mapping(self, value: Any, at: str) -> Mapping[str, Any]:
        """Give an object, its ``$ref`` followed; empty where references lead round in a circle.

        What stands beside a ``$ref`` wins over what it points at.

        Raises
        ------
        CatalogError
            Where it is no object, or a reference points outside of the file or at nothing.
        """
        beside: dict[str, Any] = {}
        seen: set[str] = set()
        while isinstance(value, dict) and isinstance(value.get("$ref"), str):
            pointer = value["$ref"]
            if pointer in seen:
                return {}
            seen.add(pointer)
            beside = {**value, **beside}
            if not pointer.startswith("#"):
                rule = (
                    f"$ref must point into this file (bundle the others into it), got {pointer!r}"
                )
                raise self.error(at, rule)
            try:
                value = follow_pointer(self.root, pointer)
            except LookupError as error:
                raise self.error(at, f"$ref points at nothing: {pointer!r}") from error
        if not isinstance(value, dict):
            raise self.error(at, f"must be an object, got {type(value).__name__}")
        if len(beside) > 1:
            del beside["$ref"]
            return {**value, **beside}
        return value


def schema_type(description: Description, schema: Any, at: str) -> str:
    """Give a schema's JSON type name; empty where it states none.

    Raises
    ------
    CatalogError
        Where a reference points at nothing.
    """
    for part, _ in _parts(description, schema, at):
        stated = part.get("type")
        for kind in stated if isinstance(stated, list) else [stated]:
            if isinstance(kind, str) and kind in _TYPES and kind != "null":
                return "string" if kind == "file" else kind
        if "properties" in part or "additionalProperties" in part:
            return "object"
        if "items" in part:
            return "array"
        choices = part.get("enum")
        if isinstance(choices, list) and choices and all(isinstance(c, str) for c in choices):
            return "string"
    return ""


def body_parameters(
    description: Description, schema: Any, at: str, *, name: str, required: bool
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
    at : str
        Its JSON pointer.
    name : str
        Name of the one parameter.
    required : bool
        Whether the one parameter is required.

    Raises
    ------
    CatalogError
        Where a reference points at nothing.
    """
    properties: dict[str, tuple[Any, str]] = {}
    needed: set[str] = set()
    for part, (here, optional) in _parts(description, schema, at):
        stated = part.get("properties")
        if isinstance(stated, dict):
            for key, value in stated.items():
                properties.setdefault(str(key), (value, join_pointer(here, "properties", key)))
        required_keys = part.get("required")
        if isinstance(required_keys, list) and not optional:
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
    description: Description, schema: Any, at: str
) -> Iterator[tuple[Mapping[str, Any], tuple[str, bool]]]:
    """Yield a schema and the schemas it is composed of, each once, with place and optionality."""
    seen: set[int] = set()
    waiting: list[tuple[Any, str, bool, int]] = [(schema, at, False, 0)]
    while waiting:
        raw, here, optional, depth = waiting.pop()
        if isinstance(raw, bool) or depth > _MAX_DEPTH or id(raw) in seen:
            continue  # OpenAPI 3.1: true allows anything
        seen.add(id(raw))
        part = description.mapping(raw, here)
        if id(part) in seen and part is not raw:
            continue
        seen.add(id(part))
        yield part, (here, optional)
        below = [
            (branch, join_pointer(here, key, row), optional or key != "allOf", depth + 1)
            for key in ("allOf", "oneOf", "anyOf")
            if isinstance(part.get(key), list)
            for row, branch in enumerate(part[key])
        ]
        waiting.extend(reversed(below))
