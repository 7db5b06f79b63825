"""What training is made of: nothing crosses parts, and a seed decides all of it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from nextcall.catalog import Catalog
from nextcall.catalog.jsonl import read_jsonl
from nextcall.embedding.onnx import OnnxEmbedder
from nextcall.locations import shared_dir
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Query, Session, calls_of
from nextcall.sessions.jsonl import read_queries
from nextcall.sessions.queries import observed_sessions
from nextcall.sessions.table import sessions_from_frame
from nextcall.synth.simulate import simulate
from nextcall.training.folds import N_PARTS, NO_PART
from nextcall.training.recipe import Material, Recipe, prepare


def test_every_query_is_in_the_part_of_its_service(
    material: Material, aws: Catalog, prompts: list[Query], part_of: Mapping[str, int]
) -> None:
    assert set(material.rows) == set(material.parts) == {"prompts", "after_calls", "sessions"}
    assert list(material.rows["prompts"].queries) == prompts
    for name, rows in material.rows.items():
        expected = [part_of[aws[query.relevant[0]].service] for query in rows.queries]
        assert material.parts[name].tolist() == expected
        assert NO_PART not in expected


def test_no_history_crosses_parts(
    material: Material, aws: Catalog, part_of: Mapping[str, int]
) -> None:
    for name in ("after_calls", "sessions"):
        rows = material.rows[name]
        called = 0
        for query, part in zip(rows.queries, material.parts[name], strict=True):
            for call in query.history:
                assert part_of[aws[call.operation_id].service] == part
                called += 1
        assert called > len(rows) / 2


def test_copies_after_calls_ask_the_same_after_two_calls(
    material: Material, prompts: list[Query]
) -> None:
    copies = material.rows["after_calls"].queries
    assert [(c.prompt, c.relevant) for c in copies] == [(q.prompt, q.relevant) for q in prompts]
    assert {len(copy.history) for copy in copies} == {2}


def test_sessions_are_of_every_part_and_asked_with_real_prompts_where_there_are_some(
    material: Material, prompts: list[Query], recipe: Recipe
) -> None:
    titles = {name for query in prompts for name in query.relevant}
    queries = material.rows["sessions"].queries
    assert set(material.parts["sessions"]) == set(range(N_PARTS))
    assert len({query.query_id for query in queries}) == len(queries)
    sessions = {query.session_id for query in queries}
    assert len(sessions) == recipe.sessions
    assert len(queries) <= recipe.sessions * recipe.queries_per_session
    expected = [query.relevant[0] in titles for query in queries]
    assert material.teaches["sessions"].tolist() == expected
    assert any(expected)
    assert not all(expected)


def test_training_rows_are_those_of_their_parts_that_teach(material: Material) -> None:
    rows = material.training_rows([0, 3])
    expected = [
        query.query_id
        for name, whole in material.rows.items()
        for query, part, teaches in zip(
            whole.queries, material.parts[name], material.teaches[name], strict=True
        )
        if part in {0, 3} and teaches
    ]
    assert [query.query_id for query in rows.queries] == expected


def test_a_prompt_with_answers_in_several_parts_trains_none(
    index: CatalogIndex, prompts: list[Query], recipe: Recipe, part_of: Mapping[str, int]
) -> None:
    catalog = index.catalog
    first, other = (
        next(q for q in prompts if part_of[catalog[q.relevant[0]].service] == part)
        for part in (0, 3)
    )
    crossing = replace(first, query_id="crossing", relevant=(first.relevant[0], other.relevant[0]))
    found = prepare(
        index,
        [*prompts, crossing],
        recipe=replace(recipe, sessions=0),
        rng=np.random.default_rng(0),
        part_of=part_of,
    )
    taught = {query.query_id for query in found.training_rows(range(N_PARTS)).queries}
    assert not any(query_id.startswith("crossing") for query_id in taught)
    assert first.query_id in taught
    for name, rows in found.rows.items():
        for query, teaches in zip(rows.queries, found.teaches[name], strict=True):
            parts = {part_of[catalog[answer].service] for answer in query.relevant}
            assert teaches == (len(parts) == 1)


def test_the_prior_is_learned_where_nothing_is_tested(
    material: Material, index: CatalogIndex, recipe: Recipe, part_of: Mapping[str, int]
) -> None:
    catalog = index.catalog
    free = [o.operation_id for o in catalog if part_of[o.service] == NO_PART]
    assert {catalog[name].service for name in free} == {"mq"}
    _, walk, _, _ = np.random.default_rng(5).spawn(4)
    walked = simulate(catalog.subset(free, name="free"), n_sessions=recipe.prior_sessions, rng=walk)
    expected = WorkflowPrior.fit(index, sessions_from_frame(walked.sessions))
    assert material.prior.to_dict() == expected.to_dict()


def _prior(
    index: CatalogIndex, queries: list[Query], recipe: Recipe, **options: object
) -> dict[str, object]:
    bare = replace(recipe, sessions=0, history_calls=0)
    found = prepare(
        index,
        queries,
        recipe=bare,
        rng=np.random.default_rng(0),
        **options,  # type: ignore[arg-type]
    )
    assert set(found.rows) == {"prompts"}
    assert found.teaches["prompts"].all()
    return found.prior.to_dict()


def test_the_prior_of_observed_sessions_the_fallback_and_none(
    index: CatalogIndex,
    prompts: list[Query],
    recipe: Recipe,
    part_of: Mapping[str, int],
) -> None:
    few = prompts[::20]
    seen = [
        Session(session_id="s", user_id="u", calls=calls_of(["sqs:ListQueues", "sqs:GetQueueUrl"]))
    ]
    observed = _prior(index, few, recipe, part_of=part_of, observed=seen)
    assert observed == WorkflowPrior.fit(index, seen).to_dict()
    uniform = WorkflowPrior.uniform().to_dict()
    none = replace(recipe, prior_sessions=0)
    assert _prior(index, few, none, part_of=part_of) == uniform
    # No service is free: all of them teach, with no title and no answer of any query.
    taken = {service: max(part, 0) for service, part in part_of.items()}
    fallback = _prior(index, few, recipe, part_of=taken)
    assert fallback != uniform
    assert fallback == _prior(index, few, recipe)


def test_a_catalogue_too_small_to_walk_teaches_no_transitions(
    aws: Catalog, prompts: list[Query], recipe: Recipe
) -> None:
    ids = [o.operation_id for o in aws if o.service == "sts"]
    small = CatalogIndex(aws.subset(ids, name="sts"), OnnxEmbedder(max_tokens=16))
    own = [query for query in prompts if query.relevant[0] in ids]
    assert _prior(small, own, recipe) == WorkflowPrior.uniform().to_dict()


def test_queries_with_a_history_get_no_copy(
    index: CatalogIndex, prompts: list[Query], recipe: Recipe, part_of: Mapping[str, int]
) -> None:
    after = replace(prompts[0], query_id="after", history=calls_of(["sqs:ListQueues"]))
    found = prepare(
        index,
        [after, prompts[1]],
        recipe=replace(recipe, sessions=0, prior_sessions=0),
        rng=np.random.default_rng(0),
        part_of=part_of,
    )
    assert [q.query_id for q in found.rows["after_calls"].queries] == [f"{prompts[1].query_id}-h2"]


def test_a_seed_decides_everything(
    material: Material,
    index: CatalogIndex,
    prompts: list[Query],
    recipe: Recipe,
    part_of: Mapping[str, int],
) -> None:
    def made(seed: int) -> Material:
        rng = np.random.default_rng(seed)
        return prepare(index, prompts, recipe=recipe, rng=rng, part_of=part_of)

    again, other = made(5), made(6)
    for name, rows in material.rows.items():
        assert again.rows[name].queries == rows.queries
        for one, two in zip(again.rows[name].features, rows.features, strict=True):
            np.testing.assert_array_equal(one, two)
    assert other.rows["after_calls"].queries != material.rows["after_calls"].queries
    assert other.rows["sessions"].queries != material.rows["sessions"].queries

    def fitted(found: Material, seed: int) -> str:
        return found.fit(recipe, training=[0, 1, 2], validation=[3], seed=seed).trees_.to_text()

    assert fitted(material, 1) == fitted(again, 1)
    assert fitted(material, 1) != fitted(material, 2)


def test_a_recipe_makes_the_ranker_that_it_describes(recipe: Recipe) -> None:
    ranker = recipe.ranker()
    assert ranker.settings == recipe.boosting
    assert (ranker.hard_negatives, ranker.random_negatives) == (10, 5)
    assert not hasattr(ranker, "trees_")


def test_no_queries_are_refused(index: CatalogIndex, recipe: Recipe) -> None:
    with pytest.raises(ValueError, match="at least one query, got none"):
        prepare(index, [], recipe=recipe, rng=np.random.default_rng(0))


def test_one_session_is_too_few_without_services(
    index: CatalogIndex, prompts: list[Query], recipe: Recipe
) -> None:
    one = [replace(query, session_id="only") for query in prompts[:3]]
    with pytest.raises(ValueError, match="at least two sessions"):
        prepare(index, one, recipe=recipe, rng=np.random.default_rng(0))


def test_parts_are_whole_sessions_where_services_are_not_told_apart() -> None:
    folder = shared_dir() / "data" / "ranking" / "tau_retail"
    if not folder.is_dir():
        pytest.skip(f"{folder}: the evaluation data are not there")
    index = CatalogIndex(read_jsonl(folder / "catalog.jsonl"), OnnxEmbedder(max_tokens=32))
    queries = read_queries(folder / "queries.jsonl")[:60]
    nameless = replace(queries[0], query_id="alone", session_id="")
    found = prepare(
        index,
        [*queries, nameless],
        recipe=Recipe(),
        rng=np.random.default_rng(0),
        observed=observed_sessions(queries),
    )
    assert set(found.rows) == {"prompts"}
    asked = found.rows["prompts"].queries
    part_of_session: dict[str, set[int]] = {}
    for query, part in zip(asked, found.parts["prompts"], strict=True):
        part_of_session.setdefault(query.session_id or query.query_id, set()).add(int(part))
    assert {len(parts) for parts in part_of_session.values()} == {1}
    assert len(set(found.parts["prompts"])) == min(N_PARTS, len(part_of_session))
