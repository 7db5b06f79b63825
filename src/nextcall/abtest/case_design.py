"""Quantities of cases of power and of non-inferiority, under the names that they have."""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, nan
from pathlib import Path
from types import MappingProxyType
from typing import Final

from nextcall.abtest.case_fields import Answer, Quantities, arm, level, number
from nextcall.abtest.effect import Alternative, difference
from nextcall.abtest.planned_tests import MeanTest, PlannedTest, ShareTest
from nextcall.abtest.power import solve

_N_OF_MDE: Final = 5000.0  # units of control of the quantities *_mde_at_n5000
_N_OF_POWER: Final = 1000.0
_WAYS: Final[Mapping[str, Alternative]] = MappingProxyType(
    {"higher_better": "greater", "lower_better": "less"}
)


def power_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Give sample sizes, powers and smallest effects; ``nan`` where an arm has too few units.

    Parameters
    ----------
    case : mapping
        ``metric`` ("mean" or "proportion"), ``mde_abs``, ``alpha``, ``power``, ``ratio``
        (treatment's units for each of control), and ``sd`` of a mean or ``p`` of a proportion.
    folder : Path
        Not read: the case has no file.

    Raises
    ------
    ValueError
        Where a field is missing, not finite or out of its range.
    """
    del folder
    metric = case.get("metric")
    effect, alpha = number(case, "mde_abs"), level(case)
    power, ratio = number(case, "power"), number(case, "ratio")
    if effect == 0:
        raise ValueError("mde_abs must not be 0, got 0.")

    def n(test: PlannedTest) -> float:
        return solve(test, effect=effect, power=power, alpha=alpha).n

    if metric == "mean":
        t = MeanTest(sd=number(case, "sd"), ratio=ratio)
        z = replace(t, normal=True)
        found: Quantities = {}
        for name, test in (("t", t), ("z", z)):
            found[f"{name}_n_control"] = n(test)
            found[f"{name}_mde_at_n5000"] = (
                solve(test, n=_N_OF_MDE, power=power, alpha=alpha).effect
                if test.least <= _N_OF_MDE
                else nan
            )
            enough = test.normal or _N_OF_POWER * min(ratio, 1.0) >= 1
            found[f"{name}_power_at_n1000"] = (
                test.power(_N_OF_POWER, effect, alpha) if enough else nan
            )
            found[f"{name}_n_total_ceil"] = float(ceil(n(test) * (1 + ratio)))
        return found
    if metric == "proportion":
        # The peers' closed forms leave out that a test may reject on the wrong side.
        pooled = ShareTest(baseline=number(case, "p"), ratio=ratio, wrong_way=False)
        size = n(pooled)
        return {
            "z_pooled_null_n": size,
            "pooled_null_n_control": size,
            "unpooled_n_control": n(replace(pooled, form="unpooled")),
            "arcsine_n_control": n(replace(pooled, form="arcsine")),
        }
    raise ValueError(f"metric must be 'mean' or 'proportion', got {metric!r}.")


def noninferiority_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Give Welch's one-sided test at a margin.

    Parameters
    ----------
    case : mapping
        ``n_c``, ``mean_c``, ``var_c``, ``n_t``, ``mean_t``, ``var_t``, ``margin`` (the effect that
        is tested: below 0 where ``direction`` is "higher_better", above where "lower_better") and
        ``alpha``.
    folder : Path
        Not read: the case has no file.

    Raises
    ------
    ValueError
        Where a field is missing, not finite or out of its range.
    """
    del folder
    direction = case.get("direction", "higher_better")
    if direction not in _WAYS:
        raise ValueError(f"direction must be one of {tuple(_WAYS)}, got {direction!r}.")
    way = _WAYS[str(direction)]
    found = difference(
        arm(case, "c"),
        arm(case, "t"),
        alpha=level(case),
        alternative=way,
        null=number(case, "margin"),
    )
    return {
        "effect": found.value,
        "se": found.se,
        "p_value": found.pvalue,
        "ci_low": found.ci_lower,
        "ci_high": found.ci_upper,
        "ci_bound": found.ci_lower if way == "greater" else found.ci_upper,
    }


QUANTITIES: Final[Mapping[str, Answer]] = MappingProxyType(
    {"power": power_quantities, "noninferiority": noninferiority_quantities}
)
