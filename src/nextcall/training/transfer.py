"""A ranker for catalogues that it has never seen: trained by practice on many small ones."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import numpy as np

from nextcall.progress import Progress, silent
from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.evaluation import calibration_error, score_ranker
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import ModelCard, packaged_abstention
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import QueryRows, check_answers, query_rows
from nextcall.ranking.training_prompts import TrainingPrompts
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Query
from nextcall.training.folds import N_PARTS
from nextcall.training.practice import PracticeSettings, practice_catalog, practice_queries
from nextcall.training.recipe import Recipe, prepare

HELD_OUT_PARTS: Final = (N_PARTS - 2, N_PARTS - 1)
"""Parts whose services nothing is trained on: they calibrate, and give the card's figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRecipe:
    """Everything that decides what is learned, but the data."""

    boosting: BoostingSettings = field(
        default_factory=lambda: BoostingSettings(
            trees=120,  # more trees fit the practice better, and other catalogues worse
            learning_rate=0.06,
            min_rows_in_leaf=40,
            feature_fraction=0.4,
            l2=5.0,
            max_bins=127,
            patience=120,  # so that all are kept
        )
    )
    practice: PracticeSettings = field(default_factory=PracticeSettings)
    held_out_catalogs: int = 60
    whole: Recipe = field(default_factory=Recipe)
    """Queries over the whole catalogue that teach beside the practice, and how many wrong
    candidates each query has; its boosting is not used."""


def train_for_transfer(
    index: CatalogIndex,
    queries: Sequence[Query],
    *,
    part_of: Mapping[str, int],
    recipe: TransferRecipe,
    seed: int,
    progress: Progress = silent,
) -> tuple[CallRanker, ModelCard]:
    """Train a ranker on many small catalogues cut out of a large one, and on the large one itself.

    Parameters
    ----------
    queries : sequence of Query
        Real prompts with their answers.
    part_of : mapping of str to int
        Part of each service; `HELD_OUT_PARTS` calibrate, all others teach, also those of no part.

    Raises
    ------
    ValueError
        As `check_answers`, or where the prompts are all on one side.
    """
    check_answers(index, queries)
    walk, teach, hold, fit = np.random.default_rng(seed).spawn(4)
    material = prepare(
        index, queries, recipe=recipe.whole, rng=walk, part_of=part_of, progress=progress
    )
    titles: dict[str, list[str]] = defaultdict(list)
    for query in queries:
        for operation_id in query.relevant:
            titles[operation_id].append(query.prompt)
    inside = [s for s in index.catalog.services if part_of.get(s, -1) not in HELD_OUT_PARTS]
    outside = [s for s in index.catalog.services if part_of.get(s, -1) in HELD_OUT_PARTS]
    practised = practice_rows(
        index, titles, inside, material.prior, n_catalogs=recipe.practice.catalogs,
        settings=recipe.practice, rng=teach, progress=progress,
    )  # fmt: skip
    held_out = practice_rows(
        index, titles, outside, material.prior, n_catalogs=recipe.held_out_catalogs,
        settings=recipe.practice, rng=hold, progress=progress,
    )  # fmt: skip
    taught = [part for part in range(N_PARTS) if part not in HELD_OUT_PARTS]
    rows = practised + material.training_rows(taught)
    ranker = replace(recipe.whole, boosting=recipe.boosting).ranker()
    ranker.fit_rows(rows, validation=held_out, prior=material.prior, rng=fit)
    known = set(inside)
    ranker.prompts_ = TrainingPrompts.of(
        query
        for query in queries
        if known.intersection(index.catalog[name].service for name in query.relevant)
    )
    ranker.abstention_ = packaged_abstention(index)
    scores = score_ranker(ranker, held_out, index)
    card = ModelCard(
        catalog=index.catalog.name,
        catalog_hash=index.catalog.content_hash,
        embedder=index.embedder.name,
        seed=seed,
        n_queries=len(rows),
        metrics={
            "held_out.ndcg@10": float(scores["ndcg@10"].mean()),
            "held_out.hit@1": float(scores["hit@1"].mean()),
            "held_out.calibration_error": calibration_error(scores),
        },
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return ranker, card


def practice_rows(
    index: CatalogIndex,
    titles: Mapping[str, Sequence[str]],
    services: Sequence[str],
    prior: WorkflowPrior,
    *,
    n_catalogs: int,
    settings: PracticeSettings,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> QueryRows:
    """Draw practice catalogues and the rows of their queries.

    The rows' candidates are positions in the small catalogues, not in the index.
    """
    drawn = []
    for number in range(n_catalogs):
        catalog = practice_catalog(index.catalog, titles, services, settings=settings, rng=rng)
        asked = practice_queries(
            catalog, titles, settings=settings, rng=rng, name=f"practice-{number}"
        )
        drawn.append((catalog, asked))
    index.encode_prompts([q.prompt for _, asked in drawn for q in asked], progress=progress)
    rows = [
        query_rows(index.subset(catalog), asked, prior)
        for catalog, asked in progress(drawn, description="Practising", total=len(drawn))
    ]
    return QueryRows(
        tuple(query for part in rows for query in part.queries),
        tuple(x for part in rows for x in part.candidates),
        tuple(x for part in rows for x in part.features),
        tuple(x for part in rows for x in part.relevance),
    )
