"""A catalogue as JSON lines: one operation a line, its parameters as names."""

import json
from pathlib import Path
from typing import Any

from nextcall.catalog.actions import is_parameter, path_segments
from nextcall.catalog.catalog import Catalog, CatalogError
from nextcall.catalog.document import parse_json
from nextcall.catalog.fetch import fetch
from nextcall.catalog.operation import Operation, Parameter, describe_operation
from nextcall.files import atomic_path


def read_jsonl(path: Path, *, name: str | None = None) -> Catalog:
    """Read a file of JSON lines.

    A line is ``{"operation_id", "method", "path", "summary", "description", "parameters", "tags",
    "source"}``; all but the first may be missing or null. The service is ``service`` where a line
    has it, else the first tag, else the source. Of a parameter only the name is known, and that
    those in the path are required.

    Parameters
    ----------
    path : Path
        The file.
    name : str, optional
        Name of the catalogue; the file's stem, or its folder's name for ``catalog.jsonl``.

    Raises
    ------
    CatalogError
        Where a line breaks a rule; the message names file, line, key and rule.
    OSError
        Where the file cannot be read.
    """
    name = name or (path.absolute().parent.name if path.stem == "catalog" else path.stem)
    operations: dict[str, Operation] = {}
    for row, line in enumerate(fetch(path).split("\n"), 1):  # no other line break ends a line
        if not line.strip():
            continue
        at = f"{path}:{row}"
        operation = _operation(parse_json(line, place=str(path), line=row), at, source=name)
        if operation.operation_id in operations:
            raise CatalogError(
                f"{at}: operation_id must be unique, {operation.operation_id!r} came before."
            )
        operations[operation.operation_id] = operation
    if not operations:
        raise CatalogError(f"{path}: must hold at least one operation.")
    return Catalog(name, tuple(operations.values()))


def write_jsonl(catalog: Catalog, path: Path) -> None:
    """Write a catalogue as `read_jsonl` reads it; types and places of parameters are lost."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for operation in catalog:
            line = {
                "operation_id": operation.operation_id,
                "method": operation.method,
                "path": operation.path,
                "service": operation.service,
                "summary": operation.summary,
                "description": operation.description,
                "parameters": [parameter.name for parameter in operation.parameters],
                "tags": list(operation.tags),
                "source": operation.source,
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _operation(line: Any, at: str, *, source: str) -> Operation:
    if not isinstance(line, dict):
        raise CatalogError(f"{at}: must be a JSON object, got {type(line).__name__}.")
    identifier = _text(line, "operation_id", at)
    if not identifier.strip():
        raise CatalogError(f"{at}: operation_id must be text that is not empty.")
    path = _text(line, "path", at) or None
    filled = [segment for segment in path_segments(path or "") if is_parameter(segment)]
    return describe_operation(
        operation_id=identifier,
        method=_text(line, "method", at) or None,
        path=path,
        service=_text(line, "service", at),
        tags=_texts(line, "tags", at),
        summary=_text(line, "summary", at),
        description=_text(line, "description", at),
        parameters=tuple(_parameter(name, filled) for name in _texts(line, "parameters", at)),
        source=_text(line, "source", at) or source,
    )


def _parameter(name: str, filled: list[str]) -> Parameter:
    in_path = any(
        f"{{{name}}}" in segment or segment in {f":{name}", f"<{name}>"} for segment in filled
    )
    return Parameter(name=name, location="path" if in_path else "argument", required=in_path)


def _text(line: dict[str, Any], key: str, at: str) -> str:
    value = line.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CatalogError(f"{at}: {key} must be text, got {value!r}.")
    return value


def _texts(line: dict[str, Any], key: str, at: str) -> tuple[str, ...]:
    value = line.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise CatalogError(f"{at}: {key} must be a list of texts, got {value!r}.")
    return tuple(value)
