"""A check of a metric and its test on data in which nothing differs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import stdtr

from nextcall.abtest.effect import check_alpha

Floats = NDArray[np.float64]

_BLOCK = 1 << 24  # cells that are drawn at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AACheck:
    """How a test behaves where two arms are drawn from the same units.

    Parameters
    ----------
    pvalues : array of shape (n_splits,)
    alpha : float
    share : float
        Of p-values at or below alpha; alpha where all is well.
    ci_lower, ci_upper : float
        Exact 95% interval of the share.
    ks : float
        Largest distance of the p-values' distribution from the uniform one (Kolmogorov-Smirnov).
    ks_pvalue : float
        Of the hypothesis that they are uniform.
    """

    pvalues: Floats
    alpha: float
    share: float
    ci_lower: float
    ci_upper: float
    ks: float
    ks_pvalue: float


def check_aa(
    values: ArrayLike,
    *,
    rng: np.random.Generator,
    splits: int = 1000,
    alpha: float = 0.05,
    treatment: float = 0.5,
) -> AACheck:
    """Split historical units at random again and again, and test each split.

    Welch's test of a mean, the delta method of a ratio, as the analysis has them. Where p-values
    are not uniform the metric is too skewed for so few units, or what was given as units are not:
    rows of a user who has many must be summed first.

    Parameters
    ----------
    values : array-like of shape (n_units,) or (n_units, 2)
        A metric of each unit; of a ratio its numerator and denominator, the latter at
        least 0. Finite, at least 4 units.
    splits : int
        At least 1.
    treatment : float
        Share of the units in the second arm, between 0 and 1.

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = check_aa(rng.exponential(size=2000), rng=rng)
    >>> found.ci_lower < 0.05 < found.ci_upper, found.ks_pvalue > 0.01
    (True, True)
    """
    check_alpha(alpha)
    units = np.asarray(values, dtype=np.float64)
    units = units[:, None] if units.ndim == 1 else units
    if units.ndim != 2 or units.shape[1] not in {1, 2} or len(units) < 4:
        raise ValueError(
            f"values must be 4 units or more, of one or two columns, got {np.shape(values)}."
        )
    if not np.isfinite(units).all():
        raise ValueError(f"values must be finite, got {units[~np.isfinite(units)][0]}.")
    if units.shape[1] == 2 and not (units[:, 1] >= 0).all():
        raise ValueError(f"denominators must be at least 0, got {units[:, 1].min()}.")
    if splits < 1:
        raise ValueError(f"splits must be at least 1, got {splits}.")
    size = round(treatment * len(units)) if 0 < treatment < 1 else 0
    if not 2 <= size <= len(units) - 2:
        raise ValueError(f"treatment must leave each arm 2 units or more, got {treatment}.")
    block = max(_BLOCK // len(units), 1)
    pvalues = np.concatenate(
        [
            _pvalues(units, _masks(rng, min(block, splits - begin), len(units), size))
            for begin in range(0, splits, block)
        ]
    )
    found = int((pvalues <= alpha).sum())
    interval = stats.binomtest(found, splits).proportion_ci(method="exact")
    uniform = stats.kstest(pvalues, "uniform")
    return AACheck(
        pvalues=pvalues,
        alpha=alpha,
        share=found / splits,
        ci_lower=float(interval.low),
        ci_upper=float(interval.high),
        ks=float(uniform.statistic),
        ks_pvalue=float(uniform.pvalue),
    )


def _masks(rng: np.random.Generator, count: int, n: int, size: int) -> Floats:
    """Say who is in the second arm, in each of several splits."""
    draws = rng.random((count, n), dtype=np.float32)
    order = np.argpartition(draws, size - 1, axis=1)[:, :size]
    masks = np.zeros((count, n))
    np.put_along_axis(masks, order, 1.0, axis=1)
    return masks


def _pvalues(units: Floats, masks: Floats) -> Floats:
    """Give Welch's p-values of splits; 1 where no unit varies."""
    centre = units.mean(axis=0)
    off = units - centre  # sums lose nothing where values are large beside their spread
    top = off[:, 0]
    columns = [top, top * top]
    if units.shape[1] == 2:
        bottom = off[:, 1]
        columns += [bottom, bottom * bottom, top * bottom]
    rows = np.column_stack(columns)
    n_treatment = masks[0].sum()
    treatment = masks @ rows
    control = rows.sum(axis=0) - treatment
    arms = [
        _arm(sums / n, n, centre)
        for sums, n in ((control, len(units) - n_treatment), (treatment, n_treatment))
    ]
    (one, one_error, n_one), (other, other_error, n_other) = arms
    total = one_error + other_error
    known = total > 0
    safe = np.where(known, total, 1.0)
    dof = 1 / (
        (one_error / safe) ** 2 / (n_one - 1)
        + (other_error / safe) ** 2 / (n_other - 1)
        + np.where(known, 0.0, 1.0)
    )
    pvalues = 2 * stdtr(dof, -np.abs(other - one) / np.sqrt(safe))
    return np.where(known, pvalues, 1.0)


def _arm(means: Floats, n: float, centre: Floats) -> tuple[Floats, Floats, float]:
    """Give estimates off the centre, their squared errors, and the units."""
    wider = n / (n - 1)
    variance = np.maximum(means[:, 1] - means[:, 0] ** 2, 0.0) * wider
    if len(centre) == 1:
        return means[:, 0], variance / n, n
    bottom = centre[1] + means[:, 2]
    bottom = np.where(bottom > 0, bottom, np.inf)  # without a denominator, nothing is found
    ratio = (centre[0] + means[:, 0]) / bottom
    below = (means[:, 3] - means[:, 2] ** 2) * wider
    both = (means[:, 4] - means[:, 0] * means[:, 2]) * wider
    spread = variance - 2 * ratio * both + ratio**2 * below
    return ratio, np.maximum(spread, 0.0) / bottom**2 / n, n
