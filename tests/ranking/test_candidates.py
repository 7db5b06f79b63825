"""Candidates against a slow fusion; how many there are, and which must be among them."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.catalog import Catalog, describe_operation
from nextcall.embedding.embedder import Embedder
from nextcall.ranking.candidates import (
    _DEPTH,
    _HISTORY_WEIGHT,
    _HOPS,
    _RRF_CONSTANT,
    N_CANDIDATES,
    RETRIEVER_WEIGHTS,
    Retrieved,
    retrieve,
)
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.features import compute_features
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.lexical_index import BM25_FIELDS
from nextcall.ranking.workflow import WorkflowPrior
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
        fused = int(len(found.rows) * (1 - _HOPS))
        assert found.fused[fused - 1] >= np.sort(expected)[-fused] * (1 - 1e-5)
        assert (np.diff(found.fused) <= 0).all()


def test_a_hundred_candidates_come_back_none_of_them_twice(
    aws_index: CatalogIndex, aws_queries: list[Query]
) -> None:
    for query in aws_queries[::11]:
        found = retrieve(aws_index, query.prompt, query.history)
        assert len(set(found.rows.tolist())) == len(found.rows) == N_CANDIDATES
        assert found.fused[: int(N_CANDIDATES * (1 - _HOPS))].min() > 0


@pytest.mark.parametrize("prompt", ["", "zzz", "list orders"])
def test_all_operations_come_back_where_they_are_few(shop_index: CatalogIndex, prompt: str) -> None:
    found = retrieve(shop_index, prompt)
    assert sorted(found.rows.tolist()) == list(range(len(shop_index)))


def test_fewer_candidates_are_the_first_of_more(shop_index: CatalogIndex) -> None:
    whole = retrieve(shop_index, "list the orders of a user")
    for n in (1, 7, 22, 50):
        few = retrieve(shop_index, "list the orders of a user", n_candidates=n)
        assert len(few.rows) == min(n, len(shop_index))
        fused = n if n >= len(shop_index) else n - int(n * _HOPS)
        np.testing.assert_array_equal(few.rows[:fused], whole.rows[:fused])


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


@pytest.fixture(scope="module")
def prizes(embedder: Embedder) -> CatalogIndex:
    """Two operations that go together, and 150 that look more like the question than the first."""
    paths = [
        "/search/performer",
        "/performer/{performer_id}/award_nominations",
        *(f"/awards/{year}/nominations" for year in range(1870, 2020)),
    ]
    operations = (
        describe_operation(operation_id=f"GET {path}", method="GET", path=path, source="prizes")
        for path in paths
    )
    return CatalogIndex(Catalog("prizes", tuple(operations)), embedder)


def test_only_the_graph_finds_a_first_call_that_no_word_leads_to(
    prizes: CatalogIndex, shop_prior: WorkflowPrior
) -> None:
    prompt = "award nominations of Sofia"
    found = retrieve(prizes, prompt)
    fused = np.array(plain_fusion(prizes, found, ()))
    assert (fused > fused[0]).sum() > N_CANDIDATES
    place = int(np.flatnonzero(found.rows == 0)[0])
    assert place >= N_CANDIDATES * (1 - _HOPS)
    values = compute_features(prizes, found, (), shop_prior)
    rank = values[:, FEATURE_NAMES.index("rank_feeding")]
    assert rank.tolist() == [0.0 if row == place else N_CANDIDATES for row in range(N_CANDIDATES)]
    asked = found.rows == 1
    unmet = values[:, FEATURE_NAMES.index("unmet_needs")]
    assert unmet[asked] == unmet.max() > 0
    history = calls_of(["GET /search/performer"])
    after = compute_features(prizes, retrieve(prizes, prompt, history), history, shop_prior)
    rows = retrieve(prizes, prompt, history).rows
    fed = after[:, FEATURE_NAMES.index("fed_by_history")]
    assert rows[fed > 0].tolist() == [1]
    assert after[rows == 1, FEATURE_NAMES.index("unmet_needs")] < unmet.max()


def test_the_graph_adds_nothing_where_candidates_are_chosen_or_few(prizes: CatalogIndex) -> None:
    chosen = np.arange(1, 120)
    found = retrieve(prizes, "award nominations of Sofia", among=chosen)
    assert sorted(found.rows.tolist()) == chosen.tolist()
    assert 0 not in retrieve(prizes, "award nominations of Sofia", n_candidates=4).rows
