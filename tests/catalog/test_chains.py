import numpy as np

from nextcall.catalog import Catalog, Parameter, describe_operation
from nextcall.catalog.chains import find_chains
from nextcall.catalog.graph import OperationGraph


def chains_of(*rows: tuple[str, str]) -> list[tuple[int, list[int]]]:
    """Depth and chain of operations, given as name and the identifiers that each requires."""
    catalog = Catalog(
        "shop",
        tuple(
            describe_operation(
                operation_id=name,
                parameters=tuple(
                    Parameter(name=one, type="string", required=True) for one in needed.split()
                ),
                source="shop",
            )
            for name, needed in rows
        ),
    )
    chains = find_chains(OperationGraph.build(catalog))
    assert chains.depth.dtype == np.int64
    return [(int(depth), chains.chain(row)) for row, depth in enumerate(chains.depth)]


def test_a_planted_chain_is_followed() -> None:
    rows = (
        ("DeleteItem", "ItemId UserId"),
        ("ListItems", "OrderId"),
        ("ListOrders", "UserId"),
        ("ListUsers", ""),
        ("ListCoupons", ""),
    )
    assert chains_of(*rows) == [
        (3, [3, 2, 1, 0]),
        (2, [3, 2, 1]),
        (1, [3, 2]),
        (0, [3]),
        (0, [4]),
    ]


def test_the_soonest_way_to_learn_counts() -> None:
    rows = (("ListUsers", ""), ("ListOrders", "UserId"), ("GetOrder", "OrderId"))
    assert chains_of(*rows)[2] == (2, [0, 1, 2])
    assert chains_of(*rows, ("CreateOrder", ""))[2] == (1, [3, 2])


def test_a_circle_is_never_entered() -> None:
    rows = (("ListOrders", "UserId"), ("ListUsers", "OrderId"), ("ListItems", ""))
    assert chains_of(*rows) == [(-1, [0]), (-1, [1]), (0, [2])]
