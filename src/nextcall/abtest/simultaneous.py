"""Treatments against one control, judged together by Dunnett's law: p-values and intervals."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import inf, isinf
from typing import Final

from scipy import special

from nextcall.abtest.comparison import Comparison
from nextcall.abtest.dunnett import Largest
from nextcall.abtest.effect import Effect, effect_of
from nextcall.abtest.proportions import compare_proportions

_LEAST: Final = 30  # units of an arm, for its mean to have a normal law
_NORMAL: Final = 1e6  # degrees of freedom in place of infinitely many


def simultaneous(comparisons: Sequence[Comparison], *, alpha: float) -> list[Comparison]:
    """Judge the treatments of one metric together.

    The chance that any treatment is wrongly found different is `alpha`, and all intervals, of
    differences and of relative ones, hold together. Arms may differ in their variance: a treatment
    leans on control's error by as much as that is of both. Where comparisons have degrees of
    freedom, the fewest of them count.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Of one metric, with p-values.

    Raises
    ------
    ValueError
        Where the test is looked at before its end, a margin or an equivalence is asked for, the
        metric is a quantile, or an arm has too few units or events for a normal law.

    References
    ----------
    Dunnett (1955), JASA 50(272); Hasler & Hothorn (2008), Biometrical Journal 50(5): arms of
    unequal variances.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from nextcall.abtest.analysis import analyze
    >>> from nextcall.abtest.metrics import Mean
    >>> rng = np.random.default_rng(2)
    >>> rows = pd.DataFrame({"variant": list("ABC") * 500, "spent": rng.normal(size=1500)})
    >>> found = analyze(rows, control="A", metrics=[Mean("spent")])
    >>> together = simultaneous(found.comparisons, alpha=0.05)
    >>> together[0].adjusted_pvalue > found.comparisons[0].pvalue, together[0].level < 0.05
    (True, True)
    """
    for each in comparisons:
        reason = refusal(each)
        if reason is not None:
            raise ValueError(f"adjust must not be 'dunnett' {reason}; take 'holm'.")
    sizes = Counter(_size(each) for each in comparisons)
    dof = min(_NORMAL, *(each.difference.dof for each in comparisons))
    both = Largest(dof=dof, sizes=sizes, two_sided=True)
    two_sided = comparisons[0].aim.alternative == "two-sided"
    asked = both if two_sided else Largest(dof=dof, sizes=sizes, two_sided=False)
    level = 2 * float(special.stdtr(dof, -both.critical(alpha)))
    found = []
    for each in comparisons:
        tail = each.pvalue / 2 if two_sided else each.pvalue
        reach = -float(special.stdtrit(dof, tail)) if tail > 0 else inf
        adjusted = max(each.pvalue, 0.0 if isinf(reach) else asked.beyond(reach))
        found.append(at_level(each, level).judged(adjusted, alpha))
    return found


def at_level(comparison: Comparison, level: float) -> Comparison:
    """Give the same with intervals of another level, of a test with one look."""
    if comparison.level == level:
        return comparison
    if comparison.test == "score":
        found = compare_proportions(*comparison.shares, alpha=level)
        absolute, relative = found.difference, found.relative
    else:
        absolute = _again(comparison.difference, level)
        relative = _again(comparison.relative, level)
    return replace(comparison, difference=absolute, relative=relative, level=level)


def _again(effect: Effect, level: float) -> Effect:
    return effect_of(effect.value, effect.se, dof=effect.dof, alpha=level, null=effect.null)


def _size(comparison: Comparison) -> float:
    """Give control's squared error over the treatment's, to three digits."""
    control, treatment = (arm.se**2 for arm in comparison.arms)
    size = control / treatment if treatment > 0 else inf
    return float(f"{min(max(size, 1e-6), 1e6):.3g}")


def refusal(comparison: Comparison) -> str | None:
    """Say why a comparison cannot be judged so; None where it can."""
    method, aim = comparison.look.method, comparison.aim
    least = min(arm.n for arm in comparison.arms)
    if method != "fixed-horizon":
        return f"where looks are {method}: it needs a test that is read once, at its end"
    if aim.margin is not None or aim.equivalence is not None:
        return "with a margin or equivalence"
    if comparison.test not in {"welch", "score"}:
        return f"for {comparison.metric} ({comparison.test}): it needs means of many units"
    if least < _LEAST:
        return f"with {least:g} units in a variant: it needs {_LEAST}"
    return None
