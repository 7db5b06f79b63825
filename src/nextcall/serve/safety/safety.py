"""What stands before and after the predictor: requests checked, answers filtered, both counted."""

import copy
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, Literal, Self, TypeVar

from nextcall.cache.cache import Cache
from nextcall.catalog.catalog import Catalog
from nextcall.catalog.operation import Operation
from nextcall.guard.guard import Guard, Policy, packaged_guard_version
from nextcall.guard.pii import Masked, mask_pii
from nextcall.serve.answers import Answer, FullAnswer
from nextcall.serve.found import usual_head
from nextcall.serve.problems import UnsafeError
from nextcall.serve.safety.answer_filter import AnswerFilter
from nextcall.serve.safety.carried import KnownCalls, texts_of_request, texts_of_trial
from nextcall.serve.safety.checked import Checked, Noted, noted_of
from nextcall.serve.safety.counts import SafetyCounts, SafetySnapshot
from nextcall.serve.safety.guard_settings import GuardSettings
from nextcall.serve.safety.harmless_prompts import HarmlessPrompts
from nextcall.serve.safety.input_checks import Findings, InputChecks, Noticed
from nextcall.serve.safety.judged_catalog import JudgedCatalog
from nextcall.serve.safety.marks import marked_answer
from nextcall.serve.schemas import PromptAsked
from nextcall.serve.trials.schemas import TrialAsked
from nextcall.telemetry.metrics import Metrics

__all__ = ["Checked", "Later", "Noted", "OnBlock", "Safety"]

OnBlock = Callable[[str, tuple[str, ...], float], None]
"""Hears of a refusal: the route's template, families of broken rules, the detector's risk."""

Later = Callable[[Callable[[], None]], None]
"""Takes what is to be done where one may wait."""

_REDACTED: Final = "[redacted]"
_AnswerT = TypeVar("_AnswerT", Answer, FullAnswer)


