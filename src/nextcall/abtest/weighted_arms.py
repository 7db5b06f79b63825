"""Arms of means and ratios whose strata are weighted by their size over all variants."""

from collections.abc import Sequence
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nextcall.abtest.effect import Arm, Effect, effect_of
from nextcall.abtest.means import (
    Adjusted,
    Weighting,
    combined_variance,
    linear_forms,
    mean_arm,
    ratio_arm,
    slopes,
)
from nextcall.abtest.moments import Moments
from nextcall.abtest.strata import chance_of_sizes, merged_strata, satterthwaite

Floats = NDArray[np.float64]


def weighted_arms(strata: Sequence[Sequence[Moments]], *, ratios: bool) -> Adjusted:
    """Weight strata by their units in all arms together (post-stratification).

    Strata with fewer than two units in an arm, and those that an arm has not at all, are merged
    with one another, and with the smallest other one where that is not enough. What covariates
    explain within strata is taken out, by one theta.

    Parameters
    ----------
    strata : sequence of sequence of Moments
        Of each stratum, of each arm; control's first. Columns metric and covariates, or pairs of
        numerator and denominator.
    ratios : bool
        Whether they are pairs. The ratio is that of weighted means (combined ratio estimator).

    References
    ----------
    Miratrix, Sekhon & Yu (2013), JRSS B 75(2); Cochran (1977), Sampling Techniques, 6.11.

    Examples
    --------
    >>> small, large = Moments.of([1.0, 2.0, 3.0]), Moments.of([11.0, 12.0, 13.0])
    >>> found = weighted_arms([[small, small], [large, large]], ratios=False)
    >>> [arm.estimate for arm in found.arms], round(found.variance_reduction, 3)
    ([7.0, 7.0], 0.968)
    """
    counts = np.array([[arm.n for arm in stratum] for stratum in strata])
    members = merged_strata(counts)
    groups = [
        [_sum([strata[place][arm] for place in group]) for arm in range(counts.shape[1])]
        for group in members
    ]
    sizes = np.array([sum(arm.n for arm in group) for group in groups], dtype=np.float64)
    shares = sizes / sizes.sum() if sizes.any() else np.ones(len(sizes)) / len(sizes)
    columns = [[group[arm] for group in groups] for arm in range(counts.shape[1])]
    wholes = [_sum(arm) for arm in columns]
    plain = [ratio_arm(arm) if ratios else mean_arm(arm) for arm in wholes]
    known = all(arm.n >= 2 for arm in wholes)
    if not known or (ratios and not all(arm.mean[1::2].all() for arm in wholes)):
        return Adjusted(arms=tuple(plain), theta=(), variance_reduction=0.0)
    forms, theta, values = (_of_ratios if ratios else _of_means)(columns, shares)
    # What each stratum's estimate is off the arm's, and what it adds to the arm's squared error.
    middle = _sum(wholes)
    off = np.array(
        [
            [float(form @ each.off(middle)) for each in arm]
            for form, arm in zip(forms, columns, strict=True)
        ]
    )
    parts = np.array(
        [
            [
                share**2 * combined_variance(form, each.covariance()) / each.n
                for share, each in zip(shares, arm, strict=True)
            ]
            for form, arm in zip(forms, columns, strict=True)
        ]
    )
    arms = []
    for place, (arm, whole) in enumerate(zip(columns, wholes, strict=True)):
        value, rest = values[place]
        variance = float(parts[place].sum())
        dof = satterthwaite([parts[place]], [[each.n - 1 for each in arm]], variance)
        arms.append(Arm(n=whole.n, estimate=value, variance=variance * whole.n, rest=rest, dof=dof))
    before = sum(arm.variance / arm.n for arm in plain)
    after = sum(arm.variance / arm.n for arm in arms)
    weighting = Weighting(
        chances=tuple(
            _chances(arms, off, parts, shares, float(sizes.sum()), place)
            for place in range(1, len(arms))
        ),
        merged=tuple(members[-1]) if len(members[-1]) > 1 else (),
        mix_pvalue=_mix(np.array([[arm.n for arm in group] for group in groups])),
    )
    return Adjusted(
        arms=tuple(arms),
        theta=tuple(theta.tolist()),
        variance_reduction=1 - after / before if before > 0 else 0.0,
        weighting=weighting,
    )


def widened(effect: Effect, chance: float, *, alpha: float) -> Effect:
    """Add to the squared error of an effect what the chance in the strata's sizes adds.

    That part counts as known: it leaves degrees of freedom to the rest.
    """
    if not (chance > 0 and effect.se > 0):
        return effect
    se = sqrt(effect.se**2 + chance)
    return effect_of(effect.value, se, dof=effect.dof * (se / effect.se) ** 4, alpha=alpha)


Forms = tuple[list[Floats], Floats, list[tuple[float, float]]]


def _of_means(columns: Sequence[Sequence[Moments]], shares: Floats) -> Forms:
    """Give each arm's linear form, theta, and each arm's value with what it is rounded by."""
    within = [_sum(stratum) for stratum in zip(*columns, strict=True)]
    theta = slopes(np.sum([each.products for each in within], axis=0))
    weights = np.concatenate([[1.0], -theta])
    together = _sum(within)
    middle = mean_arm(together)
    values = []
    for arm in columns:
        step = float(shares @ [each.off(together) @ weights for each in arm]) + middle.rest
        value = middle.estimate + step
        values.append((value, step - (value - middle.estimate)))
    return [weights] * len(columns), theta, values


def _of_ratios(columns: Sequence[Sequence[Moments]], shares: Floats) -> Forms:
    means = [shares @ np.array([each.mean for each in arm]) for arm in columns]
    linear = [linear_forms(mean) for mean in means]
    covariances = [
        sum(
            share**2 * (form @ each.covariance() @ form.T) * (n / each.n)
            for share, each in zip(shares, arm, strict=True)
        )
        for form, arm in zip(linear, columns, strict=True)
        for n in [sum(each.n for each in arm)]
    ]
    theta = slopes(np.sum(covariances, axis=0))
    weights = np.concatenate([[1.0], -theta])
    together = _sum([each for arm in columns for each in arm]).mean
    centre = together[2::2] / together[3::2]
    values = [
        (float(mean[0] / mean[1] - theta @ (mean[2::2] / mean[3::2] - centre)), 0.0)
        for mean in means
    ]
    return [weights @ form for form in linear], theta, values


def _chances(
    arms: Sequence[Arm], off: Floats, parts: Floats, shares: Floats, n: float, place: int
) -> tuple[float, float]:
    control, treatment = arms[0], arms[place]
    noise = parts / shares
    absolute = chance_of_sizes(off[place] - off[0], shares, noise[place] + noise[0]) / n
    if control.estimate == 0:
        return absolute, nan
    ratio = treatment.estimate / control.estimate
    steps, errors = off[place] - ratio * off[0], noise[place] + ratio**2 * noise[0]
    return absolute, chance_of_sizes(steps, shares, errors) / n / control.estimate**2


def _mix(counts: NDArray[np.int64]) -> float:
    if len(counts) < 2:
        return nan
    return float(stats.chi2_contingency(counts, correction=False).pvalue)


def _sum(parts: Sequence[Moments]) -> Moments:
    together = parts[0]
    for part in parts[1:]:
        together = together + part
    return together
