"""Differences of means by stratum, weighted together: what strata explain is taken out."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, nan, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextcall.abtest.effect import Alternative, Arm, Effect, effect_of
from nextcall.abtest.means import mean_arm
from nextcall.abtest.moments import Moments

_LEAST: Final = 2  # units of an arm in a stratum, for it to have a variance


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratified:
    """What strata say of a mean together.

    Parameters
    ----------
    effect : Effect
        Treatment minus control, in the unit of the metric.
    control, treatment : Arm
        Weighted means; for `relative_difference` and `fieller`.
    weights : tuple of float
        Of the strata that were used, in order of `members`; they sum to 1.
    members : tuple of tuple of int
        Which of the given strata each used one holds: small ones are merged.
    variance_reduction : float
        Share of the variance of the plain difference that is gone; below 0 where strata cost more
        than they explain.
    warnings : tuple of str
    """

    effect: Effect
    control: Arm
    treatment: Arm
    weights: tuple[float, ...]
    members: tuple[tuple[int, ...], ...]
    variance_reduction: float
    warnings: tuple[str, ...]


def stratified_difference(
    control: Sequence[Moments],
    treatment: Sequence[Moments],
    *,
    column: int = 0,
    weights: ArrayLike | None = None,
    normal: bool = False,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> Stratified:
    """Weight the differences of strata by their size.

    Strata may have been drawn by (each arm then has its share of each), or be seen afterwards:
    the error is the same, for it holds the sizes of arms in strata as they came.

    Parameters
    ----------
    control, treatment : sequence of Moments
        Of each stratum, in the same order; columns alike. Strata with fewer than 2 units in an arm
        have no variance: they are merged with one another, and with the smallest other one where
        that is not enough.
    column : int
        Of the metric.
    weights : array-like of shape (n_strata,), optional
        Sizes of the strata where the effect is wanted, if they are known; otherwise the units of
        both arms count, and the error has a part for the chance in these sizes.
    normal : bool
        Whether a normal law is used in place of the t law with Satterthwaite's degrees of freedom.

    Raises
    ------
    ValueError
        Where the strata of the arms or the weights do not match, or an option is out of its range.

    References
    ----------
    Miratrix, Sekhon & Yu (2013), JRSS B 75(2). Satterthwaite (1946), Biometrics Bulletin 2(6).

    Examples
    --------
    >>> small, large = Moments.of([1.0, 2.0, 3.0]), Moments.of([11.0, 12.0, 13.0])
    >>> found = stratified_difference([small, large], [small, large])
    >>> found.effect.value, round(found.effect.se, 3), round(found.variance_reduction, 3)
    (0.0, 0.577, 0.968)
    """
    sizes = _sizes(control, treatment, weights)
    plain = _sum(control), _sum(treatment)
    members = merged_strata(np.array([[a.n, b.n] for a, b in zip(control, treatment, strict=True)]))
    arms = [
        [_sum([arm[stratum] for stratum in group]) for group in members]
        for arm in (control, treatment)
    ]
    shares = np.array([sizes[list(group)].sum() for group in members]) / sizes.sum()
    found = [_arm(strata, shares, column) for strata in arms]
    parts = [_parts(strata, shares, column) for strata in arms]
    steps = np.array([b.off(a)[column] for a, b in zip(*arms, strict=True)])
    chance = 0.0
    if weights is None:
        noise = np.sum(parts, axis=0) / np.maximum(shares, np.finfo(np.float64).tiny)
        chance = chance_of_sizes(steps, shares, noise) / sizes.sum()
    variance = float(np.sum(parts)) + chance
    degrees = [[each.n - 1 for each in strata] for strata in arms]
    return Stratified(
        effect=effect_of(
            float(shares @ steps) if min(arm.n for arm in plain) > 0 else nan,
            sqrt(variance) if not isnan(variance) else nan,
            dof=inf if normal else satterthwaite(parts, degrees, variance),
            alpha=alpha,
            alternative=alternative,
            null=null,
        ),
        control=found[0],
        treatment=found[1],
        weights=tuple(shares.tolist()),
        members=tuple(tuple(group) for group in members),
        variance_reduction=float(_reduction(plain, column, variance)),
        warnings=_warnings(members),
    )


def _sizes(
    control: Sequence[Moments], treatment: Sequence[Moments], weights: ArrayLike | None
) -> NDArray[np.float64]:
    if len(control) != len(treatment) or not control:
        raise ValueError(
            "control and treatment must have the same strata, at least one, got "
            f"{len(control)} and {len(treatment)}."
        )
    if weights is None:
        counts = np.array([float(a.n + b.n) for a, b in zip(control, treatment, strict=True)])
        return counts if counts.any() else np.ones(len(counts))
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (len(control),) or not ((given >= 0).all() and 0 < given.sum() < inf):
        raise ValueError(
            f"weights must be {len(control)} sizes, none below 0 and one above, got {weights}."
        )
    return given


def merged_strata(counts: NDArray[np.int64]) -> list[list[int]]:
    """Put strata with too few units in an arm together, and with the smallest until it has.

    Parameters
    ----------
    counts : array of shape (n_strata, n_arms)

    Returns
    -------
    list of list of int
        Strata that are held as one; those that were put together, if any, are the last.

    Examples
    --------
    >>> merged_strata(np.array([[5, 5], [1, 9], [20, 20]]))
    [[2], [0, 1]]
    """
    small = (counts < _LEAST).any(axis=1)
    left = sorted(np.flatnonzero(~small).tolist(), key=lambda stratum: int(counts[stratum].sum()))
    group = np.flatnonzero(small).tolist()
    while group and left and counts[group].sum(axis=0).min() < _LEAST:
        group.append(left.pop(0))
    return [[stratum] for stratum in sorted(left)] + ([sorted(group)] if group else [])


def _sum(parts: Sequence[Moments]) -> Moments:
    together = parts[0]
    for part in parts[1:]:
        together = together + part
    return together


def _parts(
    strata: Sequence[Moments], shares: NDArray[np.float64], column: int
) -> NDArray[np.float64]:
    """Give what each stratum adds to the variance of an arm's mean."""
    return np.array(
        [
            share**2 * each.covariance()[column, column] / each.n if each.n else nan
            for share, each in zip(shares, strata, strict=True)
        ]
    )


