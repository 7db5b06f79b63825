"""Parts of whole sessions, of which one is kept from training: the same sessions every time."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from nextcall.sessions import Query
from nextcall.sessions.hashed_split import split_by_hash
from nextcall.sessions.splits import group_folds
from nextcall.training.folds import N_PARTS
from nextcall.training.held_out import query_digest

KEPT_PART: Final = 1
"""Part that no ranker for use learns from."""

PURPOSE: Final = "nextcall held-out sessions 1"
"""Of the hash that says which sessions these are. With another, what one model was kept from
another has learned."""


def session_of(query: Query) -> str:
    """Name what a split by sessions keeps together: a session, or what asks the same without one.

    The name of a query without a session may be the number of its line, and so that of a session.
    """
    return query.session_id or f"\0{query_digest(query)}"


def session_parts(queries: Sequence[Query], *, rng: np.random.Generator) -> dict[str, int]:
    """Share sessions out over `N_PARTS` parts, or as many as there are sessions.

    A tenth of the queries, about, is in `KEPT_PART`: those of sessions whose names hash low
    (`split_by_hash`), so that models that were trained at different times on sessions that came
    meanwhile have been kept from the same ones. The other parts are of like sizes.

    Parameters
    ----------
    queries : sequence of Query
        Of at least two sessions, or two that differ.
    rng : numpy.random.Generator
        Draws the other parts.

    Returns
    -------
    dict of str to int
        Part by session, as `session_of` names it.

    Raises
    ------
    ValueError
        Where there are fewer.
    """
    sessions = [session_of(query) for query in queries]
    if len(set(sessions)) < 2:
        raise ValueError("queries must be of at least two sessions, so that one can validate.")
    split = split_by_hash(sessions, test_share=1 / N_PARTS, purpose=PURPOSE)
    parts = dict.fromkeys((sessions[row] for row in split.test), KEPT_PART)
    left = [sessions[row] for row in split.train]
    n_left = min(N_PARTS - 1, len(set(left)))
    folds = np.zeros(len(left), dtype=np.int64)
    if n_left > 1:
        folds = group_folds(left, n_left, rng=rng)
    others = folds + (folds >= KEPT_PART)
    return parts | dict(zip(left, others.tolist(), strict=True))
