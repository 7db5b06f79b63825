"""Catalogues as JSON lines."""

import json
from pathlib import Path

import pytest

from nextcall.catalog import CatalogError, Parameter
from nextcall.catalog.jsonl import read_jsonl, write_jsonl
from nextcall.catalog.load import load_catalog
from nextcall.locations import shared_dir

SETS = ("bfcl_multi_turn", "restbench_tmdb_wide", "stabletoolbench_g12", "tau_retail")


@pytest.mark.parametrize("name", SETS)
def test_the_evaluation_catalogues_keep_what_they_say(name: str, tmp_path: Path) -> None:
    path = shared_dir() / "data/ranking" / name / "catalog.jsonl"
    if not path.is_file():
        pytest.skip(f"the evaluation data is not at {shared_dir()}")
    catalog = read_jsonl(path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert catalog.name == name
    assert [one.operation_id for one in catalog] == [line["operation_id"] for line in lines]
    for one, line in zip(catalog, lines, strict=True):
        assert (one.method, one.path, list(one.tags)) == (
            line["method"], line["path"], line["tags"],
        )  # fmt: skip
        assert [inner.name for inner in one.parameters] == line["parameters"]
    write_jsonl(catalog, tmp_path / "catalog.jsonl")
    again = load_catalog(tmp_path / "catalog.jsonl")
    assert again.content_hash == catalog.content_hash


def test_only_the_id_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(
        '{"operation_id": "a"}\n\n'
        '{"operation_id": "b", "method": "get", "path": "/x/{id}/:no/<at>", "service": "s", '
        '"parameters": ["id", "no", "at", "q"], "tags": ["t"], "source": "o"}\n'
    )
    first, second = read_jsonl(path)
    assert (first.method, first.path, first.service, first.source) == (None, None, "mine", "mine")
    assert (second.method, second.service, second.tags, second.source) == ("GET", "s", ("t",), "o")
    assert second.parameters == (
        Parameter(name="id", location="path", required=True),
        Parameter(name="no", location="path", required=True),
        Parameter(name="at", location="path", required=True),
        Parameter(name="q"),
    )
    assert read_jsonl(path, name="other").name == "other"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.jsonl: must hold at least one operation"),
        ('{"operation_id": "a"}\n[]', r"a\.jsonl:2: must be a JSON object, got list"),
        ('\n{"operation_id": }', r"a\.jsonl:2:18: must be JSON"),
        ('{"path": "/a"}', r"a\.jsonl:1: operation_id must be text that is not empty"),
        ('{"operation_id": 3}', r"a\.jsonl:1: operation_id must be text, got 3"),
        (
            '{"operation_id": "a", "tags": "t"}',
            r"a\.jsonl:1: tags must be a list of texts, got 't'",
        ),
        ('{"operation_id": "a", "parameters": [{}]}', r":1: parameters must be a list of texts"),
        (
            '{"operation_id": "a"}\n{"operation_id": "a"}',
            r"a\.jsonl:2: operation_id must be unique, 'a' came before",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(CatalogError, match=message):
        read_jsonl(path)


def test_lists_may_be_null_or_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"operation_id": "a", "tags": null, "summary": null}')
    [operation] = read_jsonl(path)
    assert (operation.tags, operation.parameters, operation.summary) == ((), (), "")
