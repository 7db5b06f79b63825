"""Differences and ratios of two shares by formula: z tests, Newcombe, Agresti-Caffo, logarithms."""

from math import exp, hypot, inf, log, nan, sqrt

from nextcall.abtest.effect import (
    Alternative,
    Effect,
    effect_of,
)
from nextcall.abtest.shares import Share, critical_z, exact_difference, wilson_reach


def share_difference(
    control: Share,
    treatment: Share,
    *,
    pooled: bool = False,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> Effect:
    """Give treatment minus control by the z test, with Wald's interval.

    Parameters
    ----------
    pooled : bool
        Whether the standard error is that of two arms with one share: the right one for a test of
        no difference, not for an interval. `score_difference` is right for both.

    Returns
    -------
    Effect
        Its p-value is ``nan`` where the standard error is 0.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> a, b = Share(successes=120, n=1000), Share(successes=150, n=1010)
    >>> round(share_difference(a, b).pvalue, 5)
    0.06053
    >>> round(share_difference(a, b, pooled=True).pvalue, 5)
    0.06087
    """
    one, other = control.variance, treatment.variance
    if pooled:
        together = _together(control, treatment)
        one = other = together.variance
    return effect_of(
        exact_difference(control, treatment),
        sqrt(one / control.n + other / treatment.n),
        alpha=alpha,
        alternative=alternative,
        null=null,
    )


def newcombe_difference(
    control: Share, treatment: Share, *, alpha: float = 0.05, alternative: Alternative = "two-sided"
) -> tuple[float, float]:
    """Give Newcombe's interval of treatment minus control, from Wilson's of each share.

    Returns
    -------
    tuple of float
        Within [-1, 1]; the open side of a one-sided interval is infinite.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17(8): method 10.

    Examples
    --------
    >>> low, high = newcombe_difference(Share(successes=48, n=80), Share(successes=56, n=70))
    >>> round(low, 4), round(high, 4)
    (0.0524, 0.3339)
    """
    value, z = exact_difference(control, treatment), critical_z(alpha, alternative)
    control_below, control_above = wilson_reach(control, z)
    treatment_below, treatment_above = wilson_reach(treatment, z)
    below = hypot(treatment_below, control_above)
    above = hypot(control_below, treatment_above)
    if z < 0:  # a one-sided alpha above 1/2: the bound lies on the other side
        below, above = -above, -below
    return _sided(value - below, value + above, alternative)


def agresti_caffo_difference(
    control: Share, treatment: Share, *, alpha: float = 0.05, alternative: Alternative = "two-sided"
) -> tuple[float, float]:
    """Give Wald's interval of treatment minus control after one success and one failure more.

    Returns
    -------
    tuple of float
        The open side of a one-sided interval is infinite.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Agresti & Caffo (2000), The American Statistician 54(4).

    Examples
    --------
    >>> low, high = agresti_caffo_difference(Share(successes=0, n=10), Share(successes=0, n=10))
    >>> round(low, 3), round(high, 3)
    (-0.221, 0.221)
    """
    found = share_difference(
        Share(successes=control.successes + 1, n=control.n + 2),
        Share(successes=treatment.successes + 1, n=treatment.n + 2),
        alpha=alpha,
        alternative=alternative,
    )
    return found.ci_lower, found.ci_upper


def log_ratio(
    control: Share,
    treatment: Share,
    *,
    adjusted: bool = False,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> tuple[float, float]:
    """Give the interval of treatment over control that is symmetric around the log of the ratio.

    Parameters
    ----------
    adjusted : bool
        Whether half a success is added to each arm, which gives an answer at no successes too.

    Returns
    -------
    tuple of float
        Within [0, inf]: all of it where an arm had no success and nothing is added.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Katz, Baptista, Azen & Pike (1978), Biometrics 34(3); Walter (1975), Biometrika 62(2).

    Examples
    --------
    >>> low, high = log_ratio(Share(successes=120, n=1000), Share(successes=150, n=1010))
    >>> round(low, 4), round(high, 4)
    (0.9897, 1.5477)
    """
    z, more = critical_z(alpha, alternative), 0.5 if adjusted else 0.0
    if not adjusted and 0 in {control.successes, treatment.successes}:
        return 0.0, inf
    c, t = control.successes + more, treatment.successes + more
    middle = log(t / (treatment.n + more)) - log(c / (control.n + more))
    variance = control.failures / (c * (control.n + more)) + treatment.failures / (
        t * (treatment.n + more)
    )
    low, high = exp(middle - z * sqrt(variance)), exp(middle + z * sqrt(variance))
    return 0.0 if alternative == "less" else low, inf if alternative == "greater" else high


def ratio_se(control: Share, treatment: Share) -> float:
    """Give the standard error of treatment over control, by the delta method.

    ``nan`` where control had no success.
    """
    if control.successes == 0:
        return nan
    ratio = (treatment.successes * control.n) / (control.successes * treatment.n)
    own = treatment.variance / treatment.n / control.value**2
    return sqrt(own + ratio**2 * control.failures / control.successes / control.n)


def _together(control: Share, treatment: Share) -> Share:
    return Share(successes=control.successes + treatment.successes, n=control.n + treatment.n)


def _sided(low: float, high: float, alternative: Alternative) -> tuple[float, float]:
    return -inf if alternative == "less" else low, inf if alternative == "greater" else high
