"""Quantiles of arms with their errors, of single rows or of several rows a unit."""

from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from nextcall.abtest.effect import Arm, check_alpha
from nextcall.abtest.means import ratio_arm
from nextcall.abtest.metrics import Quantile
from nextcall.abtest.moments import Moments
from nextcall.abtest.resampled_quantiles import ResampledQuantile, checked_rows
from nextcall.abtest.rows import Rows

QuantileMethod = Literal["resampled", "spacing"]
"""Where the error of a quantile comes from."""

_METHODS: Final = get_args(QuantileMethod)
_BEYOND: Final = 25  # rows beyond the quantile; below, 95 % intervals cover 0.93 to 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileArm:
    """A quantile of one variant.

    Parameters
    ----------
    arm : Arm
        For `difference`, `relative_difference` and `fieller`.
    design_effect : float
        How many times the variance is that of as many rows from units of their own; 1 without
        units.
    warnings : tuple of str
        Sentences that say why the error is not to be trusted.
    """

    arm: Arm
    design_effect: float
    warnings: tuple[str, ...]


def quantile_arm(
    values: ArrayLike,
    share: float,
    *,
    method: QuantileMethod = "resampled",
    units: NDArray[np.integer[Any]] | None = None,
    alpha: float = 0.05,
    name: str = "values",
) -> QuantileArm:
    """Estimate a quantile by linear interpolation, with its error.

    Parameters
    ----------
    values : array-like of shape (n_rows,)
        Finite.
    share : float
        Between 0 and 1.
    method : {"resampled", "spacing"}
        ``"resampled"`` is the standard deviation of the bootstrap, exact and without resampling;
        it covers best. ``"spacing"`` is half the distance of the quantiles at the ends of the
        1 - `alpha` interval of the share, over the normal quantile (as GrowthBook has it); it
        fails where that interval reaches 0 or 1.
    units : array of shape (n_rows,), optional
        Each row's unit, from 0. Rows of a unit are then held to be dependent: the variance is
        multiplied by that of the share of rows below the quantile, as a ratio over units, over
        what it were if rows were independent.
    alpha : float
        Of ``"spacing"``.
    name : str
        Of the values, for errors and warnings.

    Returns
    -------
    QuantileArm
        Its variance is ``nan`` below two units, and 0 where values around the quantile are equal:
        no test can be made.

    Raises
    ------
    ValueError
        Where a value is not finite, an argument out of its range, or the squared error no float.

    References
    ----------
    Maritz & Jarrett (1978), JASA 73(361). Deng, Knoblich & Lu (2018), KDD, section 4: quantiles of
    clustered rows.

    Examples
    --------
    >>> found = quantile_arm(np.arange(101.0), 0.5)
    >>> found.arm.estimate, round(found.arm.se, 2), found.warnings
    (50.0, 4.98, ())
    """
    rows = checked_rows(values, share, name=name)
    check_alpha(alpha)
    if method not in _METHODS:
        raise ValueError(f"method must be one of {_METHODS}, got {method!r}.")
    if units is not None and len(units) != len(rows):
        raise ValueError(f"units must be as many as {name}, got {len(units)} for {len(rows)}.")
    n = len(rows)
    if n == 0:
        warning = f"{name}: no rows; the quantile is unknown."
        return QuantileArm(
            arm=Arm(n=0, estimate=nan, variance=nan), design_effect=nan, warnings=(warning,)
        )
    estimate = float(np.quantile(rows, share))
    n_units, effect = (n, 1.0) if units is None else _design_effect(rows <= estimate, units)
    if n_units < 2:
        variance, warnings = nan, [f"{name}: one unit; the error of the quantile is unknown."]
    else:
        se = (
            ResampledQuantile.of(rows, share).se * sqrt(effect)
            if method == "resampled"
            else _spacing(rows, share, sqrt(effect), alpha)
        )
        variance = se * se * n_units
        if se > 0 and not np.finfo(np.float64).tiny < variance < inf:
            raise ValueError(f"{name} must have an error whose square is a float, got {se:.4g}.")
        warnings = _warnings(rows, share, estimate, effect, name, known=se > 0)
    return QuantileArm(
        arm=Arm(n=n_units, estimate=estimate, variance=variance),
        design_effect=effect,
        warnings=tuple(warnings),
    )


