"""What a test says in the end, in one sentence, with the numbers that led there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isinf, isnan
from typing import Final

from nextcall.abtest.comparison import Comparison
from nextcall.abtest.decision import Decision
from nextcall.abtest.effect import Effect
from nextcall.abtest.srm import SampleRatio

MISMATCH: Final = 0.001
"""P-value of the sample ratio below which no winner is named."""

_RAREST: Final = 1e-300
_GOOD: Final = {"better", "not worse", "equal"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a test says.

    Parameters
    ----------
    decision : Decision
        ``winner``: a treatment is shown to be what the primary metric's aim asks, and no guardrail
        is harmed; ``loser``: all treatments are shown to be worse, or harm a guardrail.
    variant : str or None
        The winner: of several that are shown to be better, the one with the largest estimate.
    sentence : str
        For whoever decides.
    """

    decision: Decision
    variant: str | None
    sentence: str

    @property
    def valid(self) -> bool:
        """Whether a winner may be named."""
        return self.decision != "invalid"

    def minding(self, cautions: Sequence[str]) -> "Verdict":
        """Give the same, with what to have in mind at the end of the sentence."""
        if not cautions:
            return self
        return replace(self, sentence=f"{self.sentence} Mind: {'; '.join(cautions)}.")


def conclude(
    comparisons: Sequence[Comparison], srm: SampleRatio, srm_pvalue: float, *, alpha: float
) -> Verdict:
    """Draw the conclusion of the comparisons.

    Parameters
    ----------
    comparisons : sequence of Comparison
        The first is of the primary metric.
    srm_pvalue : float
        Of the planned shares, valid at this look.
    """
    if srm_pvalue < MISMATCH:
        worst = srm.worst
        return Verdict(
            decision="invalid",
            variant=None,
            sentence=(
                f"No winner can be named: {worst.variant} has {worst.observed:,} units where "
                f"{worst.expected:,.0f} were planned ({worst.relative:+.1%}, "
                f"{pvalue_text(srm_pvalue)}); find out why before reading on."
            ),
        )
    primary = [each for each in comparisons if each.metric == comparisons[0].metric]
    if all(each.outcome == "unknown" for each in primary):
        reason = "; ".join(dict.fromkeys(text for each in primary for text in each.warnings))
        sentence = f"Nothing can be said of {primary[0].metric}: {reason or 'no test can be made'}."
        return Verdict(decision="invalid", variant=None, sentence=sentence)
    harmed = {
        each.treatment: each
        for each in comparisons
        if each.aim.guardrail and each.outcome == "worse"
    }
    good = [each for each in primary if each.outcome in _GOOD and each.treatment not in harmed]
    if good:
        sign = 1 if primary[0].aim.better == "higher" else -1
        best = max(good, key=lambda each: sign * each.treatment_estimate)
        others = len(good) - 1
        are = "treatment is" if others == 1 else "treatments are"
        tail = f" {others} more {are} shown too." if others else ""
        return Verdict(
            decision="winner", variant=best.treatment, sentence=_told(best, alpha) + tail
        )
    if all(each.outcome == "worse" or each.treatment in harmed for each in primary):
        told = harmed.get(primary[0].treatment, primary[0])
        return Verdict(decision="loser", variant=None, sentence=_told(told, alpha))
    closest = min(primary, key=lambda each: 2.0 if isnan(each.pvalue) else each.pvalue)
    ended = all(each.look.ended or each.outcome in {"worse", "unknown"} for each in primary)
    if ended:
        return Verdict(decision="no difference", variant=None, sentence=_told(closest, alpha))
    words = _told(closest, alpha)
    if not words.startswith(closest.treatment):  # a name stays as it is written
        words = f"{words[0].lower()}{words[1:]}"
    return Verdict(decision="keep running", variant=None, sentence=f"Keep running: {words}")


def _told(each: Comparison, alpha: float) -> str:
    effect = each.relative
    words = {
        "better": f"{each.treatment} is better than {each.control} on {each.metric}",
        "worse": f"{each.treatment} is worse than {each.control} on {each.metric}",
        "not worse": f"{each.treatment} is not worse than {each.control} on {each.metric} by as "
        f"much as {each.aim.margin or 0:.3g} of it",
        "equal": f"{each.treatment} and {each.control} are equal on {each.metric} within "
        f"{each.aim.equivalence or 0:.3g} of it",
        "no difference": f"No difference of {each.treatment} from {each.control} on {each.metric} "
        "is shown",
        "undecided": f"Nothing is shown yet of {each.treatment} against {each.control} on "
        f"{each.metric}",
        "unknown": f"Nothing can be said of {each.treatment} on {each.metric}",
    }[each.outcome]
    if isnan(effect.value) or (isinf(effect.ci_lower) and isinf(effect.ci_upper)):
        numbers = f"{_range(each.difference, '+.4g')} in its own unit"
    else:
        numbers = _range(effect, "+.1%")
    together = "simultaneous " if each.level < alpha else ""
    interval = f"{100 * (1 - alpha):.4g} % {together}interval"
    return f"{words}: {numbers} ({interval}, {pvalue_text(each.adjusted_pvalue)})."


def _range(effect: Effect, form: str) -> str:
    return f"{effect.value:{form}}, from {effect.ci_lower:{form}} to {effect.ci_upper:{form}}"


def pvalue_text(pvalue: float) -> str:
    """Say a p-value: three decimals, a power of ten below, and what no float tells from 0.

    Examples
    --------
    >>> pvalue_text(0.04), pvalue_text(1.2e-9), pvalue_text(0.0), pvalue_text(float("nan"))
    ('p 0.040', 'p 1.2e-09', 'p < 1e-300', 'no p')
    """
    if pvalue != pvalue:  # noqa: PLR0124  # nan
        return "no p"
    if pvalue >= 0.001:
        return f"p {pvalue:.3f}"
    return f"p {pvalue:.1e}" if pvalue > _RAREST else f"p < {_RAREST:.0e}"
