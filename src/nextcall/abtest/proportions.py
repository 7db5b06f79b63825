"""Two variants compared by the share of units with an event."""

from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import Final, Literal

from scipy import special

from nextcall.abtest.effect import Alternative, Effect, check_alternative
from nextcall.abtest.score_intervals import score_difference, score_ratio, score_statistic
from nextcall.abtest.share_effects import ratio_se
from nextcall.abtest.share_tests import MOST_UNITS, exact_pvalue
from nextcall.abtest.shares import Share, exact_difference, share_interval

ProportionTest = Literal["score", "boschloo", "fisher"]
"""Which test a p-value comes from."""

_SMALL: Final = 5  # fewest expected units in a cell for which the normal law will do (Cochran 1952)
_TABLES: Final = 10_000  # most tables of two arms that Boschloo's test walks in a fraction of 1 s


@dataclass(frozen=True, slots=True, kw_only=True)
class ProportionComparison:
    """Two shares, and the effect of treatment over control.

    Parameters
    ----------
    control, treatment : Share
    control_interval, treatment_interval : tuple of float
        Of each share, by Wilson; two-sided.
    difference : Effect
        Treatment minus control.
    relative : Effect
        Treatment over control, less 1; unknown (``nan``) where control had no success, with an
        interval that is open above.
    test : {"score", "boschloo", "fisher"}
        Where the p-value is from.
    """

    control: Share
    treatment: Share
    control_interval: tuple[float, float]
    treatment_interval: tuple[float, float]
    difference: Effect
    relative: Effect
    test: ProportionTest


def compare_proportions(
    control: Share,
    treatment: Share,
    *,
    test: Literal["auto", "score", "exact"] = "auto",
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> ProportionComparison:
    """Compare two shares: absolute and relative effect, intervals, one p-value.

    Intervals are those of the score test, for difference and ratio alike (Miettinen-Nurminen,
    Koopman): they give an answer at no successes and at all, and stay within what is possible.
    With the score test, the p-value is below `alpha` exactly where both leave out no effect. The
    p-value is exact where a cell would hold fewer than five units if shares were equal: it may then
    disagree with intervals at the edge, and it is the p-value that holds its level.

    Parameters
    ----------
    test : {"auto", "score", "exact"}
        ``"exact"`` is Boschloo's up to 10,000 pairs of units (100 in each arm), Fisher's beyond;
        ``"auto"`` takes it where cells are small, up to 2,000,000,000 units.
    alternative : {"two-sided", "greater", "less"}
        Of treatment over control.

    Raises
    ------
    ValueError
        Where an option is out of its range, or an exact test is asked of too many units.

    Examples
    --------
    >>> found = compare_proportions(Share(successes=120, n=1000), Share(successes=150, n=1010))
    >>> found.test, round(found.difference.value, 4), round(found.difference.pvalue, 4)
    ('score', 0.0285, 0.0609)
    >>> round(found.relative.ci_lower, 4), round(found.relative.ci_upper, 4)
    (-0.0097, 0.5475)
    """
    if test not in {"auto", "score", "exact"}:
        raise ValueError(f"test must be one of ('auto', 'score', 'exact'), got {test!r}.")
    alternative = check_alternative(alternative)
    chosen = _chosen(control, treatment, test)
    pvalue = (
        _score_pvalue(control, treatment, alternative)
        if chosen == "score"
        else exact_pvalue(control, treatment, method=chosen, alternative=alternative)
    )
    low, high = score_difference(control, treatment, alpha=alpha, alternative=alternative)
    difference = Effect(
        value=exact_difference(control, treatment),
        se=sqrt(control.variance / control.n + treatment.variance / treatment.n),
        dof=inf,
        ci_lower=low,
        ci_upper=high,
        pvalue=pvalue,
    )
    low, high = score_ratio(control, treatment, alpha=alpha, alternative=alternative)
    relative = Effect(
        value=difference.value / control.value if control.successes else nan,
        se=ratio_se(control, treatment),
        dof=inf,
        ci_lower=-inf if alternative == "less" else low - 1,
        ci_upper=high - 1,
        pvalue=pvalue,
    )
    return ProportionComparison(
        control=control,
        treatment=treatment,
        control_interval=share_interval(control, alpha=alpha),
        treatment_interval=share_interval(treatment, alpha=alpha),
        difference=difference,
        relative=relative,
        test=chosen,
    )


def _chosen(control: Share, treatment: Share, test: str) -> ProportionTest:
    successes, failures = (
        control.successes + treatment.successes,
        control.failures + treatment.failures,
    )
    fewest = min(control.n, treatment.n) * min(successes, failures) / (control.n + treatment.n)
    if test == "score" or (test == "auto" and fewest >= _SMALL):
        return "score"
    if test == "auto" and control.n + treatment.n > MOST_UNITS:
        return "score"
    return "boschloo" if control.n * treatment.n <= _TABLES else "fisher"


def _score_pvalue(control: Share, treatment: Share, alternative: Alternative) -> float:
    """Give that of no difference; 1 where all units had the event, or none."""
    z = score_statistic(control, treatment)
    if z != z:  # noqa: PLR0124  # nan
        return 1.0
    if alternative == "two-sided":
        return float(special.erfc(abs(z) / sqrt(2)))
    return float(special.ndtr(-z if alternative == "greater" else z))
