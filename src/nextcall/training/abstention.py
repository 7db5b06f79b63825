"""What teaches to abstain: own and foreign prompts over many small practice catalogues."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Catalog, Operation
from nextcall.progress import Progress, silent
from nextcall.ranking.abstention import Abstention, abstention_inputs
from nextcall.ranking.background import Background
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.rows import check_answers
from nextcall.sessions import Query
from nextcall.training.folds import NO_PART
from nextcall.training.practice import PracticeSettings, practice_catalog, practice_queries
from nextcall.training.public_apis import PublicApis
from nextcall.training.transfer import HELD_OUT_PARTS

_FEWEST_PROMPTS = 4  # of a practice catalogue that teaches


@dataclass(frozen=True, slots=True, kw_only=True)
class AbstentionRecipe:
    """Everything that decides what is learned, but the data."""

    practice: PracticeSettings = field(
        default_factory=lambda: PracticeSettings(catalogs=360, queries=24, fewest=12)
    )
    """Half of the catalogues are cut out of the large catalogue, half out of public APIs."""
    apis: int = 260
    """Providers of public APIs that are practised on; the others are the background."""
    operations_of_api: int = 40
    background: int = 900
    """Operations of public APIs in the background."""
    background_services: int = 250
    """Services without prompts of which an operation is in the background too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A practice catalogue, and prompts that are its own."""

    index: CatalogIndex
    """Of the large catalogue that it is cut out of."""
    catalog: Catalog
    prompts: list[str]


def fit_abstention(
    index: CatalogIndex,
    queries: Sequence[Query],
    apis: PublicApis,
    *,
    open_catalog: Callable[[Catalog], CatalogIndex],
    part_of: Mapping[str, int],
    recipe: AbstentionRecipe,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Abstention:
    """Learn when nothing in a catalogue answers a prompt.

    Parameters
    ----------
    index : CatalogIndex
        Of a large catalogue.
    queries : sequence of Query
        Real prompts over it.
    apis : PublicApis
        The other catalogues; see `read_public_apis`.
    open_catalog : callable
        Indexes a catalogue with the embedders of `index`.
    part_of : mapping of str to int
        Part of each service; nothing is learned from prompts of `HELD_OUT_PARTS`.

    Raises
    ------
    ValueError
        As `check_answers`, or where the prompts are of one service only.
    """
    check_answers(index, queries)
    cut, ask, choose = rng.spawn(3)
    titles: dict[str, list[str]] = defaultdict(list)
    for query in queries:
        for operation_id in query.relevant:
            titles[operation_id].append(query.prompt)
    services = index.catalog.services
    inside = [name for name in services if part_of.get(name, NO_PART) not in HELD_OUT_PARTS]
    unasked = _one_each(
        index.catalog, [name for name in services if part_of.get(name, NO_PART) == NO_PART],
        most=recipe.background_services, rng=choose,
    )  # fmt: skip
    both = {operation.operation_id: operation for operation in (*unasked, *apis.background)}
    background = Background.of_index(open_catalog(Catalog("background", tuple(both.values()))))
    half = recipe.practice.catalogs // 2
    worlds = [
        *practice_worlds(
            index, titles, inside, n_worlds=recipe.practice.catalogs - half,
            settings=recipe.practice, rng=cut,
        ),
        *practice_worlds(
            open_catalog(apis.practice), apis.titles, apis.practice.services, n_worlds=half,
            settings=recipe.practice, rng=cut,
        ),
    ]  # fmt: skip
    inputs, foreign = practice_inputs(background, worlds, rng=ask, progress=progress)
    return Abstention.fit(background, inputs, foreign)


def practice_worlds(
    index: CatalogIndex,
    titles: Mapping[str, Sequence[str]],
    services: Sequence[str],
    *,
    n_worlds: int,
    settings: PracticeSettings,
    rng: np.random.Generator,
) -> list[World]:
    """Draw practice catalogues with their prompts; one with hardly any prompt is left out."""
    worlds = []
    for number in range(n_worlds):
        catalog = practice_catalog(index.catalog, titles, services, settings=settings, rng=rng)
        asked = practice_queries(catalog, titles, settings=settings, rng=rng, name=f"{number}")
        prompts = list(dict.fromkeys(query.prompt for query in asked))
        if len(prompts) >= _FEWEST_PROMPTS:
            worlds.append(World(index=index, catalog=catalog, prompts=prompts))
    return worlds


def practice_inputs(
    background: Background,
    worlds: Sequence[World],
    *,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Ask every practice catalogue its own prompts, and as many of others that share no service.

    Returns
    -------
    inputs : array of shape (n_prompts, n_inputs)
    foreign : array of shape (n_prompts,)

    Raises
    ------
    ValueError
        Where a catalogue shares a service with every other one.
    """
    encoder = worlds[0].index
    encoder.encode_prompts([text for world in worlds for text in world.prompts], progress=progress)
    inputs, foreign = [], []
    for world in progress(worlds, description="Asking foreign prompts", total=len(worlds)):
        apart = [other for other in worlds if _apart(world, other)]
        if not apart:
            raise ValueError(
                f"worlds must be of several services, got {world.catalog.services} everywhere."
            )
        asked = [apart[i].prompts for i in rng.integers(len(apart), size=len(world.prompts))]
        others = dict.fromkeys(prompts[int(rng.integers(len(prompts)))] for prompts in asked)
        strange = [prompt for prompt in others if prompt not in world.prompts]
        prompts = [*world.prompts, *strange]
        index = world.index.subset(world.catalog)
        vectors = encoder.encode_prompts(prompts)
        found = {
            prompt: retrieve(index, prompt, vector=vector)
            for prompt, vector in zip(prompts, vectors, strict=True)
        }
        inputs.append(abstention_inputs(background, index, found))
        foreign += [False] * len(world.prompts) + [True] * len(strange)
    return np.concatenate(inputs), np.array(foreign, dtype=np.bool_)


def _apart(world: World, other: World) -> bool:
    if world.index is not other.index:
        return True
    return not set(world.catalog.services) & set(other.catalog.services)


def _one_each(
    catalog: Catalog, services: Sequence[str], *, most: int, rng: np.random.Generator
) -> list[Operation]:
    """Take one operation of each of some services."""
    of_service: dict[str, list[Operation]] = {name: [] for name in services}
    for operation in catalog:
        if operation.service in of_service:
            of_service[operation.service].append(operation)
    chosen = [services[i] for i in rng.permutation(len(services))[:most]]
    return [of_service[name][int(rng.integers(len(of_service[name])))] for name in chosen]
