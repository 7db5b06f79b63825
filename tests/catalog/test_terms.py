"""Where needs are met: within a service, at home elsewhere, or nowhere."""

import pytest

from nextcall.catalog import Catalog, Parameter, describe_operation
from nextcall.catalog.terms import _MOST_NEEDS, TermTables


def catalog_of(*rows: tuple[str, str, str]) -> Catalog:
    """Operations of a service, each requiring at most one identifier."""
    return Catalog(
        "some",
        tuple(
            describe_operation(
                operation_id=f"{service}:{name}",
                service=service,
                parameters=tuple(
                    Parameter(name=one, type="string", required=True) for one in needed.split()
                ),
                source="some",
            )
            for service, name, needed in rows
        ),
    )


def needs_of(tables: TermTables, row: int) -> dict[str, float]:
    found = zip(tables.need_terms[row], tables.need_required[row], strict=True)
    return {tables.terms[term]: float(required) for term, required in found if required}


def test_a_need_is_met_where_its_entity_is_at_home() -> None:
    tables = TermTables.build(
        catalog_of(
            ("iam", "ListRoles", ""),
            ("iam", "DeleteRole", "RoleArn"),
            ("jobs", "StartBatch", "RoleArn"),
            ("eks", "ListClusters", ""),
            ("eks", "DeleteCluster", "ClusterName"),
            ("ecs", "ListClusters", ""),
            ("ecs", "DeleteCluster", "ClusterName"),
            ("jobs", "SendAlert", "ClusterName"),
        )
    )
    assert needs_of(tables, 1) == {"iam/role": 1.0}
    assert needs_of(tables, 2) == {"/role": 1.0}, "only one service has roles"
    assert needs_of(tables, 4) == {"eks/cluster": 0.5, "/cluster": 0.5}, "two have clusters"
    assert needs_of(tables, 7) == {"/cluster": 0.5}, "either may be meant"
    given = {
        tables.terms[term]
        for term, chance in zip(tables.yield_terms[3], tables.yield_weights[3], strict=True)
        if chance
    }
    assert given == {"eks/cluster", "/cluster"}
    assert {tables.entity(term) for term in range(len(tables.terms))} == {"role", "cluster"}


def test_what_many_services_have_is_met_at_home_only() -> None:
    rows = [
        (f"s{number}", name, needed)
        for number in range(30)
        for name, needed in (("ListClusters", ""), ("DeleteCluster", "ClusterName"))
    ]
    tables = TermTables.build(catalog_of(*rows, ("jobs", "SendAlert", "ClusterName")))
    assert needs_of(tables, 1) == {"s0/cluster": pytest.approx(29 / 30)}
    assert needs_of(tables, 60) == {}


def test_a_name_is_shortened_where_nothing_else_fits() -> None:
    tables = TermTables.build(
        catalog_of(
            ("ec2", "ListVolumes", ""),
            ("ec2", "CopySnapshot", "SourceVolumeId"),
            ("ec2", "SendAlert", "PagerId"),
            ("ec2", "DeleteVolume", "VolumeId"),
        )
    )
    assert needs_of(tables, 1) == {"ec2/volume": 0.5}
    assert needs_of(tables, 2) == {}, "nothing gives pagers: the user says it"
    assert needs_of(tables, 3) == {"ec2/volume": 1.0}


def test_rare_entities_and_required_ones_weigh_more() -> None:
    optional = Parameter(name="GroupId", type="string")
    rows = catalog_of(
        *(("shop", f"Delete{name}Thing", "UserId") for name in ("Big", "Old", "New", "Red")),
        ("shop", "DeleteGroup", "GroupId"),
        ("shop", "ListUsers", ""),
        ("shop", "ListGroups", ""),
    )
    asked = describe_operation(
        operation_id="shop:StopAll", service="shop", parameters=(optional,), source="some"
    )
    tables = TermTables.build(Catalog("shop", (*rows.operations, asked)))
    user, group, maybe = (tables.need_weights[row].max() for row in (0, 4, 7))
    assert group > user
    assert group > maybe > 0
    assert tables.need_required[7].max() == 0


def test_only_the_heaviest_needs_are_kept() -> None:
    entities = [f"{a}{b}" for a in "bcdf" for b in ("am", "em", "im", "om", "um")]
    rows = [("s", f"List{entity.capitalize()}s", "") for entity in entities]
    everything = " ".join(f"{entity}Id" for entity in entities)
    tables = TermTables.build(catalog_of(*rows, ("s", "SendAlert", everything)))
    assert tables.need_terms.shape == (len(entities) + 1, _MOST_NEEDS)
    assert (tables.need_required[-1] == 1.0).all()
    assert len(tables) == len(entities) + 1
