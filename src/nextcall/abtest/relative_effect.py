"""The effect of treatment over control as a share of control."""

from math import hypot, inf, isnan, nan, sqrt

from nextcall.abtest.effect import (
    Alternative,
    Arm,
    Effect,
    check_alpha,
    degrees_of_freedom,
    effect_of,
    t_law,
)


def relative_difference(
    control: Arm,
    treatment: Arm,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    normal: bool = False,
) -> Effect:
    """Give (treatment - control) / control, by the delta method.

    It leans on a control whose estimate is far from 0 beside its error; `fieller` does not.
    Unknown (``nan``, an unbounded interval) where control's estimate is 0.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> a, b = Arm(n=60, estimate=10.0, variance=3.5), Arm(n=60, estimate=11.0, variance=3.6)
    >>> round(relative_difference(a, b).value, 3)
    0.1
    """
    if control.estimate == 0:
        return effect_of(nan, nan, alpha=alpha, alternative=alternative, null=null)
    ratio = treatment.estimate / control.estimate
    dof = degrees_of_freedom(control, treatment)  # of the difference, as the peers have it
    se = nan
    if control.n >= 2 and treatment.n >= 2:
        se = hypot(ratio * (control.se / control.estimate), treatment.se / control.estimate)
    if se == 0:
        dof = control.n + treatment.n - 2
    return effect_of(
        treatment.minus(control) / control.estimate,
        se,
        dof=inf if normal else dof,
        alpha=alpha,
        alternative=alternative,
        null=null,
    )


def fieller(
    control: Arm, treatment: Arm, *, alpha: float = 0.05, normal: bool = False
) -> tuple[float, float]:
    """Give Fieller's two-sided interval of (treatment - control) / control.

    It holds its level where the delta method does not. Unbounded on both sides where control's
    estimate cannot be told from 0 at this level.

    Raises
    ------
    ValueError
        Where `alpha` is out of its range.

    References
    ----------
    Fieller (1954), JRSS B 16(2).

    Examples
    --------
    >>> a, b = Arm(n=60, estimate=10.0, variance=3.5), Arm(n=60, estimate=11.0, variance=3.6)
    >>> low, high = fieller(a, b)
    >>> round(low, 4), round(high, 4)
    (0.0308, 0.1742)
    """
    dof = inf if normal else degrees_of_freedom(control, treatment)
    check_alpha(alpha)
    if isnan(dof):
        return -inf, inf
    _, from_tail = t_law(dof)
    quantile = from_tail(alpha / 2)
    if control.estimate == 0:
        return -inf, inf
    one = quantile * control.se / control.estimate
    other = quantile * treatment.se / control.estimate
    if one * one >= 1:
        return -inf, inf
    step, rest = treatment.minus(control) / control.estimate, 1 - one * one
    reach = hypot(other * sqrt(rest), one * (1 + step))
    return (step + one * one - reach) / rest, (step + one * one + reach) / rest
