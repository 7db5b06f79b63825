"""A catalogue made by hand, a real one of thirteen AWS services, and a ranker fitted on parts."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.catalog import Catalog, Parameter, describe_operation
from nextcall.catalog.aws import read_aws
from nextcall.embedding.embedder import Embedder
from nextcall.embedding.onnx import OnnxEmbedder
from nextcall.progress import Progress, silent
from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import QueryRows, query_rows
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Query, Session, calls_of
from nextcall.sessions.awscli_examples import read_awscli_examples, with_history

TRAINING_SERVICES = (
    *("acm", "codeguru-reviewer", "ecr-public", "elb", "medical-imaging", "mediastore"),
    *("route53profiles", "secretsmanager"),
)
VALIDATION_SERVICES = ("cloud9", "oam")
HELD_OUT_SERVICES = ("networkmonitor", "sqs", "sts")


class RememberingEmbedder:
    """The int8 model, asked once for each text: many indices of the same operations cost one."""

    def __init__(self) -> None:
        self._model = OnnxEmbedder(max_tokens=48)
        self._known: dict[str, NDArray[np.float32]] = {}

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def dimensions(self) -> int:
        return self._model.dimensions

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
        unknown = [text for text in dict.fromkeys(texts) if text not in self._known]
        vectors = self._model.encode(unknown, progress=progress)
        self._known |= dict(zip(unknown, vectors, strict=True))
        rows = [self._known[text] for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.dimensions)


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return RememberingEmbedder()


@pytest.fixture(scope="session")
def shop() -> Catalog:
    """Three services with twins, a deprecated operation, parameters, and one function."""
    order_id = Parameter(name="orderId", location="path", type="string", required=True)
    note = Parameter(name="customerNote", location="body", type="string")
    label = Parameter(name="labels", location="body", type="array", required=True)
    rows: list[tuple[str, str, str, tuple[Parameter, ...]]] = [
        ("orders", "ListOrders", "Lists all orders of a customer, newest first.", ()),
        ("orders", "GetOrder", "Returns one order with its items.", (order_id,)),
        ("orders", "CreateOrder", "Places a new order for items in the basket.", (note,)),
        ("orders", "UpdateOrder", "Changes the items of a pending order.", (order_id, note)),
        ("orders", "CancelOrder", "Cancels a pending order and refunds it.", (order_id,)),
        ("orders", "ListOrderItems", "Lists the items of an order.", (order_id,)),
        ("orders", "StartOrderExport", "Starts an export of orders to a file.", ()),
        ("orders", "TagResource", "Adds labels to an order.", (label,)),
        ("users", "ListUsers", "Lists the users of the shop.", ()),
        ("users", "SearchUsers", "Finds users by name or email.", ()),
        ("users", "GetUser", "Returns a user.", ()),
        ("users", "CreateUser", "Creates a user with an email address.", (note,)),
        ("users", "DeleteUser", "Deletes a user. " + "Orders of the user stay. " * 12, ()),
        ("users", "AttachUserPolicy", "Attaches a policy to a user.", ()),
        ("users", "ListUserPolicies", "Lists the policies of a user.", ()),
        ("users", "TagResource", "Adds labels to a user.", (label,)),
        ("billing", "GetInvoice", "Returns an invoice as a file.", (order_id,)),
        ("billing", "ListInvoices", "Lists invoices by month.", ()),
        ("billing", "SendInvoice", "Sends an invoice by email.", ()),
        ("billing", "PayInvoice", "Deprecated. Pays an invoice; no longer in use.", ()),
        ("billing", "CreateRefund", "Makes a refund for an invoice.", (note,)),
    ]
    named = (
        describe_operation(
            operation_id=f"{service}:{name}",
            method="POST",
            path="/",
            service=service,
            tags=(f"Shop {service.title()}",),
            description=description,
            parameters=parameters,
        )
        for service, name, description, parameters in rows
    )
    transfer = describe_operation(
        operation_id="transfer_to_human_agents", service="support", summary="Hand over to a person."
    )
    return Catalog("shop", (*named, transfer))


@pytest.fixture(scope="session")
def shop_index(shop: Catalog, embedder: Embedder) -> CatalogIndex:
    return CatalogIndex(shop, embedder)


@pytest.fixture(scope="session")
def shop_prior(shop_index: CatalogIndex) -> WorkflowPrior:
    """Transitions learned from three short sessions."""
    runs = (
        ("orders:ListOrders", "orders:GetOrder", "orders:CancelOrder", "billing:CreateRefund"),
        ("users:SearchUsers", "users:GetUser", "users:DeleteUser"),
        ("orders:ListOrders", "orders:GetOrder", "orders:ListOrderItems", "billing:GetInvoice"),
    )
    return WorkflowPrior.fit(
        shop_index,
        [
            Session(session_id=str(number), user_id="u", calls=calls_of(run))
            for number, run in enumerate(runs)
        ],
    )


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Thirteen services out of the installed package botocore, read as the whole is."""
    folder = tmp_path_factory.mktemp("botocore")
    spec = find_spec("botocore")
    assert spec is not None
    assert spec.origin is not None
    for service in (*TRAINING_SERVICES, *VALIDATION_SERVICES, *HELD_OUT_SERVICES):
        (folder / service).symlink_to(Path(spec.origin).parent / "data" / service)
    return read_aws(data=folder)


@pytest.fixture(scope="session")
def aws_index(aws: Catalog, embedder: Embedder) -> CatalogIndex:
    return CatalogIndex(aws, embedder)


@pytest.fixture(scope="session")
def aws_queries(aws: Catalog) -> list[Query]:
    """Real prompts, and each once more after two calls of its service."""
    bare = read_awscli_examples(aws)
    return [*bare, *with_history(bare, aws, rng=np.random.default_rng(0))]


@pytest.fixture(scope="session")
def aws_rows(aws_index: CatalogIndex, aws_queries: list[Query]) -> dict[str, QueryRows]:
    """Rows of the real prompts: ``training``, ``validation`` and ``held_out``, by service."""
    rows = query_rows(aws_index, aws_queries, WorkflowPrior.uniform())
    service = [aws_index.catalog[query.relevant[0]].service for query in aws_queries]
    parts = {
        "training": TRAINING_SERVICES,
        "validation": VALIDATION_SERVICES,
        "held_out": HELD_OUT_SERVICES,
    }
    return {
        name: rows.select(np.flatnonzero(np.isin(service, services)))
        for name, services in parts.items()
    }


@pytest.fixture(scope="session")
def ranker(aws_rows: dict[str, QueryRows]) -> CallRanker:
    """Fitted on eight services, tuned and calibrated on two others."""
    settings = BoostingSettings(trees=40, leaves=15)
    return CallRanker(settings=settings).fit_rows(
        aws_rows["training"],
        validation=aws_rows["validation"],
        prior=WorkflowPrior.uniform(),
        rng=np.random.default_rng(0),
    )
