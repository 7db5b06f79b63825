"""An estimate of one variant, and the effect of treatment over control as a difference."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, isnan, nan, sqrt
from typing import Final, Literal, get_args

Alternative = Literal["two-sided", "greater", "less"]
"""What is to be shown of an effect: that it differs from the null, lies above it, or below."""

_ALTERNATIVES: Final = get_args(Alternative)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What one variant says of a metric.

    Parameters
    ----------
    n : float
        Units (users, clusters) on which `variance` rests.
    estimate : float
        In the unit of the metric.
    variance : float
        Of a unit's part in the estimate: the estimate's standard error is sqrt(variance / n).
    rest : float
        What the estimate is off by, being rounded.
    dof : float, optional
        Degrees of freedom of `variance`, n - 1 where none are given.
    working : float, optional
        Squared standard error under the model by which `dof` was found; where both arms have one,
        these weigh their degrees of freedom.
    """

    n: float
    estimate: float
    variance: float
    rest: float = 0.0
    dof: float | None = None
    working: float | None = None

    @property
    def se(self) -> float:
        """Standard error of the estimate; ``nan`` without units."""
        return sqrt(self.variance / self.n) if self.n > 0 else nan

    def minus(self, other: "Arm") -> float:
        """Give the estimate less that of another arm, with all digits."""
        return (self.estimate - other.estimate) + (self.rest - other.rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Treatment against control: a difference in the unit of the metric, or a share of control.

    Parameters
    ----------
    value : float
        Treatment minus control (divided by control where the effect is relative).
    se : float
        Standard error; ``nan`` where the method has none.
    dof : float
        Degrees of freedom of its t law; infinite where it is normal.
    ci_lower, ci_upper : float
        Of the confidence interval; infinite on the open side of a one-sided one.
    pvalue : float
        Of the null hypothesis that the effect is `null`.
    null : float
        The effect that is tested.
    """

    value: float
    se: float
    dof: float
    ci_lower: float
    ci_upper: float
    pvalue: float
    null: float = 0.0


def check_alpha(alpha: float) -> float:
    """Give a level of significance back.

    Raises
    ------
    ValueError
        Where it is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}.")
    return float(alpha)


def check_alternative(alternative: str) -> Alternative:
    """Give an alternative back.

    Raises
    ------
    ValueError
        Where it is none.
    """
    if alternative not in _ALTERNATIVES:
        raise ValueError(f"alternative must be one of {_ALTERNATIVES}, got {alternative!r}.")
    return alternative  # type: ignore[return-value]  # mypy narrows no tuple of literals


def effect_of(
    value: float,
    se: float,
    *,
    dof: float = inf,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> Effect:
    """Test an estimate whose error follows a t law (normal where `dof` is infinite).

    A standard error of 0 says that every unit of an arm was equal: the interval is the value
    itself and the p-value ``nan``, for no test can be made; the caller warns. One that is not
    known (``nan``) gives an unbounded interval.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> found = effect_of(2.0, 1.0)
    >>> round(found.ci_lower, 3), round(found.ci_upper, 3), round(found.pvalue, 4)
    (0.04, 3.96, 0.0455)
    """
    alpha, alternative = check_alpha(alpha), check_alternative(alternative)
    if isnan(value) or isnan(se) or not se >= 0 or not dof > 0:
        low, high, pvalue = -inf, inf, nan
    elif se == 0:
        low, high, pvalue = value, value, nan
    else:
        tail, from_tail = t_law(dof)
        z = (value - null) / se
        share = alpha / 2 if alternative == "two-sided" else alpha
        reach = from_tail(share) * se
        low, high = value - reach, value + reach
        two_sided = min(1.0, 2 * tail(abs(z)))
        pvalues = {"two-sided": two_sided, "greater": tail(z), "less": tail(-z)}
        pvalue = pvalues[alternative]
    if alternative == "greater":
        high = inf
    if alternative == "less":
        low = -inf
    return Effect(
        value=value, se=se, dof=dof, ci_lower=low, ci_upper=high, pvalue=pvalue, null=null
    )


def degrees_of_freedom(control: Arm, treatment: Arm, *, pooled: bool = False) -> float:
    """Give those of the difference of two arms: Welch's, or n - 2 where variances are pooled.

    ``nan`` where an arm has fewer than two units or none varies; pooled, where both together have
    fewer than three or one has none.

    References
    ----------
    Welch (1947), Biometrika 34(1-2). Bell & McCaffrey (2002), Survey Methodology 28(2): with the
    squared errors of a working model.
    """
    fewest, total = min(control.n, treatment.n), control.n + treatment.n
    if pooled:
        return total - 2 if fewest >= 1 and total > 2 else nan
    if fewest < 2:
        return nan
    one, other = control.variance / control.n, treatment.variance / treatment.n
    if not (one + other > 0 and isfinite(one + other)):
        return nan
    if control.working is not None and treatment.working is not None:
        one, other = control.working, treatment.working
    share = one / (one + other)
    first, second = (arm.n - 1 if arm.dof is None else arm.dof for arm in (control, treatment))
    return 1 / (share**2 / first + (1 - share) ** 2 / second)


def difference(
    control: Arm,
    treatment: Arm,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    pooled: bool = False,
    normal: bool = False,
) -> Effect:
    """Give treatment minus control, by Welch's test.

    Parameters
    ----------
    pooled : bool
        Whether both arms are held to have one variance (Student's test); one of them may then be
        of one unit.
    normal : bool
        Whether a normal law is used in place of the t law.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> a, b = Arm(n=60, estimate=10.2, variance=3.5), Arm(n=60, estimate=10.9, variance=3.6)
    >>> found = difference(a, b)
    >>> round(found.value, 3), round(found.pvalue, 3)
    (0.7, 0.044)
    """
    dof = degrees_of_freedom(control, treatment, pooled=pooled)
    one, other = control.variance, treatment.variance
    known = control.n >= 2 and treatment.n >= 2
    if pooled and dof > 0:
        squares = ((arm.n - 1) * arm.variance for arm in (control, treatment) if arm.n > 1)
        one = other = sum(squares) / dof
        known = True
    se = sqrt(one / control.n + other / treatment.n) if known else nan
    if se == 0:
        dof = control.n + treatment.n - 2
    return effect_of(
        treatment.minus(control),
        se,
        dof=inf if normal else dof,
        alpha=alpha,
        alternative=alternative,
        null=null,
    )


def t_law(dof: float) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Give the chance of more than a value under a t law, and the value that has a chance.

    As `scipy.stats.t` has them, or `norm` where `dof` is infinite, and in a tenth of the time.
    """
    # Loaded here: a service has effects in its types long before it computes one.
    from scipy.special import ndtr, ndtri, stdtr, stdtrit  # noqa: PLC0415

    if dof == inf:
        return lambda value: float(ndtr(-value)), lambda chance: -float(ndtri(chance))
    return (
        lambda value: float(stdtr(dof, -value)),
        lambda chance: -float(stdtrit(dof, chance)),
    )
