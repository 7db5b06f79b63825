"""Which level answers, and what the two levels without a ranker and without text put first."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.catalog import Catalog, Parameter, describe_operation
from nextcall.embedding.embedder import Embedder
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.cold_start import (
    ColdStartLevel,
    Conventions,
    best_rows,
    choose_level,
    names_something,
)
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.metrics import ndcg
from nextcall.sessions import Query, calls_of

ROUTES = (
    "GET /orders/{orderId}/items",
    "DELETE /orders/{orderId}",
    "POST /users",
    "POST /orders/{orderId}/items",
    "GET /orders/{orderId}",
    "PUT /orders/{orderId}",
    "GET /users/{userId}",
    "POST /orders",
    "GET /orders",
    "GET /users",
    "DELETE /users/{userId}",
)


def _catalog(routes: tuple[str, ...]) -> Catalog:
    operations = []
    for route in routes:
        method, path = route.split()
        ids = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        parameters = [Parameter(name=name, location="path", required=True) for name in ids]
        operations.append(
            describe_operation(operation_id=route, method=method, path=path, parameters=parameters)
        )
    return Catalog("shop", tuple(operations))


@pytest.fixture(scope="module")
def rest(embedder: Embedder) -> CatalogIndex:
    """Orders with items, and users, as REST puts them."""
    return CatalogIndex(_catalog(ROUTES), embedder)


def _order(index: CatalogIndex, scores: np.ndarray) -> list[str]:
    return [index.catalog.operations[row].operation_id for row in best_rows(scores, len(index))]


def _next(index: CatalogIndex, *called: str, prompt: str = "!!!") -> list[str]:
    return _order(index, Conventions(index).rest_scores(prompt, calls_of(called)))


def test_the_levels_go_from_most_that_is_known_to_least() -> None:
    assert [str(level) for level in ColdStartLevel] == [
        "none", "prompt_only", "zero_shot", "fused_retrieval", "rest_conventions", "generic_crud",
    ]  # fmt: skip
    found = set()
    for ranker, here, calls, text, paths in product(
        (True, False), (True, False), (0, 3), (True, False), (True, False)
    ):
        level = choose_level(
            has_ranker=ranker, trained_here=here, known_calls=calls, text_match=text,
            has_paths=paths,
        )  # fmt: skip
        found.add(level)
        if ranker:
            expected = ("none" if calls else "prompt_only") if here else "zero_shot"
        elif text:
            expected = "fused_retrieval"
        else:
            expected = "rest_conventions" if calls or paths else "generic_crud"
        assert level == expected
    assert found == set(ColdStartLevel)  # each can be reached


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("cancel it", True),  # a word of the catalogue, and be it a verb
        ("the customers who bought something", True),
        ("!!!", False),
        ("名前を一覧", False),
        ("xyzzy", False),
    ],
)
def test_a_prompt_names_something_or_nothing(
    shop_index: CatalogIndex,
    prompt: str,
    names: bool,  # noqa: FBT001  # what is expected
) -> None:
    assert names_something(retrieve(shop_index, prompt)) == names


def test_a_near_meaning_names_something_without_a_shared_word(shop_index: CatalogIndex) -> None:
    for prompt in ("purchases", "accounts", "member directory"):
        found = retrieve(shop_index, prompt)
        assert len(found.terms.ids) == 0
        assert names_something(found)


def test_after_a_create_its_item_is_read(rest: CatalogIndex) -> None:
    assert _next(rest, "POST /orders")[0] == "GET /orders/{orderId}"
    assert _next(rest, "POST /users")[0] == "GET /users/{userId}"


def test_a_list_comes_before_its_items_and_a_parent_before_what_it_holds(
    rest: CatalogIndex,
) -> None:
    first = _next(rest)
    assert set(first[:2]) == {"GET /orders", "GET /users"}
    for before, after in (
        ("GET /orders", "GET /orders/{orderId}"),
        ("POST /orders", "POST /orders/{orderId}/items"),
        ("GET /orders", "GET /orders/{orderId}/items"),
    ):
        assert first.index(before) < first.index(after)
    assert _next(rest, "GET /orders")[0] == "GET /orders/{orderId}"


def test_calls_stay_where_they_are(rest: CatalogIndex) -> None:
    after = _next(rest, "GET /orders/{orderId}")
    own = [place for place, route in enumerate(after) if route.startswith(("GET /o", "PUT /o"))]
    users = [place for place, route in enumerate(after) if "users" in route]
    assert np.mean(own) < np.mean(users)


def test_the_verb_decides_among_what_is_usual(rest: CatalogIndex) -> None:
    after = _next(rest, "GET /orders/{orderId}", prompt="delete it")
    assert after[0] == "DELETE /orders/{orderId}"
    assert _next(rest, "GET /users/{userId}", prompt="delete it")[0] == "DELETE /users/{userId}"
    assert _next(rest, prompt="show it")[0].startswith("GET")


def test_a_call_is_not_likely_to_be_made_again(rest: CatalogIndex) -> None:
    once = _next(rest, "GET /orders", "GET /orders/{orderId}")
    twice = _next(rest, "GET /orders/{orderId}", "PUT /orders/{orderId}", "GET /orders/{orderId}")
    assert once[0] != "GET /orders/{orderId}"
    assert twice[0] != "GET /orders/{orderId}"


def test_unknown_calls_say_nothing(rest: CatalogIndex) -> None:
    conventions = Conventions(rest)
    alone = conventions.rest_scores("!!!")
    np.testing.assert_array_equal(conventions.rest_scores("!!!", calls_of(["no:Such"])), alone)
    both = conventions.rest_scores("!!!", calls_of(["POST /orders", "no:Such"]))
    known = conventions.rest_scores("!!!", calls_of(["POST /orders"]))
    np.testing.assert_array_equal(both, known)


def test_crud_goes_by_action_and_verb(shop_index: CatalogIndex) -> None:
    conventions = Conventions(shop_index)
    order = _order(shop_index, conventions.crud_scores("!!!"))
    actions = [shop_index.catalog[name].action for name in order]
    firsts = list(dict.fromkeys(actions))
    assert [a for a in firsts if a in {"create", "read", "update", "delete", "list"}] == [
        "create", "read", "update", "delete", "list",
    ]  # fmt: skip
    wanted = _order(shop_index, conventions.crud_scores("delete it"))
    assert shop_index.catalog[wanted[0]].action == "delete"
    looked = _order(shop_index, conventions.crud_scores("show"))
    assert shop_index.catalog[looked[0]].action == "read"
    # Of one action those that need less come first.
    reads = [o for o in looked if shop_index.catalog[o].action == "read"]
    needs = [sum(p.required for p in shop_index.catalog[o].parameters) for o in reads]
    assert needs == sorted(needs)


def test_paths_say_what_belongs_to_what_or_not(
    rest: CatalogIndex, shop_index: CatalogIndex
) -> None:
    assert Conventions(rest).has_paths
    assert not Conventions(shop_index).has_paths  # every one is POST /


def test_after_real_calls_conventions_beat_chance(
    aws_index: CatalogIndex, aws_queries: list[Query]
) -> None:
    conventions = Conventions(aws_index)
    usual, chance = [], []
    for query in aws_queries[::5]:
        if not query.history:
            continue
        relevance = np.zeros(len(aws_index))
        relevance[aws_index.positions(query.relevant)] = 1
        usual.append(ndcg(relevance, conventions.rest_scores("!!!", query.history), k=10))
        chance.append(ndcg(relevance, np.zeros(len(aws_index)), k=10))
    assert np.mean(usual) > 3 * np.mean(chance)


@settings(max_examples=10)
@given(order=st.permutations(range(len(ROUTES))))
def test_the_order_of_the_catalogue_changes_no_score(
    rest: CatalogIndex, embedder: Embedder, order: list[int]
) -> None:
    shuffled = CatalogIndex(_catalog(tuple(ROUTES[row] for row in order)), embedder)
    called = calls_of(["GET /orders", "POST /orders/{orderId}/items"])
    for prompt in ("!!!", "update it"):
        one, other = (Conventions(i) for i in (rest, shuffled))
        np.testing.assert_allclose(
            other.rest_scores(prompt, called), one.rest_scores(prompt, called)[order], rtol=1e-6
        )
        np.testing.assert_allclose(other.crud_scores(prompt), one.crud_scores(prompt)[order])
