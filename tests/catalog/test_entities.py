import pytest

from nextcall.catalog import Catalog, Operation, Parameter, describe_operation
from nextcall.catalog.entities import (
    catalog_needs,
    named_entity,
    operation_needs,
    parameter_entity,
    resource_entity,
)


def operation(name: str, *parameters: Parameter, path: str | None = None) -> Operation:
    method = None if path is None else "GET"
    return describe_operation(operation_id=name, method=method, path=path, parameters=parameters)


@pytest.mark.parametrize(
    ("name", "entity", "identifies"),
    [
        ("orderId", "order", True),
        ("user_ids", "user", True),
        ("LoadBalancerArns", "load balancer", True),
        ("file_name2", "file", True),
        ("issue_number", "issue", True),
        ("zip_code", "zip code", False),
        ("id", "", True),
        ("", "", False),
        ("movie_identifier_name", "movie", True),
    ],
)
def test_names_say_what_they_identify(name: str, entity: str, identifies: bool) -> None:  # noqa: FBT001  # a table's column
    assert named_entity(name) == (entity, identifies)


def test_a_bare_name_belongs_to_what_is_around_it() -> None:
    bare = Parameter(name="id", location="path", required=True)
    get = operation("x", bare, path="/users/{id}/posts/{post_id}")
    assert parameter_entity(get, bare) == ("user", True)
    starred = Parameter(name="name", location="path")
    assert parameter_entity(operation("x", path="/v1/buckets/{name+}"), starred)[0] == "bucket"
    typed = Parameter(name="id", location="path")
    assert parameter_entity(operation("x", path="/a/users/<int:id>"), typed)[0] == "user"
    colon = Parameter(name="id", location="path")
    assert parameter_entity(operation("x", path="/users/:id"), colon)[0] == "user"
    assert parameter_entity(operation("DeleteVolume"), Parameter(name="Id")) == ("volume", True)
    assert parameter_entity(operation("round"), Parameter(name="number")) == ("", False)


def test_the_resource_ends_where_the_name_goes_on() -> None:
    assert resource_entity(operation("get_zipcode_based_on_city")) == "zipcode"
    assert resource_entity(operation("find_user_id_by_email")) == "user"


def test_needs_are_entities_and_no_controls() -> None:
    needs = operation_needs(
        operation(
            "SearchShop",
            Parameter(name="shopId", type="string", required=True),
            Parameter(name="shop_name", type="string"),  # the same thing again
            Parameter(name="verbose", type="boolean"),
            Parameter(name="options", type="object"),
            Parameter(name="limit", type="string"),
            Parameter(name="radius", type="number"),
            Parameter(name="requestId", type="string", required=True),
            Parameter(name="city", type="string"),
        )
    )
    assert [(need.entity, need.clear, need.required) for need in needs] == [
        ("shop", True, 1.0),
        ("city", False, 0.0),
    ]


def test_what_names_the_new_thing_is_no_need() -> None:
    names = (Parameter(name="TableName", type="string", required=True),)
    assert operation_needs(operation("CreateTable", *names)) == ()
    [need] = operation_needs(operation("DeleteTable", *names))
    assert need.entity == "table"


def test_the_path_says_more_than_a_general_parameter() -> None:
    path = "/v1/projects/{projectsId}/clusters/{clustersId}"
    get = operation("get", Parameter(name="name", location="path", required=True), path=path)
    needs = operation_needs(get)
    assert [need.entity for need in needs] == ["project", "cluster"]
    assert all(need.in_path and need.required == 1.0 for need in needs)
    assert operation_needs(operation("get", path="/files/{}/{+}")) == (), "nameless"


def test_where_nothing_is_marked_required_it_is_likely() -> None:
    user, note = Parameter(name="user_id"), Parameter(name="note")
    silent = operation("call_user", user, note)
    [first, second] = operation_needs(silent, states_required=False)
    assert 0 < second.required < first.required < 1
    marked = Parameter(name="user_id", required=True)
    [[first, _]] = catalog_needs(Catalog("a", (operation("call_user", marked, note),)))
    assert first.required == 1.0
    [[first, _]] = catalog_needs(Catalog("a", (silent,)))
    assert 0 < first.required < 1
