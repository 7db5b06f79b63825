"""OpenAPI and Swagger descriptions, right and wrong ones."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog import CatalogError, Operation, Parameter
from nextcall.catalog.openapi import parse_openapi, read_openapi
from nextcall.locations import shared_dir

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def described(paths: dict[str, Any], **more: Any) -> str:
    return json.dumps({"openapi": "3.0.3", "info": {"title": "Shop"}, "paths": paths, **more})


def only(paths: dict[str, Any], **more: Any) -> Operation:
    [operation] = parse_openapi(described(paths, **more), place="shop.json")
    return operation


def facts(operation: Operation) -> set[tuple[str, str, str, bool]]:
    return {(one.name, one.location, one.type, one.required) for one in operation.parameters}


@given(
    st.dictionaries(
        st.text("ab{}~/%é ", max_size=6).map(lambda text: "/" + text),
        st.dictionaries(
            st.sampled_from(METHODS), st.sampled_from([None, "one", "two"]), min_size=1
        ),
        min_size=1,
    )
)
def test_every_method_of_every_path_is_there_once(paths: dict[str, dict[str, str | None]]) -> None:
    stated = {
        path: {method: {"operationId": name} for method, name in item.items()}
        for path, item in paths.items()
    }
    catalog = parse_openapi(described(stated), place="shop.json")
    assert sorted(operation.api_call for operation in catalog) == sorted(
        f"{method.upper()} {path}" for path, item in paths.items() for method in item
    )
    names = [name for item in paths.values() for name in item.values() if name]
    for operation in catalog:
        assert operation.operation_id in {operation.api_call, *names}
    assert {name for name in names if name in catalog} == set(names)


def test_an_id_that_reads_like_a_call_leaves_ids_unique() -> None:
    catalog = parse_openapi(
        described({"/a": {"get": {"operationId": "GET /b"}}, "/b": {"get": {}}}), place="f"
    )
    assert [operation.operation_id for operation in catalog] == ["GET /b", "GET /b (2)"]


def test_swagger_2_and_openapi_3_describe_the_same_operation() -> None:
    item = {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}}
    path = {"name": "id", "in": "path", "required": True}
    query = {"name": "full", "in": "query"}
    swagger = {
        "swagger": "2.0", "info": {"title": "Shop"}, "basePath": "/v1",
        "paths": {"/orders/{id}": {
            "parameters": [{**path, "type": "integer"}],
            "put": {"tags": ["orders"], "operationId": "putOrder", "parameters": [
                {**query, "type": "boolean"},
                {"name": "order", "in": "body", "schema": {"$ref": "#/definitions/Item"}}]},
        }},
        "definitions": {"Item": item},
    }  # fmt: skip
    openapi = {
        "openapi": "3.1.0", "info": {"title": "Shop"}, "servers": [{"url": "/v1"}],
        "paths": {"/orders/{id}": {
            "parameters": [{**path, "schema": {"type": "integer"}}],
            "put": {"tags": ["orders"], "operationId": "putOrder",
                "parameters": [{**query, "schema": {"type": ["null", "boolean"]}}],
                "requestBody": {"content": {"application/json": {
                    "schema": {"$ref": "#/components/schemas/Item"}}}}},
        }},
        "components": {"schemas": {"Item": item}},
    }  # fmt: skip
    first = parse_openapi(json.dumps(swagger), place="s.json")
    assert first == parse_openapi(yaml.safe_dump(openapi), place="o.yaml")
    [operation] = first
    assert (operation.path, operation.service) == ("/orders/{id}", "orders")
    assert facts(operation) == {
        ("id", "path", "integer", True), ("full", "query", "boolean", False),
        ("sku", "body", "string", True),
    }  # fmt: skip


def test_an_operation_overrides_its_path() -> None:
    shared = {"name": "q", "in": "query", "schema": {"type": "string"}}
    own = {"name": "q", "in": "query", "schema": {"type": "integer"}}
    header = {"name": "q", "in": "header", "content": {"application/json": {}}}
    operation = only({"/a": {"parameters": [shared, header], "get": {"parameters": [own]}}})
    assert facts(operation) == {("q", "query", "integer", False), ("q", "header", "object", False)}


def test_form_fields_are_body() -> None:
    fields = [{"name": "f", "in": "formData", "type": "file"}, {"name": "n", "in": "body"}]
    text = yaml.safe_dump({"swagger": "2.0", "paths": {"/a": {"post": {"parameters": fields}}}})
    [operation] = parse_openapi(text, place="f", untitled="plain")
    assert facts(operation) == {("f", "body", "string", False), ("n", "body", "", False)}
    assert operation.service == operation.source == "plain"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "array", "items": {}}, {("body", "array", True)}),
        (True, {("body", "", True)}),
        ({"enum": ["a", "b"]}, {("body", "string", True)}),
        ({"enum": [1]}, {("body", "", True)}),
        ({"items": {}}, {("body", "array", True)}),
        ({"additionalProperties": True}, {("body", "object", True)}),
        ({"type": "object"}, {("body", "object", True)}),
        (
            {"properties": {"a": {"readOnly": True}, "b": {"$ref": "#/components/schemas/T"}}},
            {("b", "object", False)},
        ),
        (
            {
                "allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}],
                "oneOf": [
                    {"properties": {"b": {"anyOf": [{"type": "null"}, {"type": "integer"}]}}},
                    {"properties": {"c": {}}, "required": ["c"]},
                ],
            },
            {("a", "string", True), ("b", "integer", False), ("c", "", False)},
        ),
        ({"$ref": "#/components/schemas/T"}, {("self", "object", True)}),
    ],
)
def test_a_body_is_its_properties(schema: Any, expected: set[tuple[str, str, bool]]) -> None:
    tree = {
        "allOf": [{"$ref": "#/components/schemas/T"}],
        "properties": {"self": {"$ref": "#/components/schemas/T"}},
        "required": ["self"],
    }
    body = {"content": {"text/xml": {}, "application/json": {"schema": schema}}, "required": True}
    post = {"post": {"requestBody": {"$ref": "#/components/requestBodies/B"}}}
    operation = only(
        {"/a": post}, components={"schemas": {"T": tree}, "requestBodies": {"B": body}}
    )
    assert {(name, kind, needed) for name, _, kind, needed in facts(operation)} == expected


def test_a_body_without_content_is_none() -> None:
    assert only({"/a": {"post": {"requestBody": {}}}}).parameters == ()


def test_a_path_item_may_be_a_reference_with_something_beside_it() -> None:
    item = {"get": {"operationId": "a"}, "summary": "x"}
    beside = {"$ref": "#/x-items/A", "parameters": [{"$ref": "#/x-items/P"}]}
    operation = only(
        {"/a/{id}": beside, "x-more": 3},
        **{"x-items": {"A": item, "P": {"name": "id", "in": "path"}}},
    )
    assert operation.parameters == (Parameter(name="id", location="path", required=True),)


def test_references_in_a_circle_just_stop() -> None:
    circle = {"A": {"$ref": "#/c/B"}, "B": {"$ref": "#/c/A"}}
    get = {"parameters": [{"$ref": "#/c/A"}], "requestBody": {"$ref": "#/c/B"}}
    assert only({"/a": {"get": get}}, c=circle).parameters == ()


def test_a_schema_nested_without_end_stops() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(200):
        deep = {"allOf": [deep]}
    content = {"application/json": {"schema": deep}}
    operation = only({"/a": {"post": {"requestBody": {"content": content}}}})
    assert operation.parameters == (Parameter(name="body", location="body"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", r"^f: #: must be an object with the key openapi or swagger"),
        ("plain text", r"^f: #: must be an object"),
        ("{}", r"^f: #: must have the key openapi or swagger, got none"),
        ('{"name": 1}', r"^f: #: must have the key openapi or swagger, got 'name'"),
        ('{"openapi": "2.0"}', r"^f: #/openapi: must be 3.x, got '2.0'"),
        ('{"swagger": "1.2"}', r"^f: #/swagger: must be 2.0, got '1.2'"),
        ('{"openapi": "3.1.0"}', r"^f: #/paths: must hold at least one operation"),
        (described({"a": {}}), r"^f: #/paths/a: a path must begin with /"),
        (described({"/a": {"get": 3}}), r"^f: #/paths/~1a/get: must be an object, got int"),
        (described({"/a": {"get": {"parameters": {}}}}), r"/get/parameters: must be a list"),
        (described({"/a": {"get": {"parameters": [{}]}}}), r"parameters/0/name: must be text"),
        (
            described({"/a": {"get": {"parameters": [{"name": "x", "in": "air"}]}}}),
            r"^f: #/paths/~1a/get/parameters/0/in: must be one of path, .*, got 'air'",
        ),
        (
            described({"/a": {"get": {"parameters": [{"$ref": "#/no/where"}]}}}),
            r"^f: #/paths/~1a/get/parameters/0: \$ref points at nothing: '#/no/where'",
        ),
        (
            described({"/a": {"$ref": "other.yaml#/a"}}),
            r"^f: #/paths/~1a: \$ref must point into this file .*, got 'other.yaml#/a'",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        parse_openapi(text, place="f")


def test_a_file_is_read_and_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "shop.json"
    path.write_text(described({"/a": {"get": {"tags": ["", "t"], "summary": "S"}}}))
    assert read_openapi(path).name == "Shop"
    catalog = read_openapi(str(path), name="mine")
    assert (catalog.name, catalog.operations[0].service) == ("mine", "t")


def test_the_tmdb_description_holds_the_operations_of_the_evaluation_set() -> None:
    folder = shared_dir() / "data/ranking/restbench_tmdb"
    if not folder.is_dir():
        pytest.skip(f"the evaluation data is not at {shared_dir()}")
    catalog = read_openapi(folder / "openapi.json")
    lines = [json.loads(line) for line in (folder / "catalog.jsonl").read_text().splitlines()]
    assert {one.api_call for one in catalog} == {line["operation_id"] for line in lines}
    by_call = {one.api_call: {inner.name for inner in one.parameters} for one in catalog}
    for line in lines:
        assert set(line["parameters"]) <= by_call[line["operation_id"]]
