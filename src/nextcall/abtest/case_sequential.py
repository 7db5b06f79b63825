"""Quantities of sequential cases, under the names that they have among peers."""

from collections.abc import Mapping
from math import nan, sqrt
from pathlib import Path
from types import MappingProxyType
from typing import Final

from nextcall.abtest.case_fields import Answer, Quantities, arm, level, number, numbers
from nextcall.abtest.confidence_sequences import (
    AnytimeEffect,
    asymptotic_sequence,
    mixture_rate,
)
from nextcall.abtest.effect import difference
from nextcall.abtest.group_sequential import spending_bounds
from nextcall.abtest.relative_effect import relative_difference
from nextcall.abtest.spending import Spending


def sequential_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Give the confidence sequences of two arms at a look.

    Parameters
    ----------
    case : mapping
        n_c, mean_c, var_c, n_t, mean_t, var_t, tuning (units at which the sequence is to be
        narrowest) and alpha.
    folder : Path
        Not read: the case has no file.

    Raises
    ------
    ValueError
        Where a field is missing, not finite or out of its range.
    """
    del folder
    control, treatment = arm(case, "c"), arm(case, "t")
    tuning, alpha = (
        number(case, "tuning", above=0.0),
        level(case),
    )
    n = control.n + treatment.n
    rate = mixture_rate(tuning, alpha, approximate=True)
    plain = asymptotic_sequence(difference(control, treatment), n, rate=rate, alpha=alpha)
    relative = asymptotic_sequence(
        relative_difference(control, treatment), n, rate=rate, alpha=alpha
    )
    reach = plain.ci_upper - plain.value
    found: Quantities = {
        **_named("abs", plain),
        **_named("rel_delta", relative),
        "confseq_halfwidth": reach,
        "confseq_ci_low": plain.ci_lower,
        "confseq_ci_high": plain.ci_upper,
        "confseq_boundary_vopt_tuning": reach / plain.se * sqrt(n) if plain.se > 0 else nan,
    }
    if alpha < 1 / 2:  # one side at alpha is tuned like two at twice alpha
        greater = asymptotic_sequence(
            difference(control, treatment),
            n,
            rate=mixture_rate(tuning, 2 * alpha, approximate=True),
            alpha=alpha,
            alternative="greater",
        )
        found |= _named("greater", greater)
    return found


def group_sequential_bounds_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Give the upper bounds at the looks of a test, as z-scores.

    Parameters
    ----------
    case : mapping
        information (shares, rising), alpha (of both sides) and rho (power of the share by which it
        is spent).
    folder : Path
        Not read: the case has no file.

    Raises
    ------
    ValueError
        Where a field is missing, not finite or out of its range.
    """
    del folder
    shares = numbers(case, "information")
    rule = Spending("power", number(case, "rho", above=0.0))
    bounds = spending_bounds(shares, alpha=level(case), spending=rule)
    return {"z": list(bounds.upper)}


QUANTITIES: Final[Mapping[str, Answer]] = MappingProxyType(
    {
        "sequential": sequential_quantities,
        "group_sequential_bounds": group_sequential_bounds_quantities,
    }
)


def _named(prefix: str, effect: AnytimeEffect) -> Quantities:
    return {
        f"{prefix}_effect": effect.value,
        f"{prefix}_se": effect.se,
        f"{prefix}_ci_low": effect.ci_lower,
        f"{prefix}_ci_high": effect.ci_upper,
        f"{prefix}_p_value": effect.pvalue,
        f"{prefix}_log_evalue": effect.log_evalue,
    }
