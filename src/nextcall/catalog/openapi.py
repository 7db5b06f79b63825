"""OpenAPI 3.x and Swagger 2.0 descriptions, in JSON or YAML, from a file or an address."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from nextcall.catalog.catalog import Catalog
from nextcall.catalog.document import join_pointer, parse_document
from nextcall.catalog.fetch import fetch, is_url
from nextcall.catalog.operation import Operation, Parameter, describe_operation
from nextcall.catalog.schemas import Description, body_parameters, schema_type

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_LOCATIONS: Final = {
    "path": "path", "query": "query", "querystring": "query", "header": "header",
    "cookie": "cookie", "formData": "body",
}  # fmt: skip


def read_openapi(
    location: str | Path, *, name: str | None = None, cache_dir: Path | None = None
) -> Catalog:
    """Read an OpenAPI 3.x or Swagger 2.0 description.

    Parameters
    ----------
    location : str or Path
        File, or http(s) address.
    name : str, optional
        Name of the catalogue; the description's title where none is given.
    cache_dir : Path, optional
        Folder where what an address gave is kept for an hour; see `nextcall.catalog.fetch.fetch`.

    Raises
    ------
    CatalogError
        Where it is no such description; the message names the file, the JSON pointer and the rule.
    OSError
        Where it cannot be read.
    """
    place = str(location)
    text = fetch(location, cache_dir=cache_dir)
    stem = place.rstrip("/").rsplit("/", 1)[-1] if is_url(location) else Path(location).stem
    return parse_openapi(text, place=place, name=name, untitled=stem)


def parse_openapi(
    text: str, *, place: str, name: str | None = None, untitled: str = "openapi"
) -> Catalog:
    """Read the text of an OpenAPI 3.x or Swagger 2.0 description.

    An operation's id is its ``operationId``, or ``METHOD /path`` where that is missing or was
    taken before. Its service is its first tag, else the title. Servers and ``basePath`` are no
    part of its path. Webhooks and callbacks, which the API calls, are left out.

    Parameters
    ----------
    text : str
        JSON or YAML.
    place : str
        File or address, for messages.
    name : str, optional
        Name of the catalogue; the title where none is given.
    untitled : str, default "openapi"
        What to use where the description has no title.

    Raises
    ------
    CatalogError
        As `read_openapi`.

    Examples
    --------
    >>> text = '''
    ... openapi: 3.1.0
    ... info: {title: Shop}
    ... paths:
    ...   /orders/{id}:
    ...     parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    ...     get: {summary: Show an order, tags: [orders]}
    ... '''
    >>> [operation] = parse_openapi(text, place="shop.yaml")
    >>> operation.operation_id, operation.service, operation.parameters[0].type
    ('GET /orders/{id}', 'orders', 'integer')
    """
    description = Description(parse_document(text, place=place), place=place)
    _check_version(description)
    info = description.root.get("info")
    title = str((info.get("title") if isinstance(info, dict) else None) or "").strip()
    source = name or title or untitled
    operations = tuple(_operations(description, title=title or source, source=source))
    if not operations:
        raise description.error("#/paths", "must hold at least one operation")
    return Catalog(source, operations)


def _check_version(description: Description) -> None:
    root = description.root
    if not isinstance(root, dict):
        raise description.error("#", "must be an object with the key openapi or swagger")
    if "openapi" in root:
        if not str(root["openapi"]).startswith("3."):
            raise description.error("#/openapi", f"must be 3.x, got {root['openapi']!r}")
    elif "swagger" in root:
        if str(root["swagger"]) not in {"2", "2.0"}:
            raise description.error("#/swagger", f"must be 2.0, got {root['swagger']!r}")
    else:
        keys = ", ".join(map(repr, list(root)[:5])) or "none"
        raise description.error("#", f"must have the key openapi or swagger, got {keys}")


def _operations(description: Description, *, title: str, source: str) -> Iterator[Operation]:
    taken: set[str] = set()
    paths = description.mapping(description.root.get("paths") or {}, "#/paths")
    for path, raw_item in paths.items():
        if str(path).startswith("x-"):
            continue
        at = join_pointer("#/paths", path)
        if not str(path).startswith("/"):
            raise description.error(at, "a path must begin with /")
        item = description.mapping(raw_item or {}, at)
        shared = _declared(description, item, at)
        for method in _METHODS:
            if method not in item:
                continue
            here = join_pointer(at, method)
            body = description.mapping(item[method] or {}, here)
            identifier = _unique_id(body.get("operationId"), f"{method.upper()} {path}", taken)
            yield _operation(
                description, body, here, shared, identifier=identifier, title=title, source=source
            )


def _operation(
    description: Description,
    body: Mapping[str, Any],
    at: str,
    shared: Mapping[tuple[str, str], Parameter],
    *,
    identifier: str,
    title: str,
    source: str,
) -> Operation:
    *_, path, method = at.split("/")
    tags = tuple(str(tag) for tag in body.get("tags") or () if isinstance(tag, str) and tag.strip())
    parameters = {**shared, **_declared(description, body, at)}
    if "requestBody" in body:
        parameters.update(_request_body(description, body["requestBody"], at))
    return describe_operation(
        operation_id=identifier,
        method=method,
        path=path.replace("~1", "/").replace("~0", "~"),
        service=tags[0] if tags else title,
        tags=tags,
        summary=str(body.get("summary") or ""),
        description=str(body.get("description") or ""),
        parameters=tuple(parameters.values()),
        source=source,
    )


def _unique_id(stated: object, api_call: str, taken: set[str]) -> str:
    identifier = str(stated or "").strip()
    if not identifier or identifier in taken:
        identifier = api_call
        count = 1
        while identifier in taken:  # somebody's operationId is this very text
            count += 1
            identifier = f"{api_call} ({count})"
    taken.add(identifier)
    return identifier


def _declared(
    description: Description, holder: Mapping[str, Any], at: str
) -> dict[tuple[str, str], Parameter]:
    """Read the list ``parameters`` of a path or an operation, by location and name."""
    found: dict[tuple[str, str], Parameter] = {}
    stated = holder.get("parameters")
    if stated is None:
        return found
    if not isinstance(stated, list):
        raise description.error(join_pointer(at, "parameters"), "must be a list")
    for row, raw in enumerate(stated):
        here = join_pointer(at, "parameters", row)
        parameter = description.mapping(raw, here)
        if not parameter and "$ref" in raw:
            continue  # a reference that only leads round in a circle
        name = parameter.get("name")
        if not isinstance(name, str) or not name:
            raise description.error(join_pointer(here, "name"), f"must be text, got {name!r}")
        place = parameter.get("in")
        required = parameter.get("required") is True
        if place == "body":
            schema = parameter.get("schema") or {}
            inner = body_parameters(
                description, schema, join_pointer(here, "schema"), name=name, required=required
            )
            found.update({(entry.location, entry.name): entry for entry in inner})
            continue
        if place not in _LOCATIONS:
            allowed = ", ".join((*_LOCATIONS, "body"))
            raise description.error(
                join_pointer(here, "in"), f"must be one of {allowed}, got {place!r}"
            )
        found[_LOCATIONS[place], name] = Parameter(
            name=name,
            location=_LOCATIONS[place],
            type=_parameter_type(description, parameter, here),
            required=required or place == "path",
        )
    return found


def _parameter_type(description: Description, parameter: Mapping[str, Any], at: str) -> str:
    if "schema" in parameter:  # OpenAPI 3
        return schema_type(description, parameter["schema"], join_pointer(at, "schema"))
    content = parameter.get("content")
    if isinstance(content, dict) and content:
        return "object"  # a serialised value
    return schema_type(description, {"type": parameter.get("type")}, at)  # Swagger 2.0


def _request_body(
    description: Description, raw: object, at: str
) -> dict[tuple[str, str], Parameter]:
    at = join_pointer(at, "requestBody")
    body = description.mapping(raw or {}, at)
    content = description.mapping(body.get("content") or {}, join_pointer(at, "content"))
    if not content:
        return {}
    media = min(content, key=lambda kind: (kind != "application/json", "json" not in kind))
    at = join_pointer(at, "content", media)
    schema = description.mapping(content[media] or {}, at).get("schema") or {}
    inner = body_parameters(
        description,
        schema,
        join_pointer(at, "schema"),
        name="body",
        required=body.get("required") is True,
    )
    return {(entry.location, entry.name): entry for entry in inner}
