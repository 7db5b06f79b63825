"""JSON and YAML texts as values."""

import json
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog import CatalogError
from nextcall.catalog.document import follow_pointer, join_pointer, parse_document, parse_json

keys = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
leaves = st.booleans() | st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)


@given(values)
def test_json_agrees_with_the_standard_library(value: object) -> None:
    text = json.dumps({"value": value})
    assert parse_document(text, place="a.json") == json.loads(text)


@given(values, st.data())
def test_a_pointer_leads_to_where_it_was_made_for(value: object, data: st.DataObject) -> None:
    pointer, here = "#", value
    while isinstance(here, (dict, list)) and here:
        places = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(places))
        if "%" in str(key):
            return  # a % in a URI fragment is an escape
        pointer, here = join_pointer(pointer, key), here[key]
    assert follow_pointer(value, pointer) == here


@pytest.mark.parametrize(
    "pointer", ["#/b", "#/a/9", "#/a/x", "#/a/0/c", "a", "#a", f"#/a/{'1' * 5_000}"]
)
def test_a_pointer_to_nothing_is_a_lookup_error(pointer: str) -> None:
    with pytest.raises(LookupError):
        follow_pointer({"a": [1]}, pointer)


def test_a_pointer_may_be_percent_encoded() -> None:
    assert follow_pointer({"a b{c}": 1}, "#/a%20b%7Bc%7D") == 1


def test_half_a_surrogate_pair_is_replaced_a_whole_one_is_kept() -> None:
    assert parse_json(r'["\ud800x", "\ud83d\ude00"]', place="a") == ["?x", "\U0001f600"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a":\n x}', r"^a\.json:2:2: must be JSON"),
        ("[" * 200_000, "must not be nested this deep"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        parse_document(text, place="a.json")


def test_an_integer_of_thousands_of_digits_is_a_number() -> None:
    digits = "1" * 5_000
    assert parse_json(f"[{digits}, 12, -{digits}]", place="a") == [math.inf, 12, -math.inf]
    assert parse_json(rf'[{digits}, "\ud800"]', place="a") == [math.inf, "?"]
    with pytest.raises(CatalogError, match=r"^a:1:5003: must be JSON"):
        parse_json(f"[{digits} x]", place="a")


def test_a_line_of_a_file_is_named() -> None:
    with pytest.raises(CatalogError, match=r"^a\.jsonl:7:1: must be JSON"):
        parse_json("x", place="a.jsonl", line=7)


def test_a_brace_in_a_yaml_file_is_yaml() -> None:
    assert parse_document("{a: 1}", place="a.yaml") == {"a": "1"}
    assert parse_document('{"a": 1}', place="a.yml") == {"a": 1}  # which is JSON too, and faster
    with pytest.raises(CatalogError, match=r"^a\.yaml:1:3: must be YAML"):
        parse_document("{a]", place="a.yaml")
    assert parse_document("\ufeff{}", place="a") == {}


texts_only = st.recursive(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
)


@given(texts_only)
def test_yaml_agrees_with_pyyaml(value: object) -> None:
    text = yaml.safe_dump({"value": value}, default_style='"')
    assert parse_document(text, place="a.yaml") == yaml.load(text, Loader=yaml.SafeLoader)
