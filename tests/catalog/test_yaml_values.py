"""YAML from a file that may be hostile."""

from itertools import pairwise

import pytest
import yaml

from nextcall.catalog import CatalogError
from nextcall.catalog.yaml_values import parse_yaml


def nested_aliases(line: str, *, levels: int = 12) -> str:
    """Every level stands nine times for the one above it: 9 ** levels values out of a few lines."""
    names = "abcdefghijklmnopqrstuvwxyz"
    lines = ["a: &a {k: [x, x, x]}"]
    for above, name in pairwise(names[: levels + 1]):
        aliases = ", ".join([f"*{above}"] * 9)
        lines.append(f"{name}: &{name} " + line.replace("ALIASES", f"[{aliases}]"))
    return "\n".join(lines)


@pytest.mark.parametrize("line", ["ALIASES", "{<<: ALIASES}", "{x: ALIASES}"])
def test_an_alias_bomb_is_refused(line: str) -> None:
    with pytest.raises(CatalogError, match="aliases must not stand for more than"):
        parse_yaml(nested_aliases(line), place="bomb.yaml")


def test_aliases_and_merge_keys_agree_with_pyyaml() -> None:
    text = """
    base: &base {a: x, b: [y]}
    list: &list [*base, *base]
    merged: {<<: *base, b: z}
    after: {b: z, <<: *base}
    two: {<<: [{a: first}, *base], c: w}
    again: *list
    scalar: &s text
    uses: [*s, *s]
    &k key: v
    *k : w
    """
    expected = yaml.load(text, Loader=yaml.SafeLoader)
    assert parse_yaml(text, place="a.yaml") == expected


def test_an_anchor_may_be_given_again() -> None:
    assert parse_yaml("[&a x, *a, &a y, *a]", place="a.yaml") == ["x", "x", "y", "y"]


def test_names_stay_what_they_are() -> None:
    text = "openapi: 3.0\n200: 2020-13-45\non: no\n? true\n: 0o7\ntime: 12:30:45\n"
    assert parse_yaml(text, place="a.yaml") == {
        "openapi": "3.0", "200": "2020-13-45", "on": "no", "true": "0o7", "time": "12:30:45",
    }  # fmt: skip


def test_plain_constants_are_constants_and_quoted_ones_are_text() -> None:
    text = "[true, False, null, ~, 'true', \"null\", !!python/object:os.system x]"
    assert parse_yaml(text, place="a.yaml") == [True, False, None, None, "true", "null", "x"]


def test_an_empty_document_is_none() -> None:
    assert parse_yaml("", place="a.yaml") is None
    assert parse_yaml("# nothing\n", place="a.yaml") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2", r"^f\.yaml:2:2: must be YAML"),
        ("a: \x00", r"^f\.yaml: must be YAML: unacceptable character"),
        ("a: b\n---\nc: d", r"^f\.yaml:2:1: must be one YAML document"),
        ("? [a]\n: b", r"^f\.yaml:1:3: the key of a mapping must be text"),
        ("a: &a {b: c}\nd: {*a : e}", r"^f\.yaml:2:5: the key of a mapping must be text"),
        ("a: &a [*a]", r"^f\.yaml:1:8: alias \*a must not contain itself"),
        ("a: *b", r"^f\.yaml:1:4: alias \*b must follow its anchor"),
        ("a: {<<: 3}", r"^f\.yaml:1:9: the value of << must be a mapping"),
        ("[" * 900, r"must be YAML"),
        ("[" * 200_000, r"^f\.yaml:1:1001: must not be nested deeper than 1,000 levels"),
        ("- " * 200_000 + "x", r"^f\.yaml:1:2001: must not be nested deeper than 1,000 levels"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        parse_yaml(text, place="f.yaml")


def test_a_thousand_levels_are_read() -> None:
    value = parse_yaml("- " * 1_000 + "x", place="deep.yaml")
    depth = 0
    while isinstance(value, list):
        (value,) = value
        depth += 1
    assert (depth, value) == (1_000, "x")
