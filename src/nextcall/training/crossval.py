"""Cross-validation over the fixed parts: every figure is of services that were not trained on."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from nextcall.progress import Progress, silent
from nextcall.ranking.baselines import popularity
from nextcall.ranking.evaluation import score_baselines, score_ranker
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import QueryRows, query_rows
from nextcall.sessions import Query
from nextcall.sessions.splits import group_folds
from nextcall.training.folds import N_FOLDS, N_PARTS, operation_groups
from nextcall.training.recipe import Material, Recipe

EASY_NEGATIVES: Final = 49
"""Random operations beside the right one, where the easy task is asked for."""

TASKS: Final = {
    "cold": "prompt alone, services never trained on",
    "after_calls": "prompt after two calls of the service, services never trained on",
    "sessions": "simulated sessions, services never trained on, whole catalogue",
    "sessions_easy": "the same against 49 random operations",
    "warm": "prompt alone, other operations of the services trained on",
}
"""What each task asks."""

_WARM_FOLDS: Final = 5
_ROWS_OF: Final = {"cold": "prompts", "after_calls": "after_calls", "sessions": "sessions"}


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """Scores of every query by every system, and the rankers that gave them."""

    scores: pd.DataFrame
    """One row a task, query and system; see `score_ranker`. ``fold`` names the ranker."""
    rankers: tuple[CallRanker, ...]
    """One a fold."""


def parts_of_fold(fold: int) -> tuple[int, int]:
    """Parts that a fold tests on.

    Examples
    --------
    >>> parts_of_fold(1)
    (2, 3)
    """
    return 2 * fold, 2 * fold + 1


def validation_part(fold: int) -> int:
    """Part that decides the number of trees and calibrates, while a fold is tested.

    Examples
    --------
    >>> validation_part(4)
    1
    """
    return parts_of_fold((fold + 1) % N_FOLDS)[1]


def cross_validate(
    index: CatalogIndex,
    material: Material,
    *,
    recipe: Recipe,
    seed: int,
    folds: Sequence[int] = tuple(range(N_FOLDS)),
    workers: int = 2,
    progress: Progress = silent,
) -> CrossValidation:
    """Train on all parts but one fold's, test on that fold, in turn.

    Of the eight other parts one decides the number of trees and calibrates. The baselines are
    scored on the same queries; popularity counts the training prompts of the fold.

    Parameters
    ----------
    workers : int
        Folds that are trained side by side, each on one thread.
    """
    rng = np.random.default_rng(seed)
    easy = _easy_rows(index, material, rng=rng)

    def run(fold: int) -> tuple[CallRanker, list[pd.DataFrame]]:
        validation = validation_part(fold)
        tested = parts_of_fold(fold)
        training = [p for p in range(N_PARTS) if p not in (*tested, validation)]
        ranker = material.fit(recipe, training=training, validation=[validation], seed=seed + fold)
        frames = _test(index, material, easy, ranker, training=training, tested=tested)
        return ranker, [frame.assign(fold=fold) for frame in frames]

    with ThreadPoolExecutor(workers) as pool:  # LightGBM and numpy leave Python's lock
        done = list(
            progress(pool.map(run, folds), description="Cross-validating", total=len(folds))
        )
    scores = pd.concat([frame for _, frames in done for frame in frames], ignore_index=True)
    return CrossValidation(scores=scores, rankers=tuple(ranker for ranker, _ in done))


def _test(
    index: CatalogIndex,
    material: Material,
    easy: QueryRows | None,
    ranker: CallRanker,
    *,
    training: Sequence[int],
    tested: Sequence[int],
) -> list[pd.DataFrame]:
    """Score one fold's ranker and the baselines on every task."""
    known = material.training_rows(training).queries
    frames = []
    for task, name in _ROWS_OF.items():
        if name not in material.rows:
            continue
        chosen = np.flatnonzero(np.isin(material.parts[name], tested))
        rows = material.rows[name].select(chosen)
        frames.append(_score(index, ranker, rows, known).assign(task=task))
        if name == "sessions" and easy is not None:
            frame = score_ranker(ranker, easy.select(chosen), index)
            frames.append(frame.assign(task="sessions_easy"))
    return frames


def warm_split(
    index: CatalogIndex,
    material: Material,
    *,
    recipe: Recipe,
    seed: int,
) -> pd.DataFrame:
    """Train on four fifths of the operations of every service, test on the others, once.

    Prompts of one operation, and operations that share a prompt, are in one part only.
    """
    rng = np.random.default_rng(seed)
    prompts = material.rows["prompts"]
    folds = group_folds(operation_groups(prompts.queries), _WARM_FOLDS, rng=rng)
    training = np.flatnonzero(folds >= 2)  # fold 0 tests, fold 1 validates
    ranker = recipe.ranker().fit_rows(
        prompts.select(training),
        validation=prompts.select(np.flatnonzero(folds == 1)),
        prior=material.prior,
        rng=rng,
    )
    tested = prompts.select(np.flatnonzero(folds == 0))
    known = prompts.select(training).queries
    return _score(index, ranker, tested, known).assign(task="warm", fold=0)


def _score(
    index: CatalogIndex, ranker: CallRanker, rows: QueryRows, known: Sequence[Query]
) -> pd.DataFrame:
    popular = popularity(index, known)
    after_calls = any(query.history for query in rows.queries)
    return pd.concat(
        [
            score_baselines(index, rows.queries, popular=popular, know_service=after_calls),
            score_ranker(ranker, rows, index),
        ],
        ignore_index=True,
    )


def _easy_rows(
    index: CatalogIndex, material: Material, *, rng: np.random.Generator
) -> QueryRows | None:
    """Rows of the simulated queries against random operations."""
    if "sessions" not in material.rows:
        return None
    queries = material.rows["sessions"].queries
    among = []
    for query in queries:
        right = index.positions(query.relevant)
        others = rng.choice(len(index), size=min(EASY_NEGATIVES + 1, len(index)), replace=False)
        others = others[~np.isin(others, right)][:EASY_NEGATIVES]
        among.append(np.concatenate([right, others]))
    return query_rows(index, queries, material.prior, among=among)
