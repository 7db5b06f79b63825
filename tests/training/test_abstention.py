"""What teaches to abstain: who is asked what, and that it holds for services never trained on."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from nextcall.catalog import Catalog
from nextcall.ranking.abstention import abstention_inputs
from nextcall.ranking.background import Background
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.index import CatalogIndex
from nextcall.sessions import Query
from nextcall.training.abstention import (
    AbstentionRecipe,
    World,
    fit_abstention,
    practice_inputs,
    practice_worlds,
)
from nextcall.training.practice import PracticeSettings
from nextcall.training.public_apis import PublicApis
from nextcall.training.transfer import HELD_OUT_PARTS

SETTINGS = PracticeSettings(catalogs=24, queries=12, fewest=12, most=80)
SMALLTALK = ("what is the weather in Paris", "play some jazz", "book a table for two", "sing")


@pytest.fixture(scope="module")
def titles(prompts: list[Query]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for query in prompts:
        for name in query.relevant:
            found.setdefault(name, []).append(query.prompt)
    return found


def _part(index: CatalogIndex, *services: str) -> Catalog:
    inside = [o.operation_id for o in index.catalog if o.service in services]
    return index.catalog.subset(inside, name="part")


def test_foreign_prompts_are_of_catalogues_that_share_no_service(index: CatalogIndex) -> None:
    """Told by their inputs: each is what the plain definition gives for one known prompt."""
    background = Background.of_index(index)
    worlds = [
        World(index=index, catalog=_part(index, "sqs"), prompts=["send a message", "list queues"]),
        World(index=index, catalog=_part(index, "sqs", "elb"), prompts=["receive messages"]),
        World(index=index, catalog=_part(index, "acm"), prompts=["request a certificate"]),
    ]
    rng = np.random.default_rng(0)
    inputs, foreign = practice_inputs(background, worlds, rng=rng)
    asked = [
        (worlds[0], ["send a message", "list queues"], ["request a certificate"]),
        (worlds[1], ["receive messages"], ["request a certificate"]),
    ]
    at = 0
    for world, own, others in asked:
        part = index.subset(world.catalog)
        found = {p: retrieve(part, p, vector=index.encode_prompts([p])[0]) for p in (*own, *others)}
        expected = abstention_inputs(background, part, found)
        np.testing.assert_allclose(inputs[at : at + len(expected)], expected)
        assert foreign[at : at + len(expected)].tolist() == [False] * len(own) + [True]
        at += len(expected)
    assert foreign[at:].tolist() == [False, True]  # of one of the other two, whichever was drawn


def test_worlds_of_one_service_are_refused(index: CatalogIndex) -> None:
    same = [World(index=index, catalog=_part(index, "sqs"), prompts=["send"]) for _ in range(2)]
    with pytest.raises(ValueError, match=r"worlds must be of several services, got \('sqs',\)"):
        practice_inputs(Background.of_index(index), same, rng=np.random.default_rng(0))


def test_worlds_hold_their_own_prompts_and_enough_of_them(
    index: CatalogIndex, titles: Mapping[str, list[str]]
) -> None:
    few = practice_worlds(
        index, titles, ["sqs", "elb"], n_worlds=5, settings=replace(SETTINGS, queries=3),
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert few == []
    worlds = practice_worlds(
        index, titles, ["sqs", "elb", "acm"], n_worlds=5, settings=SETTINGS,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert len(worlds) == 5
    for world in worlds:
        assert set(world.catalog.services) <= {"sqs", "elb", "acm"}
        assert 4 <= len(set(world.prompts)) == len(world.prompts) <= SETTINGS.queries


@pytest.fixture(scope="module")
def apis(aws: Catalog, titles: Mapping[str, list[str]]) -> PublicApis:
    """Three of the services in the place of foreign APIs, and another as the background."""
    foreign = ("cloud9", "ecr-public", "networkmonitor")
    rows = [
        replace(operation, operation_id=f"foreign:{operation.operation_id}")
        for operation in aws
        if operation.service in foreign
    ]
    ids = {operation.operation_id for operation in rows}
    return PublicApis(
        practice=Catalog("foreign", tuple(rows)),
        titles={f"foreign:{k}": v for k, v in titles.items() if f"foreign:{k}" in ids},
        background=tuple(o for o in aws if o.service in {"route53profiles", "medical-imaging"}),
    )


def test_it_holds_for_services_that_taught_nothing(
    aws: Catalog,
    index: CatalogIndex,
    prompts: list[Query],
    part_of: Mapping[str, int],
    apis: PublicApis,
) -> None:
    recipe = AbstentionRecipe(practice=SETTINGS)
    fitted = fit_abstention(
        index, prompts, apis, open_catalog=lambda some: CatalogIndex(some, index.embedder),
        part_of=part_of, recipe=recipe, rng=np.random.default_rng(0),
    )  # fmt: skip
    # The background is what was given and one operation of the service without prompts.
    assert len(fitted.background.levels) == len(apis.background) + 1
    assert fitted.knows(index)
    held_out = [s for s in aws.services if part_of[s] in HELD_OUT_PARTS]
    world = index.subset(_part(index, *held_out))
    own = [q.prompt for q in prompts if aws[q.relevant[0]].service in held_out]
    stated = {
        prompt: fitted.probability(world, prompt, retrieve(world, prompt))
        for prompt in (*own, *SMALLTALK)
    }
    pairs = [stated[mine] < stated[other] for mine in own for other in SMALLTALK]
    assert np.mean(pairs) > 0.9


def test_held_out_prompts_teach_nothing(
    index: CatalogIndex,
    prompts: list[Query],
    part_of: Mapping[str, int],
    apis: PublicApis,
) -> None:
    """Other words for them change nothing that was learned."""
    recipe = AbstentionRecipe(practice=replace(SETTINGS, catalogs=6))
    held_out = {name for name, part in part_of.items() if part in HELD_OUT_PARTS}
    other = [
        replace(query, prompt="sing a song")
        if index.catalog[query.relevant[0]].service in held_out
        else query
        for query in prompts
    ]
    assert other != prompts
    found = [
        fit_abstention(
            index, some, apis, open_catalog=lambda some: CatalogIndex(some, index.embedder),
            part_of=part_of, recipe=recipe, rng=np.random.default_rng(1),
        )
        for some in (prompts, other)
    ]  # fmt: skip
    assert found[0].to_dict() == found[1].to_dict()
