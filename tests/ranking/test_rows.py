"""Queries as rows: the same as one at a time, sampled so that every answer stays."""

from dataclasses import replace

import numpy as np
import pytest

from nextcall.ranking import rows as rows_module
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.features import compute_features
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.rows import QueryRows, check_answers, query_rows
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Query


def test_rows_are_those_of_one_query_at_a_time(
    aws_index: CatalogIndex, aws_queries: list[Query], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of prompts, and prompts that are asked twice, change nothing but rounding."""
    monkeypatch.setattr(rows_module, "_BLOCK", 5)
    some = [*aws_queries[::17], *aws_queries[:3], aws_queries[0]]
    prior = WorkflowPrior.uniform()
    found = query_rows(aws_index, some, prior)
    assert found.queries == tuple(some)
    for i, query in enumerate(some):
        vector = aws_index.encode_prompts([query.prompt])[0]
        alone = retrieve(aws_index, query.prompt, query.history, vector=vector)
        assert set(found.candidates[i].tolist()) == set(alone.rows.tolist())
        features = compute_features(aws_index, alone, query.history, prior)
        column = FEATURE_NAMES.index("dense_similarity")
        np.testing.assert_allclose(
            np.sort(found.features[i][:, column]), np.sort(features[:, column]), atol=1e-6
        )
        if (found.candidates[i] == alone.rows).all():
            np.testing.assert_allclose(found.features[i], features, atol=1e-5)
        right = {aws_index.catalog.positions[name] for name in query.relevant}
        assert found.relevance[i].tolist() == [int(row in right) for row in found.candidates[i]]


def test_chosen_candidates_are_those_of_the_rows(
    shop_index: CatalogIndex, shop_prior: WorkflowPrior
) -> None:
    queries = [
        Query(query_id="1", prompt="list users", relevant=("users:ListUsers",)),
        Query(query_id="2", prompt="send invoice", relevant=("billing:SendInvoice",)),
    ]
    among = [shop_index.positions([q.relevant[0], "orders:GetOrder"]) for q in queries]
    found = query_rows(shop_index, queries, shop_prior, among=among)
    for chosen, candidates, relevance in zip(among, found.candidates, found.relevance, strict=True):
        assert sorted(candidates.tolist()) == sorted(chosen.tolist())
        assert relevance.sum() == 1


def test_joined_and_selected_rows_stay_together(aws_rows: dict[str, QueryRows]) -> None:
    first, second = aws_rows["validation"], aws_rows["held_out"]
    joined = first + second
    assert len(joined) == len(first) + len(second)
    chosen = joined.select([len(first) + 2, 1])
    for i, (part, row) in enumerate(((second, 2), (first, 1))):
        assert chosen.queries[i] == part.queries[row]
        assert chosen.candidates[i] is part.candidates[row]
        assert chosen.features[i] is part.features[row]
        assert chosen.relevance[i] is part.relevance[row]


@pytest.mark.parametrize(("hard", "random"), [(1, 0), (5, 3), (25, 15), (500, 2)])
def test_a_sample_keeps_every_answer_the_first_candidates_and_some_others(
    aws_rows: dict[str, QueryRows], hard: int, random: int
) -> None:
    rows = aws_rows["held_out"]
    sample = rows.sample(hard=hard, random=random, rng=np.random.default_rng(0))
    pairs = [(x, y) for x, y in zip(rows.features, rows.relevance, strict=True) if y.any()]
    assert len(sample.group_sizes) == len(pairs)
    rank = FEATURE_NAMES.index("rank_fused")
    start = 0
    for (x, y), size in zip(pairs, sample.group_sizes, strict=True):
        part = slice(start, start + size)
        start += size
        ranks = sample.features[part, rank].astype(int)
        assert (np.diff(ranks) > 0).all()
        np.testing.assert_array_equal(sample.features[part], x[ranks])
        np.testing.assert_array_equal(sample.relevance[part], y[ranks])
        kept = set(ranks.tolist())
        must = set(np.flatnonzero(y).tolist()) | set(range(min(hard, len(x))))
        assert must <= kept
        assert len(kept) == min(len(must) + random, len(x))


def test_random_negatives_are_drawn_anew_by_another_seed(aws_rows: dict[str, QueryRows]) -> None:
    def drawn(seed: int) -> np.ndarray:
        sample = aws_rows["held_out"].sample(hard=2, random=5, rng=np.random.default_rng(seed))
        return sample.features

    np.testing.assert_array_equal(drawn(0), drawn(0))
    assert not np.array_equal(drawn(0), drawn(1), equal_nan=True)


@pytest.mark.parametrize(("hard", "random"), [(0, 5), (5, -1)])
def test_sizes_of_a_sample_are_checked(
    aws_rows: dict[str, QueryRows], hard: int, random: int
) -> None:
    with pytest.raises(ValueError, match=f"hard must be at least 1 .* got {hard}, {random}"):
        aws_rows["held_out"].sample(hard=hard, random=random, rng=np.random.default_rng(0))


def test_queries_whose_answer_is_no_candidate_teach_nothing(
    aws_rows: dict[str, QueryRows],
) -> None:
    rows = aws_rows["held_out"].select([0, 1, 2])
    blind = replace(rows, relevance=tuple(np.zeros_like(y) for y in rows.relevance))
    with pytest.raises(ValueError, match="whose right answer is a candidate, got none"):
        blind.sample(hard=5, random=5, rng=np.random.default_rng(0))
    both = blind + rows
    assert len(both.sample(hard=5, random=5, rng=np.random.default_rng(0)).group_sizes) == 3


@pytest.mark.parametrize(
    ("relevant", "named"), [((), "none"), (("no:Such", "users:GetUser"), "no:Such")]
)
def test_queries_without_a_known_answer_are_refused(
    shop_index: CatalogIndex, relevant: tuple[str, ...], named: str
) -> None:
    queries = [
        Query(query_id="good", prompt="list users", relevant=("users:ListUsers",)),
        Query(query_id="bad", prompt="list users", relevant=relevant),
    ]
    check_answers(shop_index, queries[:1])
    for check in (check_answers, lambda i, q: query_rows(i, q, WorkflowPrior.uniform())):
        with pytest.raises(ValueError, match=rf"'bad' must have .*'shop' knows, got .*{named}"):
            check(shop_index, queries)


def test_no_queries_have_no_rows(shop_index: CatalogIndex) -> None:
    assert len(query_rows(shop_index, [], WorkflowPrior.uniform())) == 0
