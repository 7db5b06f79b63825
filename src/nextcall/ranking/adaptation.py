"""How a ranker learns from a target's own sessions."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.progress import Progress, silent
from nextcall.ranking.adapted_ranker import AdaptedRanker
from nextcall.ranking.adapted_rows import Examiner
from nextcall.ranking.adapted_score import AdaptedScore
from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import Query
from nextcall.sessions.queries import session_groups
from nextcall.sessions.splits import group_folds

INNER_FOLDS: Final = 10
"""Parts of the sessions; the evidence of each row comes from the parts that it is not in."""

ADAPTED_SETTINGS: Final = BoostingSettings(
    trees=200,
    leaves=7,  # a few dozen sessions fill no larger trees
    learning_rate=0.05,
    feature_fraction=0.3,
    l2=5.0,
    max_bins=63,
)


def adapt_ranker(
    base: CallRanker,
    index: CatalogIndex,
    queries: Sequence[Query],
    *,
    rng: np.random.Generator,
    settings: BoostingSettings = ADAPTED_SETTINGS,
    progress: Progress = silent,
) -> AdaptedRanker:
    """Learn from queries of a target's own sessions.

    Raises
    ------
    ValueError
        Where the queries come from fewer than two sessions, or as `check_answers`.
    """
    examiner = Examiner(index, base, queries, progress=progress)
    return adapt_examined(
        examiner,
        np.arange(len(queries)),
        groups=session_groups(queries),
        rng=rng,
        settings=settings,
        progress=progress,
    )


def adapt_examined(
    examiner: Examiner,
    positions: NDArray[np.int64],
    *,
    groups: Sequence[str],
    rng: np.random.Generator,
    settings: BoostingSettings = ADAPTED_SETTINGS,
    progress: Progress = silent,
) -> AdaptedRanker:
    """Learn as `adapt_ranker` does, from some of the queries of an examiner.

    Parameters
    ----------
    positions : array of shape (n,)
        Places of the queries to learn from.
    groups : sequence of str
        Session of each query of the examiner: evidence for a row never comes from its own.
    """
    own = [groups[position] for position in positions.tolist()]
    n_groups = len(set(own))
    if n_groups < 2:
        raise ValueError(f"queries must come from at least two sessions, got {n_groups}.")
    inner = group_folds(own, min(INNER_FOLDS, n_groups), rng=rng)
    rows = examiner.rows(positions, inner, progress=progress)
    score, calibration = AdaptedScore.fit(rows, inner, settings=settings, rng=rng)
    return AdaptedRanker(examiner.base, examiner.evidence(positions), score, calibration)
