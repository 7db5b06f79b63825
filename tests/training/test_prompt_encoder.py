"""A static encoder distilled on fourteen real services, against the encoder that taught it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.catalog import Catalog, describe_operation
from nextcall.embedding.distill import Distillation
from nextcall.embedding.static_embedder import StaticEmbedder
from nextcall.embedding.static_files import EncoderCard
from nextcall.embedding.wordpieces import N_PIECES
from nextcall.ranking.evaluation import score_baselines
from nextcall.ranking.index import CatalogIndex
from nextcall.sessions import Query
from nextcall.training.prompt_encoder import catalog_views, compare_dense, distill_for


@pytest.fixture(scope="module")
def figures(
    index: CatalogIndex, distilled: tuple[StaticEmbedder, EncoderCard], prompts: list[Query]
) -> dict[str, float]:
    return compare_dense(index, distilled[0], prompts, rng=np.random.default_rng(0))


def test_prompts_of_people_are_found_as_well_as_by_the_teacher(figures: dict[str, float]) -> None:
    assert figures["dense.ndcg@10"] > figures["dense.teacher.ndcg@10"] - 0.02
    assert figures["dense.difference.low"] <= figures["dense.difference"]
    assert figures["dense.difference"] <= figures["dense.difference.high"]


def test_the_difference_is_that_of_the_two_figures(figures: dict[str, float]) -> None:
    expected = figures["dense.ndcg@10"] - figures["dense.teacher.ndcg@10"]
    assert figures["dense.difference"] == pytest.approx(expected)


def test_figures_are_those_of_the_baseline_that_searches_alike(
    index: CatalogIndex, prompts: list[Query], figures: dict[str, float]
) -> None:
    # The baseline searches the full text's vectors alone, so its index is given the very same.
    twin = CatalogIndex(index.catalog, index.embedder, cache=index._cache)
    twin.text_vectors = index.vectors
    scores = score_baselines(twin, prompts, popular=np.zeros(len(index), dtype=np.float32))
    expected = scores.loc[scores["system"] == "MiniLM", "ndcg@10"].mean()
    assert figures["dense.teacher.ndcg@10"] == pytest.approx(expected, abs=1e-4)


def test_a_summary_lies_near_its_operation(
    index: CatalogIndex, distilled: tuple[StaticEmbedder, EncoderCard]
) -> None:
    _, names, summaries = catalog_views(index.catalog)
    for texts in (names, summaries):
        own = np.einsum("ij,ij->i", distilled[0].encode(texts), index.vectors)
        assert own.mean() > 0.8


def test_the_card_tells_what_it_was_made_of(
    index: CatalogIndex, distilled: tuple[StaticEmbedder, EncoderCard]
) -> None:
    embedder, card = distilled
    assert (card.catalog, card.catalog_hash) == (index.catalog.name, index.catalog.content_hash)
    assert card.n_texts == 3 * len(index)
    assert embedder.teacher == index.embedder.name
    assert card.made_at.endswith("+00:00")


def test_fewer_pairs_give_a_smaller_table(
    index: CatalogIndex, pieces: NDArray[np.float32], distilled: tuple[StaticEmbedder, EncoderCard]
) -> None:
    small, _ = distill_for(index, pieces, settings=Distillation(pairs=10, steps=1))
    assert len(small.table) == N_PIECES + 10 < len(distilled[0].table)


def test_an_operation_without_a_summary_is_said_by_its_name() -> None:
    one = describe_operation(operation_id="s3:CreateBucket", service="s3")
    assert catalog_views(Catalog("s3", (one,)))[2] == ["create bucket"]


def test_queries_that_nothing_can_be_measured_from_are_refused(
    index: CatalogIndex, distilled: tuple[StaticEmbedder, EncoderCard]
) -> None:
    stray = [Query(query_id="q", prompt="x", relevant=("none:Such",))]
    with pytest.raises(ValueError, match="must have relevant operations"):
        compare_dense(index, distilled[0], stray, rng=np.random.default_rng(0))
