"""One ranker for use: by families of services where there are enough, else by sessions."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from nextcall.locations import packaged_model
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import load_abstention
from nextcall.sessions import Query
from nextcall.training.opening import DOCUMENT_TOKENS, open_index
from nextcall.training.recipe import Material, Recipe, prepare
from nextcall.training.train import fit_for_use, train_ranker


def test_the_card_says_what_the_ranker_was_made_of(
    index: CatalogIndex, material: Material, recipe: Recipe
) -> None:
    ranker, card = fit_for_use(index, material, recipe=recipe, seed=3)
    training = [0, 2, 3, 4, 5, 6, 7, 8, 9]  # part 1 validates
    expected = material.fit(recipe, training=training, validation=[1], seed=3)
    assert ranker.trees_.to_text() == expected.trees_.to_text()
    assert card.n_queries == len(material.training_rows(training))
    asked = {query.prompt for query in material.training_rows(training).queries}
    given = {query.prompt for query in material.rows["prompts"].queries}
    assert ranker.prompts_ is not None
    assert set(ranker.prompts_.prompts) == asked & given
    validating = material.training_rows([1]).queries
    assert not {query.prompt for query in validating} & set(ranker.prompts_.prompts)
    assert (card.catalog, card.seed) == ("aws", 3)
    assert card.catalog_hash == index.catalog.content_hash
    assert card.embedder == index.embedder.name
    assert 0.3 < card.metrics["validation.ndcg@10"] <= 1
    assert 0 <= card.metrics["validation.hit@1"] <= card.metrics["validation.ndcg@10"]
    assert 0 <= card.metrics["validation.calibration_error"] <= 1
    age = datetime.now(UTC) - datetime.fromisoformat(card.trained_at)
    assert 0 <= age.total_seconds() < 600


def test_it_abstains_as_the_packaged_ranker_does(
    index: CatalogIndex, material: Material, recipe: Recipe
) -> None:
    few = replace(recipe, boosting=replace(recipe.boosting, trees=1))
    ranker, _ = fit_for_use(index, material, recipe=few, seed=3)
    packaged = load_abstention(packaged_model())
    assert packaged is not None
    for prompt in ("send a message to a queue", "sing me a song"):
        expected = packaged.probability(index, prompt, retrieve(index, prompt))
        assert ranker.answer(index, prompt).none_probability == pytest.approx(expected)


def test_enough_families_are_the_parts(
    index: CatalogIndex, prompts: list[Query], recipe: Recipe, part_of: Mapping[str, int]
) -> None:
    few = replace(recipe, sessions=20, prior_sessions=20)
    ranker, card = train_ranker(index, prompts, recipe=few, seed=2)
    made = prepare(index, prompts, recipe=few, rng=np.random.default_rng(2), part_of=part_of)
    expected, _ = fit_for_use(index, made, recipe=few, seed=2)
    assert ranker.trees_.to_text() == expected.trees_.to_text()
    assert card.n_queries > len(prompts)


def test_few_families_are_split_by_session(
    index: CatalogIndex, prompts: list[Query], recipe: Recipe
) -> None:
    own = [q for q in prompts if q.source in {"sqs", "elb"}]
    few = replace(recipe, prior_sessions=20)
    ranker, card = train_ranker(index, own, recipe=few, seed=2)
    assert card.n_queries < len(own)  # no copies, and one part is held back
    made = prepare(index, own, recipe=few, rng=np.random.default_rng(2))
    assert set(made.rows) == {"prompts"}
    expected, _ = fit_for_use(index, made, recipe=few, seed=2)
    assert ranker.trees_.to_text() == expected.trees_.to_text()


def test_two_sessions_are_enough(index: CatalogIndex, prompts: list[Query], recipe: Recipe) -> None:
    own = [replace(query, session_id=str(i % 2)) for i, query in enumerate(prompts[:60])]
    few = replace(recipe, prior_sessions=0)
    _, card = train_ranker(index, own, recipe=few, seed=0)
    assert card.n_queries == 30


def test_unknown_answers_and_no_queries_are_refused(
    index: CatalogIndex, prompts: list[Query], recipe: Recipe
) -> None:
    unknown = replace(prompts[0], query_id="bad", relevant=("no:Such",))
    with pytest.raises(ValueError, match="'bad' must have relevant operations"):
        train_ranker(index, [*prompts[:3], unknown], recipe=recipe, seed=0)
    with pytest.raises(ValueError, match="at least one query, got none"):
        train_ranker(index, [], recipe=recipe, seed=0)
    with pytest.raises(ValueError, match="at least two sessions"):
        train_ranker(index, prompts[:1], recipe=recipe, seed=0)


def test_an_opened_catalogue_is_encoded_once(index: CatalogIndex, tmp_path: Path) -> None:
    small = index.catalog.subset(
        [o.operation_id for o in index.catalog if o.service == "sts"], name="sts"
    )
    first = open_index(small, cache=tmp_path)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert len(kept) == 3  # two texts an operation, and the words
    again = open_index(small, cache=tmp_path)
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == kept
    assert first.embedder.name.endswith("-128")
    assert DOCUMENT_TOKENS < 128
