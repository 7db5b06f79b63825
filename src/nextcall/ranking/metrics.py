"""How good rankings are; ties count as the mean over every order of them.

Where candidates have equal scores, a metric is the exact expectation over all orders of the tied
ones (McSherry & Najork 2008), so no figure hangs on how a sort happened to break ties. A score of
minus infinity means *not retrieved*: such a candidate takes no rank, but what was relevant of it is
missed.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nextcall.ranking.tied_ranks import TiedRanks

_CHUNK: Final = 1 << 21  # candidates that one step of `metrics_table` holds; about 200 MB

Floats = NDArray[np.float64]


def ndcg(relevance: ArrayLike, scores: ArrayLike, *, k: int | None = None) -> float:
    """Compute normalised discounted cumulative gain; higher is better.

    Parameters
    ----------
    relevance : array-like of shape (n_candidates,)
        Gain of each candidate, non-negative; 0 means irrelevant. The gain counts as it is, the
        discount is 1 / log2(rank + 1).
    scores : array-like of shape (n_candidates,)
        What the candidates are ranked by, higher first; minus infinity: not retrieved.
    k : int, optional
        Ranks that count, at least 1; all where it is None.

    Returns
    -------
    float
        NDCG in [0, 1]; ``nan`` where no candidate is relevant, for the ideal is then 0.

    Raises
    ------
    ValueError
        Where shapes differ, a gain is negative, a value is not a number, or `k` is below 1.

    References
    ----------
    Jarvelin & Kekalainen (2002), TOIS 20(4); ties after McSherry & Najork (2008), ECIR.

    Examples
    --------
    >>> ndcg([0, 1, 0], [0.9, 0.8, 0.1])
    0.6309297535714575
    >>> ndcg([0, 1], [0.5, 0.5], k=1)
    0.5
    """
    return _of_one(relevance, scores, lambda ranked: _ndcg(ranked, k))


def recall(relevance: ArrayLike, scores: ArrayLike, *, k: int | None = None) -> float:
    """Compute the share of the relevant candidates within the first `k`; higher is better.

    Arguments and errors are those of `ndcg`; any gain above 0 is relevant, ``nan`` where none is.

    Examples
    --------
    >>> recall([1, 0, 1], [0.9, 0.8, 0.1], k=2)
    0.5
    """
    return _of_one(relevance, scores, lambda ranked: _recall(ranked, k))


def precision(relevance: ArrayLike, scores: ArrayLike, *, k: int = 1) -> float:
    """Compute the share of the first `k` ranks that is relevant; higher is better.

    At `k` = 1, the default, this is hit@1. Arguments and errors are those of `ndcg`; any gain above
    0 is relevant. Ranks beyond the last candidate hold nothing relevant; 0 where nothing is.

    Examples
    --------
    >>> precision([1, 0, 1], [0.9, 0.9, 0.1])
    0.5
    """
    return _of_one(relevance, scores, lambda ranked: _precision(ranked, k))


def reciprocal_rank(relevance: ArrayLike, scores: ArrayLike) -> float:
    """Compute 1 / rank of the first relevant candidate; higher is better.

    Arguments and errors are those of `ndcg`; any gain above 0 is relevant, ``nan`` where none is.

    Examples
    --------
    >>> reciprocal_rank([0, 1, 1], [0.9, 0.8, 0.1])
    0.5
    >>> reciprocal_rank([0, 1], [0.5, 0.5])
    0.75
    """
    return _of_one(relevance, scores, _reciprocal_rank)


def average_precision(relevance: ArrayLike, scores: ArrayLike) -> float:
    """Compute the mean, over the relevant candidates, of the precision at each; higher is better.

    Arguments and errors are those of `ndcg`; any gain above 0 is relevant, ``nan`` where none is.
    A relevant candidate that was not retrieved adds 0.

    Examples
    --------
    >>> average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    0.8333333333333333
    """
    return _of_one(relevance, scores, _average_precision)


def metrics_table(
    relevance: ArrayLike,
    scores: ArrayLike,
    *,
    n_relevant: ArrayLike | None = None,
    ks: Sequence[int] = (1, 5, 10),
) -> pd.DataFrame:
    """Compute every metric of many queries; all are higher for better rankings.

    Parameters
    ----------
    relevance, scores : array-like of shape (n_queries, n_candidates)
        As in `ndcg`. A query with fewer candidates is filled up with relevance 0 and score minus
        infinity.
    n_relevant : array-like of shape (n_queries,), optional
        Relevant operations in all, where some are no candidates; each of these has gain 1.
    ks : sequence of int
        Where NDCG and recall are cut.

    Returns
    -------
    DataFrame
        One row a query; columns ``ndcg@k``, ``recall@k`` for each k, ``hit@1``, ``mrr``, ``map``.
        The mean of a column is the metric of its name. ``nan`` where nothing is relevant.

    Raises
    ------
    ValueError
        As `ndcg`; also where `n_relevant` is less than what the candidates hold.

    Examples
    --------
    >>> metrics_table([[0, 1]], [[0.9, 0.8]], n_relevant=[2], ks=[2])
         ndcg@2  recall@2  hit@1  mrr   map
    0  0.386853       0.5    0.0  0.5  0.25
    """
    gains, values = _checked(relevance, scores, dimensions=2)
    if n_relevant is not None:
        gains, values = _with_missing(gains, values, np.asarray(n_relevant))
    step = max(1, _CHUNK // max(1, gains.shape[1]))
    # One empty chunk, at least, so that no queries have the columns too.
    starts = range(0, max(1, len(gains)), step)
    return pd.concat(
        [_table(TiedRanks.of(gains[i : i + step], values[i : i + step]), ks) for i in starts],
        ignore_index=True,
    )


def rank_metrics(
    ranking: Sequence[str], relevant: Collection[str], *, ks: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
    """Compute every metric of one list of ids, best first; names as in `metrics_table`.

    An id that stands twice counts once, at its first place; what is relevant and not in the list
    was not retrieved. Every value is ``nan`` but ``hit@1`` where nothing is relevant.

    Examples
    --------
    >>> rank_metrics(["b", "a"], ["a"], ks=[5])["mrr"]
    0.5
    """
    wanted = set(relevant)
    unique = list(dict.fromkeys(ranking))
    gains = np.array([[float(identifier in wanted) for identifier in unique]])
    values = -np.arange(float(len(unique)))[None, :]
    row = metrics_table(gains, values, n_relevant=[len(wanted)], ks=ks).iloc[0]
    return {str(name): float(value) for name, value in row.items()}


def _ndcg(ranked: TiedRanks, k: int | None) -> Floats:
    width = _cut(k)
    discounts = 1 / np.log2(ranked.ranks[:width] + 1)
    return _over(ranked.gain[:, :width] @ discounts, ranked.ideal[:, :width] @ discounts)


def _recall(ranked: TiedRanks, k: int | None) -> Floats:
    found = (ranked.hits / ranked.size)[:, : _cut(k)].sum(axis=1)
    return _over(found, ranked.n_relevant)


def _precision(ranked: TiedRanks, k: int) -> Floats:
    share: Floats = (ranked.hits / ranked.size)[:, : _cut(k)].sum(axis=1) / k
    return share


def _reciprocal_rank(ranked: TiedRanks) -> Floats:
    # The first relevant one of m among t tied stands at place j with a chance p(j) of
    # p(1) = m / t, p(j + 1) = p(j) (t - j - m + 1) / (t - j).
    place = np.arange(ranked.gain.shape[1]) - ranked.start + 1.0
    first = (ranked.hits > 0) & (ranked.before == 0)
    left = ranked.size - place + 1  # of the group, from this place on
    ratio = np.where(place == 1, ranked.hits / ranked.size, (left - ranked.hits + 1) / left)
    chance = np.cumprod(np.where(first, np.maximum(ratio, 0), 1), axis=1) * first
    return np.where(ranked.n_relevant > 0, chance @ (1 / ranked.ranks), np.nan)


def _average_precision(ranked: TiedRanks) -> Floats:
    # A relevant candidate at place j of its group of t with m relevant has, on average,
    # (j - 1) (m - 1) / (t - 1) relevant ones of its own group before it.
    place = np.arange(ranked.gain.shape[1]) - ranked.start + 1.0
    own = (place - 1) * (ranked.hits - 1) / np.maximum(ranked.size - 1, 1)
    precisions = (ranked.before + 1 + own) / ranked.ranks
    return _over((ranked.hits / ranked.size * precisions).sum(axis=1), ranked.n_relevant)


def _over(values: Floats, total: Floats) -> Floats:
    """Divide by the total; ``nan`` where it is 0."""
    result: Floats = np.divide(values, total, where=total > 0, out=np.full(len(total), np.nan))
    return result


def _table(ranked: TiedRanks, ks: Sequence[int]) -> pd.DataFrame:
    columns = {f"ndcg@{k}": _ndcg(ranked, k) for k in ks}
    columns |= {f"recall@{k}": _recall(ranked, k) for k in ks}
    columns["hit@1"] = _precision(ranked, 1)
    columns["mrr"] = _reciprocal_rank(ranked)
    columns["map"] = _average_precision(ranked)
    return pd.DataFrame(columns)


def _of_one(
    relevance: ArrayLike, scores: ArrayLike, metric: Callable[[TiedRanks], Floats]
) -> float:
    gains, values = _checked(relevance, scores, dimensions=1)
    return float(metric(TiedRanks.of(gains[None, :], values[None, :]))[0])


def _with_missing(
    gains: Floats, scores: Floats, n_relevant: NDArray[np.generic]
) -> tuple[Floats, Floats]:
    """Add relevant candidates that were not retrieved."""
    if n_relevant.shape != gains.shape[:1]:
        raise ValueError(
            f"n_relevant must have one value a query, {gains.shape[:1]}, got {n_relevant.shape}."
        )
    missing = n_relevant.astype(np.int64) - (gains > 0).sum(axis=1)
    if (missing < 0).any():
        row = int(np.argmax(missing < 0))
        raise ValueError(
            f"n_relevant must count every relevant candidate, got {n_relevant[row]} for query {row}"
            f" that has {n_relevant[row] - missing[row]}."
        )
    extra = (np.arange(missing.max(initial=0)) < missing[:, None]).astype(np.float64)
    unseen = np.full(extra.shape, -np.inf)
    return np.concatenate([gains, extra], axis=1), np.concatenate([scores, unseen], axis=1)


def _cut(k: int | None) -> int | None:
    if k is not None and k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")
    return k


def _checked(relevance: ArrayLike, scores: ArrayLike, *, dimensions: int) -> tuple[Floats, Floats]:
    gains = np.asarray(relevance, dtype=np.float64)
    values = np.asarray(scores, dtype=np.float64)
    if gains.ndim != dimensions:
        raise ValueError(f"relevance must have {dimensions} dimension(s), got {gains.ndim}.")
    if gains.shape != values.shape:
        raise ValueError(
            f"scores must have the shape of relevance, {gains.shape}, got {values.shape}."
        )
    if not (np.isfinite(gains) & (gains >= 0)).all():
        raise ValueError("relevance must be finite and non-negative.")
    if np.isnan(values).any():
        raise ValueError(f"scores must be numbers, got nan at {np.argwhere(np.isnan(values))[0]}.")
    return gains, values
