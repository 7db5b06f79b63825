"""Two encoders end to end: against rankers trained and scored one by one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.embedding.static_embedder import StaticEmbedder
from nextcall.embedding.static_files import EncoderCard
from nextcall.progress import Progress, silent
from nextcall.ranking.comparison import paired_difference
from nextcall.ranking.evaluation import score_ranker
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.rows import query_rows
from nextcall.sessions import Query
from nextcall.training.parity import MOST_AT_RISK, MOST_LOST, Parity, encoder_parity
from nextcall.training.recipe import Material, Recipe, prepare
from nextcall.training.train import train_ranker
from nextcall.training.variants import recompute


class Confused:
    """An encoder that takes every prompt for another one, whatever it says."""

    name = "confused"
    dimensions = 384

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
        del progress
        drawn = [np.random.default_rng(list(text.encode())) for text in texts]
        vectors = np.stack([rng.standard_normal(self.dimensions, np.float32) for rng in drawn])
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


@pytest.fixture(scope="module")
def quick(index: CatalogIndex, distilled: tuple[StaticEmbedder, EncoderCard]) -> CatalogIndex:
    return index.with_embedder(distilled[0])


@pytest.fixture(scope="module")
def quick_material(
    quick: CatalogIndex, prompts: list[Query], recipe: Recipe, part_of: dict[str, int]
) -> Material:
    rng = np.random.default_rng(0)
    return prepare(quick, prompts, recipe=recipe, rng=rng, part_of=part_of)


@pytest.fixture(scope="module")
def parity(quick: CatalogIndex, quick_material: Material, recipe: Recipe) -> Parity:
    return encoder_parity(quick, quick_material, recipe=recipe, seed=4)


def test_rows_that_the_caller_has_are_not_computed_anew(
    index: CatalogIndex,
    quick: CatalogIndex,
    quick_material: Material,
    recipe: Recipe,
    parity: Parity,
) -> None:
    taught = recompute(index, quick_material)
    again = encoder_parity(quick, quick_material, taught=taught, recipe=recipe, seed=4)
    assert again.table.equals(parity.table)
    some = replace(taught, rows={"prompts": taught.rows["prompts"].select(range(9))})
    with pytest.raises(ValueError, match="taught must have the prompts of material"):
        encoder_parity(quick, quick_material, taught=some, recipe=recipe, seed=4)


def test_the_figures_are_those_of_rankers_trained_by_hand(
    index: CatalogIndex,
    quick: CatalogIndex,
    prompts: list[Query],
    quick_material: Material,
    recipe: Recipe,
    parity: Parity,
) -> None:
    parts, teaches = quick_material.parts["prompts"], quick_material.teaches["prompts"]
    scores: dict[str, NDArray[np.float64]] = {}
    services = np.array([index.catalog[query.relevant[0]].service for query in prompts])
    for name, own in (("static", quick), ("teacher", index)):
        rows = query_rows(own, prompts, quick_material.prior)
        scores[name] = np.empty(len(prompts))
        for first in (0, 1):
            training = np.isin(parts, np.arange(first, 8, 2)) & teaches
            validation = (parts == 8 + first) & teaches
            tested = np.flatnonzero(parts % 2 != first)
            ranker = recipe.ranker().fit_rows(
                rows.select(np.flatnonzero(training)),
                validation=rows.select(np.flatnonzero(validation)),
                prior=quick_material.prior,
                rng=np.random.default_rng(4),
            )
            scores[name][tested] = score_ranker(ranker, rows.select(tested), own)["ndcg@10"]
    expected = paired_difference(
        scores["static"], scores["teacher"], groups=services, rng=np.random.default_rng(4)
    )
    row = parity.table.set_index("metric").loc["ndcg@10"]
    assert parity.n_queries == len(prompts)
    assert row["encoder"] == pytest.approx(scores["static"].mean())
    assert row["teacher"] == pytest.approx(scores["teacher"].mean())
    assert parity.difference == pytest.approx(expected.difference)
    assert row["low"] < row["difference"] < row["high"]
    assert parity.figures()["encoder.difference.low"] == row["low"]


@pytest.mark.parametrize(
    ("difference", "low", "holds"),
    [
        (0.01, 0.0, True),
        (-MOST_LOST + 1e-6, -0.01, True),
        (-MOST_LOST - 1e-6, -0.01, False),
        (0.01, -MOST_AT_RISK - 1e-6, False),
    ],
)
def test_it_holds_where_little_is_lost_and_no_more_is_at_risk(
    parity: Parity, difference: float, low: float, *, holds: bool
) -> None:
    moved = parity.table.assign(difference=difference, low=low)
    assert Parity(table=moved, n_queries=3).holds is holds


def test_training_keeps_an_encoder_that_holds_and_says_how_it_differs(
    index: CatalogIndex,
    distilled: tuple[StaticEmbedder, EncoderCard],
    prompts: list[Query],
    recipe: Recipe,
    parity: Parity,
) -> None:
    assert parity.holds  # on these fourteen services, whatever it is elsewhere
    _, card = train_ranker(index, prompts, recipe=recipe, seed=0, encoder=distilled[0])
    assert card.embedder == distilled[0].name
    assert "encoder.difference.low" in card.metrics


def test_training_returns_to_the_teacher_where_the_encoder_loses(
    index: CatalogIndex, prompts: list[Query], recipe: Recipe
) -> None:
    ranker, card = train_ranker(index, prompts, recipe=recipe, seed=0, encoder=Confused())
    expected, _ = train_ranker(index, prompts, recipe=recipe, seed=0)
    assert card.embedder == index.embedder.name
    assert card.metrics["encoder.difference.low"] < -MOST_AT_RISK
    assert ranker.trees_.to_text() == expected.trees_.to_text()


def test_too_few_parts_tell_nothing(
    index: CatalogIndex,
    distilled: tuple[StaticEmbedder, EncoderCard],
    prompts: list[Query],
    recipe: Recipe,
) -> None:
    own = [q for q in prompts if q.source == "sqs"][:3]
    _, card = train_ranker(index, own, recipe=recipe, seed=0, encoder=distilled[0])
    assert card.embedder == index.embedder.name
    assert "encoder.difference" not in card.metrics
    material = prepare(index, own, recipe=recipe, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 4 parts, got 3"):
        encoder_parity(index, material, recipe=recipe, seed=0)
