"""Quantities of sequential cases, under the names that they have among peers."""

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite, nan, sqrt
from pathlib import Path
from types import MappingProxyType
from typing import Final

from nextcall.abtest.confidence_sequences import (
    AnytimeEffect,
    asymptotic_sequence,
    mixture_rate,
)
from nextcall.abtest.effect import Arm, check_alpha, difference, relative_difference
from nextcall.abtest.group_sequential import spending_bounds
from nextcall.abtest.spending import Spending

Quantities = dict[str, float | list[float]]


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
    control, treatment = _arm(case, "c"), _arm(case, "t")
    tuning, alpha = (
        _number(case, "tuning", least=0.0, open_=True),
        check_alpha(_number(case, "alpha")),
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
    given = case.get("information")
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ValueError(  # noqa: TRY004  # bad data, as any other field
            f"information must be a list of numbers, got {given!r}."
        )
    shares = [_number({"information": share}, "information") for share in given]
    rule = Spending("power", _number(case, "rho", least=0.0, open_=True))
    bounds = spending_bounds(shares, alpha=_number(case, "alpha"), spending=rule)
    return {"z": list(bounds.upper)}


QUANTITIES: Final[Mapping[str, Callable[[Mapping[str, object], Path], Quantities]]] = (
    MappingProxyType(
        {
            "sequential": sequential_quantities,
            "group_sequential_bounds": group_sequential_bounds_quantities,
        }
    )
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


def _arm(case: Mapping[str, object], name: str) -> Arm:
    return Arm(
        n=_number(case, f"n_{name}", least=1.0),
        estimate=_number(case, f"mean_{name}"),
        variance=_number(case, f"var_{name}", least=0.0),
    )


def _number(
    case: Mapping[str, object], name: str, *, least: float = -inf, open_: bool = False
) -> float:
    value = case.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}.")
    if value < least or (open_ and value == least):
        raise ValueError(
            f"{name} must be {'above' if open_ else 'at least'} {least:g}, got {value}."
        )
    return float(value)
