"""A ranker trained by practice: what it learns from, and that it serves an unknown catalogue."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Query
from nextcall.training.practice import PracticeSettings
from nextcall.training.recipe import Recipe
from nextcall.training.transfer import (
    HELD_OUT_PARTS,
    TransferRecipe,
    practice_rows,
    train_for_transfer,
)

SMALL = TransferRecipe(
    boosting=BoostingSettings(trees=10, leaves=7),
    practice=PracticeSettings(catalogs=12, queries=12, most=120),
    held_out_catalogs=4,
    whole=Recipe(sessions=20, prior_sessions=40, hard_negatives=10, random_negatives=5),
)


def test_it_is_trained_apart_from_what_it_is_measured_on(
    index: CatalogIndex, prompts: list[Query], part_of: Mapping[str, int]
) -> None:
    ranker, card = train_for_transfer(index, prompts, part_of=part_of, recipe=SMALL, seed=4)
    again, _ = train_for_transfer(index, prompts, part_of=part_of, recipe=SMALL, seed=4)
    assert ranker.trees_.to_text() == again.trees_.to_text()
    assert card.n_queries > 12 * 12
    assert ranker.abstention_ is not None  # the packaged one's: new trees do not lose it
    assert (card.catalog, card.seed) == ("aws", 4)
    assert 0.3 < card.metrics["held_out.ndcg@10"] <= 1
    assert set(card.metrics) == {
        "held_out.ndcg@10", "held_out.hit@1", "held_out.calibration_error",
    }  # fmt: skip
    assert ranker.rank(index, "send a message to a queue", k=1)[0].operation.service == "sqs"
    assert ranker.prompts_ is not None
    assert 0 < len(ranker.prompts_) < len({query.prompt for query in prompts})
    for answers in ranker.prompts_.relevant:
        parts = {part_of[index.catalog[name].service] for name in answers}
        assert parts - set(HELD_OUT_PARTS)
    # Other prompts of the held-out services change nothing of what is learned.
    spoiled = [
        replace(query, prompt="Something else entirely")
        if part_of[index.catalog[query.relevant[0]].service] in HELD_OUT_PARTS
        else query
        for query in prompts
    ]
    assert spoiled != prompts
    other, _ = train_for_transfer(index, spoiled, part_of=part_of, recipe=SMALL, seed=4)
    assert other.prior_.to_dict() == ranker.prior_.to_dict()
    first = [r.trees_.to_text().split("Tree=")[1] for r in (ranker, other)]
    assert first[0] == first[1]
    assert other.calibration_ != ranker.calibration_  # that is fitted on the held-out services


def test_rows_are_of_the_small_catalogue(index: CatalogIndex, prompts: list[Query]) -> None:
    """An operation's service has as many operations as the small catalogue holds of it."""
    titles = {name: [q.prompt] for q in prompts for name in q.relevant}
    rows = practice_rows(
        index,
        titles,
        ["sqs", "elb", "acm"],
        WorkflowPrior.uniform(),
        n_catalogs=6,
        settings=PracticeSettings(queries=5, fewest=15, most=30),
        rng=np.random.default_rng(0),
    )
    assert len(rows) == 6 * 5
    assert all(len(x) <= 40 for x in rows.features)
    assert all(y.sum() >= 1 for y in rows.relevance)
    sizes = {float(x[0, FEATURE_NAMES.index("service_size")]) for x in rows.features}
    assert len(sizes) > 1


def test_a_part_of_an_index_is_as_if_built_alone(index: CatalogIndex) -> None:
    chosen = index.catalog.subset(
        [o.operation_id for o in index.catalog if o.service in {"sqs", "elb"}][::2], name="half"
    )
    part = index.subset(chosen)
    alone = CatalogIndex(chosen, index.embedder)
    np.testing.assert_allclose(part.vectors, alone.vectors, atol=1e-5)
    np.testing.assert_array_equal(part.lexical.weights, alone.lexical.weights)
    assert part.encode_prompts(["send a message"]).shape == (1, 384)
    with pytest.raises(ValueError, match="operations of 'half' only"):
        part.subset(index.catalog)
