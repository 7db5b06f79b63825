import math
from pathlib import Path

import pytest

from nextcall.catalog import Catalog, Parameter, describe_operation
from nextcall.catalog import aws as aws_module
from nextcall.catalog.aws import read_aws
from nextcall.catalog.entities import catalog_needs, named_entity, resource_entity
from nextcall.catalog.responses import aws_responses
from nextcall.catalog.yields import GROUPS, SIGNS, catalog_yields, find_evidence


def required(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name=name, type="string", required=True) for name in names)


def test_every_sign_is_found_where_it_was_planted() -> None:
    rows = (
        ("shop:ListVolumes", required(), "Lists them."),
        ("shop:ListDbVolumes", required(), "Lists them."),
        ("shop:ListVolumeTypes", required(), "Lists types of each volume."),
        ("shop:DeleteVolume", required("VolumeId"), ""),
        ("shop:CreateServer", required("ImageId"), ""),
        ("shop:ListServers", (Parameter(name="ZoneId", type="string"),), ""),
        ("shop:StopServers", required("RackId"), ""),
        ("shop:GetZone", required("ZoneId"), ""),
    )
    catalog = Catalog(
        "shop",
        tuple(
            describe_operation(operation_id=name, service="shop", parameters=own, summary=text)
            for name, own, text in rows
        ),
    )
    found = {
        (rows[one.row][0].partition(":")[2], one.entity): {
            sign for sign, holds in zip(SIGNS, one.signs, strict=True) if holds
        }
        for one in find_evidence(catalog, catalog_needs(catalog))
    }
    assert found["ListVolumes", "volume"] == {"resource", "neighbour"}
    assert found["ListDbVolumes", "volume"] == {"head"}
    assert found["ListVolumeTypes", "volume"] == {"prefix", "mention"}
    assert found["ListServers", "image"] == {"attribute"}
    assert found["ListServers", "zone"] == {"optional", "neighbour"}
    assert found["ListServers", "rack"] == {"neighbour"}
    assert ("DeleteVolume", "volume") not in found, "it was given"


def test_probability_is_that_of_the_signs() -> None:
    catalog = Catalog(
        "shop",
        (
            describe_operation(operation_id="ListVolumes"),
            describe_operation(operation_id="DeleteVolume", parameters=required("VolumeId")),
        ),
    )
    needs = catalog_needs(catalog)
    [one] = find_evidence(catalog, needs)
    odds = math.exp(GROUPS["many"] + SIGNS["resource"] + SIGNS["neighbour"])
    assert one.probability == pytest.approx(odds / (1 + odds))
    assert catalog_yields(catalog, needs) == [{"volume": one.probability}, {}]


def test_likely_yields_are_in_the_output_shapes_of_aws(tmp_path: Path) -> None:
    """Held against output shapes; equal names alone find less."""
    for service in ("elbv2", "iam", "lambda", "rds", "sqs"):
        (tmp_path / service).symlink_to(aws_module._installed_data() / service)
    catalog = read_aws(data=tmp_path)
    shapes = aws_responses(data=tmp_path)
    given = [
        {entity for entity, identifies in map(named_entity, shapes[one.operation_id]) if identifies}
        for one in catalog
    ]
    needs = catalog_needs(catalog)
    evidence = list(find_evidence(catalog, needs))
    right = [one.entity in given[one.row] for one in evidence]
    likely = [one.probability >= 0.5 for one in evidence]
    same = [one.entity == resource_entity(catalog.operations[one.row]) for one in evidence]

    def hits(chosen: list[bool]) -> tuple[int, float]:
        n = sum(r for r, c in zip(right, chosen, strict=True) if c)
        return n, n / sum(chosen)

    n, precision = hits(likely)
    n_same, _ = hits(same)
    assert precision > 0.6
    assert n > 1.4 * n_same
    unlikely = [one.probability < 0.2 for one in evidence]
    assert hits(unlikely)[1] < 0.25
