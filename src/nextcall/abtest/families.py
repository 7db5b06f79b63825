"""Comparisons judged together: p-values adjusted within families of questions."""

from collections.abc import Sequence
from math import isnan
from typing import Literal

from nextcall.abtest.comparison import Comparison
from nextcall.abtest.multiplicity import Adjustment, adjusted_pvalues
from nextcall.abtest.simultaneous import at_level, simultaneous

FamilyAdjustment = Adjustment | Literal["dunnett"]
"""How p-values are adjusted; Dunnett's law for the primary metric leaves Holm's for the others."""


def judged_together(
    comparisons: Sequence[Comparison], alpha: float, method: FamilyAdjustment
) -> tuple[Comparison, ...]:
    """Adjust over the treatments of the primary metric, and over all that is secondary.

    Harm to a guardrail is told at its own level: to be told too seldom would be the worse error.

    Raises
    ------
    ValueError
        Where the method is none, or Dunnett's is asked where it does not hold.
    """
    families: dict[str, list[int]] = {}
    for place, each in enumerate(comparisons):
        primary = each.metric == comparisons[0].metric
        family = "guardrail" if each.aim.guardrail else "primary" if primary else "secondary"
        if family != "guardrail" and not isnan(each.pvalue):
            families.setdefault(family, []).append(place)
    judged = [at_level(each, alpha) for each in comparisons]
    if method == "dunnett":
        own = families.pop("primary", [])
        together = simultaneous([judged[place] for place in own], alpha=alpha) if own else []
        for place, each in zip(own, together, strict=True):
            judged[place] = each
        method = "holm"
    for places in families.values():
        pvalues = adjusted_pvalues([comparisons[place].pvalue for place in places], method=method)
        for place, pvalue in zip(places, pvalues.tolist(), strict=True):
            judged[place] = judged[place].judged(pvalue, alpha)
    return tuple(judged)