class Safety:
    """The guard of a service, shared by all threads.

    A prompt reaches the ranker as it came, whatever is personal in it: the ranker keeps nothing.
    Whoever logs it, keeps it or sends it on takes `masked`.

    Parameters
    ----------
    settings : GuardSettings
        Which checks there are, and what becomes of what they find.
    catalog : Catalog
        Whose operations are proposed.
    guard : Guard, optional
        Judges texts, with the policy ``"block"``; where none is given, by the packaged model and
        the threshold that is set.
    version : str, optional
        Of the guard's model; where none is given, that of the packaged one.
    max_history : int
        Newest calls of a history that are used, and so are checked.
    on_block : callable, optional
        Hears of each refusal, in the thread that refuses.
    metrics : Metrics, optional
        Where it counts; for itself alone where none are given.
    judged : JudgedCatalog, optional
        What the same guard said of the same catalogue before.
    prompts : Cache, optional
        Where it is kept which prompts were harmless; nowhere without.
    """

    def __init__(
        self,
        settings: GuardSettings,
        catalog: Catalog,
        *,
        guard: Guard | None = None,
        version: str | None = None,
        max_history: int = 100,
        on_block: OnBlock | None = None,
        metrics: Metrics | None = None,
        judged: JudgedCatalog | None = None,
        prompts: Cache[object] | None = None,
    ) -> None:
        self.enabled = settings.guard_enabled
        self.version = version or packaged_guard_version()
        self._settings = settings
        self._max_history = max_history
        self._on_block = on_block
        self._counts = self._checks = SafetyCounts(metrics)
        judge = guard or Guard(policy="block", threshold=settings.guard_threshold)
        self._inputs = InputChecks(settings, judge, self._counts)
        self._filter: AnswerFilter | None = None
        if settings.guard_output_enabled:
            known = None if judged is None else judged.flags
            self._filter = AnswerFilter(catalog, judge, self._counts, judged=known)
        self._known = KnownCalls(catalog)
        kept = prompts if self.enabled else None
        self._harmless = HarmlessPrompts(kept, settings, self.version)

    def check(
        self, route: str, carried: Iterable[tuple[str, object]], *, later: Later | None = None
    ) -> Checked:
        """Check what a request carries.

        Parameters
        ----------
        route : str
            Its template, which has a policy.
        carried : iterable of (str, object)
            Places, and what stands there.
        later : callable, optional
            Takes what tells of a refusal, which may wait for a database; told at once without.

        Raises
        ------
        UnsafeError
            Where it is refused.
        """
        if not self.enabled:
            return Checked(findings=None, seconds=0.0)
        start = time.perf_counter()
        policy = self._settings.guard_policies[route]
        findings = self._inputs.findings(carried, policy=policy)
        noted = noted_of(findings)
        self._counts.count_request(noted.outcome, families=noted.families, pii=noted.pii)
        if noted.outcome == "blocked":
            tell = partial(self._tell_of_block, route, findings)
            tell() if later is None else later(tell)
            raise UnsafeError(
                [(one.place, one.rule) for one in findings.noticed if one.action == "block"]
            )
        return Checked(findings=findings, seconds=time.perf_counter() - start)

    def count(self, noted: Noted) -> None:
        """Count a request; one whose answer was kept is counted as the one that it repeats."""
        if self.enabled:
            self._counts.count_request(noted.outcome, families=noted.families, pii=noted.pii)

    def policy(self, route: str) -> Policy | None:
        """Say what becomes of attacks on a route; None where nothing is checked."""
        return self._settings.guard_policies[route] if self.enabled else None

    def check_request(
        self, route: str, request: PromptAsked, *, later: Later | None = None
    ) -> Checked:
        """Check a prompt and the calls before it, but for what was harmless before; see `check`."""
        known, harmless = self._known, self._harmless
        prompt, calls = ("prompt", request.prompt), list[tuple[str, str]]()
        if request.history:
            prompt, *calls = texts_of_request(request, known=known, max_history=self._max_history)
        name = harmless.name(request.prompt)
        mark = 0 if name is None else harmless.mark
        # While a check fails, all are looked at: one that works again is to be noticed.
        is_known = name is not None and harmless.holds(name) and not self._checks.is_failing
        carried = calls if is_known else [prompt, *calls]
        checked = self.check(route, carried, later=later)
        if carried and checked.is_clean:
            if calls:
                known.remember(text for _, text in calls)
            if name is not None and not is_known:
                harmless.keep(name, since=mark)
        return checked

    def check_trial(self, route: str, asked: TrialAsked) -> Checked:
        """Check the texts of a test's definition; see `check`."""
        return self.check(route, texts_of_trial(asked))

    def released(self, answer: _AnswerT, checked: Checked) -> _AnswerT:
        """Give an answer as it may leave, with what the guard says of it.

        Parameters
        ----------
        answer : Answer or FullAnswer
            As the predictor made it.
        checked : Checked
            Of its request.
        """
        if checked.findings is None:
            return answer
        start = time.perf_counter()
        filtered = None if self._filter is None else self._filter.release(answer.predictions)
        return marked_answer(
            answer,
            checked.findings,
            filtered,
            seconds=checked.seconds + time.perf_counter() - start,
            version=self.version,
        )

    def heads(self, operations: Sequence[Operation], checked: Checked) -> list[bytes | None]:
        """Write what may leave of operations, for a short answer; None of one that may not.

        Parameters
        ----------
        operations : sequence of Operation
            Of the catalogue.
        checked : Checked
            Of the request.
        """
        if checked.findings is None or self._filter is None:
            return [usual_head(each) for each in operations]
        return self._filter.heads(operations)

    def showable(
        self, operations: Sequence[Operation], *, are_proposed: bool = True
    ) -> list[Operation | None]:
        """Give operations with such texts alone as may leave; None of one that may not.

        Parameters
        ----------
        operations : sequence of Operation
            Of the catalogue.
        are_proposed : bool
            Whether they are counted, as those of an answer are.
        """
        if not self.enabled or self._filter is None:
            return list(operations)
        return self._filter.operations(operations, are_proposed=are_proposed)

    def judged(self, route: str, carried: Iterable[tuple[str, object]]) -> tuple[Noticed, ...]:
        """Look at what another program wrote for an answer; it is not counted as a request.

        Parameters
        ----------
        route : str
            Its template, whose policy holds for the answer as well.
        carried : iterable of (str, object)
            Places, and what stands there.

        Returns
        -------
        tuple of Noticed
            What stands at a place where the action is ``"block"`` should not leave. None where
            answers are not filtered.
        """
        if not self.enabled or self._filter is None:
            return ()
        return self._inputs.findings(carried, policy=self._settings.guard_policies[route]).noticed

    def masked(self, text: str) -> Masked:
        """Mask what is personal, for whoever logs a text, keeps it or sends it on.

        `restore_pii` gives it back. Where the search fails, all of the text is masked; where
        personal data is not looked for, or allowed, nothing is.
        """
        looks = self.enabled and self._settings.guard_pii_enabled
        if not looks or self._settings.pii_policy == "allow":
            return Masked(text=text, values={}, findings=())
        try:
            masked = mask_pii(text)
        except Exception as error:  # noqa: BLE001  # whatever it is, nothing of the text may be seen
            self._checks.tell("pii", error)
            return Masked(text=_REDACTED, values={_REDACTED: text}, findings=())
        self._checks.tell("pii", None)
        return masked

    def warm(self) -> None:
        """Judge once, so that no request waits for what is loaded first."""
        if self.enabled:
            # The second has other characters than those of ASCII: it is judged the long way.
            texts = [("prompt", "list everything"), ("prompt", "list everything\u2026")]
            self._inputs.findings(texts, policy="observe")

    def apart(self) -> Self:
        """Give one that checks alike, but counts by itself and tells nobody: to be measured.

        Checks that fail by themselves are counted here, too; `status` tells of them in both.
        """
        own = copy.copy(self)
        own._counts = SafetyCounts()  # noqa: SLF001  # one of this class
        own._on_block = None  # noqa: SLF001  # as above
        own._harmless = HarmlessPrompts(None, self._settings, self.version)  # noqa: SLF001
        return own

    def snapshot(self) -> SafetySnapshot:
        """Give the counts since the start, of all workers."""
        return self._counts.snapshot()

    @property
    def failures(self) -> int:
        """How many checks failed by themselves here so far: what was made meanwhile is not kept."""
        return self._checks.failures

    def status(self) -> Literal["ok", "off", "failing"]:
        """Say whether requests are checked here; failing: the last run of a check failed."""
        if not self.enabled:
            return "off"
        return "failing" if self._checks.is_failing else "ok"

    def _tell_of_block(self, route: str, findings: Findings) -> None:
        if self._on_block is None:
            return
        families = tuple(sorted({one.family for one in findings.noticed}))
        try:
            self._on_block(route, families, max(one.risk for one in findings.noticed))
        except Exception as error:  # noqa: BLE001  # a refusal stays one, whoever fails to hear of it
            self._counts.tell("hook", error)
        else:
            self._counts.tell("hook", None)
