"""AWS: the service models inside the installed package botocore."""

import gzip
import json
import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nextcall.catalog.catalog import Catalog, CatalogError
from nextcall.catalog.operation import Operation, Parameter, describe_operation
from nextcall.progress import Progress, silent

_NOTE = re.compile(r"<(note|important)>.*?</\1>", re.DOTALL)
_LOCATIONS = {"uri": "path", "querystring": "query", "header": "header", "headers": "header"}
_JSON_TYPES = {
    "structure": "object", "map": "object", "list": "array", "blob": "string",
    "timestamp": "string", "string": "string", "character": "string", "boolean": "boolean",
    "integer": "integer", "long": "integer", "float": "number", "double": "number",
    "bigdecimal": "number",
}  # fmt: skip


def read_aws(*, progress: Progress = silent, data: Path | None = None) -> Catalog:
    """Read the newest version of every service that botocore describes.

    An operation's id is ``service:Operation`` as in IAM policies, with botocore's folder name for
    the service; its one tag is the service's full name.

    Parameters
    ----------
    progress : Progress
        Shows the services as they are read.
    data : Path, optional
        A folder of botocore's form; the installed package's where none is given.

    Raises
    ------
    CatalogError
        Where the folder holds no service model, or one that cannot be read.
    """
    newest = newest_models(data)
    operations: list[Operation] = []
    for service, path in progress(newest.items(), description="Reading AWS", total=len(newest)):
        operations.extend(_operations(service, read_model(path)))
    return Catalog("aws", tuple(operations))


def newest_models(data: Path | None = None) -> dict[str, Path]:
    """Find the newest model of each service; `data` is a folder as in `read_aws`."""
    folder = data or _installed_data()
    models = sorted(folder.glob("*/*/service-2.json.gz"))
    if not models:
        raise CatalogError(f"{folder}: must hold SERVICE/VERSION/service-2.json.gz, found none.")
    return {path.parent.parent.name: path for path in models}  # sorted: the last is the newest


def _installed_data() -> Path:
    spec = find_spec("botocore")
    if spec is None or spec.origin is None:
        raise CatalogError(
            "the AWS catalogue is read from the package botocore; it is not installed."
        )
    return Path(spec.origin).parent / "data"


def read_model(path: Path) -> dict[str, Any]:
    """Read a service model as it is written."""
    try:
        with gzip.open(path) as file:
            model: dict[str, Any] = json.load(file)
    except (OSError, EOFError, ValueError) as error:
        raise CatalogError(f"{path}: must be gzipped JSON: {error}.") from error
    return model


def _operations(service: str, model: dict[str, Any]) -> Iterable[Operation]:
    shapes = model["shapes"]
    full_name = model["metadata"].get("serviceFullName", service)
    for name, operation in model["operations"].items():
        yield describe_operation(
            operation_id=f"{service}:{name}",
            method=operation["http"]["method"],
            path=operation["http"]["requestUri"],
            service=service,
            tags=(full_name,),
            description=_notes_last(operation.get("documentation", "")),
            parameters=_parameters(operation.get("input"), shapes),
            source="botocore",
        )


def _notes_last(documentation: str) -> str:
    """Put notes behind the text: what an operation does comes first, warnings after.

    Examples
    --------
    >>> _notes_last("<note><p>Not for all.</p></note><p>Gets it.</p>")
    '<p>Gets it.</p> <note><p>Not for all.</p></note>'
    """
    notes = [match[0] for match in _NOTE.finditer(documentation)]
    return " ".join([_NOTE.sub("", documentation), *notes]).strip()


def _parameters(reference: dict[str, Any] | None, shapes: dict[str, Any]) -> tuple[Parameter, ...]:
    if reference is None:
        return ()
    shape = shapes[reference["shape"]]
    required = frozenset(shape.get("required", ()))
    return tuple(
        Parameter(
            name=name,
            location=_LOCATIONS.get(member.get("location", ""), "body"),
            type=_JSON_TYPES.get(shapes[member["shape"]]["type"], ""),
            required=name in required,
        )
        for name, member in shape.get("members", {}).items()
    )
