"""One treatment against control on one metric: what may be said of it at this look."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Literal

from nextcall.abtest.bayes import Posterior
from nextcall.abtest.cautions import cautions
from nextcall.abtest.effect import (
    Alternative,
    Arm,
    Effect,
    difference,
)
from nextcall.abtest.look import Look, LookPlan, look
from nextcall.abtest.measured import Measured
from nextcall.abtest.metrics import Aim, Metric, Proportion, Quantile
from nextcall.abtest.proportions import compare_proportions
from nextcall.abtest.relative_effect import relative_difference
from nextcall.abtest.shares import Share
from nextcall.abtest.weighted_arms import widened

Outcome = Literal["better", "worse", "not worse", "equal", "no difference", "undecided", "unknown"]
"""What is shown of a treatment; ``unknown`` where no test can be made."""

Test = Literal["welch", "score", "boschloo", "fisher", "quantile"]
"""Where the p-value of a test with one look is from; a quantile's error is the bootstrap's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Treatment against control on one metric.

    Parameters
    ----------
    metric, control, treatment : str
    n_control, n_treatment : int
        Units with a value.
    control_estimate, treatment_estimate : float
        In the unit of the metric, with what covariates explain taken out.
    difference, relative : Effect
        In the unit of the metric, and as a share of control's size; they hold at this look.
    look : Look
        By which method, and why; of the effect that answers the aim.
    pvalue : float
        Of the null hypothesis of the aim, valid at this look.
    adjusted_pvalue : float
        With how many questions were asked taken into account.
    outcome : Outcome
    aim : Aim
    variance_reduction : float
        Share of the variance that covariates take out.
    missing : tuple of int
        Rows without a value, of control and treatment.
    warnings : tuple of str
        What to have in mind.
    arms : tuple of Arm
        Control and treatment.
    test : {"welch", "score", "boschloo", "fisher", "quantile"}
        Of a test with one look.
    level : float
        1 less this is how often the intervals hold: the plan's alpha, and less where they hold
        together with those of other treatments.
    posterior : Posterior, optional
        What is believed of the difference, where that was asked.
    """

    metric: str
    control: str
    treatment: str
    n_control: int
    n_treatment: int
    control_estimate: float
    treatment_estimate: float
    difference: Effect
    relative: Effect
    look: Look
    pvalue: float
    adjusted_pvalue: float
    outcome: Outcome
    aim: Aim
    variance_reduction: float
    missing: tuple[int, int]
    warnings: tuple[str, ...]
    arms: tuple[Arm, Arm]
    test: Test
    level: float
    posterior: Posterior | None = None

    @property
    def shares(self) -> tuple[Share, Share]:
        """Units with the event, of a proportion whose units have one row."""
        control, treatment = (
            Share(successes=round(arm.estimate * arm.n), n=int(arm.n)) for arm in self.arms
        )
        return control, treatment

    def judged(self, adjusted_pvalue: float, alpha: float) -> "Comparison":
        """Give the same with another adjusted p-value, and the outcome that follows."""
        shown = self.look.shown and adjusted_pvalue <= alpha
        return replace(self, adjusted_pvalue=adjusted_pvalue, outcome=_outcome(self, shown=shown))


def compare(
    measured: Measured,
    metric: Metric,
    variants: Sequence[str],
    *,
    plan: LookPlan,
    earlier: Sequence[float] = (),
) -> list[Comparison]:
    """Compare each treatment with control on a metric.

    Parameters
    ----------
    variants : sequence of str
        Control, then treatments.
    plan : LookPlan
        How the test is read; its size is that of control and one treatment.
    earlier : sequence of float
        Units of control and one treatment at earlier looks.
    """
    adjusted = measured.adjusted(metric, variants)
    control, *treatments = adjusted.arms
    found = []
    for place, (name, treatment) in enumerate(zip(variants[1:], treatments, strict=True)):
        pair = (variants[0], name)
        test: Test = "quantile" if isinstance(metric, Quantile) else "welch"
        arms = (control, treatment)
        if adjusted.weighting is not None:
            chance = adjusted.weighting.chances[place]
            absolute, relative = _weighted(arms, chance, plan.alpha)
            own = treatment.variance + chance[0] * treatment.n
            arms = (control, replace(treatment, variance=own))
        elif _counted(measured, metric, arms):
            absolute, relative, test = _of_shares(arms, plan.alpha)
        else:
            absolute = difference(*arms, alpha=plan.alpha)
            relative = relative_difference(*arms, alpha=plan.alpha)
        relative = _of_size(relative, control)
        n = max(sum(measured.n_units[each] for each in pair), 1)
        before = [each for each in earlier if each <= n]
        reading = _Reading(plan=plan, n=n, earlier=before)
        held = [reading.of(each, "two-sided", 0.0) for each in (absolute, relative)]
        asked, pvalue = reading.asked(metric.aim, absolute, relative)
        missing = tuple(measured.missing[metric][each] for each in pair)
        comparison = Comparison(
            metric=metric.name,
            control=pair[0],
            treatment=name,
            n_control=int(control.n),
            n_treatment=int(treatment.n),
            control_estimate=control.estimate,
            treatment_estimate=treatment.estimate,
            difference=held[0].effect,
            relative=held[1].effect,
            look=asked,
            pvalue=pvalue,
            adjusted_pvalue=pvalue,
            outcome="undecided",
            aim=metric.aim,
            arms=arms,
            test=test,
            level=plan.alpha,
            variance_reduction=adjusted.variance_reduction,
            missing=(missing[0], missing[1]),
            warnings=cautions(
                measured,
                metric,
                pair,
                (control, treatment),
                method=asked.method,
                weighting=adjusted.weighting,
            ),
        )
        found.append(comparison.judged(pvalue, plan.alpha))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A look at a test."""

    plan: LookPlan
    n: float
    earlier: Sequence[float]

    def of(self, effect: Effect, alternative: Alternative, null: float) -> Look:
        """Read an effect; a test with one look keeps the interval that it came with."""
        plan = replace(self.plan, alternative=alternative)
        found = look(plan, replace(effect, null=null), self.n, earlier=self.earlier)
        if found.method == "fixed-horizon" and alternative == "two-sided" and null == effect.null:
            shown = effect.pvalue <= plan.alpha
            return replace(found, effect=effect, naive=effect, shown=shown)
        return found

    def asked(self, aim: Aim, absolute: Effect, relative: Effect) -> tuple[Look, float]:
        """Read what the aim asks for; give its p-value too."""
        if aim.equivalence is not None:
            above = self.of(relative, "greater", -aim.equivalence)
            below = self.of(relative, "less", aim.equivalence)
            worst = max(above, below, key=lambda each: _known(each.effect.pvalue))
            return replace(worst, shown=above.shown and below.shown), worst.effect.pvalue
        if aim.margin is not None:
            higher = aim.better == "higher"
            side: Alternative = "greater" if higher else "less"
            found = self.of(relative, side, -aim.margin if higher else aim.margin)
        else:
            found = self.of(absolute, aim.alternative, 0.0)
        return found, found.effect.pvalue


