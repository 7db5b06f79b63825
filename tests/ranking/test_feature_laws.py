"""What no feature depends on: the order of a catalogue, and what its services are called."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.embedding.embedder import Embedder
from nextcall.ranking.candidates import Retrieved, retrieve
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.features import compute_features
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Call, calls_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PROMPTS = (
    "list all orders of the customer",
    "Please cancel my order",
    "get the user's policies, then tag a resource",
    "send invoice by email",
    "who are you",
    "zzz qqq",
    "",
)
HISTORIES: tuple[tuple[Call, ...], ...] = (
    (),
    (Call(operation_id="orders:ListOrders", time=NOON - timedelta(seconds=90)),),
    calls_of(["users:SearchUsers", "users:GetUser"]),
    calls_of(["orders:ListOrders", "no:Such", "orders:GetOrder", "orders:GetOrder"]),
    calls_of(["no:Such"]),
    calls_of(["users:TagResource"] * 60 + ["billing:GetInvoice", "orders:GetOrder"] * 30),
    (
        Call(operation_id="users:GetUser", time=NOON - timedelta(days=1)),
        Call(operation_id="users:DeleteUser", time=NOON - timedelta(seconds=5)),
        Call(operation_id="billing:ListInvoices", time=NOON - timedelta(seconds=2)),
    ),
)


@settings(max_examples=25)
@given(order=st.permutations(range(22)), prompt=st.sampled_from(PROMPTS), data=st.data())
def test_the_order_of_a_catalogue_changes_no_feature(
    shop: Catalog,
    embedder: Embedder,
    shop_index: CatalogIndex,
    shop_prior: WorkflowPrior,
    order: list[int],
    prompt: str,
    data: st.DataObject,
) -> None:
    history = data.draw(st.sampled_from(HISTORIES))
    shuffled = Catalog("shuffled", tuple(shop.operations[row] for row in order))
    # Ties are broken by row: places in a list are compared where none is shared.
    places = {"rank_dense", "rank_text", "rank_name", "rank_full", "rank_fused", "fused_share"}
    places |= {"service_vote", "service_vote_gap", "rank_within_service"}
    places |= {"feeds_candidates", "rank_feeding"}  # candidates count by their fused score
    one = _by_operation(shop_index, prompt, history, shop_prior)
    other = _by_operation(CatalogIndex(shuffled, embedder), prompt, history, shop_prior)
    tied = _has_ties(retrieve(shop_index, prompt, history))
    assert one.keys() == other.keys()
    for column, name in enumerate(FEATURE_NAMES):
        if not (tied and name in places):
            np.testing.assert_allclose(
                [one[key][column] for key in one],
                [other[key][column] for key in one],
                rtol=1e-5,
                atol=1e-6,
                err_msg=name,
            )


def _by_operation(
    index: CatalogIndex, prompt: str, history: tuple[Call, ...], prior: WorkflowPrior
) -> dict[str, NDArray[np.float32]]:
    found = retrieve(index, prompt, history)
    values = compute_features(index, found, history, prior, now=NOON)
    rows = zip(found.rows, values, strict=True)
    return {index.catalog.operations[row].operation_id: line for row, line in rows}


def _has_ties(found: Retrieved) -> bool:
    fused = np.sort(found.fused)
    return bool((np.diff(fused) < 1e-6).any()) or any(
        (np.diff(np.sort(scores[scores > 0])) < 1e-5).any() for scores in found.scores.values()
    )


def _renamed(catalog: Catalog, names: dict[str, str]) -> Catalog:
    """Give every operation another id before its own name, and its service another name."""
    return Catalog(
        "renamed",
        tuple(
            replace(
                operation,
                operation_id=f"{names[operation.service]}:{operation.operation_id.split(':')[-1]}",
                service=names[operation.service],
            )
            for operation in catalog
        ),
    )


@given(names=st.permutations(["alpha", "beta", "gamma", "delta"]))
@settings(max_examples=10)
def test_what_services_are_called_changes_no_feature_of_structure(
    shop: Catalog,
    embedder: Embedder,
    shop_index: CatalogIndex,
    shop_prior: WorkflowPrior,
    names: list[str],
) -> None:
    """A service's name is a word of its operations' text; nothing else of it may show."""
    new_name = dict(zip(shop.services, names, strict=True))
    renamed = CatalogIndex(_renamed(shop, new_name), embedder)
    everything = np.arange(len(shop))
    history = HISTORIES[3]
    moved = calls_of([
        f"{new_name[call.operation_id.split(':')[0]]}:{call.operation_id.split(':')[1]}"
        if call.operation_id in shop
        else "nothing"
        for call in history
    ])  # fmt: skip
    structure = [
        *("endpoint_type", "n_parameters", "n_required", "n_name_words", "description_length"),
        *("deprecated", "service_size", "name_twins", "session_length", "last_endpoint_type"),
        *("last_resource", "history_resource", "workflow_distance", "bigram_prob", "trigram_prob"),
        *("last_service", "same_service_share", "same_resource_share", "times_called"),
        *("called_last", "plural_match", "name_bigrams", "verb_match", "action_verb_match"),
    ]
    tables = []
    for index, calls in ((shop_index, history), (renamed, moved)):
        found = retrieve(index, "list orders", calls, among=everything)
        values = compute_features(index, found, calls, shop_prior)
        tables.append(values[np.argsort(found.rows)])
    for name in structure:
        column = FEATURE_NAMES.index(name)
        np.testing.assert_allclose(
            tables[0][:, column], tables[1][:, column], rtol=1e-5, err_msg=name
        )
