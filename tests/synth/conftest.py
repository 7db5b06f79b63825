"""Small catalogues made by hand, and one that lacks nothing."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from nextcall.catalog import Catalog, Parameter, describe_operation

_VERBS = ("list", "get", "create", "update", "send", "start", "attach", "detach", "delete")


def _catalog(name: str, operations: dict[str, list[str]]) -> Catalog:
    return Catalog(
        name,
        tuple(
            describe_operation(
                operation_id=f"{service}:{own}",
                service=service,
                summary=f"This operation handles {own} for the {service} service.",
            )
            for service, names in operations.items()
            for own in names
        ),
    )


@pytest.fixture(scope="session")
def shop() -> Catalog:
    """Two services; resources that lack much, one that is named by another's parameter."""
    plain = _catalog(
        "shop",
        {
            "orders": [
                "ListOrders", "GetOrder", "CreateOrder", "UpdateOrder", "DeleteOrder",
                "StartOrderExport", "ListOrderItems", "DescribeCarrier", "PublishNews",
            ],
            "users": ["ListUsers", "SearchUsers", "GetUser", "AttachUserPolicy", "Invoke"],
        },
    )  # fmt: skip
    described = describe_operation(
        operation_id="orders:UpdateShipment",
        service="orders",
        summary="Updates the specified shipment of a carrier.",
        parameters=(Parameter(name="carrierId", required=True),),
    )
    return Catalog("shop", (*plain, described))


@pytest.fixture(scope="session")
def whole() -> Catalog:
    """Every resource has one operation for every state, so that nothing needs a stand-in."""
    return _catalog(
        "whole",
        {
            service: [f"{verb}_{noun}" for noun in ("page", "site", "form") for verb in _VERBS]
            for service in ("web", "app")
        },
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260105)


def _draw(figure: Figure) -> Any:
    """Draw for real, so that warnings of matplotlib fail the test."""
    file = BytesIO()
    figure.savefig(file, format="png")
    assert 2_000 < len(file.getvalue()) < 400_000
    return figure


@pytest.fixture
def draw() -> Callable[[Figure], Any]:
    return _draw
