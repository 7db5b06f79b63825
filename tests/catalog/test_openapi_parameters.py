"""Parameters that a description declares, and those that it forgets."""

import json
from typing import Any

import pytest

from nextcall.catalog import Catalog
from nextcall.catalog.openapi import Remark, parse_openapi


def described(paths: dict[str, Any], **more: Any) -> str:
    return json.dumps({"openapi": "3.0.3", "info": {"title": "Shop"}, "paths": paths, **more})


def read(text: str) -> tuple[Catalog, list[str]]:
    remarks: list[Remark] = []
    catalog = parse_openapi(text, place="f", remark=remarks.append)
    return catalog, [f"{remark.pointer}: {remark.rule}" for remark in remarks]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/{id}", {("id", "path", True)}),
        ("/a/{id}/b/{id}", {("id", "path", True)}),
        ("/a/{ID}", {("ID", "path", True)}),
        ("/a/{own}/{Own}", {("own", "path", True)}),
        ("/a/{path+}/{id:[0-9]+}/{name=x/*}", {(n, "path", True) for n in ("path", "id", "name")}),
        ("/a/{x,y}{.z}", {(n, "path", True) for n in "xyz"}),
        ("/a{?p,q*}{&r}", {(n, "query", False) for n in "pqr"}),
        ("/a?q={q}&r={listed}&own={own}", {("q", "query", False)}),
        ("/a/{}/{+}/{,}", set()),
        ("/a/{listed}", {("listed", "path", True)}),
    ],
)
def test_a_path_declares_its_parameters(path: str, expected: set[tuple[str, str, bool]]) -> None:
    listed = [{"name": "listed", "in": "query"}]
    if "{own}" in path:
        listed.append({"name": "own", "in": "path"})
    catalog, remarks = read(described({path: {"get": {"parameters": listed}}}))
    [operation] = catalog
    found = {(one.name, one.location, one.required) for one in operation.parameters}
    assert found == expected | {(one["name"], one["in"], one["in"] == "path") for one in listed}
    missing = expected - {("own", "path", True)}
    assert len(remarks) == bool(missing)
