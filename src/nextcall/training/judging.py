"""Two models on the queries that were held back from the newer one's training."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from nextcall.progress import Progress, silent
from nextcall.ranking.any_ranker import AnyRanker, check_ranker, load_any_ranker
from nextcall.ranking.comparison import paired_difference
from nextcall.ranking.index import CatalogIndex
from nextcall.sessions import Query
from nextcall.training.held_out import HeldOut, load_learned
from nextcall.training.judged import Judged, OnSameQueries, model_digest
from nextcall.training.opening import encoded_for_model
from nextcall.training.ranked_lists import list_ndcg

MOST: Final = 400
"""Queries that are judged by; more are drawn from."""

FEWEST: Final = 0.1
"""Share of the held-out queries that must be new to both.

The difference of two models varies far less from query to query than either's NDCG: the same seven
of a hundred tell as much as a hundred for each model apart (benchmarks/swap_judging.py), which is
what their cards hold."""

_K: Final = 10


def judge(
    ranker: AnyRanker,
    present: Path,
    held_out: HeldOut,
    *,
    learned: Collection[str],
    index: CatalogIndex,
    cache: Path,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Judged:
    """Hold a new model against a saved one, on queries that neither learned from.

    Those that the saved one is known to have learned from are left out, and so are those that the
    new one learned from too: another session may have asked the very same.

    Parameters
    ----------
    ranker : AnyRanker
        The new model.
    present : Path
        Folder of the other.
    held_out : HeldOut
        Of the new model's training.
    learned : collection of str
        Hashes of the queries that the new model learned from, as `query_digest` gives them.
    index : CatalogIndex
        With the new model's encoder of prompts; the other gets its own.
    cache : Path
        Where encoders are kept.
    rng : numpy.random.Generator
        Draws queries where there are more than `MOST`, and the interval.

    Raises
    ------
    ModelError, EncoderError
        Where the other cannot be used over this catalogue.
    """
    other, card = load_any_ranker(present)
    other_index = encoded_for_model(index, present, card, cache=cache, progress=progress)
    check_ranker(other, other_index, present)
    by_other = load_learned(present, trees=other.digest)
    known = {*learned, *(by_other or ())}
    new = [i for i, each in enumerate(held_out.digests) if each not in known]
    on_same = None
    if new and len(new) >= FEWEST * len(held_out):
        if len(new) > MOST:
            new = np.sort(rng.choice(new, MOST, replace=False)).tolist()
        chosen = held_out.select(new)
        on_same = _on_same(
            _ndcg(ranker, index, chosen.queries, progress=progress),
            _ndcg(other, other_index, chosen.queries, progress=progress),
            chosen.groups,
            rng=rng,
        )
    return Judged(
        against=model_digest(present),
        on_same=on_same,
        left_out=sum(each in (by_other or ()) for each in held_out.digests),
        may_have_learned=by_other is None,
    )


def _ndcg(
    ranker: AnyRanker, index: CatalogIndex, queries: Sequence[Query], *, progress: Progress
) -> list[float]:
    vectors = index.encode_prompts([query.prompt for query in queries], progress=progress)
    asked = progress(list(zip(queries, vectors, strict=True)), description="Judging the models")
    lists = [
        ranker.rank(index, query.prompt, query.history, k=_K, vector=vector, now=query.time)
        for query, vector in asked
    ]
    shown = [[each.operation.operation_id for each in ranked] for ranked in lists]
    gains: list[float] = list_ndcg(shown, [query.relevant for query in queries], k=_K).tolist()
    return gains


def _on_same(
    new: Sequence[float],
    present: Sequence[float],
    groups: Sequence[str],
    *,
    rng: np.random.Generator,
) -> OnSameQueries:
    lower = upper = None
    if len(set(groups)) > 1:
        found = paired_difference(new, present, groups=list(groups), rng=rng)
        lower, upper = found.ci_lower, found.ci_upper
    return OnSameQueries(
        ndcg=float(np.mean(new)),
        present_ndcg=float(np.mean(present)),
        difference=float(np.mean(np.subtract(new, present))),
        ci_lower=lower,
        ci_upper=upper,
        queries=len(new),
        groups=len(set(groups)),
    )