def quantile_arms(
    rows: Rows, metric: Quantile, *, method: QuantileMethod = "resampled", alpha: float = 0.05
) -> dict[str, QuantileArm]:
    """Estimate a metric's quantile in each variant; rows without a value are left out.

    Parameters
    ----------
    rows : Rows
        With the metric's column. Where units have several rows, they are the clusters.
    method, alpha
        As of `quantile_arm`.

    Raises
    ------
    ValueError
        Where a value is infinite.

    Examples
    --------
    >>> variant = np.array([0, 0, 0, 1, 1])
    >>> values = {"latency": np.array([1.0, 2.0, 4.0, 3.0, np.nan])}
    >>> rows = Rows(variants=("A", "B"), codes=variant, columns=values)
    >>> found = quantile_arms(rows, Quantile("latency", 0.5))
    >>> [found[name].arm.estimate for name in rows.variants]
    [2.0, 3.0]
    """
    values = np.asarray(rows.columns[metric.column], dtype=np.float64)
    found = {}
    for place, variant in enumerate(rows.variants):
        own = (rows.codes == place) & ~np.isnan(values)
        found[variant] = quantile_arm(
            values[own],
            metric.share,
            method=method,
            units=None if rows.units is None else rows.units[own],
            alpha=alpha,
            name=f"{metric.column} of {variant}",
        )
    return found


def quantile_interval(
    values: ArrayLike, share: float, *, alpha: float = 0.05, name: str = "values"
) -> tuple[float, float]:
    """Give the interval of a quantile between two order statistics, whatever the law of values.

    It covers at least 1 - `alpha`; an end is infinite where no order statistic is far enough out.

    Raises
    ------
    ValueError
        Where a value is not finite, or an argument out of its range.

    References
    ----------
    Conover (1999), Practical Nonparametric Statistics, section 3.2.

    Examples
    --------
    >>> quantile_interval(np.arange(101.0), 0.5)
    (40.0, 60.0)
    """
    rows = checked_rows(values, share, name=name)
    n, tail = len(rows), check_alpha(alpha) / 2
    low = int(stats.binom.ppf(tail, n, share)) - 1
    high = int(stats.binom.isf(tail, n, share))
    if n == 0:
        return -inf, inf
    parts = np.partition(rows, sorted({max(low, 0), min(high, n - 1)}))
    return float(parts[low]) if low >= 0 else -inf, float(parts[high]) if high < n else inf


def _design_effect(below: NDArray[np.bool_], units: NDArray[np.integer[Any]]) -> tuple[int, float]:
    """Count the units, and compare the variance of a share with that of independent rows."""
    rows = np.bincount(units)
    hits = np.bincount(units, below)
    some = rows > 0
    arm = ratio_arm(Moments.of(np.column_stack([hits, rows])[some]))
    independent = arm.estimate * (1 - arm.estimate) / (len(below) - 1) if len(below) > 1 else 0.0
    effect = arm.variance / arm.n / independent if independent > 0 else 1.0
    return int(arm.n), effect


def _spacing(rows: NDArray[np.float64], share: float, widened: float, alpha: float) -> float:
    z = float(stats.norm.isf(alpha / 2))
    n = len(rows)
    reach = z * widened * sqrt(share * (1 - share) / n)
    low, high = np.quantile(rows, [max(share - reach, 0.0), min(share + reach, 1.0)])
    return float(high - low) / (2 * z) * sqrt((n - 1) / n)


def _warnings(
    rows: NDArray[np.float64],
    share: float,
    estimate: float,
    effect: float,
    name: str,
    *,
    known: bool,
) -> list[str]:
    warnings = []
    beyond = len(rows) * min(share, 1 - share) / max(effect, 1.0)
    if beyond < _BEYOND:
        warnings.append(
            f"{name}: too few rows for the quantile {share:g}; some {beyond:.3g} lie beyond it, "
            f"and below {_BEYOND} intervals may miss their level."
        )
    tied = int(np.count_nonzero(rows == estimate))
    if not known:
        warnings.append(
            f"{name}: rows around the quantile {share:g} are equal; no test can be made."
        )
    elif tied > 1 and tied > sqrt(len(rows) * share * (1 - share) * effect):
        warnings.append(
            f"{name}: {tied} rows are equal to the quantile {share:g}; it moves in steps, and its "
            "error is that of the steps."
        )
    return warnings
