"""The AWS catalogue, against botocore's own reading of its service models."""

import gzip
import json
from pathlib import Path

import botocore.session
import pytest

from nextcall.catalog import CatalogError
from nextcall.catalog import aws as aws_module
from nextcall.catalog.aws import read_aws

SERVICE = "sqs"


@pytest.fixture
def one_service(tmp_path: Path) -> Path:
    """A folder of botocore's form with one service of the installed package."""
    (tmp_path / SERVICE).symlink_to(aws_module._installed_data() / SERVICE)
    return tmp_path


def test_agrees_with_botocore(one_service: Path) -> None:
    catalog = read_aws(data=one_service)
    model = botocore.session.get_session().get_service_model(SERVICE)
    assert [one.operation_id for one in catalog] == [
        f"{SERVICE}:{name}" for name in model.operation_names
    ]
    for operation in catalog:
        theirs = model.operation_model(operation.operation_id.partition(":")[2])
        shape = theirs.input_shape
        assert (operation.method, operation.path) == (
            theirs.http["method"], theirs.http["requestUri"],
        )  # fmt: skip
        assert [one.name for one in operation.parameters] == list(shape.members if shape else ())
        assert {one.name for one in operation.parameters if one.required} == set(
            shape.required_members if shape else ()
        )


def test_only_the_newest_version_counts(tmp_path: Path) -> None:
    for version, name in (("2020-01-01", "Old"), ("2021-01-01", "New")):
        path = tmp_path / "shop" / version / "service-2.json.gz"
        path.parent.mkdir(parents=True)
        model = {
            "metadata": {},
            "shapes": {},
            "operations": {name: {"http": {"method": "POST", "requestUri": "/"}}},
        }
        path.write_bytes(gzip.compress(json.dumps(model).encode()))
    [operation] = read_aws(data=tmp_path)
    assert (operation.operation_id, operation.tags) == ("shop:New", ("shop",))
    assert operation.parameters == ()


def test_what_is_no_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CatalogError, match="must hold SERVICE/VERSION"):
        read_aws(data=tmp_path)
    path = tmp_path / "shop" / "2020-01-01" / "service-2.json.gz"
    path.parent.mkdir(parents=True)
    for content in (b"{}", gzip.compress(b"{"), gzip.compress(b"{}" * 99)[:-9]):
        path.write_bytes(content)
        with pytest.raises(CatalogError, match="must be gzipped JSON"):
            read_aws(data=tmp_path)
    monkeypatch.setattr(aws_module, "find_spec", lambda _: None)  # as where it is absent
    with pytest.raises(CatalogError, match="botocore; it is not installed"):
        read_aws()
