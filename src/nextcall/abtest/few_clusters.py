"""Arms of means and ratios of a few units, each with several rows: the sandwich error CR2."""

from collections.abc import Sequence
from dataclasses import replace
from math import nan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.effect import Arm
from nextcall.abtest.grouped_moments import Column
from nextcall.abtest.means import Adjusted, linear_forms
from nextcall.abtest.moments import Moments

Floats = NDArray[np.float64]

FEW: Final = 40
"""Units with several rows below which their sums are kept, for their error would be too small."""

_LEAST: Final = 0.05  # of a unit's residual that is left where covariates follow it


def few_sums(
    columns: Sequence[Column], codes: NDArray[np.integer[Any]], moments: Sequence[Moments]
) -> dict[int, Floats]:
    """Keep the rows of groups that have fewer than 40.

    Parameters
    ----------
    columns : sequence of arrays of shape (n_units,)
    codes : array of shape (n_units,)
        Each unit's group, from 0.
    moments : sequence of Moments
        Of each group, over the units without a missing value.

    Returns
    -------
    dict of int to array of shape (n_units_of_group, n_columns)
    """
    found = {}
    for group, each in enumerate(moments):
        if 0 < each.n < FEW:
            rows = np.column_stack([column[codes == group] for column in columns])
            rows = rows.astype(np.float64)
            found[group] = rows[~np.isnan(rows).any(axis=1)]
    return found


def merged_sums(
    one: tuple[Moments | None, Floats | None], other: tuple[Moments | None, Floats | None]
) -> Floats | None:
    """Put the units of two parts of a group together; None where they are 40 or more.

    Parameters
    ----------
    one, other : tuple of (Moments, array)
        Of a part that has no unit, or so many that they were not kept, there is no array.
    """
    known = [rows for moments, rows in (one, other) if moments is not None and moments.n > 0]
    if not known or any(rows is None for rows in known):
        return None
    together = np.concatenate([rows for rows in known if rows is not None])
    return together if len(together) < FEW else None


def with_counts(moments: Moments) -> Moments:
    """Put a count of 1 beside each column: units with one row each, as sums over rows."""
    width = len(moments.mean)
    products, mean, rest = np.zeros((2 * width, 2 * width)), np.ones(2 * width), np.zeros(2 * width)
    products[::2, ::2], mean[::2], rest[::2] = moments.products, moments.mean, moments.rest
    return replace(moments, mean=mean, products=products, rest=rest)


def sandwich_arms(
    adjusted: Adjusted, moments: Sequence[Moments], sums: Sequence[Floats | None]
) -> Adjusted:
    """Give the arms of ratios the error CR2 and Bell and McCaffrey's degrees of freedom.

    A unit's residual is inflated by its share f of the arm's denominator (rows), 1 / sqrt(1 - f):
    the more rows lie in few units, the more of them the estimate has followed. Errors of units
    then have as many degrees of freedom as they had if rows were independent and alike. Where
    covariates were taken out, their leverage adds to the shares, the error of theta to that of the
    estimate, and each costs a degree of freedom of all units'.

    Parameters
    ----------
    adjusted : Adjusted
        As `adjusted_ratios` gives it.
    moments : sequence of Moments
        Of each arm, with columns numerator, denominator, and pairs that were known before.
    sums : sequence of array
        Of each arm's units; None where they are many. Such an arm keeps its error.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28(2).

    Examples
    --------
    >>> from nextcall.abtest.means import adjusted_ratios
    >>> units = [np.array([[1.0, 2], [6, 3], [2, 4]]), np.array([[4.0, 2], [2, 2], [9, 3]])]
    >>> moments = [Moments.of(each) for each in units]
    >>> found = sandwich_arms(adjusted_ratios(moments), moments, units)
    >>> [round(arm.dof or 0, 3) for arm in found.arms]
    [1.842, 1.923]
    """
    weights = np.concatenate([[1.0], -np.asarray(adjusted.theta)])
    told = [arm for arm in moments if arm.n >= 2 and arm.mean[1::2].all()]
    if len(told) < len(moments):
        return adjusted
    forms = [linear_forms(arm.mean)[: len(weights)] for arm in moments]
    within = np.sum([f @ arm.covariance() @ f.T for f, arm in zip(forms, moments, strict=True)], 0)
    inverse = np.linalg.pinv(within[1:, 1:], hermitian=True)
    before = np.array([(arm.mean[::2] / arm.mean[1::2])[1 : len(weights)] for arm in moments])
    left = sum(arm.n - 1 for arm in moments)
    lost = left / (left - len(weights) + 1) if left >= len(weights) else nan
    arms = []
    for place, (arm, own, rows) in enumerate(zip(adjusted.arms, moments, sums, strict=True)):
        if rows is None:
            arms.append(_many(arm, own))
            continue
        others = np.delete(before, place, axis=0)
        off = before[place] - (others.mean(axis=0) if len(others) else before[place])
        parts = (rows - own.mean) @ forms[place].T
        rounding = 4 * np.finfo(np.float64).eps * (np.abs(rows) @ np.abs(forms[place]).T)
        parts[np.abs(parts) <= rounding] = 0.0
        leverage = ((parts[:, 1:] @ inverse) * parts[:, 1:]).sum(axis=1) / (own.n - 1)
        reach = 1 - own.n / (own.n - 1) * (parts[:, 1:] @ inverse @ off)
        arms.append(_sandwich(arm, rows[:, 1], reach * (parts @ weights), leverage, lost))
    return replace(adjusted, arms=tuple(arms))


def _many(arm: Arm, moments: Moments) -> Arm:
    """Give an arm of many units its degrees of freedom: those of as many of one size."""
    total = moments.n * float(moments.mean[1])
    squares = float(moments.products[1, 1]) + total**2 / moments.n
    return replace(arm, dof=max(total**2 / squares - 1, 1.0), working=1 / total)


def _sandwich(arm: Arm, rows: Floats, residuals: Floats, leverage: Floats, lost: float) -> Arm:
    """Give an arm of few units its error.

    Parameters
    ----------
    rows, residuals, leverage : arrays of shape (n_units,)
        Of each unit; leverage is that of covariates.
    lost : float
        By how much covariates divide the degrees of freedom.
    """
    total = float(rows.sum())
    shares = rows / total
    if shares.min() < 0:
        return arm  # no counts
    if shares.max() >= 1 or not lost > 0:
        return replace(arm, variance=nan)
    own, cross = shares / total, shares**2 / (total * (1 - shares))
    spread = float(own @ own) + float(cross.sum()) ** 2 - float(cross @ cross)
    kept = np.maximum(1 - shares - leverage, _LEAST)
    return replace(
        arm,
        variance=float((residuals**2 / kept).sum()) / arm.n,
        dof=float(own.sum()) ** 2 / spread / lost,
        working=float(own.sum()),
    )
