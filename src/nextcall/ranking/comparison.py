"""Is one ranker better than another, and how sure is that? Intervals and tests by whole clusters.

Queries of one service or session are not independent, so whole groups of queries are drawn again
(cluster bootstrap) or have their signs changed (randomisation test). Without groups, each query is
a cluster of its own.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nextcall.ranking.cluster_resampling import bootstrap_interval, sign_flip_pvalue

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanInterval:
    """Mean of a metric over queries, in the unit of the metric."""

    mean: float
    ci_lower: float
    ci_upper: float
    n_queries: int
    n_clusters: int

    def to_frame(self) -> pd.DataFrame:
        """Give one row, with a column a field."""
        return pd.DataFrame([asdict(self)])


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """Ranker minus baseline on the same queries, in the unit of the metric."""

    mean: float
    baseline_mean: float
    difference: float
    ci_lower: float
    """Lower end of the interval of the difference."""
    ci_upper: float
    pvalue: float
    """Two-sided, of no difference."""
    n_queries: int
    n_clusters: int

    def to_frame(self) -> pd.DataFrame:
        """Give one row, with a column a field."""
        return pd.DataFrame([asdict(self)])


def mean_interval(
    values: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    rng: np.random.Generator,
    resamples: int = 10_000,
    level: float = 0.95,
) -> MeanInterval:
    """Compute a mean over queries and its interval, by cluster bootstrap.

    The interval is the percentile one, widened for the number of clusters as Student's t is beside
    the normal, for it is too narrow when clusters are few.

    Parameters
    ----------
    values : array-like of shape (n_queries,)
        Metric of each query.
    groups : array-like of shape (n_queries,), optional
        Label of each query's cluster, such as its service; each query alone where it is None.
    rng : numpy.random.Generator
        Draws the clusters.
    resamples : int
        Draws, at least 100.
    level : float
        Share of intervals that hold the true mean, in (0, 1).

    Raises
    ------
    ValueError
        Where a value is not finite, lengths differ, or there are fewer than two clusters.

    References
    ----------
    Davison & Hinkley (1997), section 3.8; Hesterberg (2015), The American Statistician 69(4).

    Examples
    --------
    >>> interval = mean_interval([0.0, 0.5, 1.0, 0.5], rng=np.random.default_rng(0))
    >>> interval.mean, interval.n_clusters
    (0.5, 4)
    """
    _check_options(resamples, level)
    checked = _checked(values, name="values")
    cluster = _clusters(groups, len(checked))
    lower, upper = bootstrap_interval(checked, cluster, rng=rng, resamples=resamples, level=level)
    return MeanInterval(
        mean=float(checked.mean()),
        ci_lower=lower,
        ci_upper=upper,
        n_queries=len(checked),
        n_clusters=int(cluster.max()) + 1,
    )


def paired_difference(
    values: ArrayLike,
    baseline: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    rng: np.random.Generator,
    resamples: int = 10_000,
    level: float = 0.95,
) -> PairedDifference:
    """Compare two rankers on the same queries: mean difference, its interval, and a test.

    The interval is that of `mean_interval`, of the differences. The p-value is that of the
    randomisation test: were the rankers alike, the sign of each cluster's summed difference would
    be a coin's. All signs are tried where they are no more than `resamples`, else `resamples` draws
    of them, and the observed one counts among these, so it is never 0.

    Parameters
    ----------
    values, baseline : array-like of shape (n_queries,)
        Metric of each query, for the ranker and for what it is compared with.
    groups, rng, resamples, level
        As in `mean_interval`.

    Raises
    ------
    ValueError
        As `mean_interval`.

    References
    ----------
    Smucker, Allan & Carterette (2007), CIKM; Phipson & Smyth (2010), SAGMB 9(1).

    Examples
    --------
    >>> result = paired_difference([1, 1, 1], [0, 0, 0], rng=np.random.default_rng(0))
    >>> result.difference, result.pvalue
    (1.0, 0.25)
    """
    _check_options(resamples, level)
    ours, theirs = _checked(values, name="values"), _checked(baseline, name="baseline")
    if len(ours) != len(theirs):
        raise ValueError(f"baseline must have {len(ours)} values, got {len(theirs)}.")
    cluster = _clusters(groups, len(ours))
    differences = ours - theirs
    lower, upper = bootstrap_interval(
        differences, cluster, rng=rng, resamples=resamples, level=level
    )
    return PairedDifference(
        mean=float(ours.mean()),
        baseline_mean=float(theirs.mean()),
        difference=float(differences.mean()),
        ci_lower=lower,
        ci_upper=upper,
        pvalue=sign_flip_pvalue(differences, cluster, rng=rng, resamples=resamples),
        n_queries=len(ours),
        n_clusters=int(cluster.max()) + 1,
    )


def compare_all(
    scores: Mapping[str, ArrayLike],
    *,
    baseline: str,
    groups: ArrayLike | None = None,
    rng: np.random.Generator,
    resamples: int = 10_000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare every ranker with one of them, on the same queries.

    Parameters
    ----------
    scores : mapping of str to array-like of shape (n_queries,)
        Metric of each query, by ranker.
    baseline : str
        Ranker that the others are compared with.
    groups, rng, resamples, level
        As in `mean_interval`.

    Returns
    -------
    DataFrame
        One row a ranker, in the order given: ``ranker``, ``mean``, ``ci_lower``, ``ci_upper`` (of
        the mean), ``difference``, ``difference_lower``, ``difference_upper``, ``pvalue`` (not
        adjusted for their number; these four are ``nan`` for the baseline), ``n_queries``,
        ``n_clusters``.

    Raises
    ------
    ValueError
        As `mean_interval`, and where `baseline` is no key of `scores`.
    """
    if baseline not in scores:
        raise ValueError(f"baseline must be one of {sorted(scores)}, got {baseline!r}.")
    rows = []
    for ranker, values in scores.items():
        own = mean_interval(values, groups=groups, rng=rng, resamples=resamples, level=level)
        row = {
            "ranker": ranker,
            "mean": own.mean,
            "ci_lower": own.ci_lower,
            "ci_upper": own.ci_upper,
            "difference": np.nan,
            "difference_lower": np.nan,
            "difference_upper": np.nan,
            "pvalue": np.nan,
            "n_queries": own.n_queries,
            "n_clusters": own.n_clusters,
        }
        if ranker != baseline:
            pair = paired_difference(
                values, scores[baseline], groups=groups, rng=rng, resamples=resamples, level=level
            )
            row["difference"] = pair.difference
            row["difference_lower"] = pair.ci_lower
            row["difference_upper"] = pair.ci_upper
            row["pvalue"] = pair.pvalue
        rows.append(row)
    return pd.DataFrame(rows)


def _clusters(groups: ArrayLike | None, length: int) -> NDArray[np.intp]:
    """Number the clusters from 0; one number a query."""
    if groups is None:
        cluster = np.arange(length)
    else:
        labels = np.asarray(groups)
        if labels.shape != (length,):
            raise ValueError(f"groups must have shape {(length,)}, got {labels.shape}.")
        cluster = np.unique(labels, return_inverse=True)[1]
    if length == 0 or cluster.max() == 0:
        raise ValueError(f"groups must hold at least 2 clusters, got {min(length, 1)}.")
    return cluster


def _checked(values: ArrayLike, *, name: str) -> Floats:
    checked = np.asarray(values, dtype=np.float64)
    if checked.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension, got {checked.ndim}.")
    if not np.isfinite(checked).all():
        row = int(np.argmin(np.isfinite(checked)))
        raise ValueError(f"{name} must be finite, got {checked[row]} at {row}.")
    return checked


def _check_options(resamples: int, level: float) -> None:
    if resamples < 100:
        raise ValueError(f"resamples must be at least 100, got {resamples}.")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}.")
