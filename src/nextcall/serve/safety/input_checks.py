"""Checks of what a request carries: attacks, form, personal data, content; each may fail alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from nextcall.guard.content import ContentCheck
from nextcall.guard.guard import Action, Guard, Policy, Verdict
from nextcall.guard.payload import Judge, Violation, check_payload, check_text, texts_of
from nextcall.guard.pii import PiiPolicy, find_pii
from nextcall.guard.steady import SteadyGuard
from nextcall.serve.safety.counts import Check, SafetyCounts
from nextcall.serve.safety.guard_settings import GuardSettings

MOST_JUDGED: Final = 200_000
"""Characters of all texts of one request; judging so many takes a third of a second."""

_SHOWN_PARTS: Final = 3  # of a place: further down it has names that the sender made up
_HARMLESS: Final = Verdict(is_injection=False, risk_score=0, labels={}, reasons=(), action="pass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """A rule that a request breaks; never holds what came.

    Attributes
    ----------
    place : str
        Where: names and numbers of items with dots.
    rule : str
        What is asked.
    family : str
        Of attacks, or ``form``, ``content``, ``pii``.
    action : str
        What is to become of the request.
    risk : float
        As the detector has it, in [0, 1]; 0 where it noticed nothing.
    """

    place: str
    rule: str
    family: str
    action: Action
    risk: float = 0.0

    @property
    def reason(self) -> str:
        """Where and which rule, in one text."""
        return f"{self.place}: {self.rule}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that was noticed in one request.

    Attributes
    ----------
    noticed : tuple of Noticed
        Rules that it breaks.
    pii : tuple of str
        Kinds of personal data in it, each time it was met.
    failed : frozenset of str
        Checks that failed by themselves.
    """

    noticed: tuple[Noticed, ...]
    pii: tuple[str, ...]
    failed: frozenset[str]


NOTHING_FOUND: Final = Findings(noticed=(), pii=(), failed=frozenset())
"""Of most requests."""


class _Nothing:
    """Judges every text harmless."""

    def detect(self, _: str) -> Verdict:
        return _HARMLESS


class InputChecks:
    """Looks at what requests carry, by the settings.

    Parameters
    ----------
    settings : GuardSettings
        Which checks there are.
    guard : Guard
        Judges texts.
    counts : SafetyCounts
        Hears of checks that fail.
    """

    def __init__(self, settings: GuardSettings, guard: Guard, counts: SafetyCounts) -> None:
        self._guard = guard if settings.guard_attacks_enabled else None
        self._pii: PiiPolicy = settings.pii_policy if settings.guard_pii_enabled else "allow"
        self._swear_words_from = settings.swear_words_from
        self._content = (
            ContentCheck(
                most_swear_words=settings.swear_words_from - 1,
                policy=settings.content_policy,
                blocked=settings.blocked_patterns,
            )
            if settings.guard_content_enabled
            else None
        )
        self._counts = counts
        self._failing = counts.failing  # mostly empty: then nobody need hear that a check works

    def findings(self, carried: Iterable[tuple[str, object]], *, policy: Policy) -> Findings:
        """Look at all that a request carries.

        Parameters
        ----------
        carried : iterable of (str, object)
            Places and what stands there: texts, or what JSON can say.
        policy : {"observe", "flag", "block"}
            What becomes of attacks. Where it is observe, nothing is refused or marked.
        """
        failed: set[str] = set()
        noticed: list[Noticed] = []
        pii: list[str] = []
        judge = self._judge(failed)
        left = MOST_JUDGED
        for place, value in carried:
            texts = (value,) if isinstance(value, str) else tuple(texts_of(value))
            left -= sum(map(len, texts))
            if left < 0:
                rule = f"Should hold at most {MOST_JUDGED} characters of text"
                noticed.append(Noticed(place="body", rule=rule, family="form", action="block"))
                break
            broken = (
                check_text(value, judge) if isinstance(value, str) else check_payload(value, judge)
            )
            for one in broken:
                noticed.append(_of_violation(place, one, policy))  # noqa: PERF401  # mostly none
            for text in texts:
                if self._pii != "allow":
                    self._look_for_personal(place, text, noticed, pii, failed)
                if self._content is not None:
                    self._look_at_content(self._content, place, text, noticed, failed)
        if not (noticed or pii or failed):
            return NOTHING_FOUND
        if policy == "observe":
            noticed = [_observed(one) for one in noticed]
        return Findings(noticed=tuple(noticed), pii=tuple(pii), failed=frozenset(failed))

    def _judge(self, failed: set[str]) -> Judge:
        if self._guard is None:
            return _Nothing()
        return SteadyGuard(self._guard, told=partial(self._tell, "attacks", failed))

    def _look_for_personal(
        self, place: str, text: str, noticed: list[Noticed], pii: list[str], failed: set[str]
    ) -> None:
        try:
            found = find_pii(text)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is told, and the rest goes on
            self._tell("pii", failed, error)
            return
        if self._failing:
            self._counts.tell("pii", None)
        if not found:
            return
        kinds = [one.kind for one in found]
        pii += kinds
        if self._pii == "block":
            rule = f"Should hold no personal data ({', '.join(sorted(set(kinds)))})"
            noticed.append(Noticed(place=place, rule=rule, family="pii", action="block"))

    def _look_at_content(
        self, check: ContentCheck, place: str, text: str, noticed: list[Noticed], failed: set[str]
    ) -> None:
        try:
            verdict = check.judge(text)
        except Exception as error:  # noqa: BLE001  # as above
            self._tell("content", failed, error)
            return
        if self._failing:
            self._counts.tell("content", None)
        if verdict.patterns:
            rule = "Should have no blocked pattern"
        elif verdict.swear_words >= self._swear_words_from:
            rule = f"Should have less than {self._swear_words_from} swear words"
        else:
            return
        noticed.append(Noticed(place=place, rule=rule, family="content", action=verdict.action))

    def _tell(self, check: Check, failed: set[str], error: Exception | None) -> None:
        if error is not None:
            failed.add(check)
        if error is not None or self._failing:
            self._counts.tell(check, error)


def _of_violation(place: str, violation: Violation, policy: Policy) -> Noticed:
    inside = [] if violation.place == "body" else violation.place.split(".")
    shown = ".".join([*place.split("."), *inside][:_SHOWN_PARTS])
    verdict = violation.verdict
    if verdict is None:
        return Noticed(place=shown, rule=violation.rule, family="form", action="block")
    return Noticed(
        place=shown,
        rule=violation.rule,
        family=max(verdict.labels, key=lambda name: verdict.labels[name]),
        action="pass" if policy == "observe" else policy,
        risk=verdict.risk_score,
    )


def _observed(one: Noticed) -> Noticed:
    return Noticed(place=one.place, rule=one.rule, family=one.family, action="pass", risk=one.risk)
