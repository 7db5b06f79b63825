"""Comparisons judged together: p-values adjusted within families of questions."""

from collections.abc import Sequence
from math import isnan

from nextcall.abtest.comparison import Comparison
from nextcall.abtest.multiplicity import Adjustment, adjusted_pvalues


def judged_together(
    comparisons: Sequence[Comparison], alpha: float, method: Adjustment
) -> tuple[Comparison, ...]:
    """Adjust over the treatments of the primary metric, and over all that is secondary.

    Harm to a guardrail is told at its own level: to be told too seldom would be the worse error.
    """
    families: dict[str, list[int]] = {}
    for place, each in enumerate(comparisons):
        primary = each.metric == comparisons[0].metric
        family = "guardrail" if each.aim.guardrail else "primary" if primary else "secondary"
        if family != "guardrail" and not isnan(each.pvalue):
            families.setdefault(family, []).append(place)
    judged = list(comparisons)
    for places in families.values():
        pvalues = adjusted_pvalues([comparisons[place].pvalue for place in places], method=method)
        for place, pvalue in zip(places, pvalues.tolist(), strict=True):
            judged[place] = comparisons[place].judged(pvalue, alpha)
    return tuple(judged)
