"""What a description may ask for, and what is said of its mistakes."""

import json
from typing import Any

import pytest

from nextcall.catalog import Catalog, CatalogError, Parameter
from nextcall.catalog.openapi import Remark, parse_openapi


def described(paths: dict[str, Any], **more: Any) -> str:
    return json.dumps({"openapi": "3.0.3", "info": {"title": "Shop"}, "paths": paths, **more})


def read(text: str) -> tuple[Catalog, list[str]]:
    remarks: list[Remark] = []
    catalog = parse_openapi(text, place="f", remark=remarks.append)
    return catalog, [f"{remark.pointer}: {remark.rule}" for remark in remarks]


def test_a_place_is_remarked_on_once() -> None:
    schema = {"properties": {"x": {"$ref": "#/no"}}}
    post = {"requestBody": {"content": {"a/b": {"schema": {"$ref": "#/c/S"}}}}}
    catalog, remarks = read(
        described({"/a": {"post": post}, "/b": {"post": post}}, c={"S": schema})
    )
    assert [operation.parameters for operation in catalog] == [
        (Parameter(name="x", location="body"),)
    ] * 2
    assert remarks == ["#/c/S/properties/x: $ref must point at something"]


PROPERTIES = {f"p{row}": {"$ref": "#/c/T"} for row in range(2_000)}
BOMBS = {
    "parameters": {"parameters": [{"name": name, "in": "query"} for name in PROPERTIES], "get": {}},
    "operations": {"additionalOperations": {name: {} for name in PROPERTIES}},
    "keys": {**dict.fromkeys(PROPERTIES, 1), "get": {}},
    "text": {"get": {"description": "word " * 20_000}},
    "tags": {"get": {"tags": list(PROPERTIES)}},
    "media": {"post": {"requestBody": {"content": {name: {} for name in PROPERTIES}}}},
    **{
        kind: {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}
        for kind, schema in {
            "properties": {"properties": PROPERTIES},
            "required": {"required": list(PROPERTIES)},
            "choices": {"enum": list(PROPERTIES)},
            "types": {"type": ["x"] * 2_000},
            "branches": {"allOf": [{} for _ in PROPERTIES]},
        }.items()
    },
}


@pytest.mark.parametrize("kind", BOMBS)
def test_references_that_repeat_too_much_are_refused(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextcall.catalog.description._MIN_LIMIT", 50_000)
    paths = {f"/a{row}": {"$ref": "#/c/Item"} for row in range(200)}
    text = described(paths, c={"Item": BOMBS[kind], "T": {"type": "string"}})
    with pytest.raises(CatalogError, match=r"^f: #: its references must not repeat so much"):
        parse_openapi(text, place="f")


def test_a_long_chain_of_references_is_a_circle() -> None:
    chain: dict[str, Any] = {f"x{row}": {"$ref": f"#/c/x{row + 1}"} for row in range(70)}
    chain["x70"] = {"name": "q", "in": "query"}
    for start, length in ((0, 0), (30, 1)):
        catalog, remarks = read(
            described({"/a": {"get": {"parameters": [{"$ref": f"#/c/x{start}"}]}}}, c=chain)
        )
        assert len(catalog.operations[0].parameters) == length
        assert len(remarks) == 1 - length
