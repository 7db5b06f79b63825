"""Function and tool schemas in every form that is about."""

import json
from pathlib import Path
from typing import Any

import pytest

from nextcall.catalog import Catalog, CatalogError
from nextcall.catalog.functions import parse_functions, read_functions

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"$ref": "#/$defs/Days"}, "any": {}},
    "required": ["city"],
    "$defs": {"Days": {"type": "integer"}},
}
NAMES = ("get_weather", "maps.find_place")


def tools(key: str) -> list[dict[str, Any]]:
    return [{"name": name, "description": "Does it.", key: SCHEMA} for name in NAMES]


def parsed(value: object) -> Catalog:
    return parse_functions(json.dumps(value), place="t.json", name="tools")


def test_all_forms_say_the_same() -> None:
    plain = parsed(tools("parameters"))
    openai = [{"type": "function", "function": one} for one in tools("parameters")]
    lines = "\n".join(json.dumps(one) for one in tools("parameters")) + "\n\n"
    assert parsed({"tools": tools("inputSchema")}) == plain
    assert parsed({"jsonrpc": "2.0", "result": {"tools": tools("inputSchema")}}) == plain
    assert parsed(tools("input_schema")) == plain
    assert parsed(openai) == plain
    assert parsed({"functions": openai}) == plain
    assert parse_functions(lines, place="t.jsonl", name="tools") == plain
    assert parsed(tools("parameters")[0]).operations == plain.operations[:1]


def test_what_a_function_says() -> None:
    weather, place = parsed(tools("parameters"))
    assert (weather.operation_id, weather.method, weather.path) == ("get_weather", None, None)
    assert (weather.service, weather.tags, place.service, place.tags) == (
        "tools", (), "maps", ("maps",),
    )  # fmt: skip
    assert [(one.name, one.location, one.type, one.required) for one in weather.parameters] == [
        ("city", "argument", "string", True),
        ("days", "argument", "integer", False),
        ("any", "argument", "", False),
    ]


def test_parameters_may_be_missing() -> None:
    catalog = parsed([{"name": "a"}, {"name": "b", "parameters": None, "description": None}])
    assert [one.parameters for one in catalog] == [(), ()]
    assert parsed([{"name": "a", "parameters": {"required": 3}}]).operations[0].parameters == ()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"^t.json: must hold at least one function"),
        ({"a": 1}, r"^t.json: must be a JSON list of functions, .*; the top is an object"),
        ({"tools": 3}, r"^t.json: must be a JSON list .*; tools is 3"),
        ("text", r"; the top is text"),
        ([3], r"^t.json: \[0\]: a function must be {name, description, .*, got 3"),
        ({"tools": [{}]}, r"^t.json: tools\[0\].name: .*; name is missing"),
        ([{"name": " "}], r"; name is empty"),
        ([{"function": {"name": []}}], r"^t.json: \[0\].function.name: .*; name is a list"),
        ([{"name": "a", "description": 3}], r"^t.json: \[0\].description: must be text, got 3"),
        ([{"name": "a", "parameters": []}], r"\[0\].parameters: must be a JSON Schema object"),
        ([{"name": "a"}, {"name": "a"}], r"^t.json: \[1\]: name must be unique, 'a' came before"),
        (
            [{"name": "a", "parameters": {"properties": {"x": {"$ref": "#/y"}}}}],
            r"^t.json: \[0\].parameters: #/properties/x: \$ref must point at something",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_place(value: object, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        parsed(value)


def test_a_broken_line_is_named() -> None:
    text = '{"name": "a"}\n{"name": "b"}\n{"name": }\n'
    with pytest.raises(CatalogError, match=r"^t:3:10: must be JSON"):
        parse_functions(text, place="t", name="t")


def test_a_file_names_the_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    path.write_text(json.dumps(tools("parameters")))
    assert read_functions(path).name == "agent"
    assert read_functions(path, name="mine").name == "mine"
