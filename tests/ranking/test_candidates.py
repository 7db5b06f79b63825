"""Candidates against a slow fusion; how many there are, and which must be among them."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.ranking.candidates import (
    _DEPTH,
    _HISTORY_WEIGHT,
    _RRF_CONSTANT,
    N_CANDIDATES,
    RETRIEVER_WEIGHTS,
    Retrieved,
    retrieve,
)
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.lexical_index import BM25_FIELDS
from nextcall.sessions import Call, Query, calls_of


def all_scores(index: CatalogIndex, found: Retrieved) -> dict[str, NDArray[np.float32]]:
    asked = found.terms.ids.tolist()
    lexical = {name: index.lexical.bm25[name].scores(asked) for name in BM25_FIELDS}
    return {"dense": index.nearest.scan(found.vector), **lexical}


def plain_fusion(index: CatalogIndex, found: Retrieved, history: Sequence[Call]) -> list[float]:
    """Sum of weight / (constant + rank) over the lists, and over those of the services called."""
    operations = list(index.catalog)
    called = {
        index.catalog[call.operation_id].service
        for call in history[-10:]
        if call.operation_id in index.catalog
    }
    fused = [0.0] * len(operations)
    everything = all_scores(index, found)
    for name, weight in RETRIEVER_WEIGHTS.items():
        scores = everything[name]
        matched = [row for row in range(len(index)) if name == "dense" or scores[row] > 0]
        near = [row for row in matched if operations[row].service in called]
        for rows, times in ((matched, 1.0), (near, _HISTORY_WEIGHT)):
            best = sorted(rows, key=lambda row: (-scores[row], row))[:_DEPTH]
            for rank, row in enumerate(best, 1):
                fused[row] += times * weight / (_RRF_CONSTANT + rank)
    return fused


def test_fusion_agrees_with_its_slow_definition(
    aws_index: CatalogIndex, aws_queries: list[Query]
) -> None:
    for query in aws_queries[:: len(aws_queries) // 25]:
        found = retrieve(aws_index, query.prompt, query.history)
        expected = plain_fusion(aws_index, found, query.history)
        np.testing.assert_allclose(found.fused, np.array(expected)[found.rows], rtol=1e-5)
        assert found.fused[-1] >= np.sort(expected)[-len(found.rows)] * (1 - 1e-5)
        assert (np.diff(found.fused) <= 0).all()


def test_a_hundred_candidates_come_back_none_of_them_twice(
    aws_index: CatalogIndex, aws_queries: list[Query]
) -> None:
    for query in aws_queries[::11]:
        found = retrieve(aws_index, query.prompt, query.history)
        assert len(set(found.rows.tolist())) == len(found.rows) == N_CANDIDATES
        assert found.fused.min() > 0


@pytest.mark.parametrize("prompt", ["", "zzz", "list orders"])
def test_all_operations_come_back_where_they_are_few(shop_index: CatalogIndex, prompt: str) -> None:
    found = retrieve(shop_index, prompt)
    assert sorted(found.rows.tolist()) == list(range(len(shop_index)))


def test_fewer_candidates_are_the_first_of_more(shop_index: CatalogIndex) -> None:
    whole = retrieve(shop_index, "list the orders of a user")
    for n in (1, 7, 22, 50):
        few = retrieve(shop_index, "list the orders of a user", n_candidates=n)
        np.testing.assert_array_equal(few.rows, whole.rows[:n])


def test_services_that_were_called_are_present(
    aws_index: CatalogIndex, aws_queries: list[Query]
) -> None:
    """Even after a prompt about something else, a called service keeps a third of the places."""
    prompt = "To create a load balancer listener"
    history = calls_of(["sqs:CreateQueue", "no:Such"])
    service = aws_index.services["sqs"]
    shares = [
        float((aws_index.statics.service[retrieve(aws_index, prompt, h).rows] == service).mean())
        for h in ((), history)
    ]
    assert shares[1] > shares[0]
    sqs = np.flatnonzero(aws_index.statics.service == service)
    assert np.isin(sqs, retrieve(aws_index, prompt, history).rows).all()
    recall = [
        np.isin(aws_index.positions(q.relevant), retrieve(aws_index, q.prompt, q.history).rows)
        for q in aws_queries
        if q.history
    ]
    assert np.concatenate(recall).mean() > 0.99


def test_unknown_calls_are_no_history(shop_index: CatalogIndex) -> None:
    one = retrieve(shop_index, "pay an invoice", calls_of(["no:Such"]))
    other = retrieve(shop_index, "pay an invoice")
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.fused, other.fused)


def test_chosen_candidates_are_ordered_by_fusion_and_described_alike(
    shop_index: CatalogIndex,
) -> None:
    whole = retrieve(shop_index, "list users")
    chosen = np.array([3, 17, 8, 0])
    found = retrieve(shop_index, "list users", among=chosen)
    assert found.rows.tolist() == [row for row in whole.rows if row in chosen]
    for name, ranks in found.ranks.items():
        expected = dict(zip(whole.rows, whole.ranks[name], strict=True))
        assert ranks.tolist() == [expected[row] for row in found.rows]


def test_scores_are_those_of_the_candidates(
    aws_index: CatalogIndex, aws_queries: list[Query]
) -> None:
    for query in aws_queries[::41]:
        found = retrieve(aws_index, query.prompt, query.history)
        for name, scores in all_scores(aws_index, found).items():
            np.testing.assert_allclose(found.scores[name], scores[found.rows], atol=1e-6)
            assert found.best[name] == pytest.approx(scores.max(), abs=1e-6)


def test_what_the_caller_has_computed_is_not_computed_again(shop_index: CatalogIndex) -> None:
    vector = shop_index.encode_prompts(["list users"])[0]
    other = shop_index.encode_prompts(["send an invoice"])[0]
    given_vector = retrieve(shop_index, "list users", vector=vector)
    np.testing.assert_array_equal(given_vector.rows, retrieve(shop_index, "list users").rows)
    scanned = shop_index.nearest.scan(other)
    given_scan = retrieve(shop_index, "list users", vector=vector, scanned=scanned)
    first = int(given_scan.ranks["dense"].argmin())
    assert given_scan.rows[first] == scanned.argmax()


def test_a_word_that_no_operation_shares_lists_nothing(shop_index: CatalogIndex) -> None:
    found = retrieve(shop_index, "zzz qqq")
    for name in ("text", "name", "full"):
        assert (found.ranks[name] == _DEPTH).all()
    assert sorted(found.ranks["dense"].tolist()) == list(range(len(shop_index)))
