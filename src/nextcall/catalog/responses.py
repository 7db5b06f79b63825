"""What operations give back, from the descriptions that say it: AWS's and Google's.

A catalogue knows what goes into an operation and not what comes out. Where a description has
output shapes, they are a truth that an inferred graph can be held against.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from nextcall.catalog.aws import newest_models, read_model
from nextcall.catalog.google import document_paths, methods, read_discovery
from nextcall.catalog.text import identifier_words, singular
from nextcall.progress import Progress, silent

_BARE: Final = frozenset({"arn", "id", "identifier", "name", "self link", "urn", "uuid"})
# What a structure's name has behind the thing that it describes: a "ClusterSummary" is a cluster.
_WRAPPINGS: Final = frozenset(
    {
        *("configuration", "data", "description", "detail", "entry", "info", "information", "item"),
        *("list", "member", "metadata", "output", "record", "response", "result", "status"),
        *("summary", "type"),
    }
)


def normal_name(name: str) -> str:
    """Write a field's name in one form, whatever its style and number.

    Examples
    --------
    >>> normal_name("VolumeIds"), normal_name("volume_id")
    ('volume id', 'volume id')
    """
    words = map(singular, identifier_words(name))
    return " ".join("id" if word == "ids" else word for word in words)


def aws_responses(
    *, progress: Progress = silent, data: Path | None = None
) -> dict[str, frozenset[str]]:
    """Read what every AWS operation gives back: names of text fields at any depth.

    A field that is only called ``Id``, ``Arn`` or ``Name`` also goes by the structure around it:
    ``Volume.Id`` is ``volume id``.

    Parameters
    ----------
    progress : Progress
        Shows the services as they are read.
    data : Path, optional
        A folder of botocore's form; the installed package's where none is given.

    Returns
    -------
    dict of str to frozenset of str
        By operation id, names as `normal_name` writes them.
    """
    found: dict[str, frozenset[str]] = {}
    models = newest_models(data)
    for service, path in progress(models.items(), description="Reading shapes", total=len(models)):
        model = read_model(path)
        inside = _aws_reader(model["shapes"])
        for name, operation in model["operations"].items():
            root = (operation["output"]["shape"], "") if "output" in operation else None
            found[f"{service}:{name}"] = _reached(root, inside)
    return found


def google_responses(
    *, progress: Progress = silent, documents: Path | None = None
) -> dict[str, frozenset[str]]:
    """Read what every Google method gives back; as `aws_responses`."""
    found: dict[str, frozenset[str]] = {}
    paths = document_paths(documents)
    for path in progress(paths, description="Reading schemas", total=len(paths)):
        document = read_discovery(path)
        inside = _google_reader(document.get("schemas") or {})
        for _, method in methods(document, "#"):
            own = method["id"].partition(".")[2] or method["id"]
            schema = (method.get("response") or {}).get("$ref")
            root = (schema, "") if schema else None
            name = f"{document['name']}:{document['version']}.{own}"
            found.setdefault(name, _reached(root, inside))
    return found


_Inside = Callable[[tuple[str, str]], tuple[frozenset[str], tuple[tuple[str, str], ...]]]
"""Gives the text fields and the inner structures of a structure and the field that it fills."""


def _reached(root: tuple[str, str] | None, inside: _Inside) -> frozenset[str]:
    found: set[str] = set()
    seen = set() if root is None else {root}
    waiting = list(seen)
    while waiting:
        names, inner = inside(waiting.pop())
        found |= names
        waiting.extend(new := set(inner) - seen)
        seen |= new
    return frozenset(found)


def _aws_reader(shapes: Mapping[str, Any]) -> _Inside:
    memory: dict[tuple[str, str], tuple[frozenset[str], tuple[tuple[str, str], ...]]] = {}

    def innermost(name: str) -> str:
        while shapes[name]["type"] in {"list", "map"}:
            name = shapes[name].get("member", shapes[name].get("value"))["shape"]
        return name

    def inside(
        node: tuple[str, str],
    ) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
        if node in memory:
            return memory[node]
        shape, holder = node
        names: set[str] = set()
        inner: list[tuple[str, str]] = []
        for field, member in shapes[shape].get("members", {}).items():
            kind = innermost(member["shape"])
            if shapes[kind]["type"] == "string":
                names.update(_names(field, holders=(holder, shape)))
            elif shapes[kind]["type"] == "structure":
                inner.append((kind, field))
        memory[node] = frozenset(names), tuple(inner)
        return memory[node]

    return inside


def _google_reader(schemas: Mapping[str, Any]) -> _Inside:
    def inside(
        node: tuple[str, str],
    ) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
        schema, holder = node
        names: set[str] = set()
        inner: list[tuple[str, str]] = []
        waiting = [(schema, holder, (schemas.get(schema) or {}).get("properties") or {})]
        while waiting:
            own, around, properties = waiting.pop()
            for field, stated in properties.items():
                value = stated
                while isinstance(value.get("items") or value.get("additionalProperties"), Mapping):
                    value = value.get("items") or value.get("additionalProperties")
                if "$ref" in value:
                    inner.append((value["$ref"], field))
                elif value.get("type") == "string":
                    names.update(_names(field, holders=(around, own)))
                else:
                    waiting.append(("", field, value.get("properties") or {}))
        return frozenset(names), tuple(inner)

    return inside


def _names(field: str, *, holders: tuple[str, str]) -> Iterator[str]:
    """Yield what a field goes by; `holders` are the field around it and its structure's name."""
    name = normal_name(field)
    yield name
    if name in _BARE:
        for holder in holders:
            words = normal_name(holder).split()
            while len(words) > 1 and words[-1] in _WRAPPINGS:
                words.pop()
            if words:
                yield " ".join((*words, name))
