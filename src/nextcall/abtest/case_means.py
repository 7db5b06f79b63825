"""Quantities of the cases of means and ratios, with and without covariates."""

from collections.abc import Mapping
from math import expm1, inf, log, nan
from pathlib import Path
from types import MappingProxyType
from typing import Final

from nextcall.abtest.case_fields import Answer, Quantities, arms_of_file, level
from nextcall.abtest.effect import Arm, Effect, difference
from nextcall.abtest.means import adjusted_means, adjusted_ratios, mean_arm, ratio_arm
from nextcall.abtest.moments import Moments
from nextcall.abtest.relative_effect import fieller, relative_difference


def mean_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Compare the means of ``y`` in the case's file.

    Raises
    ------
    ValueError
        Where the case or its file lacks something or holds what cannot be.
    """
    control, treatment = (mean_arm(Moments.of(rows)) for rows in arms_of_file(case, folder, ["y"]))
    pooled = difference(control, treatment, alpha=level(case), pooled=True)
    return {
        **_of_arms(control, treatment, level(case)),
        "pooled_p_value": pooled.pvalue,
        "pooled_dof": pooled.dof,
    }


def ratio_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Compare the ratios of ``numer`` to ``denom`` over the rows (users) of the case's file.

    Raises
    ------
    ValueError
        Where the case or its file lacks something or holds what cannot be.
    """
    control, treatment = (
        ratio_arm(Moments.of(rows)) for rows in arms_of_file(case, folder, ["numer", "denom"])
    )
    return _of_arms(control, treatment, level(case))


def cuped_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Compare the means of ``numer``, with what ``numer_pre`` explains taken out.

    Raises
    ------
    ValueError
        Where the case or its file lacks something or holds what cannot be.
    """
    found = adjusted_means(
        [Moments.of(rows) for rows in arms_of_file(case, folder, ["numer", "numer_pre"])]
    )
    return {
        **_of_arms(found.arms[0], found.arms[1], level(case)),
        "theta": found.theta[0],
        "var_reduction": found.variance_reduction,
    }


def ratio_cuped_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Compare the ratios, with what the same ratio before the test explains taken out.

    Raises
    ------
    ValueError
        Where the case or its file lacks something or holds what cannot be.
    """
    columns = ["numer", "denom", "numer_pre", "denom_pre"]
    found = adjusted_ratios([Moments.of(rows) for rows in arms_of_file(case, folder, columns)])
    return {
        **_of_arms(found.arms[0], found.arms[1], level(case)),
        "theta": found.theta[0] if found.theta else 0.0,
        "var_reduction": found.variance_reduction,
    }


def _of_arms(control: Arm, treatment: Arm, alpha: float) -> Quantities:
    absolute = difference(control, treatment, alpha=alpha)
    relative = relative_difference(control, treatment, alpha=alpha)
    low, high = fieller(control, treatment, alpha=alpha)
    log_low, log_high = _log_interval(control, treatment, alpha)
    return {
        "control": control.estimate,
        "treatment": treatment.estimate,
        **_named("abs", absolute),
        "abs_statistic": absolute.value / absolute.se if absolute.se > 0 else nan,
        "dof": absolute.dof,
        "rel_effect": relative.value,
        **_named("rel_delta", relative),
        "rel_log_ci_low": log_low,
        "rel_log_ci_high": log_high,
        "rel_fieller_ci_low": low,
        "rel_fieller_ci_high": high,
    }


def _named(name: str, effect: Effect) -> Quantities:
    return {
        f"{name}_effect": effect.value,
        f"{name}_ci_low": effect.ci_lower,
        f"{name}_ci_high": effect.ci_upper,
        f"{name}_p_value": effect.pvalue,
        f"{name}_se": effect.se,
    }


def _log_interval(control: Arm, treatment: Arm, alpha: float) -> tuple[float, float]:
    """Give the interval of the relative effect that is symmetric in the logarithm of the ratio."""
    if not (control.estimate > 0 and treatment.estimate > 0):
        return nan, nan
    logs = [
        Arm(
            n=arm.n, estimate=log(arm.estimate), variance=arm.variance / arm.estimate / arm.estimate
        )
        for arm in (control, treatment)
    ]
    found = difference(*logs, alpha=alpha)
    return expm1(found.ci_lower), expm1(found.ci_upper) if found.ci_upper < 700 else inf


QUANTITIES: Final[Mapping[str, Answer]] = MappingProxyType(
    {
        "mean": mean_quantities,
        "ratio": ratio_quantities,
        "cuped": cuped_quantities,
        "ratio_cuped": ratio_cuped_quantities,
    }
)
