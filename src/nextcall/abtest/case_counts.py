"""Reference quantities of proportions, Bayesian comparisons, sample ratios and multiplicity."""

from collections.abc import Mapping
from math import nan
from pathlib import Path
from types import MappingProxyType
from typing import Final

from nextcall.abtest.bayes import NormalPrior, Posterior, compare_normal, compare_shares
from nextcall.abtest.beta_chances import Beta
from nextcall.abtest.case_fields import (
    Answer,
    Quantities,
    arm,
    as_whole,
    level,
    number,
    numbers,
    whole,
)
from nextcall.abtest.effect import Arm, Effect, difference
from nextcall.abtest.multiplicity import Adjustment, adjusted_pvalues
from nextcall.abtest.relative_effect import relative_difference
from nextcall.abtest.score_intervals import score_difference, score_ratio
from nextcall.abtest.share_effects import (
    agresti_caffo_difference,
    log_ratio,
    newcombe_difference,
    share_difference,
)
from nextcall.abtest.share_tests import MOST_UNITS, exact_pvalue, yates_pvalue
from nextcall.abtest.shares import Share, ShareMethod, share_interval
from nextcall.abtest.srm import sample_ratio

_ARM_METHODS: Final[Mapping[str, ShareMethod]] = MappingProxyType(
    {
        "wilson": "wilson",
        "beta": "exact",
        "agresti_coull": "agresti-coull",
        "jeffreys": "jeffreys",
    }
)
_ADJUSTMENTS: Final[Mapping[str, Adjustment]] = MappingProxyType(
    {
        "bonferroni": "bonferroni",
        "holm": "holm",
        "holm-sidak": "holm-sidak",
        "simes-hochberg": "hochberg",
        "hommel": "hommel",
        "fdr_bh": "bh",
        "fdr_by": "by",
    }
)


def proportion_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Compare two proportions by every method that has a reference.

    Names that begin with ``abs`` and ``rel_delta`` follow GrowthBook (a t law, variance p(1 - p)),
    ``spz`` Spotify's confidence, ``tt`` tea-tasting, the others statsmodels and scipy.
    """
    del folder
    alpha = level(case)
    control, treatment = _share(case, "c"), _share(case, "t")
    arms = [
        Arm(n=each.n, estimate=each.value, variance=each.variance) for each in (control, treatment)
    ]
    wald = share_difference(control, treatment, alpha=alpha)
    pooled = share_difference(control, treatment, pooled=True, alpha=alpha)
    log_low, log_high = log_ratio(control, treatment, alpha=alpha)
    lift = wald.value / control.value if control.successes else nan
    found: Quantities = {
        **_effect("abs", difference(*arms, alpha=alpha)),
        **_effect("rel_delta", relative_difference(*arms, alpha=alpha)),
        "spz_abs_effect": wald.value,
        **_range("spz_abs_ci", (wald.ci_lower, wald.ci_upper)),
        "spz_abs_p_value": wald.pvalue,
        "pooled_p_value": pooled.pvalue,
        "pooled_z": pooled.value / pooled.se if pooled.se else nan,
        "unpooled_p_value": wald.pvalue,
        "unpooled_z": wald.value / wald.se if wald.se else nan,
        **_range("diff_wald", (wald.ci_lower, wald.ci_upper)),
        **_range("diff_newcomb", newcombe_difference(control, treatment, alpha=alpha)),
        **_range("diff_agresti-caffo", agresti_caffo_difference(control, treatment, alpha=alpha)),
        **_range("diff_score", score_difference(control, treatment, alpha=alpha)),
        **_range("ratio_log", (log_low, log_high)),
        **_range("ratio_log-adjusted", log_ratio(control, treatment, adjusted=True, alpha=alpha)),
        **_range("ratio_score", score_ratio(control, treatment, alpha=alpha)),
        "yates_p_value": yates_pvalue(control, treatment),
        "tt_unpooled_rel_effect_size_ci_lower": log_low - 1,
        "tt_unpooled_rel_effect_size_ci_upper": log_high - 1,
    }
    if control.n + treatment.n <= MOST_UNITS:
        found["fisher_p_value"] = exact_pvalue(control, treatment, method="fisher")
    for name, method in _ARM_METHODS.items():
        for side, share in (("c", control), ("t", treatment)):
            interval = share_interval(share, method=method, alpha=alpha)
            found |= _range(f"arm_{name}_{side}", interval)
    for name, effect in (("tt_pooled", pooled), ("tt_unpooled", wald)):
        found |= {
            f"{name}_control": control.value,
            f"{name}_treatment": treatment.value,
            f"{name}_effect_size": effect.value,
            f"{name}_effect_size_ci_lower": effect.ci_lower,
            f"{name}_effect_size_ci_upper": effect.ci_upper,
            f"{name}_rel_effect_size": lift,
        }
    return found


def bayes_beta_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Compare two proportions by the Beta-Binomial model."""
    del folder
    prior = Beta(a=number(case, "prior_a"), b=number(case, "prior_b"))
    found = compare_shares(_share(case, "c"), _share(case, "t"), prior=prior, alpha=level(case))
    return {
        "chance_to_win": found.difference.chance_to_win,
        "risk_treatment": found.difference.loss_treatment,
        "risk_control": found.difference.loss_control,
        "post_mean_c": found.control.mean,
        "post_mean_t": found.treatment.mean,
        "ci_c": list(found.control_interval),
        "ci_t": list(found.treatment_interval),
    }


