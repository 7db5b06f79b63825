"""What a ranker must beat, against plain definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.ranking.baselines import (
    BASELINES,
    _reciprocal_ranks,
    baseline_scores,
    popularity,
    within_services,
)
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.lexicon import prompt_words, stems
from nextcall.ranking.operation_texts import operation_text
from nextcall.sessions import Query

PLACES = st.lists(st.sampled_from([0.0, 0.25, 1.0, 3.0]), min_size=1, max_size=25)


def test_popularity_counts_answers(shop_index: CatalogIndex) -> None:
    training = [
        Query(query_id="1", prompt="a", relevant=("users:GetUser", "no:Such")),
        Query(query_id="2", prompt="b", relevant=("users:GetUser", "orders:GetOrder")),
    ]
    counts = popularity(shop_index, training)
    found = {o.operation_id: n for o, n in zip(shop_index.catalog, counts, strict=True) if n}
    assert found == {"users:GetUser": 2, "orders:GetOrder": 1}
    assert not popularity(shop_index, []).any()


def test_bm25_and_minilm_read_the_text_that_is_embedded(shop_index: CatalogIndex) -> None:
    """A prompt that is an operation's own text finds it first by either."""
    popular = np.arange(len(shop_index), dtype=np.float32)
    for row, operation in enumerate(shop_index.catalog):
        text = operation_text(operation)
        query = Query(query_id="q", prompt=text, relevant=(operation.operation_id,))
        [vector] = shop_index.embedder.encode([text])
        scores = baseline_scores(
            shop_index, query, shop_index.text_vectors @ vector, popular=popular
        )
        assert tuple(scores) == BASELINES
        assert scores["MiniLM"].argmax() == row
        assert scores["MiniLM"][row] == pytest.approx(1, abs=1e-5)
        assert scores["fusion"].argmax() == row
        assert scores["popularity"] is popular
        shares = set(stems(prompt_words(text)))
        for other, score in zip(shop_index.catalog, scores["BM25"], strict=True):
            words = set(stems(prompt_words(operation_text(other))))
            assert (score > 0) == bool(words & shares), other.operation_id


def test_a_word_that_is_said_twice_counts_once(shop_index: CatalogIndex) -> None:
    dense = shop_index.text_vectors @ shop_index.vectors[0]
    popular = np.zeros(len(shop_index), dtype=np.float32)
    once, twice = (
        baseline_scores(shop_index, Query(query_id="q", prompt=prompt), dense, popular=popular)[
            "BM25"
        ]
        for prompt in ("invoice", "invoice invoice")
    )
    np.testing.assert_array_equal(once, twice)


@given(PLACES)
def test_reciprocal_ranks_share_the_mean_rank_of_ties(scores: list[float]) -> None:
    expected = []
    for score in scores:
        better = sum(other > score for other in scores)
        tied = sum(other == score for other in scores)
        expected.append(1 / (60 + better + (tied + 1) / 2))
    found = _reciprocal_ranks(np.array(scores, dtype=np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@given(data=st.data())
def test_an_oracle_of_the_service_puts_its_operations_first(
    shop_index: CatalogIndex, data: st.DataObject
) -> None:
    n = len(shop_index)
    values = data.draw(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=n, max_size=n))
    called = data.draw(st.lists(st.integers(0, n - 1), max_size=3))
    scores = np.array(values, dtype=np.float32)
    known = within_services(shop_index, scores, np.array(called, dtype=np.int64))
    operations = shop_index.catalog.operations
    services = {operations[row].service for row in called}
    inside = [operation.service in services for operation in operations]
    for i in range(n):
        for j in range(n):
            if inside[i] == inside[j]:
                assert (known[i] > known[j]) == (scores[i] > scores[j])
            elif inside[i]:
                assert known[i] > known[j]


def test_an_oracle_fuses_the_ranks_among_the_operations_of_the_service(
    shop_index: CatalogIndex,
) -> None:
    query = Query(query_id="q", prompt="list the users who sent an invoice")
    [vector] = shop_index.encode_prompts([query.prompt])
    dense = shop_index.text_vectors @ vector
    called = shop_index.positions(["billing:GetInvoice"])
    popular = np.zeros(len(shop_index), dtype=np.float32)
    scores = baseline_scores(shop_index, query, dense, popular=popular, called=called)
    billing = {o.operation_id for o in shop_index.catalog if o.service == "billing"}
    for name in BASELINES:
        best = np.argsort(-scores[name], kind="stable")[: len(billing)]
        assert {shop_index.catalog.operations[row].operation_id for row in best} == billing
    expected = _reciprocal_ranks(scores["BM25"]) + _reciprocal_ranks(scores["MiniLM"])
    np.testing.assert_array_equal(scores["fusion"], expected)