def _of_size(relative: Effect, control: Arm) -> Effect:
    """Give a share of control as one of its size: above 0 for a rise, below 0 though control be."""
    if control.estimate >= 0 or isnan(relative.value):
        return relative
    return replace(
        relative,
        value=-relative.value,
        ci_lower=-relative.ci_upper,
        ci_upper=-relative.ci_lower,
    )


def _counted(measured: Measured, metric: Metric, arms: tuple[Arm, Arm]) -> bool:
    """Say whether arms are counts of units with an event."""
    known = min(arm.n for arm in arms) > 0
    return isinstance(metric, Proportion) and not measured.clustered and known


def _of_shares(arms: tuple[Arm, Arm], alpha: float) -> tuple[Effect, Effect, Test]:
    shares = [Share(successes=round(arm.estimate * arm.n), n=int(arm.n)) for arm in arms]
    found = compare_proportions(*shares, alpha=alpha)
    return found.difference, found.relative, found.test


def _weighted(
    arms: tuple[Arm, Arm], chances: tuple[float, float], alpha: float
) -> tuple[Effect, Effect]:
    """Give difference and relative difference of arms over strata."""
    absolute, relative = (found(*arms, alpha=alpha) for found in (difference, relative_difference))
    return widened(absolute, chances[0], alpha=alpha), widened(relative, chances[1], alpha=alpha)


def _outcome(comparison: Comparison, *, shown: bool) -> Outcome:
    aim, effect = comparison.aim, comparison.look.effect
    if isnan(comparison.pvalue):
        return "unknown"
    if not shown:
        asks_for_less = aim.margin is not None or aim.equivalence is not None
        return "no difference" if comparison.look.ended and not asks_for_less else "undecided"
    if aim.equivalence is not None:
        return "equal"
    if aim.margin is not None:
        return "not worse"
    return "better" if (effect.value > effect.null) == (aim.better == "higher") else "worse"


def _known(pvalue: float) -> float:
    return 2.0 if isnan(pvalue) else pvalue
