"""What operations give back, against botocore's own models and a document made by hand."""

import json
from pathlib import Path

import botocore.session
import pytest

from nextcall.catalog import aws as aws_module
from nextcall.catalog.responses import aws_responses, google_responses, normal_name


@pytest.fixture
def one_service(tmp_path: Path) -> Path:
    (tmp_path / "lambda").symlink_to(aws_module._installed_data() / "lambda")
    return tmp_path


def text_fields(shape: object) -> set[str]:
    """Names of text fields as botocore's own objects give them."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [shape]
    while waiting:
        one: object = waiting.pop()
        kind = one.type_name  # type: ignore[attr-defined]  # untyped library
        if kind == "list":
            waiting.append(one.member)  # type: ignore[attr-defined]  # as above
        elif kind == "map":
            waiting.append(one.value)  # type: ignore[attr-defined]  # as above
        elif kind == "structure" and one.name not in seen:  # type: ignore[attr-defined]  # as above
            seen.add(one.name)  # type: ignore[attr-defined]  # as above
            for name, member in one.members.items():  # type: ignore[attr-defined]  # as above
                inner = member
                while inner.type_name in {"list", "map"}:
                    inner = inner.member if inner.type_name == "list" else inner.value
                if inner.type_name == "string":
                    found.add(normal_name(name))
                else:
                    waiting.append(member)
    return found


def test_agrees_with_botocore(one_service: Path) -> None:
    found = aws_responses(data=one_service)
    model = botocore.session.get_session().get_service_model("lambda")
    assert set(found) == {f"lambda:{name}" for name in model.operation_names}
    for name in model.operation_names:
        shape = model.operation_model(name).output_shape
        theirs = text_fields(shape) if shape else set()
        ours = found[f"lambda:{name}"]
        assert theirs <= ours
        extra = {name.rpartition(" ")[2] for name in ours - theirs}
        assert extra <= {"id", "arn", "name", "uuid"}, "bare names, with what is around them"
    assert "function arn" in found["lambda:ListFunctions"]


def test_google_fields_go_by_what_is_around_them(tmp_path: Path) -> None:
    document = {
        "name": "shop",
        "version": "v1",
        "schemas": {
            "OrderList": {"properties": {"orders": {"items": {"$ref": "OrderSummary"}}}},
            "OrderSummary": {
                "properties": {
                    "id": {"type": "string"},
                    "count": {"type": "integer"},
                    "parent": {"$ref": "OrderSummary"},
                    "buyer": {"properties": {"name": {"type": "string"}}},
                    "labels": {"additionalProperties": {"items": {"type": "string"}}},
                }
            },
        },
        "methods": {
            "list": {"id": "shop.orders.list", "response": {"$ref": "OrderList"}},
            "drop": {"id": "shop.orders.drop"},
        },
    }
    (tmp_path / "shop.json").write_text(json.dumps(document))
    (tmp_path / "index.json").write_text("{}")
    found = google_responses(documents=tmp_path)
    assert found["shop:v1.orders.drop"] == set()
    assert found["shop:v1.orders.list"] == {
        *("id", "order id", "parent id"),
        *("name", "buyer name", "label"),
    }
