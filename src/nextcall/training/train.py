"""Train one ranker for use: the recipe, its validation figures, and what the model card says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from nextcall.embedding.embedder import Embedder
from nextcall.progress import Progress, silent
from nextcall.ranking.evaluation import calibration_error, score_ranker
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import ModelCard, packaged_abstention
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import check_answers
from nextcall.sessions import Query, Session
from nextcall.training.folds import N_PARTS, NO_PART, service_families, share_out_services
from nextcall.training.held_out import HeldOut, query_digest
from nextcall.training.parity import FEWEST_PARTS, encoder_parity
from nextcall.training.recipe import Material, Recipe, prepare
from nextcall.training.session_parts import KEPT_PART, session_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A ranker for use, what it learned from, and what was kept from it."""

    ranker: CallRanker
    card: ModelCard
    held_out: HeldOut
    """Of the given queries, and of their copies after calls: those of the part that validated."""
    learned: frozenset[str]
    """Hashes of the given queries that trained it, as `query_digest` gives them."""


def train_ranker(
    index: CatalogIndex,
    queries: Sequence[Query],
    *,
    recipe: Recipe,
    seed: int,
    observed: Sequence[Session] = (),
    encoder: Embedder | None = None,
    progress: Progress = silent,
) -> tuple[CallRanker, ModelCard]:
    """Train as `train_for_use` does, and give the ranker and its card alone."""
    trained = train_for_use(
        index,
        queries,
        recipe=recipe,
        seed=seed,
        observed=observed,
        encoder=encoder,
        progress=progress,
    )
    return trained.ranker, trained.card


def train_for_use(
    index: CatalogIndex,
    queries: Sequence[Query],
    *,
    recipe: Recipe,
    seed: int,
    observed: Sequence[Session] = (),
    encoder: Embedder | None = None,
    progress: Progress = silent,
) -> Trained:
    """Train on queries over one catalogue; a tenth of them validates and calibrates.

    Where the queries are about enough families of services the parts are families, and prompts get
    copies after calls and simulated sessions beside them; else the parts are whole sessions, and
    those that validate are the same in every training.

    Parameters
    ----------
    observed : sequence of Session
        Real sessions, which teach how calls follow one another; those that validate do not.
    encoder : Embedder, optional
        A quick encoder of prompts in the index's space. It takes the place of the index's own
        where it holds against it (`encoder_parity`), and where there is enough to tell; the card
        says which it was, and how they differ.

    Raises
    ------
    ValueError
        As `check_answers`, or where there are too few queries to hold a part back.
    """
    check_answers(index, queries)
    catalog = index.catalog
    asked = [catalog[query.relevant[0]].service for query in queries]
    families = service_families(catalog.services)
    part_of: Mapping[str, int] | None = None
    if len({families[service] for service in asked}) >= N_PARTS:
        part_of = share_out_services(catalog.services, asked)
    compared: dict[str, float] = {}

    def material_of(chosen: CatalogIndex) -> Material:
        return prepare(
            chosen,
            queries,
            recipe=recipe,
            rng=np.random.default_rng(seed),
            part_of=part_of,
            observed=observed,
            held_out=KEPT_PART,
            progress=progress,
        )

    quick = index if encoder is None else index.with_embedder(encoder)
    material = material_of(quick)
    if encoder is not None:
        holds = False
        if len(set(material.parts["prompts"].tolist()) - {NO_PART}) >= FEWEST_PARTS:
            parity = encoder_parity(quick, material, recipe=recipe, seed=seed, progress=progress)
            holds, compared = parity.holds, parity.figures()
        if not holds:
            quick, material = index, material_of(index)
    ranker, card = fit_for_use(quick, material, recipe=recipe, seed=seed)
    training, validation = _shared_out(material)
    return Trained(
        ranker=ranker,
        card=replace(card, metrics={**card.metrics, **compared}),
        held_out=_held_out(quick, material, validation, by_service=part_of is not None),
        learned=frozenset(map(query_digest, material.given("prompts", training))),
    )


def fit_for_use(
    index: CatalogIndex,
    material: Material,
    *,
    recipe: Recipe,
    seed: int,
) -> tuple[CallRanker, ModelCard]:
    """Fit on all parts but one, which validates and calibrates, and say how good it is there.

    When nothing answers a prompt is judged as by the packaged ranker, which practised that on many
    catalogues.
    """
    training, validation = _shared_out(material)
    ranker = material.fit(recipe, training=training, validation=[validation], seed=seed)
    ranker.abstention_ = packaged_abstention(index)
    held_out = score_ranker(ranker, material.training_rows([validation]), index)
    figures = {
        "validation.ndcg@10": float(held_out["ndcg@10"].mean()),
        "validation.hit@1": float(held_out["hit@1"].mean()),
        "validation.calibration_error": calibration_error(held_out),
    }
    card = ModelCard(
        catalog=index.catalog.name,
        catalog_hash=index.catalog.content_hash,
        embedder=index.embedder.name,
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        n_queries=len(material.training_rows(training)),
        metrics=figures,
    )
    return ranker, card


def _shared_out(material: Material) -> tuple[list[int], int]:
    """Give the parts that train, and the one that validates."""
    present = sorted({int(p) for parts in material.parts.values() for p in parts if p != NO_PART})
    validation = present[min(KEPT_PART, len(present) - 1)]
    return [part for part in present if part != validation], validation


def _held_out(
    index: CatalogIndex, material: Material, validation: int, *, by_service: bool
) -> HeldOut:
    """Give what users asked in the part that validates; what was simulated there is left out."""
    given = material.given("prompts", [validation])
    copies = material.given("after_calls", [validation])
    queries = (*given, *copies)
    bare = (*given, *(replace(copy, history=()) for copy in copies))
    return HeldOut(
        queries=queries,
        groups=tuple(
            index.catalog[query.relevant[0]].service if by_service else session_of(query)
            for query in queries
        ),
        digests=tuple(map(query_digest, bare)),
    )
