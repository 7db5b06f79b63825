"""OpenAPI 3.x and Swagger 2.0 descriptions, in JSON or YAML, from a file or an address."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from nextcall.catalog.catalog import Catalog
from nextcall.catalog.description import (
    CIRCLE,
    NOTHING,
    OUTSIDE,
    At,
    Description,
    Remark,
    shown,
    stated_text,
)
from nextcall.catalog.document import parse_document
from nextcall.catalog.fetch import fetch, is_url
from nextcall.catalog.openapi_parameters import (
    Parameters,
    declared_parameters,
    request_body,
    undeclared_parameters,
)
from nextcall.catalog.operation import Operation, describe_operation

__all__ = ["Remark", "parse_openapi", "read_openapi"]

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_MAX_PATH: Final = 8_192  # characters, as many as servers take
# In the count of the work:
_STEPS_AN_OPERATION: Final = 16
_CHARACTERS_A_STEP: Final = 16  # of text that is cleaned


def read_openapi(
    location: str | Path,
    *,
    name: str | None = None,
    cache_dir: Path | None = None,
    remark: Callable[[Remark], object] | None = None,
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
    remark : callable, optional
        As `parse_openapi`.

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
    return parse_openapi(text, place=place, name=name, untitled=stem, remark=remark)


def parse_openapi(
    text: str,
    *,
    place: str,
    name: str | None = None,
    untitled: str = "openapi",
    remark: Callable[[Remark], object] | None = None,
) -> Catalog:
    """Read the text of an OpenAPI 3.x or Swagger 2.0 description.

    An operation's id is its ``operationId``, or ``METHOD /path`` where that is missing or an
    operation before it in the file has it. Its service is its first tag, else the title. Servers
    and ``basePath`` are no part of its path. Webhooks and callbacks, which the API calls, are left
    out.

    No operation is ever left out: where a reference leads to paths outside of the file, or to
    nothing, the description is refused. What else is wrong costs only what it says, such as a
    parameter without a name; ``docs/openapi.md`` has the list.

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
    remark : callable, optional
        Is called with a `Remark` for each place that breaks a rule and is read all the same.

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
    ...     get: {summary: Show an order, tags: [orders]}
    ... '''
    >>> remarks = []
    >>> [operation] = parse_openapi(text, place="shop.yaml", remark=remarks.append)
    >>> operation.operation_id, operation.service, operation.parameters[0].location
    ('GET /orders/{id}', 'orders', 'path')
    >>> remarks[0].pointer, remarks[0].rule
    ('#/paths/~1orders~1{id}/get', 'must declare every parameter of its template')
    """
    root = parse_document(text, place=place)
    description = Description(root, place=place, size=len(text), remark=remark)
    _check_version(description)
    info = root.get("info")
    title = stated_text(info.get("title")) if isinstance(info, dict) else ""
    source = name or title or untitled
    operations = tuple(_operations(description, title=title or source, source=source))
    if not operations:
        but = ", got only webhooks, which the API calls" if "webhooks" in root else ""
        raise description.error(("#", "paths"), f"must hold at least one operation{but}")
    return Catalog(source, operations)


def _check_version(description: Description) -> None:
    root = description.root
    if not isinstance(root, dict):
        rule = f"must be an object with the key openapi or swagger, got {shown(root)}"
        raise description.error(("#",), rule)
    if "openapi" in root:
        if stated_text(root["openapi"]).partition(".")[0] != "3":
            raise description.error(("#", "openapi"), f"must be 3.x, got {shown(root['openapi'])}")
    elif "swagger" in root:
        if stated_text(root["swagger"]) not in {"2", "2.0"}:
            raise description.error(("#", "swagger"), f"must be 2.0, got {shown(root['swagger'])}")
    else:
        keys = ", ".join(map(shown, islice(root, 5))) or "none"
        raise description.error(("#",), f"must have the key openapi or swagger, got {keys}")


def _operations(description: Description, *, title: str, source: str) -> Iterator[Operation]:
    paths = description.root.get("paths")
    if paths is not None and not isinstance(paths, dict):
        raise description.error(("#", "paths"), f"must be an object, got {shown(paths)}")
    taken: set[str] = set()
    for key, raw_item in (paths or {}).items():
        if key.startswith("x-"):
            continue
        if len(key) > _MAX_PATH:
            rule = f"a path must have at most {_MAX_PATH:,} characters, got {len(key):,}"
            raise description.error(("#", "paths"), rule)
        at: At = ("#", "paths", key)
        item, here = _path_item(description, raw_item, at)
        description.spend(len(item))
        path = _path(description, key, at)
        shared = declared_parameters(description, item, here, path=path)
        for method, raw, place in _stated_operations(item, here):
            done = "nothing but its method and path is known"
            body, inner = description.follow({} if raw is None else raw, place, done=done)
            body = body or {}
            yield _operation(
                description,
                body,
                inner,
                shared,
                item,
                identifier=_unique_id(description, body, f"{method} {path}", inner, taken),
                api_call=(method, path),
                title=title,
                source=source,
            )


def _path_item(description: Description, raw: Any, at: At) -> tuple[Mapping[str, Any], At]:
    item, here, rule = description.resolve({} if raw is None else raw, at)
    if rule in {NOTHING, OUTSIDE}:
        what = shown(raw["$ref"])
        raise description.error(
            at, f"{rule} (its operations would be lost; bundle all files into one), got {what}"
        )
    if rule:
        where = at if rule == CIRCLE else here
        description.note(where, rule, "no operation is read here")
    return item or {}, here


def _path(description: Description, key: str, at: At) -> str:
    if key.startswith("/"):
        return key
    description.note(at, "a path must begin with /", "it is read as if it did")
    server, separator, rest = key.partition("://")
    return f"/{rest.partition('/')[2]}" if separator and server.isalnum() else f"/{key}"


def _stated_operations(item: Mapping[str, Any], at: At) -> Iterator[tuple[str, Any, At]]:
    """Yield upper-case method, value and place of each operation of a path."""
    keys = {key.lower(): key for key in sorted(item)}  # "get" last: it wins over "GET"
    for method in _METHODS:
        if method in keys:
            yield method.upper(), item[keys[method]], (*at, keys[method])
    more = item.get("additionalOperations")  # OpenAPI 3.2: any other method
    if isinstance(more, dict):
        for key, raw in more.items():
            if key.isalnum() and key.lower() not in keys:
                yield key.upper(), raw, (*at, "additionalOperations", key)


def _operation(
    description: Description,
    body: Mapping[str, Any],
    at: At,
    shared: Parameters,
    item: Mapping[str, Any],
    *,
    identifier: str,
    api_call: tuple[str, str],
    title: str,
    source: str,
) -> Operation:
    method, path = api_call
    stated_tags = body.get("tags")
    tags = tuple(
        tag
        for tag in (stated_tags if isinstance(stated_tags, list) else ())
        if isinstance(tag, str) and tag.strip()
    )
    parameters = {**shared, **declared_parameters(description, body, at, path=path)}
    if "requestBody" in body:
        parameters |= request_body(description, body["requestBody"], (*at, "requestBody"))
    parameters |= undeclared_parameters(description, path, parameters, at)
    summary, details = (stated_text(body.get(key)) for key in ("summary", "description"))
    if not summary and not details:  # what the path says of all its operations
        summary, details = (stated_text(item.get(key)) for key in ("summary", "description"))
    description.spend(
        _STEPS_AN_OPERATION + len(tags) + (len(summary) + len(details)) // _CHARACTERS_A_STEP
    )
    return describe_operation(
        operation_id=identifier,
        method=method,
        path=path,
        service=tags[0] if tags else title,
        tags=tags,
        summary=summary,
        description=details,
        parameters=tuple(parameters.values()),
        source=source,
    )


def _unique_id(
    description: Description, body: Mapping[str, Any], api_call: str, at: At, taken: set[str]
) -> str:
    stated = identifier = stated_text(body.get("operationId"))
    if not identifier or identifier in taken:
        identifier = api_call
        count = 1
        while identifier in taken:  # somebody's operationId is this very text
            count += 1
            identifier = f"{api_call} ({count})"
        if stated:
            rule = "must be unique"
            description.note((*at, "operationId"), rule, "the id is METHOD /path in its place")
    taken.add(identifier)
    return identifier
