"""Things whose identifiers operations take: read from the names of parameters and from paths."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from nextcall.catalog.actions import is_parameter, path_segments
from nextcall.catalog.catalog import Catalog
from nextcall.catalog.operation import Operation, Parameter
from nextcall.catalog.text import identifier_words, singular

# Words at the end of a name that say: this identifies what stands before.
_IDENTIFYING: Final = frozenset(
    {
        *("arn", "guid", "handle", "id", "identifier", "iri", "name", "number", "ref"),
        *("reference", "slug", "uid", "uri", "url", "urn", "uuid"),
    }
)
# What a parameter is called that steers the answer and names nothing.
_CONTROLS: Final = frozenset(
    {
        *("count", "direction", "field", "filter", "format", "lang", "language", "limit", "marker"),
        *("max result", "next token", "offset", "order", "page", "page size", "page token"),
        *("per page", "query", "size", "sort", "tag", "type"),
    }
)
# Alone, the others are as often values: a number to add, a reference to read.
_BARE: Final = frozenset({"arn", "guid", "id", "identifier", "name", "slug", "uid", "urn", "uuid"})
_REPEATED: Final = "request"  # a requestId makes a repeated call count once: it is no thing
_ENDS_NOUN: Final = frozenset({"according", "based", "given"})
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}|<(?:\w+:)?(\w+)>|(?<=/):(\w+)")

# Requirements by kind of parameter where a description states none: shares of AWS's that it does
# require, those in paths aside (11,058 of 17,001 and 7,273 of 30,394).
_CLEAR_REQUIRED: Final = 0.65
_VAGUE_REQUIRED: Final = 0.24


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One entity whose identifier an operation takes."""

    entity: str
    """Singular words, such as ``db instance``."""
    clear: bool
    """Whether a parameter's name or place says that it is an identifier."""
    required: float
    """Probability that the operation cannot do without."""
    in_path: bool
    """Whether it is part of the address."""


def parameter_entity(operation: Operation, parameter: Parameter) -> tuple[str, bool]:
    """Give the entity that a parameter identifies, and whether its name or place says so.

    A bare ``id`` or ``name`` is that of the path's segment before it, else of what the operation
    works on.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> get = describe_operation(operation_id="getUser", method="GET", path="/users/{id}")
    >>> parameter_entity(get, Parameter(name="id", location="path"))
    ('user', True)
    >>> parameter_entity(get, Parameter(name="VolumeIds"))
    ('volume', True)
    >>> parameter_entity(get, Parameter(name="zip_code"))
    ('zip code', False)
    """
    entity, identifies = named_entity(parameter.name)
    clear = identifies or parameter.location == "path"
    if entity:
        return entity, clear
    if parameter.location != "path" and not _BARE.intersection(_normal_words(parameter.name)):
        return "", False
    holder, _ = named_entity(_segment_before(operation.path or "", parameter.name))
    return holder or resource_entity(operation), clear


@lru_cache(maxsize=200_000)
def named_entity(name: str) -> tuple[str, bool]:
    """Give the singular words of a name without ``id`` and the like, and whether it had them.

    Examples
    --------
    >>> named_entity("DBInstanceIdentifier"), named_entity("file_name2"), named_entity("Subnets")
    (('db instance', True), ('file', True), ('subnet', False))
    """
    words = _normal_words(name)
    kept = len(words)
    while kept and words[kept - 1] in _IDENTIFYING:
        kept -= 1
    return " ".join(words[:kept]), kept < len(words)


def resource_entity(operation: Operation) -> str:
    """Give the entity that an operation works on: its resource without ``id`` and the like.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> resource_entity(describe_operation(operation_id="find_user_id_by_email"))
    'user'
    """
    return _entity_of_resource(operation.resource)


@lru_cache(maxsize=100_000)
def _entity_of_resource(resource: str) -> str:
    words = resource.split()
    end = next((at for at, word in enumerate(words) if at and word in _ENDS_NOUN), len(words))
    return named_entity(" ".join(words[:end]))[0]


def operation_needs(operation: Operation, *, states_required: bool = True) -> tuple[Need, ...]:
    """Give the entities that an operation takes, each once.

    What a create operation is told of the thing that it creates is no need: it names the new one.

    Parameters
    ----------
    operation : Operation
    states_required : bool
        Whether the operation can do without a parameter that is not marked; False where the
        description marks none.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> attach = describe_operation(operation_id="AttachVolume", parameters=[
    ...     Parameter(name="VolumeId", type="string", required=True),
    ...     Parameter(name="DryRun", type="boolean")])
    >>> operation_needs(attach)
    (Need(entity='volume', clear=True, required=1.0, in_path=False),)
    """
    own = resource_entity(operation) if operation.action == "create" else ""
    found: dict[str, Need] = {}
    for parameter in _inputs(operation):
        if parameter.type in {"boolean", "object"}:
            continue
        entity, clear = parameter_entity(operation, parameter)
        in_path = parameter.location == "path"
        if not clear and (parameter.type in {"integer", "number"} or entity in _CONTROLS):
            continue
        if entity in {"", _REPEATED} or (entity == own and not in_path):
            continue
        likely = _CLEAR_REQUIRED if clear else _VAGUE_REQUIRED
        required = float(parameter.required) if states_required or parameter.required else likely
        if (before := found.get(entity)) is not None:
            clear, required = clear or before.clear, max(required, before.required)
            in_path = in_path or before.in_path
        found[entity] = Need(entity=entity, clear=clear, required=required, in_path=in_path)
    return tuple(found.values())


def catalog_needs(catalog: Catalog) -> list[tuple[Need, ...]]:
    """Give the needs of every operation, in the order of the catalogue."""
    stated = {
        operation.source
        for operation in catalog
        if any(one.required and one.location != "path" for one in operation.parameters)
    }
    return [operation_needs(one, states_required=one.source in stated) for one in catalog]


def _inputs(operation: Operation) -> Iterator[Parameter]:
    """Yield the parameters, and what stands in the path without being declared.

    Google declares ``parent`` and writes ``projects/{projectsId}/locations/{locationsId}``: then
    the path says more.
    """
    placeholders = dict.fromkeys(_placeholders(operation.path or ""))
    declared = {parameter.name for parameter in operation.parameters}
    undeclared = [name for name in placeholders if name not in declared]
    for parameter in operation.parameters:
        if parameter.location != "path" or not undeclared or parameter.name in placeholders:
            yield parameter
    for name in undeclared:
        yield Parameter(name=name, location="path", type="string", required=True)


def _placeholders(path: str) -> Iterator[str]:
    for match in _PLACEHOLDER.finditer(path):
        if name := next(filter(None, match.groups()), "").strip("+*?&#./; "):
            yield name


def _segment_before(path: str, name: str) -> str:
    """Give the last fixed segment of a path before the one that a parameter fills."""
    before = ""
    for segment in path_segments(path):
        if not is_parameter(segment):
            before = segment
        elif name in _placeholders(f"/{segment}"):
            return before
    return ""


def _normal_words(name: str) -> list[str]:
    plain = ["id" if word == "ids" else singular(word) for word in identifier_words(name)]
    while plain and plain[-1].isdigit():
        plain.pop()
    return plain
