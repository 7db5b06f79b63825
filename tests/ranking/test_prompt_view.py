"""What is kept of a prompt gives the very answers that the prompt itself gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.ranking.adaptation import adapt_ranker
from nextcall.ranking.adapted_ranker import AdaptedRanker
from nextcall.ranking.answers import Answer
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import packaged_abstention
from nextcall.ranking.prompt_view import PromptView
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import Query, calls_of

WORDS = ("list", "delete", "users", "orders", "an", "invoice", "label", "zxqv", "again", "all")
CALLS = ("users:GetUser", "orders:ListOrders", "billing:ListInvoices", "no:Such")


@pytest.fixture(scope="module")
def able(ranker: CallRanker, shop_index: CatalogIndex) -> CallRanker:
    """Give the ranker with what says where none answers."""
    able = CallRanker(settings=ranker.settings)
    able.trees_, able.prior_, able.calibration_ = ranker.trees_, ranker.prior_, ranker.calibration_
    able.abstention_ = packaged_abstention(shop_index)
    return able


@pytest.fixture(scope="module")
def adapted(able: CallRanker, shop_index: CatalogIndex) -> AdaptedRanker:
    queries = [
        Query(query_id=str(n), prompt=prompt, relevant=(name,), session_id=str(n))
        for n, (prompt, name) in enumerate(
            [("list the users", "users:ListUsers"), ("cancel it", "orders:CancelOrder")] * 5
        )
    ]
    return adapt_ranker(able, shop_index, queries, rng=np.random.default_rng(0))


def view_of(answer: Answer) -> PromptView:
    return PromptView.of(answer.searched, answer.none_probability)


def assert_same(one: Answer, other: Answer) -> None:
    assert one.none_probability == other.none_probability
    for a, b in zip(one.ranked, other.ranked, strict=True):
        assert (a.operation, a.rank, a.score, a.confidence, a.similarity) == (
            b.operation, b.rank, b.score, b.confidence, b.similarity
        )  # fmt: skip
        np.testing.assert_array_equal(a.features, b.features)


@settings(max_examples=40)
@given(
    words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=6),
    first=st.lists(st.sampled_from(CALLS), max_size=3),
    then=st.lists(st.sampled_from(CALLS), max_size=12),
    k=st.integers(1, 30),
)
def test_a_view_gives_the_answer_of_its_prompt_after_any_calls(
    able: CallRanker,
    shop_index: CatalogIndex,
    words: list[str],
    first: list[str],
    then: list[str],
    k: int,
) -> None:
    prompt, history = " ".join(words), calls_of(then)
    view = view_of(able.answer(shop_index, prompt, calls_of(first)))
    fresh = able.answer(shop_index, prompt, history, k=k)
    kept = able.answer(shop_index, prompt, history, k=k, view=view)
    assert_same(kept, fresh)
    np.testing.assert_array_equal(kept.searched.lexical, fresh.searched.lexical)
    np.testing.assert_array_equal(kept.searched.counts, fresh.searched.counts)
    for listed, again, count in zip(
        fresh.searched.listed, kept.searched.listed, fresh.searched.counts, strict=True
    ):
        np.testing.assert_array_equal(listed[:count], again[:count])
    assert kept.searched.best == fresh.searched.best


def test_so_it_does_for_an_adapted_ranker(adapted: AdaptedRanker, shop_index: CatalogIndex) -> None:
    for prompt in ("list the users", "sing a song"):
        view = view_of(adapted.answer(shop_index, prompt))
        for calls in ((), ("users:GetUser",), ("orders:ListOrders", "users:GetUser")):
            fresh = adapted.answer(shop_index, prompt, calls_of(calls), k=9)
            assert_same(adapted.answer(shop_index, prompt, calls_of(calls), k=9, view=view), fresh)


@pytest.mark.parametrize("name", ["able", "adapted"])
def test_where_there_is_a_view_the_prompt_is_not_looked_at(
    name: str, request: pytest.FixtureRequest, shop_index: CatalogIndex
) -> None:
    ranker: CallRanker | AdaptedRanker = request.getfixturevalue(name)
    prompt = "list the users"
    other = view_of(ranker.answer(shop_index, "cancel my order"))
    found = ranker.answer(shop_index, prompt, view=other, vector=other.vector)
    assert found.searched.terms is other.terms
    assert found.none_probability == other.none_probability
    assert found.none_probability != ranker.answer(shop_index, prompt).none_probability


def test_a_view_takes_as_much_of_a_large_catalogue_as_of_a_small_one(
    able: CallRanker, aws_index: CatalogIndex
) -> None:
    found = able.answer(aws_index, "list the queues")
    view = view_of(found)
    assert view.nearest.base is None  # no view of what is larger
    held = view.vector.nbytes + 8 * min(200, len(aws_index))
    assert held < view.nbytes < held + 3_000
    assert found.searched.lexical.nbytes == 12 * len(aws_index)
