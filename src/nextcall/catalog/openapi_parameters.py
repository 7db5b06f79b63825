"""Parameters of an operation in an OpenAPI or Swagger description."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from nextcall.catalog.description import At, Description
from nextcall.catalog.operation import Parameter
from nextcall.catalog.schemas import body_parameters, schema_type

Parameters: TypeAlias = dict[tuple[str, str], Parameter]
"""Parameters by location and name, which no two of an operation share."""

_LOCATIONS: Final = {
    "path": "path", "query": "query", "querystring": "query", "header": "header",
    "cookie": "cookie", "formdata": "body",
}  # fmt: skip
_LEFT_OUT: Final = "the parameter is left out"
_HOLE: Final = re.compile(r"\{([^{}]*)\}")
_OPERATORS: Final = "+#./;?&*"  # of URI templates (RFC 6570): {+path}, {key*}
_NAME_END: Final = re.compile("[:=]")  # {id:[0-9]+}, {name=projects/*}


def declared_parameters(
    description: Description, holder: Mapping[str, Any], at: At, *, path: str
) -> Parameters:
    """Read the list ``parameters`` of a path or an operation; what has no name is left out."""
    found: Parameters = {}
    stated = holder.get("parameters")
    at = (*at, "parameters")
    if stated is None:
        return found
    if not isinstance(stated, list):
        description.note(at, "must be a list", "no parameter is read")
        return found
    for row, raw in enumerate(stated):
        description.spend(1)
        parameter, here = description.follow(raw, (*at, row), done=_LEFT_OUT)
        if parameter is None:
            continue
        name = parameter.get("name")
        if not isinstance(name, str) or not name:
            description.note((*here, "name"), "must be text that is not empty", _LEFT_OUT)
            continue
        stated_place = parameter.get("in")
        required = parameter.get("required") is True
        if stated_place == "body":
            schema = _schema(parameter)
            inner = body_parameters(
                description, schema, (*here, "schema"), name=name, required=required
            )
            found.update({(entry.location, entry.name): entry for entry in inner})
            continue
        place = _LOCATIONS.get(stated_place.lower()) if isinstance(stated_place, str) else None
        if place is None:
            place = "path" if f"{{{name}}}" in path.partition("?")[0] else "query"
            allowed = "path, query, header, cookie, formData or body"
            description.note((*here, "in"), f"must be {allowed}", f"it is read as {place}")
        found[place, name] = Parameter(
            name=name,
            location=place,
            type=_parameter_type(description, parameter, here),
            required=required or place == "path",
        )
    return found


def request_body(description: Description, raw: Any, at: At) -> Parameters:
    """Read the ``requestBody`` of OpenAPI 3; of several media types, the one nearest to JSON."""
    done = "no parameter of the body is read"
    body, at = description.follow(raw or {}, at, done=done)
    content, at = description.follow((body or {}).get("content") or {}, (*at, "content"), done=done)
    if not body or not content:
        return {}
    description.spend(len(content))
    media = min(content, key=lambda kind: (kind != "application/json", "json" not in kind))
    stated, at = description.follow(content[media] or {}, (*at, media), done=done)
    inner = body_parameters(
        description,
        _schema(stated or {}),
        (*at, "schema"),
        name="body",
        required=body.get("required") is True,
    )
    return {(entry.location, entry.name): entry for entry in inner}


def undeclared_parameters(
    description: Description, path: str, declared: Parameters, at: At
) -> Parameters:
    """Give the parameters that the template of a path names and nothing declares.

    What its query part names is a query parameter (``/search?q={q}``); case does not matter.
    """
    in_path = {name.lower() for location, name in declared if location == "path"}
    anywhere = {name.lower() for _, name in declared}
    query_at = _HOLE.sub(lambda hole: "_" * len(hole[0]), path).find("?")
    found: Parameters = {}
    for hole in _HOLE.finditer(path):
        is_query = hole[1][:1] in {"?", "&"} or 0 <= query_at < hole.start()
        known = anywhere if is_query else in_path
        for text in () if hole[1].lower() in known else hole[1].split(","):
            name = _NAME_END.split(text.strip(_OPERATORS), maxsplit=1)[0].strip()
            if name and name.lower() not in known:
                location = "query" if is_query else "path"
                found[location, name] = Parameter(
                    name=name, location=location, required=not is_query
                )
    description.spend(len(path) // 16 + len(found))
    if found:
        rule = "must declare every parameter of its template"
        description.note(at, rule, "the template's is taken, its type unknown")
    return found


def _schema(holder: Mapping[str, Any]) -> Any:
    schema = holder.get("schema")
    return {} if schema is None else schema


def _parameter_type(description: Description, parameter: Mapping[str, Any], at: At) -> str:
    if "schema" in parameter:  # OpenAPI 3
        return schema_type(description, _schema(parameter), (*at, "schema"))
    content = parameter.get("content")
    if isinstance(content, dict) and content:
        return "object"  # a serialised value
    return schema_type(description, {"type": parameter.get("type")}, at)  # Swagger 2.0
