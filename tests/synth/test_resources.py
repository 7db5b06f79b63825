import numpy as np

from nextcall.catalog import Catalog
from nextcall.synth.resources import ResourceMap
from nextcall.synth.workflow import STATES, state_of


def _near(resources: ResourceMap, service: str, resource: str) -> dict[tuple[str, str], float]:
    group = resources.names.index((service, resource))
    part = slice(resources.near_offsets[group], resources.near_offsets[group + 1])
    names = [resources.names[other] for other in resources.near[part]]
    return dict(zip(names, resources.nearness[part].tolist(), strict=True))


def test_cells_hold_the_operations_of_their_resource_and_state(shop: Catalog) -> None:
    resources = ResourceMap.of_catalog(shop)
    seen = 0
    for group, (service, resource) in enumerate(resources.names):
        assert resources.services[resources.service_of[group]] == service
        for state in range(len(STATES)):
            cell = group * len(STATES) + state
            rows = resources.operations[resources.offsets[cell] : resources.offsets[cell + 1]]
            expected = [
                row
                for row, operation in enumerate(shop)
                if (operation.service, operation.resource) == (service, resource)
                and state_of(operation.action) == state
            ]
            assert rows.tolist() == expected
            assert resources.masks[resources.mask_of[group], state] == bool(expected)
            seen += len(rows)
    assert seen == len(shop)
    assert resources.sizes.sum() == len(shop)


def test_resources_that_share_words_are_near(shop: Catalog) -> None:
    near = _near(ResourceMap.of_catalog(shop), "orders", "order")
    assert near["orders", "order item"] == 1 / 2
    assert ("orders", "order") not in near


def test_a_resource_named_by_a_parameter_is_near_both_ways(shop: Catalog) -> None:
    resources = ResourceMap.of_catalog(shop)
    assert _near(resources, "orders", "shipment") == {("orders", "carrier"): 1.0}
    assert _near(resources, "orders", "carrier") == {("orders", "shipment"): 1.0}


def test_what_is_related_to_nothing_has_its_whole_service_near(shop: Catalog) -> None:
    resources = ResourceMap.of_catalog(shop)
    near = _near(resources, "orders", "news")
    others = {name for name in resources.names if name[0] == "orders"} - {("orders", "news")}
    assert set(near) == others


def test_a_resource_alone_is_near_itself(shop: Catalog) -> None:
    alone = shop.subset(["users:GetUser"], name="alone")
    assert _near(ResourceMap.of_catalog(alone), "users", "user") == {("users", "user"): 1.0}


def test_moves_that_were_seen_add_to_the_nearness(shop: Catalog) -> None:
    moves = {
        ("orders:GetOrder", "orders:ListOrderItems"): 3,
        ("orders:GetOrder", "orders:PublishNews"): 2,
    }
    near = _near(ResourceMap.of_catalog(shop, moves=moves), "orders", "order")
    assert near["orders", "order item"] == 3.5
    assert near["orders", "news"] == 2.0


def test_nearness_is_positive_and_within_the_service(whole: Catalog) -> None:
    resources = ResourceMap.of_catalog(whole)
    assert (resources.nearness > 0).all()
    here = np.repeat(np.arange(len(resources.names)), np.diff(resources.near_offsets))
    assert (resources.service_of[here] == resources.service_of[resources.near]).all()
