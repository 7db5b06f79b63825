"""How often the guard looked, what it found, and which of its checks fail: numbers only."""

import logging
import threading
import traceback
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Check = Literal["attacks", "content", "output", "pii", "hook"]
"""What may fail by itself."""

Outcome = Literal["passed", "observed", "flagged", "blocked"]
"""What became of a request."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetySnapshot:
    """The counts since the start, all of one moment.

    Attributes
    ----------
    total : int
        Requests that were checked; each of a batch counts.
    blocked, flagged, observed : int
        Those refused, answered with a mark, and noticed but let pass.
    violations : mapping of str to int
        Rules that were broken, by family; ``form``, ``content`` and ``pii`` beside the families of
        attacks.
    failed_checks : mapping of str to int
        How often a check failed by itself, by check.
    failing : tuple of str
        Checks whose last run failed; sorted.
    blocked_predictions, filtered_predictions : int
        Operations that were kept from answers, and those of which a text was.
    pii_found : mapping of str to int
        Personal data, by kind.
    """

    total: int
    blocked: int
    flagged: int
    observed: int
    violations: Mapping[str, int]
    failed_checks: Mapping[str, int]
    failing: tuple[str, ...]
    blocked_predictions: int
    filtered_predictions: int
    pii_found: Mapping[str, int]

    @property
    def blocked_rate(self) -> float:
        """Share of requests that were refused; 0 before the first."""
        return self._rate(self.blocked)

    @property
    def flagged_rate(self) -> float:
        """Share of requests that were answered with a mark."""
        return self._rate(self.flagged)

    @property
    def violation_rate(self) -> float:
        """Broken rules a request."""
        return self._rate(sum(self.violations.values()))

    def _rate(self, number: int) -> float:
        return number / self.total if self.total else 0.0


class SafetyCounts:
    """Counts, from many threads at once.

    Examples
    --------
    >>> counts = SafetyCounts()
    >>> counts.count_request("passed", families=(), pii=())
    >>> counts.count_request("blocked", families=["sqli"], pii=["email", "email"])
    >>> told = counts.snapshot()
    >>> told.total, told.blocked_rate, dict(told.violations), dict(told.pii_found)
    (2, 0.5, {'sqli': 1}, {'email': 2})
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: Counter[Outcome] = Counter()
        self._violations: Counter[str] = Counter()
        self._pii: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._failing: dict[str, type[Exception]] = {}
        self._blocked_predictions = self._filtered_predictions = 0

    def count_request(
        self, outcome: Outcome, *, families: Collection[str], pii: Collection[str]
    ) -> None:
        """Count a request, the families of the rules that it broke, and kinds of personal data."""
        with self._lock:
            self._outcomes[outcome] += 1
            if families:
                self._violations.update(families)
            if pii:
                self._pii.update(pii)

    def count_output(self, *, blocked: int, filtered: int) -> None:
        """Count operations that were kept from an answer, or a text of theirs."""
        if blocked or filtered:
            with self._lock:
                self._blocked_predictions += blocked
                self._filtered_predictions += filtered

    def tell(self, check: Check, error: Exception | None) -> None:
        """Hear how a check ended: what went wrong, or None.

        It is logged when a check begins to fail, fails otherwise than before, or works again;
        never with the error's words, which may be those of a prompt.
        """
        if error is None:
            if check in self._failing:  # a look without the lock: mostly nothing fails
                with self._lock:
                    self._failing.pop(check, None)
                _log.warning("guard check works again: %s", check)
            return
        with self._lock:
            self._failed[check] += 1
            known = self._failing.get(check)
            self._failing[check] = type(error)
        if known is not type(error):
            _log.error("guard check failed: %s, %s", check, _kind_and_place(error))

    @property
    def is_failing(self) -> bool:
        """Whether the last run of a check failed."""
        return bool(self._failing)

    def snapshot(self) -> SafetySnapshot:
        """Give the counts."""
        with self._lock:
            return SafetySnapshot(
                total=self._outcomes.total(),
                blocked=self._outcomes["blocked"],
                flagged=self._outcomes["flagged"],
                observed=self._outcomes["observed"],
                violations=dict(self._violations),
                failed_checks=dict(self._failed),
                failing=tuple(sorted(self._failing)),
                blocked_predictions=self._blocked_predictions,
                filtered_predictions=self._filtered_predictions,
                pii_found=dict(self._pii),
            )


def _kind_and_place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
