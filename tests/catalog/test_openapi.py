"""OpenAPI and Swagger descriptions, right and wrong ones."""

import copy
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog import Catalog, CatalogError, Operation, Parameter
from nextcall.catalog.openapi import Remark, parse_openapi, read_openapi
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
        ('{"openapi": {}, "paths": 3}', r"^f: #/openapi: must be 3.x, got dict"),
        ('{"openapi": "3.1.0", "paths": []}', r"^f: #/paths: must be an object, got list"),
        (
            '{"openapi": "3.1.0", "webhooks": {}}',
            r"^f: #/paths: must hold at least one operation, got only webhooks",
        ),
        (
            described({"/a": {"get": {}}, "/b": {"$ref": "other.yaml#/a"}}),
            r"^f: #/paths/~1b: \$ref must point into this file .*, got 'other.yaml#/a'",
        ),
        (
            described({"/a": {"get": {}}, "/b": {"$ref": "#/no/where", "get": {}}}),
            r"^f: #/paths/~1b: \$ref must point at something .*, got '#/no/where'",
        ),
        (described({f"/{'a' * 9000}": {}}), r"^f: #/paths: a path must have at most 8,192 char"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        parse_openapi(text, place="f")


def read(text: str, *, place: str = "f") -> tuple[Catalog, list[str]]:
    """Read a description that is bad in places; what was remarked, without the file."""
    remarks: list[Remark] = []
    catalog = parse_openapi(text, place=place, remark=remarks.append)
    assert catalog == parse_openapi(text, place=place)  # whether anybody listens or not
    assert all(str(remark).startswith(f"{place}: {remark.pointer}: ") for remark in remarks)
    return catalog, [f"{remark.pointer}: {remark.rule}" for remark in remarks]


@pytest.mark.parametrize(
    ("item", "parameters", "remarks"),
    [
        ("todo", None, ["#/paths/~1a: must be an object"]),
        (None, None, []),
        ({"$ref": "#/c/A"}, None, ["#/paths/~1a: $ref must not lead round in a circle"]),
        ({"$ref": "#/c/A", "get": {}}, (), ["#/paths/~1a: $ref must not lead round in a circle"]),
        ({"get": None}, (), []),
        ({"get": 3}, (), ["#/paths/~1a/get: must be an object"]),
        ({"get": {"$ref": "#/no"}}, (), ["#/paths/~1a/get: $ref must point at something"]),
        ({"get": {"parameters": {}}}, (), ["#/paths/~1a/get/parameters: must be a list"]),
        (
            {"parameters": [{}, 3], "get": {}},
            (),
            [
                "#/paths/~1a/parameters/0/name: must be text that is not empty",
                "#/paths/~1a/parameters/1: must be an object",
            ],
        ),
        (
            {"get": {"parameters": [{"$ref": "#/no"}, {"$ref": "b.yaml#/x"}, {"$ref": "#/c/A"}]}},
            (),
            [
                "#/paths/~1a/get/parameters/0: $ref must point at something",
                "#/paths/~1a/get/parameters/1: $ref must point into this file",
                "#/c/B: $ref must not lead round in a circle",
            ],
        ),
        (
            {"get": {"parameters": [{"$ref": "#/no", "name": "x", "in": "Query"}]}},
            (Parameter(name="x", location="query"),),
            ["#/paths/~1a/get/parameters/0: $ref must point at something"],
        ),
        (
            {"get": {"parameters": [{"name": "x", "in": "air"}, {"name": "y", "in": []}]}},
            (Parameter(name="x", location="query"), Parameter(name="y", location="query")),
            [
                f"#/paths/~1a/get/parameters/{row}/in: must be path, query, header, cookie, "
                "formData or body"
                for row in (0, 1)
            ],
        ),
        (
            {"get": {"parameters": [{"name": "x", "in": "query", "schema": {"$ref": "#/no"}}]}},
            (Parameter(name="x", location="query"),),
            ["#/paths/~1a/get/parameters/0/schema: $ref must point at something"],
        ),
        (
            {"get": {"requestBody": {"$ref": "#/no"}}},
            (),
            ["#/paths/~1a/get/requestBody: $ref must point at something"],
        ),
        (
            {"get": {"requestBody": {"content": {"text/json": {"schema": {"$ref": "#/c/A"}}}}}},
            (Parameter(name="body", location="body"),),
            ["#/c/B: $ref must not lead round in a circle"],
        ),
        ({"get": {"tags": 3, "summary": ["x"], "operationId": {}, "requestBody": None}}, (), []),
        ({"GET": {"responses": {"200": {"$ref": "#/no"}}}}, (), []),  # holds nothing of ours
    ],
)
def test_what_is_wrong_costs_only_what_it_says(
    item: Any, parameters: tuple[Parameter, ...] | None, remarks: list[str]
) -> None:
    circle = {"A": {"$ref": "#/c/B"}, "B": {"$ref": "#/c/A"}}
    catalog, found = read(described({"/a": item, "/b": {"post": {}}}, c=circle))
    calls = {operation.api_call: operation for operation in catalog}
    assert set(calls) == {"POST /b", *(["GET /a"] if parameters is not None else [])}
    if parameters is not None:
        assert calls["GET /a"].parameters == parameters
    assert found == remarks


@pytest.mark.parametrize(
    ("key", "path"),
    [("a/{b}", "/a/{b}"), ("https://example.org:80/a", "/a"), ("x://y", "/"), ("", "/")],
)
def test_a_path_without_a_slash_gets_one(key: str, path: str) -> None:
    declared = {"parameters": [{"name": "b", "in": "air"}], "get": {}}
    catalog, remarks = read(described({key: declared}))
    assert [operation.path for operation in catalog] == [path]
    assert catalog.operations[0].parameters[0].location == ("path" if "{b}" in path else "query")
    assert remarks[0].endswith(": a path must begin with /")


def test_an_operation_id_that_came_before_gives_way() -> None:
    catalog, remarks = read(
        described(
            {
                "/a": {"get": {"operationId": "list"}, "post": {"operationId": " list "}},
                "/b": {"get": {"operationId": "list"}, "post": {"operationId": 3}},
            }
        )
    )
    assert [operation.operation_id for operation in catalog] == ["list", "POST /a", "GET /b", "3"]
    assert remarks == [
        "#/paths/~1a/post/operationId: must be unique",
        "#/paths/~1b/get/operationId: must be unique",
    ]


def test_methods_of_openapi_3_2_are_read() -> None:
    more = {"COPY": {"operationId": "copy"}, "GET": {"operationId": "no"}, "a b": {}}
    catalog, _ = read(described({"/a": {"query": {}, "get": {}, "additionalOperations": more}}))
    assert [one.api_call for one in catalog] == ["GET /a", "QUERY /a", "COPY /a"]


def test_a_path_speaks_for_operations_that_say_nothing() -> None:
    item = {"summary": "Of all", "description": "<b>Long</b>", "get": {}, "put": {"summary": "S"}}
    catalog, _ = read(described({"/a": item}))
    texts = [(one.summary, one.description) for one in catalog]
    assert texts == [("Of all", "Long"), ("S", "S")]


SOUND = yaml.safe_load("""
    openapi: 3.1.0
    info: {title: Shop}
    paths:
      /orders/{id}:
        $ref: "#/c/Item"
        parameters: [{name: id, in: path, schema: {type: [integer, "null"]}}]
      /old:
        summary: Old ones
        get: {tags: [a, b], operationId: old, parameters: [{$ref: "#/c/P"}], description: Text.}
    c:
      P: {name: q, in: query, content: {text/plain: {}}}
      S: {type: object, required: [a], properties: {a: {enum: [x]}, b: {allOf: [{$ref: "#/c/S"}]}}}
      Item:
        put: {requestBody: {content: {application/json: {schema: {$ref: "#/c/S"}}}, required: true}}
        additionalOperations: {COPY: {summary: Copy}}
""")
STRANGE: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1.5, "", "x", "#/c/S", "#/c/P", "#", "#/paths", "b.yaml", [], {}, [[]], [{}],
     {"": None}, {"$ref": "#/c/Item"}, {"$ref": "#"}, {"$ref": 3}, {"$ref": "#/c/P", "name": 3},
     ["a", 3, None, {}], {"get": {}}, {"type": ["x", {}]}, {"allOf": [{"$ref": "#/c/S"}, 3]}]
)  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    if isinstance(value, (dict, list)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(part, (*at, key))
    return found


@given(st.lists(st.tuples(st.sampled_from(places(SOUND)), STRANGE), min_size=1, max_size=4))
def test_whatever_stands_anywhere_it_is_a_catalogue_or_a_catalogue_error(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    root = copy.deepcopy(SOUND)
    for (*above, last), value in changes:
        holder = root
        try:
            for key in above:
                holder = holder[key]
            holder[last] = copy.deepcopy(value)
        except (TypeError, LookupError):
            continue  # an earlier change took the place away
    for text, place in ((json.dumps(root), "f.json"), (yaml.safe_dump(root), "f.yaml")):
        try:
            catalog, _ = read(text, place=place)
            assert len(catalog.to_frame()) == len(catalog) > 0
        except CatalogError as error:
            message = str(error)
            assert message.startswith(f"{place}: #")


@given(
    st.sampled_from(["f.json", "f.yaml"]),
    st.integers(0, 2_000),
    st.integers(0, 40),
    st.binary(max_size=6)
    | st.sampled_from([b"&a ", b"*a ", b"<<: ", b"\n- ", b"\\ud800", b"[" * 9]),
)
def test_whatever_bytes_a_file_holds_it_is_a_catalogue_or_a_catalogue_error(
    name: str, start: int, length: int, bytes_put_in: bytes
) -> None:
    text = json.dumps(SOUND) if name.endswith("json") else yaml.safe_dump(SOUND)
    content = text.encode()
    start %= len(content)
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content[:start] + bytes_put_in + content[start + length :])
        try:
            assert len(read_openapi(path)) > 0
        except CatalogError as error:
            message = str(error)
            assert message.startswith(f"{path}:")


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
