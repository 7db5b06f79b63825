"""How well a ranker adapts: each session ranked by one that learned from the others."""

from collections.abc import Sequence

import numpy as np

from nextcall.progress import Progress, silent
from nextcall.ranking.adaptation import (
    ADAPTED_SETTINGS,
    adapt_examined,
)
from nextcall.ranking.adapted_rows import Examiner
from nextcall.ranking.answers import Ranked
from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import Query
from nextcall.sessions.queries import session_groups
from nextcall.sessions.splits import group_folds


def cross_validate(  # noqa: PLR0913  # three subjects and seven options
    base: CallRanker,
    index: CatalogIndex,
    queries: Sequence[Query],
    *,
    rng: np.random.Generator,
    folds: int = 5,
    groups: Sequence[str] | None = None,
    sessions: int | None = None,
    k: int = 20,
    settings: BoostingSettings = ADAPTED_SETTINGS,
    progress: Progress = silent,
) -> list[list[Ranked]]:
    """Adapt to all folds but one, rank that one, and so on through all folds.

    Parameters
    ----------
    groups : sequence of str, optional
        What a split keeps together, one label a query; the session where none is given.
    sessions : int, optional
        Groups to learn from, drawn anew for each fold from all other folds; all of them where none
        is given.
    k : int
        Answers a query, at least 1.

    Returns
    -------
    list of lists of Ranked
        The answers to each query, best first, in the order of the queries.

    Raises
    ------
    ValueError
        Where `k`, `folds` or `sessions` is out of range, or as `adapt_ranker`.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")
    known = session_groups(queries) if groups is None else list(groups)
    if not 2 <= folds <= len(set(known)):
        raise ValueError(
            f"folds must be from 2 to the number of groups, {len(set(known))}, got {folds}."
        )
    fold = group_folds(known, folds, rng=rng)
    label = np.array(known)
    if sessions is not None:
        most = min(len(np.unique(label[fold != held_out])) for held_out in range(folds))
        if not 2 <= sessions <= most:
            raise ValueError(
                f"sessions must be from 2 to the groups of all folds but one, {most}, "
                f"got {sessions}."
            )
    examiner = Examiner(index, base, queries, progress=progress)
    answers: list[list[Ranked]] = [[] for _ in queries]
    for held_out in progress(range(folds), description="Adapting to folds", total=folds):
        learned = fold != held_out
        if sessions is not None:
            drawn = rng.choice(np.unique(label[learned]), sessions, replace=False)
            learned = np.isin(label, drawn)
        adapted = adapt_examined(
            examiner,
            np.flatnonzero(learned),
            groups=known,
            rng=rng,
            settings=settings,
            progress=progress,
        )
        for position in np.flatnonzero(fold == held_out).tolist():
            examined = examiner.examine(position, adapted.evidence)
            answers[position] = adapted.rank_examined(index, examined, k=k)
    return answers
