"""Schemas of functions that a language model may call: plain, OpenAI, Anthropic, MCP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from nextcall.catalog.catalog import Catalog, CatalogError
from nextcall.catalog.description import Description, Remark
from nextcall.catalog.document import parse_json
from nextcall.catalog.fetch import fetch
from nextcall.catalog.operation import Operation, Parameter, describe_operation
from nextcall.catalog.schemas import schema_type

_SCHEMA_KEYS: Final = ("parameters", "inputSchema", "input_schema")  # OpenAI, MCP, Anthropic
_LIST_KEYS: Final = ("tools", "functions")
_FORM: Final = "a function must be {name, description, parameters | inputSchema | input_schema}"


def read_functions(
    location: str | Path, *, name: str | None = None, cache_dir: Path | None = None
) -> Catalog:
    """Read function or tool schemas from a file or an address.

    Parameters
    ----------
    location : str or Path
        File, or http(s) address.
    name : str, optional
        Name of the catalogue; the file's stem where none is given.
    cache_dir : Path, optional
        Folder where what an address gave is kept for an hour.

    Raises
    ------
    CatalogError
        Where it holds no such schemas; the message names file, place and rule.
    OSError
        Where it cannot be read.
    """
    text = fetch(location, cache_dir=cache_dir)
    return parse_functions(text, place=str(location), name=name or Path(location).stem)


def parse_functions(text: str, *, place: str, name: str) -> Catalog:
    """Read the text of function or tool schemas.

    Parameters
    ----------
    text : str
        A JSON list of functions, an object with the key ``tools`` (also inside ``result``, as an
        MCP server answers) or ``functions``, or one function a line. A function is
        ``{"name", "description", "parameters" | "inputSchema" | "input_schema"}``, or that inside
        OpenAI's ``{"type": "function", "function": {...}}``.
    place : str
        File or address, for messages.
    name : str
        Name of the catalogue, and the service of functions whose name has no prefix.

    Raises
    ------
    CatalogError
        As `read_functions`.

    Examples
    --------
    >>> text = '[{"name": "cart.add", "parameters": {"properties": {"sku": {"type": "string"}}}}]'
    >>> [operation] = parse_functions(text, place="tools.json", name="shop")
    >>> operation.service, operation.action, operation.parameters[0].name
    ('cart', 'create', 'sku')
    """
    operations: dict[str, Operation] = {}
    for at, value in _entries(text, place):
        operation = _operation(value, at, source=name)
        if operation.operation_id in operations:
            raise CatalogError(
                f"{at}: name must be unique, {operation.operation_id!r} came before."
            )
        operations[operation.operation_id] = operation
    if not operations:
        raise CatalogError(f"{place}: must hold at least one function.")
    return Catalog(name, tuple(operations.values()))


def function_service(name: str) -> str:
    """Give the prefix of a function's name; empty where it has none.

    Examples
    --------
    >>> [function_service(name) for name in ("cart.add", "mcp__github__get_issue", "add_to_cart")]
    ['cart', 'github', '']
    """
    parts = [part for part in name.replace("__", ".").split(".") if part]
    if parts[:1] == ["mcp"]:  # how MCP clients mark a server's tools: mcp__SERVER__TOOL
        parts = parts[1:]
    return parts[0] if len(parts) > 1 else ""


def _entries(text: str, place: str) -> Iterator[tuple[str, Any]]:
    """Yield each function with its place."""
    lines = [(row, line) for row, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > 1 and _is_object(lines[0][1]) and _is_object(lines[1][1]):
        for row, line in lines:
            yield f"{place}:{row}", parse_json(line, place=place, line=row)
        return
    root = parse_json(text, place=place)
    at = ""
    if isinstance(root, dict) and isinstance(root.get("result"), dict):
        root, at = root["result"], "result."
    if isinstance(root, dict):
        for key in _LIST_KEYS:
            if key in root:
                root, at = root[key], at + key
                break
        else:
            if "name" in root or "function" in root:
                root = [root]
    if not isinstance(root, list):
        what = f"{at or 'the top'} is {_json_type(root)}"
        raise CatalogError(
            f'{place}: must be a JSON list of functions, {{"tools": [...]}} or one function a '
            f"line; {what}."
        )
    for row, value in enumerate(root):
        yield f"{place}: {at}[{row}]", value


def _is_object(line: str) -> bool:
    line = line.strip()
    return line.startswith("{") and line.endswith("}")


def _operation(value: Any, at: str, *, source: str) -> Operation:
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
        at += ".function"
    if not isinstance(value, dict):
        raise CatalogError(f"{at}: {_FORM}, got {_json_type(value)}.")
    name = value.get("name")
    if not isinstance(name, str) or not name.strip():
        raise CatalogError(f"{at}.name: {_FORM}; name is {_json_type(name)}.")
    description = value.get("description") or ""
    if not isinstance(description, str):
        raise CatalogError(f"{at}.description: must be text, got {_json_type(description)}.")
    service = function_service(name)
    return describe_operation(
        operation_id=name.strip(),
        service=service or source,
        tags=(service,) if service else (),
        description=description,
        parameters=_parameters(value, at),
        source=source,
    )


def _parameters(value: dict[str, Any], at: str) -> tuple[Parameter, ...]:
    key = next((key for key in _SCHEMA_KEYS if value.get(key) is not None), None)
    if key is None:
        return ()
    raw = value[key]
    here = f"{at}.{key}"
    if not isinstance(raw, dict):
        raise CatalogError(f"{here}: must be a JSON Schema object, got {_json_type(raw)}.")
    description = Description(raw, place=here, remark=_refuse)
    done = "its parameters are not known"
    schema, _ = description.follow(raw, ("#",), done=done)
    schema = schema or {}
    properties, _ = description.follow(
        schema.get("properties") or {}, ("#", "properties"), done=done
    )
    stated = schema.get("required")
    required = stated if isinstance(stated, list) else []
    return tuple(
        Parameter(
            name=str(name),
            type=schema_type(description, inner, ("#", "properties", name)),
            required=name in required,
        )
        for name, inner in (properties or {}).items()
    )


def _refuse(remark: Remark) -> None:
    raise CatalogError(str(remark))


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", type(None): "missing"}
    if isinstance(value, str) and not value.strip():
        return "empty"
    return names.get(type(value), repr(value))
