"""Transitions between abstract calls: what one API teaches holds for another."""

import json

import numpy as np
import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.catalog.actions import ACTIONS
from nextcall.embedding.embedder import Embedder
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.workflow import _EDGES, RELATIONS, WorkflowPrior
from nextcall.sessions import Session, calls_of
from nextcall.sessions.transitions import Transitions


def _after(prior: WorkflowPrior, index: CatalogIndex, *calls: str) -> dict[str, np.ndarray]:
    bigram, trigram = prior.probabilities(index.statics, index.positions(calls))
    return {"bigram": bigram, "trigram": trigram}


def test_a_uniform_prior_holds_every_step_for_equally_likely(shop_index: CatalogIndex) -> None:
    tables = _after(WorkflowPrior.uniform(), shop_index, "orders:GetOrder", "users:GetUser")
    for table in tables.values():
        assert table.shape == (len(ACTIONS), len(RELATIONS))
        np.testing.assert_allclose(table, table[0, 0])
        assert table.sum() < 1  # a first call of a session cannot come next


def test_what_mostly_followed_is_likeliest(
    shop_index: CatalogIndex, shop_prior: WorkflowPrior
) -> None:
    """After listing orders both planted sessions read the same resource."""
    for table in _after(shop_prior, shop_index, "orders:ListOrders").values():
        action, relation = np.unravel_index(table.argmax(), table.shape)
        assert (ACTIONS[action], RELATIONS[relation]) == ("read", "same")


def test_the_last_two_calls_say_more_than_the_last(
    shop_index: CatalogIndex, shop_prior: WorkflowPrior
) -> None:
    """Planted: found by search a user is deleted, found by list an order is cancelled or opened."""
    searched = _after(shop_prior, shop_index, "users:SearchUsers", "users:GetUser")
    listed = _after(shop_prior, shop_index, "users:ListUsers", "users:GetUser")
    np.testing.assert_array_equal(searched["bigram"], listed["bigram"])
    delete_same = ACTIONS.index("delete"), RELATIONS.index("same")
    assert searched["trigram"][delete_same] > searched["bigram"][delete_same]
    assert searched["trigram"][delete_same] > listed["trigram"][delete_same]


def test_probabilities_are_those_of_the_whole_run_of_calls(
    shop_index: CatalogIndex, shop_prior: WorkflowPrior
) -> None:
    """Planted: orders are listed, one is read, its items are listed, and an invoice is read."""
    run = ("orders:ListOrders", "orders:GetOrder", "orders:ListOrderItems")
    tokens = ["list:first", "read:same", "list:near"]
    found = _after(shop_prior, shop_index, *run)
    model = shop_prior.transitions
    for name, order in (("bigram", 2), ("trigram", 3)):
        expected = model.probabilities(tokens, order=order)
        for row, action in enumerate(ACTIONS):
            for column, relation in enumerate(RELATIONS):
                state = model.positions[f"{action}:{relation}"]
                assert found[name][row, column] == pytest.approx(expected[state])
    best = np.unravel_index(found["trigram"].argmax(), found["trigram"].shape)
    assert (ACTIONS[best[0]], RELATIONS[best[1]]) == ("read", "far")


def test_only_the_last_two_calls_count(shop_index: CatalogIndex, shop_prior: WorkflowPrior) -> None:
    newest = ("users:GetUser", "orders:ListOrders", "orders:GetOrder")
    short = _after(shop_prior, shop_index, *newest)
    long = _after(shop_prior, shop_index, "billing:SendInvoice", "billing:PayInvoice", *newest)
    for name, table in short.items():
        np.testing.assert_array_equal(table, long[name])


def test_another_catalogue_with_other_names_teaches_the_same(
    shop_prior: WorkflowPrior, embedder: Embedder
) -> None:
    """The planted sessions, told over trees and birds."""
    names = (
        *("trees:ListTrees", "trees:GetTree", "trees:CancelTree", "trees:ListTreeLeaves"),
        *("birds:SearchBirds", "birds:GetBird", "birds:DeleteBird"),
        *("nests:CreateNest", "nests:GetSong"),
    )
    park = CatalogIndex(
        Catalog(
            "park",
            tuple(
                describe_operation(operation_id=name, service=name.split(":")[0]) for name in names
            ),
        ),
        embedder,
    )
    runs = (
        ("trees:ListTrees", "trees:GetTree", "trees:CancelTree", "nests:CreateNest"),
        ("birds:SearchBirds", "no:Such", "birds:GetBird", "birds:DeleteBird"),
        ("trees:ListTrees", "trees:GetTree", "trees:ListTreeLeaves", "nests:GetSong"),
    )
    learned = WorkflowPrior.fit(
        park, [Session(session_id=run[0], user_id="u", calls=calls_of(run)) for run in runs]
    )
    assert learned.to_dict() == shop_prior.to_dict()


def test_relations_tell_resource_service_and_elsewhere_apart(shop_index: CatalogIndex) -> None:
    last, *rows = shop_index.positions(
        ["orders:GetOrder", "orders:ListOrders", "orders:TagResource", "users:TagResource"]
    )
    relation = WorkflowPrior.relations(shop_index.statics, last, np.array(rows))
    assert [RELATIONS[code] for code in relation] == ["same", "near", "far"]
    tags = shop_index.positions(["orders:TagResource", "users:TagResource"])
    assert WorkflowPrior.relations(shop_index.statics, tags[0], tags).tolist() == [0, 2]


def test_distances_obey_the_laws_of_shortest_ways(shop_prior: WorkflowPrior) -> None:
    distance = shop_prior.distance
    n = len(ACTIONS)
    assert (np.diag(distance) == 0).all()
    for start, end in _EDGES:
        assert distance[ACTIONS.index(start), ACTIONS.index(end)] == 1
    assert ((distance >= 0) & (distance <= n) & (distance == np.round(distance))).all()
    through = (distance[:, :, None] + distance[None, :, :]).min(axis=1)
    np.testing.assert_array_equal(distance, np.minimum(distance, through))


def test_json_brings_the_same_prior_back(
    shop_index: CatalogIndex, shop_prior: WorkflowPrior
) -> None:
    again = WorkflowPrior.from_dict(json.loads(json.dumps(shop_prior.to_dict())))
    calls = ("orders:ListOrders", "orders:GetOrder")
    for name, table in _after(shop_prior, shop_index, *calls).items():
        np.testing.assert_array_equal(table, _after(again, shop_index, *calls)[name])


def test_a_prior_over_other_actions_is_refused() -> None:
    foreign = Transitions.fit([["a", "b"]]).to_dict()
    with pytest.raises(ValueError, match="this version's actions and relations"):
        WorkflowPrior.from_dict(foreign)
