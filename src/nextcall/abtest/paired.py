"""Two rankers on the same queries: is one better, by how much, and for whom is it worse."""

from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.abtest.effect import Alternative, Effect, effect_of
from nextcall.abtest.means import ratio_arm
from nextcall.abtest.metrics import RankQuality
from nextcall.abtest.moments import Moments
from nextcall.abtest.resampling import bootstrap_interval, sign_flip_test
from nextcall.abtest.signed_rank import signed_rank_test


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The difference within one slice of the queries.

    Parameters
    ----------
    name : str
    n : int
        Queries.
    effect : Effect
        Its interval is for all slices together (Bonferroni), for the eye is drawn to the extremes.
    """

    name: str
    n: int
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """Treatment's scores less control's, over the same queries.

    Parameters
    ----------
    name : str
        Of the metric.
    n_queries : int
    n_clusters : int
        Of queries that are not independent (of one service, one session); the number of queries
        where none were named. All errors and p-values are over clusters.
    control_mean, treatment_mean : float
    effect : Effect
        Mean difference a query, with its t test.
    bootstrap_lower, bootstrap_upper : float
        Bias-corrected and accelerated bootstrap interval of the same.
    permutation_pvalue : float
        Of the sign-flip test: exact where there are few clusters.
    signed_rank_pvalue : float
        Of Wilcoxon's test on the clusters' mean differences, zeros left out.
    wins, ties, losses : int
        Queries on which treatment scores higher, as high, lower; by direction `better`.
    slices : tuple of Slice
        The worst first; empty where none were named.
    """

    name: str
    n_queries: int
    n_clusters: int
    control_mean: float
    treatment_mean: float
    effect: Effect
    bootstrap_lower: float
    bootstrap_upper: float
    permutation_pvalue: float
    signed_rank_pvalue: float
    wins: int
    ties: int
    losses: int
    slices: tuple[Slice, ...]

    @property
    def worst_slice(self) -> Slice | None:
        """The slice where treatment does worst, whatever the mean says."""
        return self.slices[0] if self.slices else None


def compare_rankers(
    data: pd.DataFrame,
    quality: RankQuality,
    *,
    rng: np.random.Generator,
    alpha: float = 0.05,
    resamples: int = 9_999,
    min_queries: int = 10,
) -> PairedComparison:
    """Compare the scores of two rankers on the same queries.

    For many rankers or metrics call it once each, and adjust the p-values together.

    Parameters
    ----------
    data : DataFrame
        One row a query, with the columns that `quality` names.
    quality : RankQuality
    rng : numpy.random.Generator
        For flips and bootstrap draws.
    alpha : float
    resamples : int
        Of the bootstrap, and of the sign-flip test where it is not exact; at least 99.
    min_queries : int
        A slice with fewer is left out.

    Returns
    -------
    PairedComparison

    Raises
    ------
    ValueError
        Where a column is missing, a score is not finite, an argument is out of its range, or the
        aim has a margin.

    References
    ----------
    Smucker, Allan & Carterette (2007), CIKM: which tests compare retrieval systems; Urbano, Lima &
    Hanjalic (2019), SIGIR: the t test holds its level and has the most power.

    Examples
    --------
    >>> data = pd.DataFrame({"old": [0.2, 0.5, 0.4, 0.9], "new": [0.4, 0.6, 0.4, 1.0]})
    >>> found = compare_rankers(data, RankQuality("old", "new"), rng=np.random.default_rng(0))
    >>> round(found.effect.value, 3), found.wins, found.ties, found.losses
    (0.1, 3, 1, 0)
    >>> found.permutation_pvalue
    0.25
    """
    if quality.aim.margin is not None or quality.aim.equivalence is not None:
        raise ValueError(f"aim must have no margin, got {quality.aim}.")
    control, treatment = (_scores(data, column) for column in quality.scores)
    unit = np.arange(len(data))
    if quality.cluster is not None:
        unit = _codes(data, quality.cluster)[0]
    alternative, ahead = quality.aim.alternative, treatment - control
    queries = np.bincount(unit).astype(np.float64)
    sums: NDArray[np.float64] = np.bincount(unit, weights=ahead).astype(np.float64)
    low, high = bootstrap_interval(
        np.column_stack([sums, queries]), alpha=alpha, resamples=resamples, rng=rng
    )
    better = ahead if quality.aim.better == "higher" else -ahead
    return PairedComparison(
        name=quality.name,
        n_queries=len(ahead),
        n_clusters=len(sums),
        control_mean=float(control.mean()),
        treatment_mean=float(treatment.mean()),
        effect=_clustered_mean(sums, queries, alpha=alpha, alternative=alternative),
        bootstrap_lower=low,
        bootstrap_upper=high,
        permutation_pvalue=sign_flip_test(
            sums, alternative=alternative, resamples=resamples, rng=rng
        ),
        signed_rank_pvalue=signed_rank_test(sums / queries, alternative=alternative),
        wins=int((better > 0).sum()),
        ties=int((better == 0).sum()),
        losses=int((better < 0).sum()),
        slices=_slices(data, quality, ahead, unit, alpha=alpha, min_queries=min_queries),
    )


def _clustered_mean(
    sums: NDArray[np.float64],
    queries: NDArray[np.float64],
    *,
    alpha: float,
    alternative: Alternative = "two-sided",
) -> Effect:
    """Test the mean a query from sums over clusters."""
    arm = ratio_arm(Moments.of(np.column_stack([sums, queries])))
    dof = arm.n - 1 if arm.n > 1 else nan
    return effect_of(arm.estimate, arm.se, dof=dof, alpha=alpha, alternative=alternative)


def _slices(
    data: pd.DataFrame,
    quality: RankQuality,
    ahead: NDArray[np.float64],
    unit: NDArray[np.intp],
    *,
    alpha: float,
    min_queries: int,
) -> tuple[Slice, ...]:
    if quality.by is None:
        return ()
    code, names = _codes(data, quality.by)
    kept = np.flatnonzero(np.bincount(code) >= min_queries)
    found = []
    for each in kept:
        inside = code == each
        _, part = np.unique(unit[inside], return_inverse=True)
        sums: NDArray[np.float64] = np.bincount(part, weights=ahead[inside]).astype(np.float64)
        effect = _clustered_mean(
            sums, np.bincount(part).astype(np.float64), alpha=alpha / len(kept)
        )
        found.append(Slice(name=names[each], n=int(inside.sum()), effect=effect))
    sign = 1 if quality.aim.better == "higher" else -1
    return tuple(sorted(found, key=lambda one: sign * one.effect.value))


def _column(data: pd.DataFrame, column: str) -> pd.Series:
    if column not in data.columns:
        raise ValueError(f"data must have a column {column}, got {list(data.columns)}.")
    if len(data) == 0:
        raise ValueError("data must have rows, got none.")
    return data[column]


def _scores(data: pd.DataFrame, column: str) -> NDArray[np.float64]:
    scores = _column(data, column).to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(scores).all():
        row = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise ValueError(f"column {column} must be finite, got {scores[row]} in row {row}.")
    return scores


def _codes(data: pd.DataFrame, column: str) -> tuple[NDArray[np.intp], list[str]]:
    """Give each row's place among the distinct values, and those."""
    codes, names = pd.factorize(_column(data, column), sort=True)
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        raise ValueError(f"column {column} must have a value in every row, got none in row {row}.")
    return codes, [str(name) for name in names]
