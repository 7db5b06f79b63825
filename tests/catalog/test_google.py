"""Google's discovery documents."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nextcall.catalog import CatalogError, Parameter
from nextcall.catalog import google as google_module
from nextcall.catalog.google import read_google, read_google_document

DOCUMENT: dict[str, Any] = {
    "name": "shop", "version": "v1", "title": "Shop API", "servicePath": "shop/v1/",
    "methods": {"ping": {"id": "shop.ping", "path": "ping", "httpMethod": "GET"}},
    "resources": {"orders": {
        "methods": {"insert": {
            "id": "shop.orders.insert", "path": "{+parent}/orders", "httpMethod": "POST",
            "flatPath": "users/{usersId}/orders", "description": "Adds <b>one</b>. Really.",
            "request": {"$ref": "Order"},
            "parameters": {
                "parent": {"location": "path", "type": "string", "required": True},
                "fields": {"location": "query", "type": "string", "repeated": True}}}},
        "resources": {"items": {"methods": {"list": {
            "id": "shop.orders.items.list", "path": "orders/{id}/items", "httpMethod": "GET"}}}}}},
    "schemas": {"Order": {"properties": {
        "id": {"type": "string", "readOnly": True},
        "item": {"$ref": "Item", "annotations": {"required": ["shop.orders.insert"]}},
        "note": {"type": "any"}}}},
}  # fmt: skip


def write(folder: Path, name: str, value: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(value))
    return path


def test_a_document_is_read_with_its_nested_resources(tmp_path: Path) -> None:
    catalog = read_google_document(write(tmp_path, "shop.v1.json", DOCUMENT))
    assert catalog.name == "google:shop:v1"
    assert [(one.operation_id, one.api_call, one.action, one.resource) for one in catalog] == [
        ("shop:v1.ping", "GET /shop/v1/ping", "read", "ping"),
        ("shop:v1.orders.insert", "POST /shop/v1/users/{usersId}/orders", "create", "order"),
        ("shop:v1.orders.items.list", "GET /shop/v1/orders/{id}/items", "list", "item"),
    ]
    insert = catalog["shop:v1.orders.insert"]
    assert (insert.service, insert.tags, insert.summary) == ("shop", ("Shop API",), "Adds one.")
    assert insert.parameters == (
        Parameter(name="parent", location="path", type="string", required=True),
        Parameter(name="fields", location="query", type="array"),
        Parameter(name="item", location="body", type="object", required=True),
        Parameter(name="note", location="body", type=""),
    )


def test_a_document_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    for name in ("shop.v1.json", "shopv1.json"):
        write(tmp_path, name, DOCUMENT)
    write(tmp_path, "shop.v2.json", {**DOCUMENT, "version": "v2"})
    write(tmp_path, "empty.v1.json", {"name": "empty", "version": "v1"})
    write(tmp_path, "index.json", {"items": []})
    seen: list[object] = []

    def watch(iterable: Any, *, description: str, total: int | None = None) -> Any:
        seen.append((description, total))
        return iterable

    catalog = read_google(documents=tmp_path, progress=watch)
    assert len(catalog) == 6
    assert catalog.services == ("shop",)
    assert seen == [("Reading Google", 4)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"#: must be a discovery document"),
        ({"version": "v1"}, r"#/name: a discovery document must state it"),
        ({"name": "a", "version": "v1"}, r"#/resources: must hold at least one method"),
        (
            {"name": "a", "version": "v1", "methods": {"x/y": {"id": "a.x", "path": "x"}}},
            r"a\.json: #/methods/x~1y: must be a method with id, path, httpMethod \(KeyError",
        ),
    ],
)
def test_what_is_no_document_is_refused(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        read_google_document(write(tmp_path, "a.json", value))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="must hold discovery documents"):
        read_google(documents=tmp_path)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google_module, "find_spec", lambda _: None)  # as where it is absent
    with pytest.raises(CatalogError, match=r"pip install 'nextcall\[google\]'"):
        read_google()


def test_the_installed_package_is_read_without_importing_it() -> None:
    pytest.importorskip("google_auth_httplib2", reason="the extra google is not installed")
    folder = google_module._installed_documents()
    assert "googleapiclient" not in sys.modules
    path = folder / "drive.v3.json"
    catalog = read_google_document(path)
    ids = {operation.operation_id for operation in catalog}
    assert "drive:v3.files.list" in ids
    assert len(ids) == path.read_text().count('"httpMethod"')
