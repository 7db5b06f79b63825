"""Google APIs: the discovery documents inside the installed package google-api-python-client."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from nextcall.catalog.catalog import Catalog, CatalogError
from nextcall.catalog.document import join_pointer, parse_json
from nextcall.catalog.fetch import fetch
from nextcall.catalog.operation import Operation, Parameter, describe_operation
from nextcall.progress import Progress, silent


def read_google(*, progress: Progress = silent, documents: Path | None = None) -> Catalog:
    """Read every discovery document, all versions of each API.

    The package ships a few documents twice under two file names; the first in order counts.

    Parameters
    ----------
    progress : Progress
        Shows the documents as they are read.
    documents : Path, optional
        A folder of documents; the installed package's where none is given.

    Raises
    ------
    CatalogError
        Where google-api-python-client is not installed, or a document breaks a rule.
    """
    folder = documents or _installed_documents()
    paths = document_paths(folder)
    documents_by_source: dict[str, tuple[Operation, ...]] = {}
    for path in progress(paths, description="Reading Google", total=len(paths)):
        if operations := tuple(_read(path)):
            documents_by_source.setdefault(operations[0].source, operations)
    if not documents_by_source:
        raise CatalogError(f"{folder}: must hold discovery documents (*.json), found no method.")
    return Catalog("google", tuple(chain.from_iterable(documents_by_source.values())))


def document_paths(documents: Path | None = None) -> list[Path]:
    """Find the discovery documents; `documents` is a folder as in `read_google`."""
    folder = documents or _installed_documents()
    return [path for path in sorted(folder.glob("*.json")) if path.name != "index.json"]


def read_google_document(location: str | Path, *, cache_dir: Path | None = None) -> Catalog:
    """Read one discovery document, from a file or an address.

    Parameters
    ----------
    location : str or Path
        File, or http(s) address.
    cache_dir : Path, optional
        Folder where what an address gave is kept for an hour.

    Raises
    ------
    CatalogError
        Where it is no discovery document with at least one method.
    OSError
        Where it cannot be read.
    """
    operations = tuple(_read(location, cache_dir=cache_dir))
    if not operations:
        raise CatalogError(f"{location}: #/resources: must hold at least one method.")
    return Catalog(operations[0].source, operations)


def _installed_documents() -> Path:
    spec = find_spec("googleapiclient")  # found, not imported: it is slow and wants credentials
    if spec is None or spec.origin is None:
        raise CatalogError(
            "the Google catalogue is read from the package google-api-python-client, which is not "
            "installed: pip install 'nextcall[google]'."
        )
    return Path(spec.origin).parent / "discovery_cache" / "documents"


def _read(location: str | Path, *, cache_dir: Path | None = None) -> Iterator[Operation]:
    place = str(location)
    root = read_discovery(location, cache_dir=cache_dir)
    schemas = root.get("schemas") or {}
    for at, method in methods(root, "#"):
        try:
            yield _operation(root, schemas, method)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise CatalogError(
                f"{place}: {at}: must be a method with id, path, httpMethod ({reason})."
            ) from error


def read_discovery(location: str | Path, *, cache_dir: Path | None = None) -> dict[str, Any]:
    """Read a discovery document as it is written; errors are those of `read_google_document`."""
    place = str(location)
    root = parse_json(fetch(location, cache_dir=cache_dir), place=place)
    if not isinstance(root, dict):
        raise CatalogError(f"{place}: #: must be a discovery document, an object.")
    for key in ("name", "version"):
        if not isinstance(root.get(key), str) or not root[key]:
            raise CatalogError(f"{place}: #/{key}: a discovery document must state it as text.")
    return root


def methods(holder: Mapping[str, Any], at: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the methods of a document or resource and of all resources inside it, with places."""
    for name, method in (holder.get("methods") or {}).items():
        yield join_pointer(at, "methods", name), method
    for name, resource in (holder.get("resources") or {}).items():
        yield from methods(resource, join_pointer(at, "resources", name))


def _operation(
    root: Mapping[str, Any], schemas: Mapping[str, Any], method: Mapping[str, Any]
) -> Operation:
    name, version = root["name"], root["version"]
    own = method["id"].partition(".")[2] or method["id"]  # "compute.instances.list" without the API
    template = method.get("flatPath") or method["path"]
    return describe_operation(
        operation_id=f"{name}:{version}.{own}",
        method=method["httpMethod"],
        path=f"/{root.get('servicePath') or ''}{template}".replace("//", "/"),
        service=name,
        tags=(root.get("title") or name,),
        description=method.get("description") or "",
        parameters=(*_declared(method), *_body(schemas, method)),
        source=f"google:{name}:{version}",
    )


def _declared(method: Mapping[str, Any]) -> Iterator[Parameter]:
    for name, stated in (method.get("parameters") or {}).items():
        yield Parameter(
            name=name,
            location=stated["location"],
            type="array" if stated.get("repeated") else stated.get("type") or "",
            required=bool(stated.get("required")),
        )


def _body(schemas: Mapping[str, Any], method: Mapping[str, Any]) -> Iterator[Parameter]:
    request = method.get("request")
    if not request:
        return
    schema = schemas[request["$ref"]] if "$ref" in request else request
    for name, stated in (schema.get("properties") or {}).items():
        if not stated.get("readOnly"):
            required = method["id"] in stated.get("annotations", {}).get("required", ())
            kind = "object" if "$ref" in stated else stated.get("type") or ""
            kind = "" if kind == "any" else kind
            yield Parameter(name=name, location="body", type=kind, required=required)