def _arm(strata: Sequence[Moments], shares: NDArray[np.float64], column: int) -> Arm:
    whole = _sum(strata)
    middle = mean_arm(whole, column)
    step = float(shares @ [each.off(whole)[column] for each in strata]) + middle.rest
    estimate = middle.estimate + step
    return Arm(
        n=whole.n,
        estimate=estimate,
        variance=float(_parts(strata, shares, column).sum()) * whole.n,
        rest=step - (estimate - middle.estimate) if whole.n else 0.0,
    )


def chance_of_sizes(
    steps: NDArray[np.float64], shares: NDArray[np.float64], noise: NDArray[np.float64]
) -> float:
    """Give the variance of effects between strata, less what the errors of effects add to it.

    Over the units it is what the chance in the strata's sizes adds to the squared error.

    Parameters
    ----------
    steps, shares : arrays of shape (n_strata,)
        Effects, up to a number, and weights that sum to 1.
    noise : array of shape (n_strata,)
        Each effect's squared error times its share.
    """
    spread = float(shares @ (steps - shares @ steps) ** 2)
    return max(spread - float((1 - shares) @ noise), 0.0)


def satterthwaite(
    parts: Sequence[NDArray[np.float64]], degrees: Sequence[Sequence[int]], variance: float
) -> float:
    """Give the degrees of freedom of a variance that is a sum of parts; ``nan`` without any.

    Parameters
    ----------
    parts, degrees : sequence of sequence of float
        Of each arm, of each stratum.

    References
    ----------
    Satterthwaite (1946), Biometrics Bulletin 2(6).
    """
    if not variance > 0:
        return float(sum(sum(each) for each in degrees)) or nan
    spread = sum(
        float(part / variance) ** 2 / degree
        for arm, counts in zip(parts, degrees, strict=True)
        for part, degree in zip(arm, counts, strict=True)
    )
    return 1 / spread if spread > 0 else inf


def _reduction(plain: Sequence[Moments], column: int, variance: float) -> float:
    if min(arm.n for arm in plain) < _LEAST:
        return nan
    before = sum(float(arm.covariance()[column, column]) / arm.n for arm in plain)
    return 1 - variance / before if before > 0 else 0.0


def _warnings(members: Sequence[Sequence[int]]) -> tuple[str, ...]:
    merged = [group for group in members if len(group) > 1]
    return tuple(
        f"strata {', '.join(map(str, group))} were merged: some had fewer than {_LEAST} units of "
        "an arm."
        for group in merged
    )