def bayes_normal_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Compare two means by the normal-normal model; the prior is of the relative effect."""
    del folder
    prior = case.get("prior")
    believed = None
    if prior is not None:
        given = numbers(case, "prior")
        if len(given) != 2:
            raise ValueError(f"prior must be a mean and a standard deviation, got {prior!r}.")
        believed = NormalPrior(mean=given[0], sd=given[1])
    control, treatment = arm(case, "c"), arm(case, "t")
    found = compare_normal(control, treatment, prior=believed, alpha=level(case))
    return {**_posterior("abs", found.absolute), **_posterior("rel_delta", found.relative)}


def srm_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Check the sample ratio."""
    del folder
    observed = [as_whole("observed", each, least=0) for each in numbers(case, "observed")]
    found = sample_ratio(observed, numbers(case, "weights"))
    quantities: Quantities = {"p_value": found.pvalue, "chi2": found.chi2}
    if len(observed) == 2:
        quantities["binom_p_value"] = found.exact_pvalue
    return quantities


def multiplicity_quantities(case: Mapping[str, object], folder: Path) -> Quantities:
    """Adjust p-values; ``*_reject`` says 1 where one is at most alpha, else 0."""
    del folder
    alpha, pvalues = level(case), numbers(case, "p")
    found: Quantities = {}
    for name, method in _ADJUSTMENTS.items():
        adjusted = adjusted_pvalues(pvalues, method=method)
        found[f"{name}_adj"] = adjusted.tolist()
        found[f"{name}_reject"] = (adjusted <= alpha).tolist()
    return found


QUANTITIES: Final[Mapping[str, Answer]] = MappingProxyType(
    {
        "proportion": proportion_quantities,
        "bayes_beta": bayes_beta_quantities,
        "bayes_normal": bayes_normal_quantities,
        "srm": srm_quantities,
        "multiplicity": multiplicity_quantities,
    }
)
"""What computes the quantities of each kind."""


def _share(case: Mapping[str, object], side: str) -> Share:
    n = whole(case, f"n_{side}", least=1)
    successes = whole(case, f"x_{side}", least=0)
    if successes > n:
        raise ValueError(f"x_{side} must be at most n_{side}={n}, got {successes}.")
    return Share(successes=successes, n=n)


def _range(name: str, ends: tuple[float, float]) -> dict[str, float]:
    return {f"{name}_low": ends[0], f"{name}_high": ends[1]}


def _effect(name: str, effect: Effect) -> dict[str, float]:
    return {
        f"{name}_effect": effect.value,
        f"{name}_se": effect.se,
        **_range(f"{name}_ci", (effect.ci_lower, effect.ci_upper)),
        f"{name}_p_value": effect.pvalue,
    }


def _posterior(name: str, posterior: Posterior) -> dict[str, float]:
    return {
        f"{name}_mean": posterior.mean,
        f"{name}_sd": posterior.sd,
        **_range(f"{name}_ci", (posterior.ci_lower, posterior.ci_upper)),
        f"{name}_chance_to_win": posterior.chance_to_win,
        f"{name}_risk_control": posterior.loss_control,
        f"{name}_risk_treatment": posterior.loss_treatment,
    }
