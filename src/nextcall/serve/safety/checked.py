"""What is known of a request that was checked, and what of it is counted."""

from dataclasses import dataclass
from typing import Final

from nextcall.serve.safety.counts import Outcome
from nextcall.serve.safety.input_checks import NOTHING_FOUND, Findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What is counted of a request that was checked; never holds what came.

    Attributes
    ----------
    outcome : str
        What became of it.
    families : tuple of str
        Of the rules that it breaks.
    pii : tuple of str
        Kinds of personal data in it.
    """

    outcome: Outcome
    families: tuple[str, ...]
    pii: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What is known of a request that was not refused.

    Attributes
    ----------
    findings : Findings or None
        What was noticed; None where the guard is off.
    seconds : float
        How long the checks took.
    """

    findings: Findings | None
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether every check ran, and found nothing at all."""
        found = self.findings
        if found is NOTHING_FOUND:
            return True
        return found is not None and not (found.noticed or found.pii or found.failed)

    @property
    def is_plain(self) -> bool:
        """Whether nothing speaks against the answer to a request that means the same."""
        return self.findings is None or self.is_clean

    @property
    def noted(self) -> Noted:
        """What of it is counted."""
        return _UNNOTED if self.findings is None else noted_of(self.findings)

    @property
    def marks(self) -> list[str]:
        """What the answer is marked with."""
        noticed = () if self.findings is None else self.findings.noticed
        return [one.reason for one in noticed if one.action == "flag"]


_UNNOTED: Final = Noted(outcome="passed", families=(), pii=())


def noted_of(findings: Findings) -> Noted:
    """Give what is counted of findings."""
    if findings is NOTHING_FOUND:
        return _UNNOTED
    families = tuple(one.family for one in findings.noticed)
    return Noted(outcome=_outcome(findings), families=families, pii=findings.pii)


def _outcome(findings: Findings) -> Outcome:
    actions = {one.action for one in findings.noticed}
    if "block" in actions:
        return "blocked"
    if "flag" in actions:
        return "flagged"
    return "observed" if actions else "passed"
